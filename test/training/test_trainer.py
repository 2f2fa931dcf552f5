"""Whole trainings, of few and small steps."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import planes
import pytest
import torch
from planes import STEPS, Louvers, Planes, Registered, tiny_trainer

from depth_completion_ros.checkpoints import load_checkpoint, save_checkpoint
from depth_completion_ros.networks.registry import create
from depth_completion_ros.pipeline import DepthCompleter, sparse_depth_of
from depth_completion_ros.training import trainer as trainer_module
from depth_completion_ros.training.journal import CURVE, HELD_OUT
from depth_completion_ros.training.processes import Processes
from depth_completion_ros.training.samples import collate
from depth_completion_ros.training.sparsity import Sparsity
from depth_completion_ros.training.trainer import STATE, NotFiniteError

RATES = {"auxiliary": 1e-3, "emdc": 3e-3, "magaconv": 3e-2, "mspn": 1e-3, "nlspn": 1e-3}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def curve(folder):
    with (Path(folder) / CURVE).open() as file:
        return list(csv.DictReader(file))


def losses(folder):
    return [float(row["loss"]) for row in curve(folder)]


def run_alone(*arguments, launcher=()):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *launcher, planes.__file__, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@torch.no_grad()
def loss_of_other_samples(trainer):
    batches = [collate([trainer.stream[k], trainer.stream[k + 1]]) for k in range(100, 116, 2)]
    return sum(trainer._loss(trainer.network, batch).item() for batch in batches)


@pytest.mark.parametrize("model", RATES)
def test_the_loss_falls(model, tmp_path):
    trainer = tiny_trainer(
        tmp_path,
        model,
        Louvers(1),
        sparsity=Sparsity(points=(4, 4)),
        steps=24,
        learning_rate=RATES[model],
        save_every=24,
    )
    before = loss_of_other_samples(trainer)
    trainer.run()
    assert len(losses(tmp_path)) == 24
    assert loss_of_other_samples(trainer) < 0.95 * before


def test_a_killed_training_goes_on_as_if_nothing_had_been(tmp_path):
    tiny_trainer(tmp_path / "whole", held_out=[Planes(1)], held_out_every=4).run()
    killed = run_alone(tmp_path / "killed", 15, 0)  # frames, of which a step takes two
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(curve(tmp_path / "killed")) == 7
    resumed = tiny_trainer(tmp_path / "killed", workers=1, held_out=[Planes(1)], held_out_every=4)
    assert resumed.step == 6  # the last that was saved
    resumed.run()
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")
    assert len(curve(tmp_path / "whole")) == STEPS
    scores = [(tmp_path / name / HELD_OUT).read_text() for name in ("whole", "killed")]
    assert scores[0] == scores[1]
    assert [line.split(",")[0] for line in scores[0].splitlines()[1::3]] == ["0", "4", "8", "10"]  # at 16, 8, 4 lines
    whole, killed = (load_checkpoint(tmp_path / name).state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(value, killed[key]) for key, value in whole.items())


def test_a_training_that_was_killed_while_it_saved_has_its_weights_in_the_end(tmp_path, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer_module, "save_checkpoint", die)
        with pytest.raises(KeyboardInterrupt):
            tiny_trainer(tmp_path, steps=1).run()
    (tmp_path / ".new").mkdir()  # in which earlier versions wrote the weights first
    (tmp_path / ".new" / "half a file").touch()
    trainer = tiny_trainer(tmp_path, steps=1)
    trainer.run()
    average = trainer.average.state_dict()
    assert all(torch.equal(value, average[key]) for key, value in load_checkpoint(tmp_path).state_dict().items())


def test_a_state_is_read_by_the_cpu_wherever_the_network_is(tmp_path):
    """Adam's counters of steps would make a GPU wait at every one, if they were there."""
    tiny_trainer(tmp_path, steps=3).run()
    resumed = tiny_trainer(tmp_path, steps=3)
    resumed.processes = Processes(0, 2, torch.device("meta"))  # as another device than that of the network
    resumed._restore()
    saved = torch.load(tmp_path / STATE, weights_only=True)["optimizer"]["state"]
    states = resumed.optimizer.state_dict()["state"]
    assert len(states) == len(saved) > 0
    for key, state in states.items():
        assert state["step"].device.type == "cpu" and state["step"] == 3
        assert torch.equal(state["exp_avg"], saved[key]["exp_avg"])


