"""Learning rates in the course of training."""

import pytest
import torch

from depth_completion_ros.training.schedules import Cosine, Milestones, Plateau, RateScheduler


def rates(schedule, epochs, steps, losses=None):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = RateScheduler(optimizer, schedule, epochs, steps)
    result = []
    for step in range(steps):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(losses[step] if losses else 1.0)
    return result


def test_milestones_are_stretched_to_the_training():
    found = rates(Milestones((10, 15), factor=0.2, warm_up=1), epochs=20, steps=200)
    assert found[0] == pytest.approx(0.1) and found[9] == pytest.approx(1.0)
    assert found[98] == 1.0 and found[99] == pytest.approx(0.2)
    assert found[149] == pytest.approx(0.04) and found[-1] == pytest.approx(0.04)


def test_cosine_rises_and_falls_to_its_floor():
    found = rates(Cosine(end=150, warm_up=10, floor=1e-3), epochs=150, steps=300)
    assert found[19] == pytest.approx(1.0) and found[9] == pytest.approx(0.5)
    assert found[159] == pytest.approx(0.5, abs=0.01)
    assert found[-1] == pytest.approx(1e-3)


def test_a_plateau_halves_the_rate():
    falling = [1.0 - 0.01 * k for k in range(20)]
    assert set(rates(Plateau(0.5, patience=2), epochs=10, steps=20, losses=falling)) == {1.0}
    flat = rates(Plateau(0.5, patience=2), epochs=10, steps=20)
    assert flat[7] == 1.0 and flat[8] == 0.5
