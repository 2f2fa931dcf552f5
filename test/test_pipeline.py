import numpy as np
import pytest
import torch

import depth_completion_ros
from depth_completion_ros import Camera, DepthCompleter, pipeline
from depth_completion_ros.frame import Frame
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput
from depth_completion_ros.pipeline import EmptySparseDepthError, sparse_depth_of

CAMERA = Camera(40, 30, 30.0, 30.0, 19.5, 14.5)


@pytest.fixture(scope="module")
def completer():
    return DepthCompleter("classical", device="auto")


def sparse(depth: float = 5.0) -> np.ndarray:
    sparse = np.zeros((30, 40), np.float32)
    sparse[::6, ::6] = depth
    return sparse


def test_a_wall_is_completed(completer):
    completion = completer(None, sparse())
    assert completion.depth.shape == completion.confidence.shape == (30, 40)
    assert completion.depth.dtype == completion.confidence.dtype == np.float32
    np.testing.assert_allclose(completion.depth, 5.0, rtol=1e-3)
    assert completion.confidence.min() >= 0 and completion.confidence.max() <= 1
    assert list(completion.milliseconds) == ["prepare", "run", "finish"]


def test_a_frame_is_projected_first(completer):
    rays = np.concatenate([CAMERA.rays(), np.ones((30, 40, 1), np.float32)], -1)
    extrinsic = np.eye(4)
    extrinsic[2, 3] = 1.0
    points = (rays * 5.0 - (0, 0, 1)).reshape(-1, 3)[::7].astype(np.float32)
    frame = Frame(1, CAMERA, points=points, extrinsic=extrinsic)
    completion = completer.complete(frame)
    np.testing.assert_allclose(completion.depth, 5.0, rtol=1e-3)
    np.testing.assert_array_equal(completion.sparse_depth, sparse_depth_of(frame))
    assert list(completion.milliseconds) == ["project", "prepare", "run", "finish"]


def test_points_seen_past_a_nearer_surface_are_removed_and_counted(completer):
    """The sensor stands half a metre beside the camera and sees the wall behind a board, which hides it."""
    extrinsic = np.eye(4)
    extrinsic[0, 3] = 0.5
    board = np.stack([*np.meshgrid(np.linspace(-0.7, 0.7, 30), np.linspace(-0.7, 0.7, 30)), np.full((30, 30), 2.0)], -1)
    wall = np.stack([*np.meshgrid(np.linspace(-6, 6, 60), np.linspace(-4, 4, 60)), np.full((60, 60), 10.0)], -1)
    points = np.concatenate([board.reshape(-1, 3), wall.reshape(-1, 3)]) - extrinsic[:3, 3]
    frame = Frame(1, CAMERA, points=points.astype(np.float32), extrinsic=extrinsic)
    everything = completer.complete(frame)
    assert everything.hidden == 0
    visible = DepthCompleter("classical", see_through=True).complete(frame)
    assert visible.hidden > 0
    removed = (everything.sparse_depth > 0) & (visible.sparse_depth == 0)
    assert np.count_nonzero(removed) == visible.hidden
    np.testing.assert_allclose(everything.sparse_depth[removed], 10.0, rtol=1e-5)


def test_a_frame_of_nothing_is_refused():
    with pytest.raises(ValueError, match="frame thursday has neither points nor a depth image"):
        sparse_depth_of(Frame(1, CAMERA, name="thursday"))


def test_a_stray_return_beyond_any_reach_costs_no_frame_and_a_wrong_unit_is_told():
    completer = DepthCompleter("classical", device="cpu")
    camera = Camera(width=40, height=30, fx=30.0, fy=30.0, cx=19.5, cy=14.5)
    depth = np.full((30, 40), 10.0, np.float32)
    depth[:8] = 65504.0  # the sky of a simulator
    completion = completer.complete(Frame(1, camera, depth=depth))
    assert not completion.sparse_depth[:8].any() and (completion.sparse_depth[8:] == 10).all()
    np.testing.assert_allclose(completion.depth, 10.0, rtol=1e-3)
    with pytest.raises(ValueError, match="millimetres are divided by 1000"):
        completer.complete(Frame(1, camera, depth=np.full((30, 40), 10000.0, np.float32)))


class Answers(CompletionNetwork):
    """A stand-in for a network, which answers what it is told and keeps what it was given."""

    name = "answers"
    uses_image = True
    uses_initial_depth = True

    def __init__(self, depth, confidence):
        super().__init__()
        self.answer = NetworkOutput(*(torch.from_numpy(np.float32(each))[None, None] for each in (depth, confidence)))
        self.given = []

    def forward(self, image, sparse_depth, initial_depth=None):
        self.given.append(initial_depth)
        return self.answer


