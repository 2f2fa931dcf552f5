"""The processes that train together."""

from datetime import timedelta

from torch import distributed

from depth_completion_ros.training.processes import join_processes


def test_processes_wait_for_one_that_scores_for_long(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    begun, ended = [], []
    monkeypatch.setattr(distributed, "init_process_group", lambda backend, timeout: begun.append((backend, timeout)))
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: ended.append(True))
    with join_processes("cpu") as processes:
        assert (processes.rank, processes.count) == (1, 2) and not ended
    assert ended
    [(backend, timeout)] = begun
    assert backend == "gloo" and timeout >= timedelta(hours=2)
