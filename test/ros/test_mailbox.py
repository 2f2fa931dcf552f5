import threading

from depth_completion_ros.ros.mailbox import Mailbox


def test_the_newest_item_replaces_one_that_waits():
    started, release = threading.Event(), threading.Event()
    done = []

    def work(item):
        started.set()
        release.wait(5)
        done.append(item)

    mailbox = Mailbox(work, lambda error: None)
    mailbox.put(1)
    started.wait(5)
    for item in (2, 3, 4):
        mailbox.put(item)
    started.clear()
    release.set()
    started.wait(5)
    mailbox.close()
    assert done == [1, 4]
    assert mailbox.replaced == 2


def test_an_item_that_fails_does_not_end_the_worker():
    errors, done, finished = [], [], threading.Event()

    def work(item):
        if item == "bad":
            raise KeyError(item)
        done.append(item)
        finished.set()

    failed = threading.Event()
    mailbox = Mailbox(work, lambda error: (errors.append(error), failed.set()))
    mailbox.put("bad")
    assert failed.wait(5)
    mailbox.put("good")
    assert finished.wait(5)
    mailbox.close()
    assert done == ["good"]
    assert [type(error) for error in errors] == [KeyError]


def test_close_drops_what_still_waits():
    started, release, done = threading.Event(), threading.Event(), []

    def work(item):
        started.set()
        release.wait(5)
        done.append(item)

    mailbox = Mailbox(work, lambda error: None)
    mailbox.put(1)
    started.wait(5)
    mailbox.put(2)
    threading.Timer(0.05, release.set).start()
    mailbox.close()
    assert done == [1]
