"""sensor_msgs_py: clouds against bytes that were packed by hand."""

import struct

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2, PointField
from sensor_msgs_py import point_cloud2
from std_msgs.msg import Header

LIDAR = [
    PointField(name="x", offset=0, datatype=PointField.FLOAT32, count=1),
    PointField(name="y", offset=4, datatype=PointField.FLOAT32, count=1),
    PointField(name="z", offset=8, datatype=PointField.FLOAT32, count=1),
    PointField(name="i", offset=16, datatype=PointField.UINT8, count=1),  # a gap lies before it
    PointField(name="ring", offset=18, datatype=PointField.UINT16, count=1),
    PointField(name="t", offset=24, datatype=PointField.FLOAT64, count=1),
]
ROWS = [(1.5, -2.0, 30.25, 200, 63, 1e9), (np.nan, 0.0, 1.0, 0, 0, 0.5), (4.0, 5.0, 6.0, 1, 40000, -1.0)]


def packed(byte_order="<", step=40):
    data = b""
    for x, y, z, i, ring, t in ROWS:
        row = struct.pack(byte_order + "fff4xBxHxxxxd", x, y, z, i, ring, t)
        data += row + b"\xff" * (step - len(row))
    return PointCloud2(
        height=1,
        width=len(ROWS),
        fields=LIDAR,
        is_bigendian=byte_order == ">",
        point_step=step,
        row_step=step * len(ROWS),
        data=data,
        is_dense=False,
    )


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_read_all_fields(byte_order):
    points = point_cloud2.read_points(packed(byte_order))
    assert points.shape == (3,)
    assert points.dtype.names == ("x", "y", "z", "i", "ring", "t")
    for name, column in zip(points.dtype.names, zip(*ROWS, strict=True), strict=True):
        np.testing.assert_array_equal(points[name], column)


def test_nothing_is_copied():
    cloud = packed()
    points = point_cloud2.read_points(cloud, field_names=("x", "y"))
    cloud.data[0:4] = type(cloud.data)("B", struct.pack("<f", 99.0))
    assert points["x"][0] == 99.0


def test_read_some_fields():
    points = point_cloud2.read_points(packed(), field_names=("z", "ring"))
    assert points.dtype.names == ("z", "ring")
    assert points[2].item() == (6.0, 40000)


def test_skip_nans():
    assert point_cloud2.read_points(packed(), skip_nans=True)["ring"].tolist() == [63, 40000]
    assert len(point_cloud2.read_points(packed(), field_names=("y", "i"), skip_nans=True)) == 3
    dense = packed()
    dense.is_dense = True
    assert len(point_cloud2.read_points(dense, skip_nans=True)) == 3


def test_read_a_field_that_is_not_there():
    with pytest.raises(AssertionError):
        point_cloud2.read_points(packed(), field_names=("x", "intensity"))


def test_read_what_is_no_cloud():
    with pytest.raises(AssertionError):
        point_cloud2.read_points(Header())


def test_dtype_of_fields():
    fields = [
        PointField(name="a", offset=2, datatype=PointField.INT16, count=3),
        PointField(name="", offset=8, datatype=PointField.UINT32, count=1),
    ]
    dtype = point_cloud2.dtype_from_fields(fields, point_step=16)
    assert dtype.names == ("a_0", "a_1", "a_2", "unnamed_field_1")
    assert [dtype.fields[name][1] for name in dtype.names] == [2, 4, 6, 8]
    assert dtype["a_1"] == np.int16
    assert dtype.itemsize == 16
    assert point_cloud2.dtype_from_fields(fields).itemsize == 12


@pytest.mark.parametrize("fields", [[LIDAR[0], LIDAR[0]], [PointField(name="x", datatype=PointField.INT8, count=0)]])
def test_dtype_of_wrong_fields(fields):
    with pytest.raises(AssertionError):
        point_cloud2.dtype_from_fields(fields)


def test_create_from_a_structured_array():
    header = Header(frame_id="velo_link")
    points = np.zeros(3, point_cloud2.dtype_from_fields(LIDAR))
    for index, row in enumerate(ROWS):
        points[index] = row
    cloud = point_cloud2.create_cloud(header, LIDAR, points)
    assert cloud.header.frame_id == "velo_link"
    assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (1, 3, 32, 96)
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "i", "ring", "t"]
    assert not cloud.is_bigendian
    assert not cloud.is_dense
    assert len(cloud.data) == 96
    back = point_cloud2.read_points(cloud)
    for name in points.dtype.names:
        np.testing.assert_array_equal(back[name], points[name])


def test_create_from_rows():
    cloud = point_cloud2.create_cloud(Header(), LIDAR, ROWS)
    assert point_cloud2.read_points(cloud)["ring"].tolist() == [63, 0, 40000]


@pytest.mark.parametrize("points", [np.arange(6, dtype=np.float64).reshape(2, 3), [(0, 1, 2), (3, 4, 5)]])
def test_create_xyz32(points):
    cloud = point_cloud2.create_cloud_xyz32(Header(), points)
    assert bytes(cloud.data) == struct.pack("<6f", 0, 1, 2, 3, 4, 5)
    assert (cloud.width, cloud.point_step) == (2, 12)


def test_an_empty_cloud():
    cloud = point_cloud2.create_cloud_xyz32(Header(), [])
    assert (cloud.width, len(cloud.data)) == (0, 0)
    assert len(point_cloud2.read_points(cloud)) == 0


def test_create_from_an_array_of_other_fields():
    with pytest.raises((AssertionError, ValueError)):  # the latter from Lyrical on
        point_cloud2.create_cloud(Header(), LIDAR, np.zeros(3, [("x", "f4")]))
    with pytest.raises((AssertionError, ValueError)):
        point_cloud2.create_cloud(Header(), LIDAR, np.zeros((3, 6), np.float32))
