"""Projection against hand-computed pixels and a loop over the points; hidden points against ray casting."""

import cv2
import numpy as np
import pytest
import torch

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.projection import project_points, remove_hidden, rigid_transform

CAMERA = Camera(64, 48, 50.0, 52.0, 30.2, 24.7)
EYE = np.eye(4)
# a LiDAR's axes (x ahead, y left, z up) to a camera's, and a lever arm
LIDAR = np.array([[0, -1, 0, 0.05], [0, 0, -1, 0.3], [1, 0, 0, -0.2], [0, 0, 0, 1.0]])


def cloud(*points):
    return np.array(points, np.float32)


def at_pixel(u, v, z, camera=CAMERA):
    return np.array([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z], np.float32)


def slow_projection(pixels, z, camera):
    """Nearest depth per pixel, point by point."""
    depth = np.zeros((camera.height, camera.width))
    for (u, v), depth_of_point in zip(pixels, z, strict=True):
        if not (np.isfinite([u, v]).all() and depth_of_point > 0):
            continue
        column, row = int(np.floor(u + 0.5)), int(np.floor(v + 0.5))
        if 0 <= column < camera.width and 0 <= row < camera.height:
            old = depth[row, column]
            depth[row, column] = depth_of_point if old == 0 else min(old, depth_of_point)
    return depth


def far_from_pixel_edges(pixels):
    """Where the rounding of float32 can not move a point to another pixel."""
    with np.errstate(invalid="ignore"):
        return ~(np.abs((pixels + 0.5) - np.round(pixels + 0.5)) < 1e-3).any(1)


def test_a_point_lands_in_its_pixel_with_its_depth():
    camera = Camera(640, 480, 500.0, 400.0, 320.0, 240.0)
    depth = project_points(cloud((1, -2, 10)), camera, EYE)
    assert depth.shape == (480, 640) and depth.dtype == np.float32
    assert depth[160, 370] == 10  # along the axis, not the distance of 10.2
    assert np.count_nonzero(depth) == 1


def test_the_extrinsic_takes_the_sensor_to_the_camera():
    # 10 m ahead, 1 m to the left and 0.3 m up: x = -1 + 0.05, y = -0.3 + 0.3, z = 10 - 0.2
    depth = project_points(cloud((10, 1, 0.3)), CAMERA, LIDAR)
    row, column = np.argwhere(depth)[0]
    assert (row, column) == (round(24.7), round(30.2 - 0.95 / 9.8 * 50))
    assert depth[row, column] == pytest.approx(9.8)


def test_random_clouds_give_what_a_loop_gives():
    rng = np.random.default_rng(0)
    points = rng.uniform((0, -15, -15, 0, 0), (20, 15, 15, 1, 1), (20_000, 5)).astype(np.float32)
    xyz = points[:, :3] @ LIDAR[:3, :3].T + LIDAR[:3, 3]
    with np.errstate(divide="ignore"):
        pixels = xyz[:, :2] / xyz[:, 2:] * (CAMERA.fx, CAMERA.fy) + (CAMERA.cx, CAMERA.cy)
    clear = far_from_pixel_edges(pixels)
    depth = project_points(points[clear], CAMERA, LIDAR)
    expected = slow_projection(pixels[clear], xyz[clear, 2], CAMERA)
    assert np.count_nonzero(expected) > 1000
    np.testing.assert_allclose(depth, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("plumb_bob", (-0.37, 0.2, 0.0013, 0.0006, -0.068)),
        ("rational_polynomial", (0.55, -0.02, 0.0002, -0.0007, -0.003, 0.89, 0.086, -0.014)),
        ("equidistant", (-0.01, 0.003, -0.002, 0.0003)),
    ],
)
def test_distorted_cameras_get_points_where_opencv_puts_them(model, distortion):
    camera = Camera(64, 48, 50.0, 52.0, 30.2, 24.7, model, distortion)
    points = np.random.default_rng(1).uniform((-9, -9, -9), (9, 9, 9), (20_000, 3)).astype(np.float32)
    xyz = points.astype(np.float64)
    # OpenCV folds points far off the axis back; up to here all three lenses are monotonic, and see all the image
    ahead = (xyz[:, 2] > 0) & (np.hypot(xyz[:, 0], xyz[:, 1]) < 1.1 * xyz[:, 2])
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    pixels = np.full((len(points), 2), np.nan)
    pixels[ahead] = project(xyz[ahead, None], np.zeros(3), np.zeros(3), camera.matrix, np.array(distortion))[0][:, 0]
    clear = far_from_pixel_edges(pixels) & (ahead | (np.hypot(xyz[:, 0], xyz[:, 1]) > 2.5 * xyz[:, 2]))
    depth = project_points(points[clear], camera, EYE)
    expected = slow_projection(pixels[clear], xyz[clear, 2], camera)
    assert np.count_nonzero(expected) > 1000
    np.testing.assert_allclose(depth, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("u", "v", "pixel"),
    [
        (-0.499, 10, (10, 0)),
        (-0.501, 10, None),
        (63.499, 10, (10, 63)),
        (63.501, 10, None),
        (10, -0.499, (0, 10)),
        (10, -0.501, None),
        (10, 47.499, (47, 10)),
        (10, 47.501, None),
        (64, 10, None),  # one row down, were it wrapped
        (-1, 10, None),
        (10.499, 20.501, (21, 10)),
    ],
)
def test_the_image_ends_half_a_pixel_beyond_the_outermost_centres(u, v, pixel):
    depth = project_points(at_pixel(u, v, 7.0)[None], CAMERA, EYE)
    assert [tuple(p) for p in np.argwhere(depth)] == ([] if pixel is None else [pixel])


