"""Initial depth in training: estimated where frames have none, and asked for where a network needs it."""

from dataclasses import replace

import numpy as np
import pytest
from planes import Planes, tiny_trainer

from depth_completion_ros.training import initial_depth
from depth_completion_ros.training.initial_depth import EstimatedSource
from depth_completion_ros.training.samples import SampleStream, Share, collate
from depth_completion_ros.training.sparsity import Sparsity


@pytest.fixture
def estimator(monkeypatch, tmp_path):
    """Reads the depth off the brightness of the planes, and counts how often it did."""
    made = []

    class Estimator:
        def __init__(self, folder, device):
            made.append((folder, device))

        def __call__(self, image):
            made.append("estimate")
            return ((255 - image[..., 0].astype(np.float32)) / 8).clip(1e-3)

    monkeypatch.setattr(initial_depth, "MonocularEstimator", Estimator)
    initial_depth._estimator.cache_clear()
    yield made
    initial_depth._estimator.cache_clear()


def test_frames_get_an_estimate_unless_they_have_one(estimator, tmp_path):
    source = EstimatedSource(Planes(2), tmp_path, "cpu")
    assert estimator == [(tmp_path, "cpu")]  # what is wrong with it shows at once
    frame = source[1]
    assert np.abs(frame.initial_depth - frame.ground_truth).max() <= 1 / 8
    assert (len(source), source.name) == (2, f"planes+{tmp_path.name}")

    class Given(Planes):
        def __getitem__(self, index):
            frame = super().__getitem__(index)
            return replace(frame, initial_depth=2 * frame.ground_truth)

    frame = EstimatedSource(Given(), tmp_path, "cpu")[0]
    np.testing.assert_array_equal(frame.initial_depth, 2 * frame.ground_truth)
    assert estimator.count("estimate") == 1 and len(estimator) == 2  # one estimator for both


def test_frames_without_image_are_named(estimator, tmp_path):
    class Dark(Planes):
        def __getitem__(self, index):
            return replace(super().__getitem__(index), image=None)

    with pytest.raises(ValueError, match=r"planes.*/plane 1 has no image"):
        EstimatedSource(Dark(), tmp_path, "cpu")[1]


def test_estimates_follow_the_frame_through_augmentation(estimator, tmp_path):
    recipe = tiny_trainer(tmp_path, steps=1).recipe
    source = EstimatedSource(Planes(2), tmp_path, "cpu")
    stream = SampleStream([Share(source, 1)], recipe.augmentation, Sparsity(lines=(24, 24)), 0)
    batch = collate([stream[k] for k in range(6)])
    seen = batch.ground_truth > 0
    error = (batch.initial_depth - batch.ground_truth)[seen].abs() / batch.ground_truth[seen]
    assert error.median() < 0.02


def test_mspn_learns_to_refine_estimates(estimator, tmp_path):
    with pytest.raises(ValueError, match=r"not every frame of planes/plane \d, planes/plane \d has the initial depth"):
        tiny_trainer(tmp_path / "without", "mspn", mode="sdr", steps=2).run()
    source = EstimatedSource(Planes(2), tmp_path, "cpu")
    trainer = tiny_trainer(tmp_path / "with", "mspn", source, mode="sdr", steps=2, held_out=[source])
    assert trainer.network.uses_initial_depth
    trainer.run()
    assert len((tmp_path / "with" / "held_out.csv").read_text().splitlines()) == 1 + 2 * 3
