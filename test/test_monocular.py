import numpy as np
import pytest

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