def completer_of(network, monkeypatch, **options):
    monkeypatch.setattr(pipeline, "_build", lambda *_: (network, False))
    return DepthCompleter("answers", device="cpu", **options)


def test_what_the_network_does_not_know_is_unknown_and_no_bit_sure(monkeypatch):
    depth = np.full((30, 40), 5.0)
    depth[0, :5] = np.nan, np.inf, 0, -1, -np.inf
    network = Answers(depth, np.full((30, 40), 0.9))
    network.uses_initial_depth = False
    completion = completer_of(network, monkeypatch)(np.zeros((30, 40, 3), np.uint8), sparse())
    assert np.isnan(completion.depth[0, :5]).all() and (completion.confidence[0, :5] == 0).all()
    assert (completion.depth[1:] == 5).all() and (completion.confidence[1:] == np.float32(0.9)).all()


@pytest.mark.parametrize(("widens", "decimation", "columns"), [(True, 1, 9), (False, 1, 8), (True, 2, 16)])
def test_outlines_of_renderings_are_widened_where_decimated_measurements_do_not(
    monkeypatch, widens, decimation, columns
):
    depth = np.full((30 // decimation, 40 // decimation), 20.0)
    depth[:, :8] = 5.0
    network = Answers(depth, np.full_like(depth, 0.9))
    network.uses_initial_depth, network.widens_outlines = False, widens
    completion = completer_of(network, monkeypatch, decimation=decimation)(np.zeros((30, 40, 3), np.uint8), sparse())
    assert np.count_nonzero(completion.depth[15] < 6) == columns


def test_the_sky_of_an_estimate_is_as_far_as_depth_can_be(monkeypatch):
    network = Answers(np.full((30, 40), 5.0), np.ones((30, 40)))
    completer = completer_of(network, monkeypatch)
    estimate = np.full((30, 40), 20.0, np.float32)
    estimate[:5], estimate[5] = np.inf, 10_000.0
    frame = Frame(1, CAMERA, np.zeros((30, 40, 3), np.uint8), depth=sparse(), initial_depth=estimate)
    completer.complete(frame)
    completer(frame.image, sparse(), estimate)
    for given in network.given:
        assert (given[0, 0, :6] == 1000).all() and (given[0, 0, 6:] == 20).all()
    with pytest.raises(ValueError, match="initial_depth ranges from 20000"):
        completer(frame.image, sparse(), 1000 * np.full((30, 40), 20.0, np.float32))


def test_an_estimator_for_a_model_that_starts_from_no_depth_is_refused():
    with pytest.raises(ValueError, match="'classical' starts from no initial depth"):
        DepthCompleter("classical", device="cpu", estimator="anywhere")


def test_a_model_without_eyes_is_no_surer_for_a_picture():
    completer = DepthCompleter("auxiliary", device="cpu")
    assert completer.calibration is not None
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    blind, seeing = completer(None, sparse()), completer(picture, sparse())
    np.testing.assert_array_equal(blind.confidence, seeing.confidence)


@pytest.mark.parametrize("decimation", [1, 2])
def test_the_calibration_sees_the_picture_that_the_network_saw(monkeypatch, decimation):
    size = 30 // decimation, 40 // decimation
    network = Answers(np.full(size, 5.0), np.ones(size))
    network.uses_initial_depth = False
    completer = completer_of(network, monkeypatch, decimation=decimation)
    seen = []

    def calibration(depth, confidence, sparse_depth, image):
        seen.append(image)
        return 0.5 * confidence

    completer.calibration = calibration
    picture = np.full((30, 40, 3), 80, np.uint8)
    assert (completer(picture, sparse()).confidence == 0.5).all()
    assert seen[0].shape == (*size, 3) and (seen[0] == 80).all()


def test_confidence_is_linear_between_the_cells_of_a_decimated_image(monkeypatch):
    confidence = np.tile(np.linspace(0.1, 0.9, 20) ** 3, (15, 1))
    network = Answers(np.full((15, 20), 5.0), confidence)
    network.uses_initial_depth = False
    completion = completer_of(network, monkeypatch, decimation=2)(np.zeros((30, 40, 3), np.uint8), sparse())
    expected = np.interp(np.arange(40), 2 * np.arange(20) + 0.5, confidence[0])
    np.testing.assert_allclose(completion.confidence, np.tile(expected, (30, 1)), rtol=1e-5)


@pytest.mark.filterwarnings("error")
def test_pictures_that_must_not_be_written_to(completer):
    picture = np.zeros((30, 40, 3), np.uint8)
    picture.flags.writeable = False
    DepthCompleter("mspn", device="cpu", preset="lite")(picture, sparse())


def test_registered_depth_is_taken_as_it_is():
    depth = sparse()
    assert sparse_depth_of(Frame(1, CAMERA, depth=depth)) is depth


@pytest.mark.parametrize(
    ("image", "depth", "message"),
    [
        (None, sparse().astype(np.float64), "sparse_depth is .* float64, expected .* float32"),
        (None, sparse()[None], r"sparse_depth is \(1, 30, 40\)"),
        (None, [[1.0]], "sparse_depth is list"),
        (None, -sparse(), "ranges from -5 to 0"),
        (None, sparse(5000.0), "ranges from 0 to 5000, expected metres.* divided by 1000"),
        (None, np.where(sparse() > 0, np.float32(np.nan), np.float32(0)), "holds 35 NaN or infinite"),
        (np.zeros((30, 40), np.uint8), sparse(), r"image is \(30, 40\) uint8, expected \(30, 40, 3\)"),
        (np.zeros((30, 40, 3), np.float32), sparse(), "image is .* float32"),
    ],
)
def test_wrong_inputs_are_refused_with_what_was_given(completer, image, depth, message):
    with pytest.raises(ValueError, match=message):
        completer(image, depth)


def test_a_network_trained_without_images_at_times_completes_without():
    """No image is to the network what it saw of a dead camera in training: zeros, where the mean colour is."""
    completer = DepthCompleter("emdc", "cpu", preset="lite")
    completer.network.image_optional = False
    with pytest.raises(ValueError, match="'emdc' needs an image and got none"):
        completer(None, sparse())
    completer.network.image_optional = True
    completer.network.image_mean = (0.2, 0.4, 0.6)
    mean_colour = np.broadcast_to(np.array([51, 102, 153], np.uint8), (30, 40, 3))
    np.testing.assert_allclose(completer(None, sparse()).depth, completer(mean_colour, sparse()).depth, rtol=1e-4)


def test_nothing_measured_is_refused(completer):
    with pytest.raises(EmptySparseDepthError, match="40x30 sparse depth holds no measurement"):
        completer(None, sparse(0.0))


@pytest.mark.parametrize(
    ("model", "device", "message"),
    [
        ("nonsense", "auto", "unknown model 'nonsense'; available: .*classical"),
        ("classical", "cuda", "runs on the CPU only"),
        ("auxiliary", "toaster", "unknown device 'toaster'"),
    ],
)
def test_unknown_models_and_devices_are_refused(model, device, message):
    with pytest.raises(ValueError, match=message):
        DepthCompleter(model, device)


def test_the_public_names_are_what_the_readme_says():
    for name in depth_completion_ros.__all__:
        assert getattr(depth_completion_ros, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = depth_completion_ros.nothing


class _Recorder(CompletionNetwork):
    """Remembers what it is given, and knows the depth of the left half."""

    name = "classical"
    uses_image = True
    uses_initial_depth = True
    image_mean = image_std = (0.5, 0.5, 0.5)

    def forward(self, image, sparse_depth, initial_depth=None):
        self.seen = image, sparse_depth, initial_depth
        depth = torch.full_like(sparse_depth, 8.0)
        depth[..., depth.shape[-1] // 2 :] = torch.nan
        return NetworkOutput(depth, torch.where(depth.isnan(), torch.nan, 0.75))


@pytest.mark.parametrize("decimation", [1, 2, 3])
def test_images_are_completed_at_a_part_of_their_resolution(monkeypatch, decimation):
    monkeypatch.setattr(pipeline, "create", lambda *_, **__: _Recorder())
    completer = DepthCompleter("classical", "cpu", decimation=decimation)
    image = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    completion = completer(image, sparse(), sparse())
    size = -(-30 // decimation), -(-40 // decimation)
    for each in completer.network.seen:
        assert each.shape[-2:] == size
    assert completion.depth.shape == completion.confidence.shape == (30, 40)
    middle = size[1] // 2 * decimation
    assert (completion.depth[:, :middle] == 8).all() and np.isnan(completion.depth[:, middle:]).all()
    assert not completion.confidence[:, middle:].any()
    np.testing.assert_allclose(completion.confidence[:, : middle - decimation], 0.75, rtol=1e-6)
    assert not np.isnan(completion.confidence).any()
    np.testing.assert_array_equal(completion.sparse_depth, sparse())  # as it was measured


def test_no_decimation_below_1():
    with pytest.raises(ValueError, match=r"decimation is 0, expected 1 \(the full resolution\) or more"):
        DepthCompleter("classical", "cpu", decimation=0)
