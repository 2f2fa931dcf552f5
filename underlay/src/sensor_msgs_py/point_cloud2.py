"""sensor_msgs/PointCloud2 <-> NumPy structured arrays."""

from __future__ import annotations

import array
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.lib.recfunctions import unstructured_to_structured
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

_SCALARS: dict[int, Any] = {
    PointField.INT8: "i1",
    PointField.UINT8: "u1",
    PointField.INT16: "i2",
    PointField.UINT16: "u2",
    PointField.INT32: "i4",
    PointField.UINT32: "u4",
    PointField.FLOAT32: "f4",
    PointField.FLOAT64: "f8",
}


def read_points(
    cloud: PointCloud2, field_names: Sequence[str] | None = None, skip_nans: bool = False
) -> NDArray[Any]:
    """The points of a cloud, without copying them where all are wanted.

    Args:
        cloud: a message with N = width * height points.
        field_names: the fields to keep, all by default.
        skip_nans: leave out the points of which one of these fields is NaN; this copies. A cloud that says it is
            dense has none.

    Returns:
        A (N,) structured array with one member per field; a field of count > 1 becomes ``name_0``, ``name_1``, ...

    Raises:
        AssertionError: the cloud is not a PointCloud2, or lacks one of the fields.
    """
    assert isinstance(cloud, PointCloud2), f"expected a sensor_msgs.msg.PointCloud2, got {type(cloud)}"
    dtype = dtype_from_fields(cloud.fields, cloud.point_step)
    if cloud.is_bigendian != (sys.byteorder == "big"):
        dtype = dtype.newbyteorder()
    points = np.ndarray(cloud.width * cloud.height, dtype, cloud.data)
    if field_names is not None:
        missing = [name for name in field_names if name not in (dtype.names or ())]
        assert not missing, f"the cloud has the fields {dtype.names}, not {missing}"
        points = points[list(field_names)]
    if skip_nans and not cloud.is_dense:
        points = points[~np.logical_or.reduce([np.isnan(points[name]) for name in points.dtype.names or ()])]
    return points


def dtype_from_fields(fields: Iterable[PointField], point_step: int | None = None) -> np.dtype[Any]:
    """The structured type of a point.

    Args:
        fields: where its members lie; they may overlap, and leave gaps.
        point_step: its size in bytes; by default it ends with its last field.

    Raises:
        AssertionError: a field has count 0, or two have the same name.
    """
    names, formats, offsets = [], [], []
    for index, field in enumerate(fields):
        scalar: np.dtype[Any] = np.dtype(_SCALARS[field.datatype])
        name = field.name or f"unnamed_field_{index}"
        assert field.count > 0, f"the field {name} has count 0"
        for element in range(field.count):
            names.append(name if field.count == 1 else f"{name}_{element}")
            formats.append(scalar)
            offsets.append(field.offset + element * scalar.itemsize)
    assert len(set(names)) == len(names), f"the fields {names} are not all different"
    layout: Any = {"names": names, "formats": formats, "offsets": offsets}
    if point_step is not None:
        layout["itemsize"] = point_step
    return np.dtype(layout)


def create_cloud(header: Header, fields: Sequence[PointField], points: Any) -> PointCloud2:
    """A cloud of N points in one row.

    Args:
        header: its frame and stamp.
        fields: its layout.
        points: a (N,) structured array of just this layout (the fast way: its bytes are taken as they are), a
            (N, fields) array for fields of one type, or an iterable of one tuple per point.

    Raises:
        AssertionError: the array does not fit to the fields.
    """
    dtype = dtype_from_fields(fields)
    if not isinstance(points, np.ndarray):
        points = np.array([tuple(point) for point in points], dtype)
    elif points.dtype.names is None:
        assert len({field.datatype for field in fields}) == 1, "the fields differ in type: pass a structured array"
        points = unstructured_to_structured(points, dtype)
    assert points.dtype == dtype, f"points of type {points.dtype} do not fit to fields of type {dtype}"
    assert points.ndim == 1, f"expected one row of points, got an array of shape {points.shape}"
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(points).view(np.uint8).data)
    cloud = PointCloud2(
        header=header,
        height=1,
        width=len(points),
        fields=list(fields),
        is_bigendian=sys.byteorder == "big",
        point_step=dtype.itemsize,
        row_step=dtype.itemsize * len(points),
        is_dense=False,
    )
    cloud.data = data  # an array is not checked byte by byte, as an argument of the constructor might be
    return cloud


def create_cloud_xyz32(header: Header, points: Any) -> PointCloud2:
    """A cloud of x, y, z as 32-bit floats; ``points`` is (N, 3) or an iterable of triples."""
    fields = [
        PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, name in enumerate("xyz")
    ]
    return create_cloud(header, fields, points)
