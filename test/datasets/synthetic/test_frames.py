import hashlib

import numpy as np
import pytest

from depth_completion_ros.datasets import open_source
from depth_completion_ros.datasets.synthetic import LIDARS, SyntheticFrames, SyntheticRooms, Tof, TofSpots
from depth_completion_ros.datasets.synthetic.frames import ROOM_CAMERA, STREET_CAMERA
from depth_completion_ros.datasets.synthetic.scene import open3d
from depth_completion_ros.geometry.camera import Camera

try:
    open3d()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

STREET = {"frames": 4, "seed": 3, "camera": STREET_CAMERA.resize(304, 88)}
ROOM = {"frames": 4, "seed": 3, "camera": ROOM_CAMERA.resize(160, 120)}


def digest(frame):
    parts = (frame.image, frame.points, frame.depth, frame.ground_truth, frame.extrinsic)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts if part is not None)).hexdigest()


def in_picture(frame):
    """Depth of the points that fall into the picture, and the ground truth there."""
    points = frame.points @ frame.extrinsic[:3, :3].T + frame.extrinsic[:3, 3]
    column, row = np.rint(np.nan_to_num(frame.camera.project(points), nan=-9)).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < frame.camera.width) & (row < frame.camera.height)
    truth = frame.ground_truth[row[inside], column[inside]]
    return points[inside, 2][truth > 0], truth[truth > 0]


@pytest.mark.parametrize(("source", "arguments"), [(SyntheticFrames, STREET), (SyntheticRooms, ROOM)])
def test_frames_depend_on_nothing_but_their_index(source, arguments):
    frames = source(**arguments)
    first, last = frames[0], frames[3]
    longer = source(**arguments | {"frames": 9})
    assert digest(longer[3]) == digest(last)
    assert digest(longer[0]) == digest(first)
    assert digest(first) != digest(last)
    assert digest(source(**arguments | {"seed": 4})[0]) != digest(first)
    assert [len(frames), frames.frame_name(2)] == [4, "0000000002"]
    with pytest.raises(IndexError, match="frame 4 of 4"):
        frames[4]


@pytest.mark.parametrize(("source", "arguments"), [(SyntheticFrames, STREET), (SyntheticRooms, ROOM)])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frames": 0}, "0 synthetic frames"),
        ({"seed": -1}, "seed"),
        ({"lens_variation": 1.0}, "lens_variation"),
        ({"sensors": ()}, "no depth sensor"),
        ({"sensors": "radar"}, "know no sensor 'radar'; available: .*VLP-16"),
    ],
)
def test_refuses_what_makes_no_frames(source, arguments, wrong, message):
    with pytest.raises(ValueError, match=message):
        source(**arguments | wrong)


def test_streets_take_lidars_only():
    with pytest.raises(ValueError, match="expected LiDARs"):
        SyntheticFrames(**STREET, sensors=[Tof()])


def test_points_cover_the_picture_of_a_wide_lens():
    fisheye = Camera(200, 120, 75.0, 75.0, 99.5, 59.5, "equidistant", (0.0, 0.0, 0.0, 0.0))
    frames = SyntheticFrames(frames=1, seed=1, camera=fisheye, lens_variation=0.0, sensors=[LIDARS["OS1-64"]])
    points = frames[0].points @ frames[0].extrinsic[:3, :3].T + frames[0].extrinsic[:3, 3]
    columns = fisheye.project(points)[:, 0]
    assert np.nanmin(columns) < 10
    assert np.nanmax(columns) > 190


def test_lens_and_light_differ_but_not_the_size():
    frames = list(SyntheticFrames(**STREET))
    assert len({frame.camera.fx for frame in frames}) == 4
    assert {frame.image.shape for frame in frames} == {(88, 304, 3)}
    fixed = SyntheticFrames(**STREET, lens_variation=0.0)[0]
    assert fixed.camera == STREET["camera"]
    for frame in frames:
        assert 5 < frame.image.mean() < 250
        assert frame.image.std() > 10


@pytest.mark.parametrize("name", ["HDL-64E", "VLP-16", "Mid-40"])
def test_points_of_lidars_agree_with_the_truth(name):
    frames = SyntheticFrames(**STREET | {"frames": 2}, sensors=[LIDARS[name]])
    for frame in frames:
        measured, truth = in_picture(frame)
        assert len(measured) > 100
        # The rest is parallax, edges and what the errors of calibration and motion make.
        assert np.median(np.abs(measured / truth - 1)) < 0.03
        assert frame.ground_truth.max() < 120
    assert (frames[0].rings is None) == (name == "Mid-40")


def test_rooms_have_truth_everywhere_and_depth_with_holes():
    frames = [*SyntheticRooms(**ROOM | {"frames": 8}, sensors=[Tof()])]
    assert {frame.depth_camera is None for frame in frames} == {True, False}
    for frame in frames:
        assert (frame.ground_truth > 0).mean() > 0.8
        assert frame.points is None
        assert 0.02 < (frame.depth == 0).mean() < 0.9
        if frame.depth_camera is None:
            seen = (frame.depth > 0) & (frame.ground_truth > 0)
            assert np.median(np.abs(frame.depth - frame.ground_truth)[seen]) < 0.03


@pytest.mark.parametrize(("seed", "index"), [(77, 0), (51, 1279)])
def test_no_room_is_seen_through_a_pane_or_measured_from_behind_a_wall(seed, index):
    # Of the first, a pane filled nine tenths; the sensor of the second was on the other side of a wall.
    frame = SyntheticRooms(frames=index + 1, seed=seed)[index]
    assert frame.depth is not None and np.mean(frame.depth > 0) > 0.5


def test_spots_agree_with_the_truth():
    for frame in SyntheticRooms(**ROOM, sensors=[TofSpots()]):
        measured, truth = in_picture(frame)
        assert 100 < len(measured) < 2000
        assert np.median(np.abs(measured / truth - 1)) < 0.04


@pytest.mark.parametrize(("word", "kind"), [("streets", SyntheticFrames), ("rooms", SyntheticRooms)])
def test_opened_by_their_words(word, kind):
    opened = open_source(f"synthetic-{word}", frames=2, seed=7)
    assert isinstance(opened, kind)
    assert len(opened) == 2
    assert opened.name.endswith("_7")


def test_a_sensor_is_chosen_by_its_name():
    assert all(frame.points is None for frame in open_source("synthetic-rooms", frames=3, seed=3, sensors="tof"))
    assert all(frame.depth is None for frame in open_source("synthetic-rooms", frames=3, seed=3, sensors="spots"))
    assert open_source("synthetic-streets", frames=1, seed=3, sensors="VLP-16")[0].rings.max() == 15
