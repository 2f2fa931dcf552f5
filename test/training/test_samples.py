"""The stream of samples: the same for the same seed, fair to every frame, and never empty."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from planes import Blind, Planes

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.networks.registry import create
from depth_completion_ros.training.augmentation import Augmentation, Pictures
from depth_completion_ros.training.samples import SampleStream, Share, collate, load
from depth_completion_ros.training.sparsity import Sparsity

CROP = Augmentation((32, 48), image_dropout=0.5)


LINES = Sparsity(lines=(4, 24))


class Dense(Planes):
    """By a depth camera that misses nothing."""

    def __getitem__(self, index):
        frame = super().__getitem__(index)
        return replace(frame, points=None, rings=None, depth=frame.ground_truth)


def stream(*shares, seed=0, sparsity=LINES):
    return SampleStream(shares or (Share(Planes(), 1),), CROP, sparsity, seed)


def same(first, second):
    return first.names == second.names and all(
        torch.equal(value, vars(second)[key]) for key, value in vars(first).items() if isinstance(value, torch.Tensor)
    )


def test_samples_are_the_same_in_any_order_and_process():
    numbers = [[7, 2], [0, 11], [5, 5]]
    here = list(load(stream(), numbers, 0, pin=False))
    there = list(load(stream(), numbers, 2, pin=False))
    assert len(here) == 3 and all(map(same, here, there))
    assert not same(here[0], next(load(stream(seed=1), numbers, 0, pin=False)))


def test_loading_leaves_the_randomness_of_the_network_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(load(stream(), [[0], [1]], 0, pin=False))
    assert torch.rand(1) == expected


def test_every_frame_has_its_turn_in_every_epoch():
    samples = stream(Share(Planes(5), 5))
    for epoch in range(3):
        names = [samples[5 * epoch + k][1] for k in range(5)]
        assert sorted(names) == [f"planes/plane {k}" for k in range(5)]


def test_data_sets_have_their_shares():
    samples = stream(Share(Planes(30, name="a"), 1), Share(Planes(10, name="b"), 3))
    names = [samples[k][1] for k in range(40)]
    assert Counter(name[0] for name in names) == {"a": 10, "b": 30}
    assert set(Counter(name for name in names if name[0] == "b").values()) == {3}


def test_pictures_fit_together():
    batch = collate([stream()[k] for k in range(6)])
    assert batch.image.shape == (6, 32, 48, 3) and batch.sparse_depth.shape == (6, 1, 32, 48)
    measured = batch.sparse_depth > 0
    assert measured.flatten(1).any(1).all()
    both = measured & (batch.ground_truth > 0)
    error = (batch.sparse_depth - batch.ground_truth)[both].abs() / batch.ground_truth[both]
    assert error.max() < 0.03


def test_what_was_measured_beside_the_sparse_depth_is_withheld():
    batch = collate([stream()[k] for k in range(6)])
    withheld = batch.withheld > 0
    assert withheld.any()
    assert not (withheld & (batch.sparse_depth > 0)).any()
    both = withheld & (batch.ground_truth > 0)
    error = (batch.withheld - batch.ground_truth)[both].abs() / batch.ground_truth[both]
    assert error.max() < 0.03
    everything = collate([stream(sparsity=Sparsity())[0]])
    assert not everything.withheld.any()


def test_what_was_measured_where_a_hole_is_made_is_withheld():
    batch = collate([stream(Share(Dense(), 1), sparsity=Sparsity(holes=(0.3, 0.3)))[k] for k in range(4)])
    sparse, withheld = batch.sparse_depth > 0, batch.withheld > 0
    assert not (sparse & withheld).any()
    assert 0.3 <= withheld.float().mean() < 0.6
    assert (sparse | withheld | (batch.ground_truth == 0)).float().mean() > 0.98


def test_what_the_camera_cannot_see_is_not_withheld_but_left_out():
    sparse = np.zeros((32, 48), np.float32)
    sparse[10, 10] = 5
    measured = sparse.copy()
    measured[10, 12], measured[10, 30] = 20, 20
    camera = Camera(48, 32, 50, 50, 24, 16)
    batch = collate([(Pictures(camera, None, sparse, sparse, measured=measured), "wall")])
    assert batch.withheld[0, 0].nonzero().tolist() == [[10, 30]]


def test_what_the_ground_truth_shows_beside_an_edge_is_withheld():
    """Scoring would take both returns for hidden by the nearer one; the camera sees one of them."""
    sparse = np.zeros((32, 48), np.float32)
    sparse[10, 10] = 5
    measured = sparse.copy()
    measured[10, 12], measured[12, 10] = 20, 20
    truth = np.full_like(sparse, 5)
    truth[:, 12:] = 20
    batch = collate([(Pictures(Camera(48, 32, 50, 50, 24, 16), None, sparse, truth, measured=measured), "edge")])
    assert batch.withheld[0, 0].nonzero().tolist() == [[10, 12]]


def test_a_dead_camera_is_the_mean_color():
    network = create("emdc", preset="lite")
    batch = collate([stream()[k] for k in range(8)])
    assert 0 < batch.has_image.sum() < 8
    image = batch.normalized_image(network)
    assert not image[~batch.has_image].any()
    expected = (batch.image[batch.has_image] / 255 - torch.tensor(network.image_mean)) / torch.tensor(network.image_std)
    torch.testing.assert_close(image[batch.has_image], expected.permute(0, 3, 1, 2))
    with pytest.raises(ValueError, match="has no image"):
        _ = batch.gray


def test_points_are_as_many_within_the_crop():
    samples = stream(Share(Dense(), 1), sparsity=Sparsity(points=(10, 20)))
    for k in range(8):
        pictures, _ = samples[k]
        assert 10 <= np.count_nonzero(pictures.sparse_depth) <= 20


def test_the_next_frame_takes_the_place_of_an_empty_one(caplog):
    class OneEmpty(Planes):
        def __getitem__(self, index):
            frame = super().__getitem__(index)
            return replace(frame, points=frame.points[:0], rings=frame.rings[:0]) if index == 2 else frame

    samples, whole = stream(Share(OneEmpty(5), 1)), stream(Share(Planes(5), 1))
    names, expected = ([each[k][1] for k in range(5)] for each in (samples, whole))
    place = expected.index("planes/plane 2")
    assert names == [expected[(place + 1) % 5] if k == place else name for k, name in enumerate(expected)]
    assert "planes/plane 2: none of 50 crops of 48x32 pixels had a measurement" in caplog.text


def test_frames_that_cannot_be_used_are_named():
    for workers in (0, 1):
        with pytest.raises(ValueError, match=r"^planes/plane \d has no ground truth to train on$"):
            next(load(stream(Share(Blind(), 1)), [[0]], workers, pin=False))

    class Empty(Planes):
        def __getitem__(self, index):
            frame = super().__getitem__(index)
            return replace(frame, ground_truth=np.zeros_like(frame.ground_truth))

    with pytest.raises(ValueError, match="20 frames in a row have no measurement or no ground truth"):
        stream(Share(Empty(), 1))[0]
    with pytest.raises(ValueError, match="weights above 0"):
        stream(Share(Planes(), 0))
