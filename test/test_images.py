"""Files are checked against what plain OpenCV and NumPy say is in them; colours against their meaning."""

import cv2
import numpy as np
import pytest

from depth_completion_ros import images


@pytest.fixture
def depth():
    return np.random.default_rng(0).uniform(1, 80, (24, 32)).astype(np.float32)


def test_image_round_trip_is_rgb(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    images.write_image(tmp_path / "a.png", rgb)
    np.testing.assert_array_equal(images.read_image(tmp_path / "a.png"), rgb)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png")), rgb[..., ::-1])


def test_grey_image_reads_as_rgb(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (12, 16), np.uint8)
    images.write_image(tmp_path / "a.png", grey)
    np.testing.assert_array_equal(images.read_image(tmp_path / "a.png"), np.dstack([grey] * 3))


def test_pixels_stay_where_the_camera_put_them(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (16, 32, 3), np.uint8)
    images.write_image(tmp_path / "a.jpg", image)
    jpeg = (tmp_path / "a.jpg").read_bytes()
    turned = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6
    (tmp_path / "b.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + (len(turned) + 2).to_bytes(2, "big") + turned + jpeg[2:])
    assert cv2.imread(str(tmp_path / "b.jpg")).shape == (32, 16, 3)
    np.testing.assert_array_equal(images.read_image(tmp_path / "b.jpg"), images.read_image(tmp_path / "a.jpg"))


@pytest.mark.parametrize(
    ("metres", "pixel"),
    [
        (np.nan, 0),
        (0.0, 0),
        (-3.0, 0),
        (0.001, 1),  # valid depth never becomes "none"
        (1.0, 256),
        (1.0039, 256),  # 256.9984: truncated, not rounded
        (79.99, 20477),
        (255.996, 65534),
        (300.0, 65535),
        (np.inf, 0),
    ],
)
def test_depth_file_holds_metres_times_256_truncated(tmp_path, metres, pixel):
    images.write_depth_png(tmp_path / "d.png", np.full((2, 3), metres, np.float32))
    stored = cv2.imread(str(tmp_path / "d.png"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored, np.full((2, 3), pixel))


def test_depth_file_reads_as_metres(tmp_path):
    pixels = np.array([[0, 1, 256, 65535]], np.uint16)
    cv2.imwrite(str(tmp_path / "d.png"), pixels)
    depth = images.read_depth_png(tmp_path / "d.png")
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, [[0, 1 / 256, 1, 65535 / 256]])
    images.write_depth_png(tmp_path / "again.png", depth)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "again.png"), cv2.IMREAD_UNCHANGED), pixels)


@pytest.mark.parametrize("pixels", [np.ones((4, 4), np.uint8), np.ones((4, 4, 3), np.uint16)])
def test_depth_file_of_another_kind_is_refused(tmp_path, pixels):
    cv2.imwrite(str(tmp_path / "d.png"), pixels)
    with pytest.raises(ValueError, match=r"d\.png: a depth file is a 16-bit grey PNG.*channel"):
        images.read_depth_png(tmp_path / "d.png")


@pytest.mark.parametrize("read", [images.read_image, images.read_depth_png])
@pytest.mark.parametrize("size", [0, 20, 0.5])
def test_damaged_file_is_named(tmp_path, read, size):
    path = tmp_path / "broken.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 60000, (40, 40), np.uint16))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(size * len(whole)) if size < 1 else size])
    with pytest.raises(ValueError, match=r"broken\.png: damaged"):
        read(path)


@pytest.mark.parametrize("read", [images.read_image, images.read_depth_png])
def test_missing_file_is_named(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        read(tmp_path / "nowhere.png")


def test_writing_refuses_what_is_no_picture(tmp_path):
    with pytest.raises(ValueError, match="float32"):
        images.write_image(tmp_path / "a.png", np.ones((4, 4, 3), np.float32))
    with pytest.raises(ValueError, match="uint16"):
        images.write_depth_png(tmp_path / "d.png", np.ones((4, 4), np.uint16))
    with pytest.raises(ValueError, match="nonsense"):
        images.write_image(tmp_path / "a.nonsense", np.ones((4, 4, 3), np.uint8))


def test_near_is_red_far_is_blue_unknown_is_black():
    colors = images.colorize_depth(np.array([[1.0, 100.0, np.nan, 0.0]], np.float32), 1.0, 100.0)[0].astype(int)
    near, far = colors[:2]
    assert near[0] > 2 * near[2]
    assert far[2] > 2 * far[0]
    assert not colors[2:].any()


def test_equal_ratios_of_depth_are_equal_steps_of_colour():
    depth = np.geomspace(2, 32, 5, dtype=np.float32)[None]
    table = images.depth_colors()
    steps = [np.flatnonzero((table == color).all(axis=1))[0] for color in images.colorize_depth(depth, 2, 32)[0]]
    assert steps == [255, 192, 128, 65, 1]


def test_depth_beyond_the_range_keeps_the_last_colour():
    colors = images.colorize_depth(np.array([[0.1, 1.0, 10.0, 5000.0]], np.float32), 1.0, 10.0)[0]
    np.testing.assert_array_equal(colors[0], colors[1])
    np.testing.assert_array_equal(colors[2], colors[3])


def test_range_ignores_outliers_and_the_unknown(depth):
    depth[0, :4] = np.nan, 0, 5000, np.inf
    near, far = images.depth_range(depth)
    assert 1 < near < 6
    assert 75 < far < 80


@pytest.mark.parametrize("value", [np.nan, 0.0, 7.0])
def test_depth_of_one_value_has_colours(value):
    colors = images.colorize_depth(np.full((4, 5), value, np.float32))
    assert colors.shape == (4, 5, 3)
    assert colors.any() == (value > 0)


def test_impossible_range_is_refused(depth):
    with pytest.raises(ValueError, match="0 < minimum < maximum, got 5"):
        images.colorize_depth(depth, 5.0, 2.0)


def test_confidence_brightens():
    colors = images.colorize_confidence(np.array([[0.0, 0.5, 1.0]], np.float32))[0].astype(int)
    brightness = colors.sum(axis=1)
    assert brightness[0] < brightness[1] < brightness[2]


def test_error_colours_grow_with_the_relative_error():
    truth = np.zeros((9, 40), np.float32)
    truth[4, [4, 14, 24, 34]] = 10
    depth = np.ones_like(truth)
    depth[4, [4, 14, 24, 34]] = 10.01, 10.5, 20, np.nan
    colors = images.colorize_error(depth, truth, 0.005, 0.32).astype(int)
    right, _, wrong, unknown = (colors[4, column] for column in (4, 14, 24, 34))
    assert right[2] > right[0]
    assert wrong[0] > wrong[2]
    np.testing.assert_array_equal(unknown, wrong)
    assert not colors[0].any()  # no ground truth there
    assert (colors[3:6, 3:6] == right).all()  # a dot large enough to be seen


def test_overlay_draws_the_nearest_dot_on_top():
    sparse = np.zeros((20, 20), np.float32)
    sparse[10, 10:12] = 50, 2
    overlay = images.overlay_sparse(np.full((20, 20, 3), 200, np.uint8), sparse, 1, 100)
    expected = images.colorize_depth(sparse, 1, 100)
    np.testing.assert_array_equal(overlay[10, 10], expected[10, 11])
    np.testing.assert_array_equal(overlay[10, 9], expected[10, 10])
    assert (overlay[0] == 120).all()
    with pytest.raises(ValueError, match="same size"):
        images.overlay_sparse(np.zeros((4, 5, 3), np.uint8), sparse)
