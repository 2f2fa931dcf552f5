import pytest
import torch

from depth_completion_ros.networks import layers


@pytest.fixture(autouse=True)
def same_random_numbers_in_every_run():
    torch.manual_seed(0)


class Tf32:
    """Whether cuDNN may convolve in TF32, by the name that this PyTorch has for it."""

    @property
    def allowed(self):
        place, name, exactly = layers._CONVOLUTIONS
        return getattr(place, name) != exactly

    @allowed.setter
    def allowed(self, allowed):
        place, name, exactly = layers._CONVOLUTIONS
        setattr(place, name, (True if name == "allow_tf32" else "tf32") if allowed else exactly)


@pytest.fixture
def tf32():
    place, name, _ = layers._CONVOLUTIONS
    before = getattr(place, name)
    yield Tf32()
    setattr(place, name, before)
