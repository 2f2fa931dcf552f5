"""Folders of colour and depth pictures, paired by name or by stamp."""

import json

import cv2
import numpy as np
import pytest
from recordings import HEIGHT, WIDTH, picture

from depth_completion_ros.datasets import DamagedFrame, open_source
from depth_completion_ros.datasets.rgbd import RgbdPictures
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.images import write_image


def write(root, colors, depths, color="color", size=(HEIGHT, WIDTH)):
    for folder in (color, "depth"):
        (root / folder).mkdir()
    for number, name in enumerate(colors):
        write_image(root / color / name, picture(number))
    for number, name in enumerate(depths):
        cv2.imwrite(str(root / "depth" / name), np.full(size, 1000 * (number + 1), np.uint16))
    return root


def test_pictures_of_one_name_are_a_frame(tmp_path, caplog):
    root = write(tmp_path, ["00000.png", "00001.png", "00007.png"], ["00000.png", "00001.png", "00002.png"])
    source = open_source(root)
    assert isinstance(source, RgbdPictures) and len(source) == 2
    assert "1 depth image(s) left out for want of a colour image" in caplog.text
    frame = source[1]
    assert frame.name == "00001" and frame.stamp - source[0].stamp == 100_000_000
    np.testing.assert_array_equal(frame.image, picture(1))
    assert (frame.depth == 2).all()  # millimetres
    camera = frame.camera
    assert (camera.width, camera.height) == (WIDTH, HEIGHT) and camera.fx == camera.fy == 525 * WIDTH / 640
    assert (camera.cx, camera.cy) == ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)
    given = open_source(root, units=2000, focal_length=33)[1]
    assert (given.depth == 1).all() and given.camera.fx == 33


def test_pictures_of_tum_are_paired_by_their_stamps(tmp_path):
    root = write(tmp_path, ["a.png", "b.png", "c.png"], ["x.png", "y.png", "z.png"], color="rgb")
    (root / "rgb.txt").write_text("# color images\n10.00 rgb/a.png\n10.033 rgb/b.png\n10.5 rgb/c.png\n")
    (root / "depth.txt").write_text("# depth maps\n10.031 depth/x.png\n10.3 depth/y.png\n10.515 depth/z.png\n")
    source = open_source(root)
    assert [source.frame_name(index) for index in range(len(source))] == ["x", "z"]
    np.testing.assert_array_equal(source[0].image, picture(1))
    np.testing.assert_array_equal(source[1].image, picture(2))
    assert source[0].stamp == 10_033_000_000
    assert source[0].depth[0, 0] == pytest.approx(0.2)  # 1/5000 m


def test_a_picture_has_one_partner_and_numbers_are_in_order(tmp_path):
    (tmp_path / "stamped").mkdir()
    root = write(tmp_path / "stamped", ["a.png", "b.png"], ["x.png", "y.png", "z.png"], color="rgb")
    (root / "rgb.txt").write_text("1 rgb/a.png\n1.017\trgb/b.png\n")
    (root / "depth.txt").write_text("  # depth maps\n1.0 depth/x.png\n1.010 depth/y.png\n1.033 depth/z.png\n")
    source = RgbdPictures(root)
    assert [(frame.name, frame.stamp) for frame in source] == [("x", 1_000_000_000), ("y", 1_017_000_000)]
    (tmp_path / "named").mkdir()
    names = [f"{number}.png" for number in range(12)]
    source = RgbdPictures(write(tmp_path / "named", names, names))
    assert [frame.name for frame in source] == [str(number) for number in range(12)]


def test_a_focal_length_that_nobody_gave_is_told(tmp_path, caplog):
    root = write(tmp_path, ["0.png"], ["0.png"])
    RgbdPictures(root, focal_length=20.0)
    assert not caplog.text
    RgbdPictures(root)
    assert "the focal length is taken for a Kinect's" in caplog.text


def test_intrinsics_of_open3d_count_unless_a_focal_length_is_given(tmp_path, caplog):
    root = write(tmp_path, ["0.png"], ["0.png"])
    file = root / "camera_intrinsic.json"
    of_kinect = RgbdPictures(root).origin(0)
    caplog.clear()
    told = {"width": WIDTH, "height": HEIGHT, "intrinsic_matrix": [21.0, 0, 0, 0, 22.0, 0, 8.0, 5.0, 1]}
    file.write_text(json.dumps(told))  # as open3d.io.write_pinhole_camera_intrinsic does
    source = RgbdPictures(root)
    assert source[0].camera == Camera(WIDTH, HEIGHT, fx=21.0, fy=22.0, cx=8.0, cy=5.0) and not caplog.text
    assert RgbdPictures(root, focal_length=30.0)[0].camera.fy == 30.0
    before = source.origin(0)
    file.write_text(json.dumps(told | {"width": WIDTH + 1}))
    source = RgbdPictures(root)
    assert len({of_kinect, before, source.origin(0)}) == 3
    with pytest.raises(ValueError, match=rf"0\.png has 20x12 pixels, .*{file.name} is of 21x12"):
        source[0]
    for damaged in ("{", "[]", '{"width": 20}', json.dumps(told | {"intrinsic_matrix": [1, 2]})):
        file.write_text(damaged)
        with pytest.raises(ValueError, match=r"camera_intrinsic\.json: damaged"):
            RgbdPictures(root)


def test_damage_is_named(tmp_path):
    root = write(tmp_path, ["0.png", "1.png"], ["0.png", "1.png"], size=(5, 5))
    (root / "depth" / "1.png").write_bytes(b"no picture")
    items = list(RgbdPictures(root).read())
    assert all(isinstance(item, DamagedFrame) for item in items)
    assert "0.png has 5x5 pixels, its colour image 20x12: only registered depth" in str(items[0].error)
    assert "1.png" in str(items[1].error)
    (root / "color.txt").write_text("10.0 color/0.png\n")
    (root / "depth.txt").write_text("ten depth/0.png\n")
    with pytest.raises(ValueError, match=r"depth\.txt: damaged, 'ten depth/0.png' is no stamp and file"):
        RgbdPictures(root)
    (root / "depth.txt").write_text("# nothing\n")
    with pytest.raises(ValueError, match=r"depth\.txt: damaged, it lists no file"):
        RgbdPictures(root)


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="needs a folder depth, and one of color, rgb, image"):
        RgbdPictures(tmp_path)
    root = write(tmp_path, ["0.png"], ["1.png"])
    with pytest.raises(FileNotFoundError, match="no image in color/ belongs to one in depth/"):
        open_source(root)
    with pytest.raises(ValueError, match=r"units are -1.*expected 0 \(not known\) or more"):
        open_source(root, units=-1.0)
