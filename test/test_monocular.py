from types import SimpleNamespace

import numpy as np
import pytest
import torch

from depth_completion_ros import DepthCompleter
from depth_completion_ros.monocular import MonocularEstimator


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Tiny estimators with random weights, saved as their authors save them: one metric, one relative."""
    transformers = pytest.importorskip("transformers")
    metric, relative = tmp_path_factory.mktemp("glpn"), tmp_path_factory.mktemp("dpt")
    config = transformers.GLPNConfig(
        hidden_sizes=[8] * 4, depths=[1] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=8
    )
    transformers.GLPNForDepthEstimation(config).save_pretrained(metric)
    transformers.GLPNImageProcessor().save_pretrained(metric)
    config = transformers.DPTConfig(
        hidden_size=8,
        num_hidden_layers=4,
        num_attention_heads=1,
        intermediate_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8] * 4,
        fusion_hidden_size=8,
        is_hybrid=False,
        image_size=32,
    )
    transformers.DPTForDepthEstimation(config).save_pretrained(relative)
    transformers.DPTImageProcessor().save_pretrained(relative)
    return metric, relative


def image(height=75, width=101):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_an_estimate_has_the_size_of_the_image_and_depends_on_it(folders):
    estimator = MonocularEstimator(folders[0])
    depth = estimator(image())
    assert depth.shape == (75, 101) and depth.dtype == np.float32
    assert np.isfinite(depth).all() and depth.min() > 0
    np.testing.assert_array_equal(depth, estimator(image()))
    assert not np.allclose(depth, estimator(255 - image()))


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Makes an estimator of a type, with the processor of that type and a function for its network."""
    transformers = pytest.importorskip("transformers")

    class Network:
        def __init__(self, answer):
            self.answer = answer

        def to(self, device):
            return self

        def eval(self):
            return self

        def __call__(self, pixel_values):
            return self.answer(pixel_values)

    def make(model_type, processor, answer):
        (tmp_path / "config.json").write_text("{}")
        loaded = {
            "AutoConfig": SimpleNamespace(model_type=model_type),
            "AutoImageProcessor": processor,
            "AutoModelForDepthEstimation": Network(answer),
        }
        for name, value in loaded.items():
            monkeypatch.setattr(getattr(transformers, name), "from_pretrained", lambda *_, value=value, **__: value)
        return MonocularEstimator(tmp_path)

    return make


class DepthProProcessor:
    """Stands in for the one of transformers, which needs torchvision."""

    def __call__(self, images, return_tensors):
        from transformers import BatchFeature

        return BatchFeature({"pixel_values": torch.zeros(1, 3, 64, 64)})

    def post_process_depth_estimation(self, outputs, target_sizes):
        (height, width), degrees = target_sizes[0], outputs.field_of_view
        per_focal_length = 2 * torch.tan(torch.deg2rad(degrees) / 2)
        inverse = torch.nn.functional.interpolate(outputs.predicted_depth[None], (height, width)) * per_focal_length
        return [{"predicted_depth": (1 / inverse)[0, 0], "field_of_view": degrees}]


def test_the_inverse_depth_of_depth_pro_becomes_metres_by_its_field_of_view(stand_in):
    def answer(pixels):
        inverse = torch.full((1, *pixels.shape[-2:]), 0.25)
        return SimpleNamespace(predicted_depth=inverse, field_of_view=torch.tensor([60.0]))

    depth = stand_in("depth_pro", DepthProProcessor(), answer)(image())
    assert depth.shape == (75, 101) and depth.dtype == np.float32
    np.testing.assert_allclose(depth, 4 / (2 * np.tan(np.pi / 6)), rtol=1e-4)


def test_the_margin_that_zoedepth_adds_is_taken_off(stand_in):
    from transformers import ZoeDepthImageProcessor

    def answer(pixels):
        return SimpleNamespace(predicted_depth=2 + pixels.mean(1))  # brightness is depth

    ramp = np.broadcast_to(np.arange(160, dtype=np.uint8)[None, :, None], (120, 160, 3))
    depth = stand_in("zoedepth", ZoeDepthImageProcessor(size={"height": 96, "width": 128}), answer)(ramp)
    assert depth.shape == (120, 160)
    expected = np.broadcast_to(2 + (np.arange(160) / 255 - 0.5) / 0.5, (120, 160))
    np.testing.assert_allclose(depth[:, 8:-8], expected[:, 8:-8], atol=0.03)


def test_relative_depth_is_refused(folders):
    with pytest.raises(ValueError, match="'dpt' that estimates relative depth"):
        MonocularEstimator(folders[1])


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no config\.json"):
        MonocularEstimator(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="holds no depth estimation model"):
        MonocularEstimator(tmp_path)


def test_mspn_refines_what_the_estimator_sees(folders):
    sparse = np.zeros((75, 101), np.float32)
    sparse[::10, ::10] = 4.0
    completer = DepthCompleter("mspn", "cpu", preset="lite", mode="sdr", estimator=folders[0])
    completion = completer(image(), sparse)
    assert list(completion.milliseconds) == ["estimate", "prepare", "run", "finish"]
    given = completer(image(), sparse, MonocularEstimator(folders[0])(image()))
    np.testing.assert_allclose(completion.depth, given.depth, rtol=1e-5)
    with pytest.raises(ValueError, match="needs an initial depth"):
        DepthCompleter("mspn", "cpu", preset="lite", mode="sdr")(image(), sparse)
