"""Tiny recordings in KITTI's layouts, and frames to put into bags."""
# ruff: noqa: E501

import numpy as np

from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.rotation import rotation_of
from depth_completion_ros.images import write_depth_png, write_image

WIDTH, HEIGHT = 20, 12

# A LiDAR whose x axis looks along the camera's z, with 1 mrad of misalignment, printed with 7 digits as KITTI does.
CAMERAS = """calib_time: 09-Jan-2012 13:57:47
S_rect_00: 2.000000e+01 1.200000e+01
R_rect_00: 9.999995e-01 1.000000e-03 0.000000e+00 -1.000000e-03 9.999995e-01 0.000000e+00 0.000000e+00 0.000000e+00 1.000000e+00
P_rect_00: 1.500000e+01 0.000000e+00 9.500000e+00 0.000000e+00 0.000000e+00 1.600000e+01 5.500000e+00 0.000000e+00 0.000000e+00 0.000000e+00 1.000000e+00 0.000000e+00
P_rect_02: 1.500000e+01 0.000000e+00 9.500000e+00 3.000000e+00 0.000000e+00 1.600000e+01 5.500000e+00 1.600000e-01 0.000000e+00 0.000000e+00 1.000000e+00 1.000000e-02
P_rect_03: 1.500000e+01 0.000000e+00 9.500000e+00 -7.500000e+00 0.000000e+00 1.600000e+01 5.500000e+00 0.000000e+00 0.000000e+00 0.000000e+00 1.000000e+00 0.000000e+00
"""
VELODYNE = """calib_time: 15-Mar-2012 11:37:16
R: 0.000000e+00 -1.000000e+00 0.000000e+00 0.000000e+00 0.000000e+00 -1.000000e+00 1.000000e+00 0.000000e+00 0.000000e+00
T: -4.000000e-03 -7.600000e-02 -2.700000e-01
delta_f: 0.000000e+00 0.000000e+00
"""


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def depth_picture(seed):
    """Depth that a 16-bit PNG of metres x 256 holds exactly; half of the pixels are not measured."""
    rng = np.random.default_rng(seed)
    depth = rng.integers(256, 80 * 256, (HEIGHT, WIDTH)) / 256
    return np.where(rng.random(depth.shape) < 0.5, depth, 0).astype(np.float32)


def scan(seed, per_ring=6, rings=3):
    """Points of a few rings, each once round from the x axis, as (N, 4) float32 x, y, z, reflectance."""
    rng = np.random.default_rng(seed)
    azimuth = np.tile(np.linspace(0.1, 6.1, per_ring), rings)
    distance = rng.uniform(4, 40, len(azimuth))
    height = np.repeat(np.linspace(0.5, -1.5, rings), per_ring)
    values = np.column_stack([distance * np.cos(azimuth), distance * np.sin(azimuth), height, rng.random(len(azimuth))])
    return values.astype(np.float32)


def write_kitti_raw(root, numbers=range(4), date="2011_09_26", drive="0052", cameras=(2,)):
    """A drive in the official layout; returns its folder."""
    folder = root / date / f"{date}_drive_{drive}_sync"
    scans = folder / "velodyne_points" / "data"
    scans.mkdir(parents=True)
    for number in numbers:
        scan(number).tofile(scans / f"{number:010}.bin")
        for camera in cameras:
            images = folder / f"image_{camera:02}" / "data"
            images.mkdir(parents=True, exist_ok=True)
            write_image(images / f"{number:010}.png", picture(number))
    (root / date / "calib_cam_to_cam.txt").write_text(CAMERAS)
    (root / date / "calib_velo_to_cam.txt").write_text(VELODYNE)
    return folder


def write_kitti_object(root, numbers=range(3)):
    """A part of the object data set; returns its folder. The LiDAR stands a metre to the right in frame 1."""
    for part in ("calib", "image_2", "velodyne"):
        (root / part).mkdir(parents=True)
    lines = dict(line.split(": ") for line in (CAMERAS + VELODYNE).splitlines())
    rotation = np.array(lines["R"].split(), float).reshape(3, 3)
    for number in numbers:
        place = np.array(lines["T"].split(), float) + ((1, 0, 0) if number == 1 else (0, 0, 0))
        to_camera = np.column_stack([rotation, place])
        (root / "calib" / f"{number:06}.txt").write_text(
            f"P2: {lines['P_rect_02']}\nP3: {lines['P_rect_03']}\nR0_rect: {lines['R_rect_00']}\n"
            f"Tr_velo_to_cam: {' '.join(map(str, to_camera.ravel()))}\n"
        )
        write_image(root / "image_2" / f"{number:06}.png", picture(number))
        scan(number).tofile(root / "velodyne" / f"{number:06}.bin")
    return root


def lidar_frames(count=5):
    """Frames with everything a LiDAR recording has."""
    extrinsic = np.eye(4)
    extrinsic[:3, :3] = rotation_of((0.5, -0.49, 0.51, -0.5))
    extrinsic[:3, 3] = 0.1, -0.2, 0.3
    return [
        Frame(
            stamp=1_317_000_000_123_456_789 + index * 100_000_000,
            camera=Camera(WIDTH, HEIGHT, 15, 16, 9.5, 5.5),
            image=picture(index),
            points=scan(index)[:, :3].copy(),
            rings=np.repeat(np.arange(3), 6),
            extrinsic=extrinsic,
            ground_truth=depth_picture(index),
            name=f"frame {index}",
        )
        for index in range(count)
    ]


def write_selection(folder, names, truth=True):
    """Frames of the KITTI benchmark's val_selection_cropped or test_depth_completion_anonymous."""
    for part in ("image", "velodyne_raw", "intrinsics", *(["groundtruth_depth"] if truth else [])):
        (folder / part).mkdir(parents=True)
    for seed, name in enumerate(names):
        write_image(folder / "image" / f"{name}.png", picture(seed))
        write_depth_png(
            folder / "velodyne_raw" / f"{name.replace('_image_0', '_velodyne_raw_0', 1)}.png", depth_picture(seed)
        )
        if truth:
            truth_name = name.replace("_image_0", "_groundtruth_depth_0", 1)
            write_depth_png(folder / "groundtruth_depth" / f"{truth_name}.png", depth_picture(100 + seed))
        matrix = np.array([[15 + seed, 0, 9.5], [0, 16, 5.5], [0, 0, 1]])
        (folder / "intrinsics" / f"{name}.txt").write_text(" ".join(map(str, matrix.ravel())) + "\n")
    return folder