def test_workers_end_with_a_killed_training(tmp_path):
    killed = run_alone(tmp_path, 8, 1)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    worker = Path("/proc") / (tmp_path / "maker").read_text()
    deadline = time.monotonic() + 20
    while worker.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not worker.exists()


def test_another_training_is_not_continued(tmp_path):
    tiny_trainer(tmp_path, steps=1).run()
    with pytest.raises(ValueError, match="seed 0 instead of 1"):
        tiny_trainer(tmp_path, steps=1, seed=1)
    assert tiny_trainer(tmp_path, steps=1).step == 1


def test_a_state_that_was_copied_in_part_is_named(tmp_path):
    tiny_trainer(tmp_path, steps=1).run()
    state = tmp_path / STATE
    content = state.read_bytes()
    for part in (content[: len(content) // 2], b""):
        state.write_bytes(part)
        with pytest.raises(ValueError, match=f"{state} is damaged or was copied in part"):
            tiny_trainer(tmp_path, steps=1)


def test_weights_of_no_training_are_not_written_over(tmp_path):
    save_checkpoint(create("auxiliary", preset="lite"), tmp_path)
    before = (tmp_path / "weights.safetensors").read_bytes()
    with pytest.raises(ValueError, match=f"{tmp_path} holds weights that are of no training"):
        tiny_trainer(tmp_path, steps=1)
    assert (tmp_path / "weights.safetensors").read_bytes() == before


def test_a_training_that_was_killed_between_its_first_weights_and_its_state_begins_anew(tmp_path):
    tiny_trainer(tmp_path, steps=1).run()
    (tmp_path / STATE).unlink()
    assert tiny_trainer(tmp_path, steps=1).step == 0


def test_processes_together_do_what_one_does_in_parts(tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    result = run_alone(tmp_path / "two", 1000, 0, launcher=launcher)
    assert result.returncode == 0, result.stderr
    tiny_trainer(tmp_path / "one", accumulate=2).run()
    # Exactly so at first; then the running sums of floating point numbers, in another order, drift apart.
    assert losses(tmp_path / "two")[:3] == pytest.approx(losses(tmp_path / "one")[:3], rel=1e-3)
    assert len(losses(tmp_path / "two")) == STEPS


def test_what_was_trained_completes_depth(tmp_path):
    trainer = tiny_trainer(tmp_path, "mspn", steps=3)
    trainer.run()
    completer = DepthCompleter("mspn", "cpu", checkpoint=tmp_path)
    frame = Planes()[0]
    completion = completer(frame.image, sparse_depth_of(frame))
    assert completion.depth.shape == frame.ground_truth.shape
    assert load_checkpoint(tmp_path).crop == (64, 96)
    assert completer(None, sparse_depth_of(frame)).depth.shape == frame.ground_truth.shape  # cameras died in training
    trained = dict(trainer.network.named_parameters())
    # The average of the weights, not the last ones, is what is used.
    used = dict(load_checkpoint(tmp_path).named_parameters())
    assert any(not torch.equal(value, trained[key]) for key, value in used.items())


def test_frames_held_out_leave_the_training_as_it_is(tmp_path):
    tiny_trainer(tmp_path / "with", steps=4, held_out=[Planes(2), Registered(1)], held_out_every=1).run()
    tiny_trainer(tmp_path / "without", steps=4).run()
    assert curve(tmp_path / "with") == curve(tmp_path / "without")
    with_, without = (load_checkpoint(tmp_path / name).state_dict() for name in ("with", "without"))
    assert all(torch.equal(value, without[key]) for key, value in with_.items())


@pytest.mark.parametrize("model", RATES)
def test_a_training_starts_from_given_weights(model, tmp_path):
    tiny_trainer(tmp_path / "first", model, steps=2).run()
    given = load_checkpoint(tmp_path / "first").state_dict()
    trainer = tiny_trainer(tmp_path / "second", model, steps=2, seed=1, init=tmp_path / "first")
    for network in (trainer.network, trainer.average):
        assert all(torch.equal(value, given[key]) for key, value in network.state_dict().items())
    assert trainer.network.training and not trainer.average.training


def test_the_first_weights_must_fit_and_stay_the_same(tmp_path):
    tiny_trainer(tmp_path / "first", steps=1).run()
    with pytest.raises(ValueError, match=r"first has weights of emdc \{.*\}, which cannot be the first of mspn"):
        tiny_trainer(tmp_path / "other", "mspn", steps=1, init=tmp_path / "first")
    tiny_trainer(tmp_path / "second", steps=1, init=tmp_path / "first").run()
    assert tiny_trainer(tmp_path / "second", steps=1, init=tmp_path / "first").step == 1
    with pytest.raises(ValueError, match=r"first weights \w{16} instead of None"):
        tiny_trainer(tmp_path / "second", steps=1)


def test_mixed_precision_trains(tmp_path):
    tiny_trainer(tmp_path, steps=3, precision="bfloat16").run()
    full = tmp_path / "full"
    tiny_trainer(full, steps=3).run()
    assert losses(tmp_path) == pytest.approx(losses(full), rel=0.1)
    assert losses(tmp_path) != losses(full)


def test_a_loss_that_is_not_finite_stops_with_the_batch(tmp_path, monkeypatch):
    trainer = tiny_trainer(tmp_path)
    compute = trainer._loss

    def break_down(module, batch):
        return compute(module, batch) * (float("nan") if trainer.step == 2 else 1)

    monkeypatch.setattr(trainer, "_loss", break_down)
    with pytest.raises(NotFiniteError, match=r"step 3: the loss is nan on planes/plane \d, planes/plane \d;") as error:
        trainer.run()
    file = tmp_path / "not_finite_step_3_process_0.pt"
    assert str(file) in str(error.value)
    content = torch.load(file, weights_only=True)
    assert content["batch"]["sparse_depth"].shape == (2, 1, 64, 96)
    trainer.network.load_state_dict(content["network"])
    assert len(curve(tmp_path)) == 2


def test_a_gradient_that_is_not_finite_stops_too(tmp_path, monkeypatch):
    trainer = tiny_trainer(tmp_path)
    compute = trainer._loss

    def break_down(module, batch):
        loss = compute(module, batch)
        return loss + (loss - loss.detach()).abs().sqrt()  # the root of 0 has an infinite slope

    monkeypatch.setattr(trainer, "_loss", break_down)
    with pytest.raises(NotFiniteError, match="step 1: the gradient is nan"):
        trainer.run()


def test_a_gradient_that_no_scale_makes_finite_stops_too(tmp_path, monkeypatch):
    trainer = tiny_trainer(tmp_path, steps=30, precision="float16")
    compute = trainer._loss

    def break_down(module, batch):
        loss = compute(module, batch)
        return loss + (loss - loss.detach()).abs().sqrt() if trainer.step > 1 else loss

    monkeypatch.setattr(trainer, "_loss", break_down)
    scale = trainer.scaler.get_scale()
    with pytest.raises(NotFiniteError, match="the gradient is nan"):
        trainer.run()
    assert trainer.scaler.get_scale() == 1 < scale
    assert trainer.step < 20


def test_batches_that_cannot_be_divided_are_refused(tmp_path):
    with pytest.raises(ValueError, match="batch of 2 cannot be divided among 1 process"):
        tiny_trainer(tmp_path, accumulate=3)