def test_a_pixel_takes_its_left_and_top_edge():
    # exact in binary: u = v = -0.5 at the left top, 1.5 at the right bottom
    camera = Camera(2, 2, 2.0, 2.0, 0.5, 0.5)
    depth = project_points(cloud((-0.5, -0.5, 1), (0.5, 0.5, 1), (0, 0, 3)), camera, EYE)
    np.testing.assert_array_equal(depth, [[1, 0], [0, 3]])


def test_a_camera_of_one_pixel_keeps_to_it():
    almost = np.nextafter(np.float32(0.5), np.float32(0))
    depth = project_points(cloud((almost, almost, 1), (0.5, 0, 1), (-0.6, 0, 1)), Camera(1, 1, 1, 1, 0, 0), EYE)
    assert depth.shape == (1, 1) and depth[0, 0] in (0, 1)


@pytest.mark.parametrize("lens", [("none", ()), ("plumb_bob", (-0.3, 0.1, 0, 0)), ("equidistant", (0, 0, 0, 0))])
def test_nothing_that_is_not_in_view_enters_the_image(lens):
    camera = Camera(64, 48, 50.0, 52.0, 30.0, 24.0, *lens)
    nan, inf = np.nan, np.inf
    points = cloud(
        *((0, 0, -5), (1, 1, -1e-3), (0, 0, 0), (1, 0, 0), (-1, 2, 0)),  # behind and beside
        *((nan, 0, 1), (0, nan, 1), (0, 0, nan), (nan, nan, nan)),
        *((inf, 0, 1), (0, -inf, 1), (0, 0, inf), (0, 0, -inf), (inf, inf, inf), (1, 1, inf)),
        *((1e20, 0, 1), (-3e38, 3e38, 1), (1e6, 1e6, 1e-30), (2**31, 2**33, 1), (2**32 / 50, 0, 1), (0, 0, 1e6)),
        *((1, 0, 1e-44), (-1, -1, 1e-38)),
    )
    depth = project_points(points, camera, EYE)
    # only (0, 0, 1e6) is a point in view
    assert [tuple(p) for p in np.argwhere(depth)] == [(24, 30)]
    assert depth[24, 30] == 1e6


def test_returns_marked_missing_by_zeros_are_no_points():
    ahead_of_camera = np.eye(4)
    ahead_of_camera[2, 3] = 2.0
    assert not project_points(np.zeros((9, 3), np.float32), CAMERA, ahead_of_camera).any()
    assert project_points(cloud((0, 0, 1e-3)), CAMERA, ahead_of_camera).any()


def test_the_nearest_return_wins_in_any_order():
    points = np.stack([at_pixel(20.1, 10.2, 9), at_pixel(19.8, 9.9, 4), at_pixel(20, 10, 6)])
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        depth = project_points(points[order], CAMERA, EYE)
        assert depth[10, 20] == 4 and np.count_nonzero(depth) == 1


def test_tensors_stay_tensors_and_equal_arrays():
    points = np.random.default_rng(2).uniform(-20, 20, (5000, 4)).astype(np.float32)
    from_tensor = project_points(torch.from_numpy(points), CAMERA, LIDAR, see_through=True)
    assert isinstance(from_tensor, torch.Tensor) and from_tensor.dtype == torch.float32
    np.testing.assert_array_equal(from_tensor, project_points(points, CAMERA, LIDAR, see_through=True, device="cpu"))


