import numpy as np
import pytest
import torch

from depth_completion_ros.checkpoints import load_checkpoint, save_checkpoint
from depth_completion_ros.golden import GOLDEN_FILE, TOLERANCE, golden_difference, golden_frame, write_golden
from depth_completion_ros.networks.registry import create


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(3)
    save_checkpoint(create("mspn", preset="lite"), tmp_path)
    write_golden(tmp_path)
    return tmp_path


def test_what_has_not_changed_answers_as_before(folder):
    assert (folder / GOLDEN_FILE).stat().st_size < 100_000
    difference = golden_difference(folder)
    assert all(difference[name] <= TOLERANCE[name] for name in TOLERANCE)


def test_weights_that_changed_a_little_are_noticed(folder):
    network = load_checkpoint(folder)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 1.05
    save_checkpoint(network, folder)
    difference = golden_difference(folder)
    assert any(difference[name] > TOLERANCE[name] for name in TOLERANCE)


def test_depth_that_has_become_unknown_is_noticed(folder):
    with np.load(folder / GOLDEN_FILE) as golden:
        depth, confidence = golden["depth"].copy(), golden["confidence"]
    depth[:10] = np.nan
    np.savez_compressed(folder / GOLDEN_FILE, depth=depth, confidence=confidence)
    assert golden_difference(folder)["depth"] == np.inf


def test_weights_that_know_no_depth_are_refused(tmp_path):
    network = create("emdc")  # a lite one without weights still knows planes
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    save_checkpoint(network, tmp_path)
    with pytest.raises(ValueError, match="knows depth of 0 % of the golden frame only"):
        write_golden(tmp_path)


def test_the_frame_is_of_a_box_on_a_floor():
    image, sparse = golden_frame()
    assert (image.shape, image.dtype, sparse.shape, sparse.dtype) == ((96, 160, 3), np.uint8, (96, 160), np.float32)
    assert sparse[54, 50] == 6.0 and sparse[0, 0] == 18.0
    assert sparse[90, 120] == pytest.approx(1.5 * 120 / 50)
    assert np.count_nonzero(sparse) == 16 * 80