@pytest.mark.filterwarnings("error")
def test_arrays_of_messages_are_taken_as_they_are():
    points = np.random.default_rng(3).uniform(-20, 20, (500, 8)).astype(np.float32)
    expected = project_points(points[:, 1:4].copy(), CAMERA, LIDAR)
    points.flags.writeable = False
    before = points.copy()
    np.testing.assert_array_equal(project_points(points[:, 1:4], CAMERA, LIDAR), expected)
    np.testing.assert_array_equal(project_points(points[::-1, 1:6], CAMERA, LIDAR), expected)
    np.testing.assert_array_equal(points, before)
    assert not project_points(np.zeros((0, 3), np.float32), CAMERA, LIDAR, see_through=True).any()


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((5, 2), np.float32), r"\(5, 2\) float32, expected \(N, 3\) or more columns of float32"),
        (np.zeros(9, np.float32), r"\(9,\) float32"),
        (np.zeros((5, 3)), r"\(5, 3\) float64"),
        (torch.zeros(5, 3, dtype=torch.int32), r"\(5, 3\) torch.int32"),
        ([[1.0, 2.0, 3.0]], "a list, expected a NumPy array or a tensor"),
    ],
)
def test_points_of_another_kind_are_refused(points, message):
    with pytest.raises(ValueError, match=message):
        project_points(points, CAMERA, EYE)


@pytest.mark.parametrize(
    ("extrinsic", "message"),
    [
        (np.eye(3), r"extrinsic is \(3, 3\), expected \(4, 4\)"),
        (LIDAR[:3], r"extrinsic is \(3, 4\), expected \(4, 4\)"),
        (2 * EYE, "not a rotation and a translation"),
        (np.diag([1, 1, 2, 1]), "not a rotation and a translation"),
        (np.diag([1, 1, -1, 1]), "not a rotation and a translation"),  # a reflection
        (LIDAR.T, "not a rotation and a translation"),
        (np.full((4, 4), np.nan), "not a rotation and a translation"),
    ],
)
def test_extrinsics_that_are_not_rigid_are_refused(extrinsic, message):
    with pytest.raises(ValueError, match=message):
        project_points(np.zeros((5, 3), np.float32), CAMERA, extrinsic)


def test_extrinsics_may_be_rounded_as_in_calibration_files():
    np.testing.assert_array_equal(rigid_transform(np.round(LIDAR + 4e-5, 4).tolist()), np.round(LIDAR + 4e-5, 4))


def slow_hidden(depth, parallax):
    """The rule of remove_hidden, pixel by pixel."""
    height, width = depth.shape
    gaps = np.concatenate([np.diff(np.flatnonzero(column)) for column in depth.T])
    rows = round(1.5 * sorted(gaps)[(len(gaps) - 1) // 2])

    def nearness(row, column):
        inside = 0 <= row < height and 0 <= column < width
        return 1 / depth[row, column] if inside and depth[row, column] > 0 else 0.0

    hidden = np.zeros(depth.shape, bool)
    for row, column in np.argwhere(depth):
        limit = 1 / depth[row, column] / 0.85
        for (dr, dc), reach in (((1, 0), rows), ((-1, 0), rows), ((0, 1), 5), ((0, -1), 5)):
            # three pixels across, as far as the surface could have moved on one side, as it reaches on the other
            moved = max(
                nearness(row + k * dr + s * dc, column + k * dc + s * dr) - (k - 1) / parallax
                for k in range(1, max(height, width))
                for s in (-1, 0, 1)
            )
            there = max(
                nearness(row - k * dr + s * dc, column - k * dc + s * dr)
                for k in range(1, reach + 1)
                for s in (-1, 0, 1)
            )
            hidden[row, column] |= min(moved, there) > limit
    return hidden


@pytest.mark.parametrize(("seed", "focal"), [(0, (30.0, 30.0)), (1, (30.0, 15.0)), (2, (15.0, 30.0))])
def test_hidden_measurements_are_those_of_the_rule(seed, focal):
    rng = np.random.default_rng(seed)
    camera = Camera(40, 30, *focal, 20.0, 15.0)
    extrinsic = np.eye(4)
    extrinsic[:3, 3] = (0.1, -0.4, 0.2)
    depth = np.where(rng.uniform(size=(30, 40)) < 0.15, rng.uniform(1, 20, (30, 40)), 0).astype(np.float32)
    depth[rng.integers(1, 4) :: 4] = 0
    expected = slow_hidden(depth.astype(np.float64), 30 * np.linalg.norm(extrinsic[:3, 3]))
    assert 5 < expected.sum() < 0.9 * np.count_nonzero(depth)
    kept = remove_hidden(depth, camera, extrinsic)
    np.testing.assert_array_equal(kept, np.where(expected, 0, depth))
    np.testing.assert_array_equal(remove_hidden(torch.from_numpy(depth), camera, extrinsic), kept)


# Scenes for the see-through filter, in the camera's frame: a wall 20 m ahead, the ground 1.5 m below, and in front
# upright boards (depth, left, right, top, bottom), in metres.

VIEW = Camera(320, 160, 200.0, 200.0, 160.0, 60.0)
SENSOR = np.array([0.1, -0.5, 0.0])  # beside and above the camera


def first_hit(boards, origin, directions):
    """The distance in z from ``origin`` to the nearest surface along directions (N, 3) with z = 1."""
    distance = np.full(len(directions), 20.0 - origin[2])
    down = directions[:, 1] > 0
    distance[down] = np.minimum(distance[down], (1.5 - origin[1]) / directions[down, 1])
    for depth, left, right, top, bottom in boards:
        x, y, _ = (origin + directions * (depth - origin[2])).T
        hit = (x > left) & (x < right) & (y > top) & (y < bottom) & (depth - origin[2] < distance)
        distance[hit] = depth - origin[2]
    return distance


def scene(boards, line_distance, sensor=SENSOR):
    """The sparse depth of a LiDAR scan before and after the filter, and the true dense depth."""
    slopes, tangents = np.arange(-0.25, 0.6, line_distance), np.arange(-0.85, 0.85, 0.004)
    directions = np.stack(np.broadcast_arrays(tangents, slopes[:, None], 1.0), -1).reshape(-1, 3)
    points = (directions * first_hit(boards, sensor, directions)[:, None]).astype(np.float32)
    extrinsic = np.eye(4)
    extrinsic[:3, 3] = sensor
    sparse = project_points(points, VIEW, extrinsic)
    kept = project_points(points, VIEW, extrinsic, see_through=True)
    rays = VIEW.rays().reshape(-1, 2)
    dense = first_hit(boards, np.zeros(3), np.concatenate([rays, np.ones((len(rays), 1))], 1)).reshape(160, 320)
    assert not ((kept > 0) & (kept != sparse)).any()
    return sparse, kept, dense


# lines 4 and 16 pixels apart, like those of 64 and of 16 beams
@pytest.mark.parametrize("line_distance", [0.02, 0.08])
def test_background_on_foreground_is_removed_and_little_else(line_distance):
    boards = [(4.0, -1.5, -0.2, -0.25, 1.5), (6.0, 0.8, 2.6, -0.2, 1.5)]
    sparse, kept, dense = scene(boards, line_distance)
    removed = (sparse > 0) & (kept == 0)
    around = cv2.erode(dense, np.ones((5, 5)))  # the nearest surface within 2 pixels
    hidden = sparse > 1.2 * cv2.dilate(dense, np.ones((3, 3)))  # not even the neighbours' surface
    assert hidden.sum() > 30
    assert removed[hidden].mean() > 0.7
    visible = (sparse > 0) & ~hidden
    assert removed[visible].mean() < 0.01
    # and those lie at the very outline of what is in front of them
    assert (around[removed & visible] < 0.9 * sparse[removed & visible]).all()


def test_ground_at_a_grazing_angle_stays():
    sparse, kept, _ = scene([], 0.01)
    assert np.ptp(sparse[70:][sparse[70:] > 0]) > 15
    np.testing.assert_array_equal(kept, sparse)


def test_a_thin_pole_and_what_is_seen_beside_it_stay():
    sparse, kept, _ = scene([(6.0, -0.05, 0.05, -2.0, 1.5)], 0.02)
    removed = (sparse > 0) & (kept == 0)
    pole = np.unique(np.argwhere(sparse == 6)[:, 1])
    assert len(pole) == 3 and not removed[:, pole][sparse[:, pole] == 6].any()
    beyond = np.setdiff1d(np.arange(320), np.arange(pole[0] - 1, pole[-1] + 2))
    assert not removed[:, beyond].any()


@pytest.mark.parametrize("far", [3.0, 300.0])
def test_clouds_in_the_frame_of_a_map_lose_little_more_than_those_in_the_lidars(far):
    """Their transform does not tell where the LiDAR was, and so there is less to go by."""
    sparse, kept, dense = scene([(4.0, -1.5, -0.2, -0.25, 1.5), (6.0, 0.8, 2.6, -0.2, 1.5)], 0.02)
    in_map = np.eye(4)
    in_map[:3, 3] = 0.0, 0.6 * far, -0.8 * far
    moved = remove_hidden(sparse, VIEW, in_map)
    visible = (sparse > 0) & (sparse < 1.2 * cv2.dilate(dense, np.ones((3, 3))))
    assert not (moved > kept).any()
    assert np.count_nonzero(moved[visible]) > 0.997 * np.count_nonzero(kept[visible])


def test_a_sensor_in_the_cameras_place_sees_nothing_hidden():
    sparse, kept, _ = scene([(4.0, -1.5, -0.2, -0.25, 1.5), (4.5, 0.0, 1.0, -0.25, 1.5)], 0.02, np.zeros(3))
    np.testing.assert_array_equal(kept, sparse)


def test_the_filter_wants_the_camera_of_the_map():
    with pytest.raises(ValueError, match=r"sparse depth is \(48, 60\), expected \(48, 64\)"):
        remove_hidden(np.zeros((48, 60), np.float32), CAMERA, LIDAR)
