"""ROS messages to arrays, on stand-ins that have the messages' attributes."""

import array
import sys
from types import SimpleNamespace as Message

import cv2
import numpy as np
import pytest

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.message_arrays import (
    camera_of,
    cloud_points,
    compressed_depth_array,
    compressed_image_array,
    depth_array,
    image_array,
    is_depth_format,
    is_rectified,
    transform_matrix,
)

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), np.uint8)
DEPTH = RNG.uniform(0.5, 60, (5, 7)).astype(np.float32)


def image(pixels, encoding, padding=0, big=False, container=bytes):
    """A sensor_msgs/Image of an (H, W) or (H, W, C) array, with padding bytes at the end of each row."""
    pixels = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=170)
    return Message(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(big),
        step=rows.shape[1],
        data=container(rows.tobytes()),
    )


ALPHA = np.full((5, 7, 1), 9, np.uint8)
GREY = RGB[..., :1]


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize(
    ("encoding", "pixels", "expected"),
    [
        ("rgb8", RGB, RGB),
        ("bgr8", RGB[..., ::-1], RGB),
        ("8UC3", RGB[..., ::-1], RGB),
        ("rgba8", np.concatenate([RGB, ALPHA], 2), RGB),
        ("bgra8", np.concatenate([RGB[..., ::-1], ALPHA], 2), RGB),
        ("8UC4", np.concatenate([RGB[..., ::-1], ALPHA], 2), RGB),
        ("mono8", GREY, GREY.repeat(3, 2)),
        ("8UC1", GREY, GREY.repeat(3, 2)),
    ],
)
def test_eight_bit_images(encoding, pixels, expected, padding):
    decoded = image_array(image(pixels, encoding, padding))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("padding", [0, 3])
def test_sixteen_bit_images_lose_the_lower_byte(big, padding):
    grey = GREY.astype(np.uint16) * 256 + 77
    np.testing.assert_array_equal(image_array(image(grey, "mono16", padding, big)), GREY.repeat(3, 2))
    wide = RGB.astype(np.uint16) * 256 + 77
    np.testing.assert_array_equal(image_array(image(wide, "rgb16", padding, big)), RGB)
    np.testing.assert_array_equal(image_array(image(wide[..., ::-1], "bgr16", padding, big)), RGB)


COLOR = (200, 100, 30)
MOSAICS = {
    "bayer_rggb": ((0, 1), (1, 2)),
    "bayer_bggr": ((2, 1), (1, 0)),
    "bayer_gbrg": ((1, 2), (0, 1)),
    "bayer_grbg": ((1, 0), (2, 1)),
}


def mosaic_of(pattern):
    """(16, 16, 1) what a sensor with this pattern takes of one colour."""
    return np.tile(np.take(COLOR, pattern), (8, 8)).astype(np.uint8)[..., None]


@pytest.mark.parametrize("name", MOSAICS)
def test_mosaics(name):
    mosaic = mosaic_of(MOSAICS[name])
    wide = mosaic.astype(np.uint16) * 256 + 77
    for message in (image(mosaic, f"{name}8"), image(wide, f"{name}16", big=True)):
        np.testing.assert_array_equal(image_array(message), np.full((16, 16, 3), COLOR))


@pytest.mark.parametrize(
    "container", [bytes, bytearray, lambda data: array.array("B", data), lambda data: np.frombuffer(data, np.uint8)]
)
def test_any_container_of_bytes(container):
    np.testing.assert_array_equal(image_array(image(RGB, "rgb8", container=container)), RGB)
    np.testing.assert_array_equal(depth_array(image(DEPTH, "32FC1", container=container)), DEPTH)


@pytest.mark.parametrize("name", ["uyvy", "yuv422", "yuyv", "yuv422_yuy2"])
def test_yuv(name):
    # Grey from black to white on the left, pure red on the right, where U and V are of two pixels.
    luma = np.array([[16, 126, 235, 16, 82, 82]], np.uint8).repeat(2, 0)
    u, v = (np.array([[128, 128, each]], np.uint8).repeat(2, 0) for each in (90, 240))
    chroma = np.stack([u, v], -1).reshape(2, 6)
    order = [chroma, luma] if name in ("uyvy", "yuv422") else [luma, chroma]
    found = image_array(image(np.stack(order, -1), name)).astype(int)
    expected = [[0] * 3, [128] * 3, [255] * 3, [0] * 3, [255, 0, 0], [255, 0, 0]]
    assert np.abs(found - expected).max() <= 2
    with pytest.raises(ValueError, match="is 5 pixels wide, expected an even number"):
        image_array(image(np.stack(order, -1)[:, :5], name))


def test_rgb8_is_not_copied():
    message = image(RGB, "rgb8")
    assert np.shares_memory(image_array(message), np.frombuffer(message.data, np.uint8))


def test_an_encoding_that_needs_cv_bridge(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)  # importing it fails
    with pytest.raises(ValueError, match=r"'nv21'.*cv_bridge.*supported: rgb8, bgr8"):
        image_array(image(GREY, "nv21"))


def test_a_rare_encoding_goes_to_cv_bridge(monkeypatch):
    class CvBridgeError(TypeError):
        pass

    class CvBridge:
        def imgmsg_to_cv2(self, message, encoding):
            if message.encoding != "nv21":
                raise CvBridgeError("what is this?")
            assert encoding == "rgb8"
            return RGB

    monkeypatch.setitem(sys.modules, "cv_bridge", Message(CvBridge=CvBridge, CvBridgeError=CvBridgeError))
    np.testing.assert_array_equal(image_array(image(GREY, "nv21")), RGB)
    with pytest.raises(ValueError, match=r"'nonsense': what is this\?"):
        image_array(image(GREY, "nonsense"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"height": 6}, r"105 bytes, but step 21 x height 6 is 126"),
        ({"step": 20}, r"step is 20 bytes, but 7 pixels of rgb8 take 21"),
        ({"data": b""}, r"0 bytes"),
        ({"width": 0, "step": 0}, r"0 x 5 pixels is empty"),
    ],
)
def test_image_sizes_that_do_not_add_up(change, complaint):
    message = image(RGB, "rgb8")
    vars(message).update(change)
    with pytest.raises(ValueError, match=complaint):
        image_array(message)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("padding", [0, 3])
def test_depth_in_metres(big, padding):
    np.testing.assert_array_equal(depth_array(image(DEPTH, "32FC1", padding, big)), DEPTH)


@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
@pytest.mark.parametrize("big", [False, True])
def test_depth_in_millimetres(encoding, big):
    decoded = depth_array(image(np.array([[0, 1, 1500, 65535]], np.uint16), encoding, big=big))
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, [[0, 0.001, 1.5, 65.535]], rtol=1e-6)


def test_what_was_not_measured_is_zero():
    depth = np.array([[np.nan, np.inf, -np.inf, -1, 0, 2]], np.float32)
    np.testing.assert_array_equal(depth_array(image(depth, "32FC1")), [[0, 0, 0, 0, 0, 2]])


def test_depth_of_another_encoding():
    with pytest.raises(ValueError, match=r"depth encoding 'rgb8'.*32FC1"):
        depth_array(image(RGB, "rgb8"))


def compressed(pixels, format, suffix=".png", header=b""):
    return Message(format=format, data=header + cv2.imencode(suffix, pixels)[1].tobytes())


def test_compressed_images():
    np.testing.assert_array_equal(compressed_image_array(compressed(RGB[..., ::-1], "rgb8; png compressed bgr8")), RGB)
    smooth = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    jpeg = compressed_image_array(compressed(smooth[..., ::-1], "bgr8; jpeg compressed bgr8", ".jpg"))
    np.testing.assert_allclose(jpeg, smooth, atol=3)
    grey = compressed_image_array(compressed(GREY, "mono8; png compressed "))
    np.testing.assert_array_equal(grey, GREY.repeat(3, 2))


@pytest.mark.parametrize("name", MOSAICS)
def test_compressed_mosaics(name):
    one_color = np.full((16, 16, 3), COLOR)
    mosaic = compressed(mosaic_of(MOSAICS[name]), f"{name}8; png compressed ")
    np.testing.assert_array_equal(compressed_image_array(mosaic), one_color)
    picture = compressed(np.uint8(one_color[..., ::-1]), f"{name}8; png compressed bgr8")
    np.testing.assert_array_equal(compressed_image_array(picture), one_color)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgb16", "bgr16"])
def test_colors_that_were_compressed_as_they_came(encoding):
    # The transport's TIFF has the image's own order, whatever the codec takes that for.
    pixels = RGB if encoding.startswith("rgb") else np.ascontiguousarray(RGB[..., ::-1])
    message = compressed(pixels, f"{encoding}; tiff compressed ", ".tiff")
    np.testing.assert_array_equal(compressed_image_array(message), RGB)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("kept", [0, 0.6, 0.98])
def test_a_truncated_picture_is_refused(suffix, kept):
    noise = RNG.integers(0, 256, (40, 40, 3), np.uint8)
    message = compressed(noise, "x", suffix)
    message.data = message.data[: int(kept * len(message.data))]
    with pytest.raises(ValueError, match=f"damaged, truncated or not a picture .{len(message.data)} bytes"):
        compressed_image_array(message)


def test_zeros_after_the_picture_are_padding():
    message = compressed(RGB, "jpeg", ".jpg")
    expected = compressed_image_array(message)
    message.data += bytes(16)
    np.testing.assert_array_equal(compressed_image_array(message), expected)


MILLIMETRES = np.array([[0, 1, 1500, 65535]], np.uint16)


@pytest.mark.parametrize(
    ("format", "header"), [("16UC1; compressedDepth png", bytes(12)), ("16UC1; png compressed ", b"")]
)
def test_compressed_depth_in_millimetres(format, header):
    decoded = compressed_depth_array(compressed(MILLIMETRES, format, header=header))
    np.testing.assert_allclose(decoded, [[0, 0.001, 1.5, 65.535]], rtol=1e-6)


def test_compressed_depth_as_quantised_inverse_depth():
    # What compressed_depth_image_transport does with its defaults: at most 10 m, a step of depth^2 / 100 / 100.
    step, furthest = 100.0, 10.0
    a = step * (step + 1)
    b = 1 - a / furthest
    depth = np.linspace(0.5, 9.9, 60, dtype=np.float32).reshape(6, 10)
    stored = np.round(a / depth + b).astype(np.uint16)
    stored[2, 3] = 0
    header = np.array([0], np.int32).tobytes() + np.array([a, b], np.float32).tobytes()
    decoded = compressed_depth_array(compressed(stored, "32FC1; compressedDepth", header=header))
    assert decoded[2, 3] == 0
    known = stored > 0
    np.testing.assert_allclose(decoded[known], depth[known], atol=furthest**2 / a)


def test_compressed_depth_that_cannot_be_read():
    with pytest.raises(ValueError, match=r"rvl.*png"):
        compressed_depth_array(compressed(MILLIMETRES, "16UC1; compressedDepth rvl", header=bytes(12)))
    with pytest.raises(ValueError, match="expected 16-bit grey"):
        compressed_depth_array(compressed(GREY, "16UC1; compressedDepth png", header=bytes(12)))
    with pytest.raises(ValueError, match="damaged, truncated"):
        compressed_depth_array(Message(format="16UC1; compressedDepth png", data=bytes(7)))


@pytest.mark.parametrize(
    ("format", "is_depth"),
    [
        ("16UC1; compressedDepth", True),
        ("32FC1; compressedDepth png", True),
        ("16UC1; png compressed ", True),
        ("rgb8; jpeg compressed bgr8", False),
        ("jpeg", False),
    ],
)
def test_formats_of_depth(format, is_depth):
    assert is_depth_format(format) == is_depth


def cloud(values, fields, height=1, big=False, row_padding=0):
    """A sensor_msgs/PointCloud2 of a structured array; ``fields`` are (name, datatype) of its fields to announce."""
    rows = np.frombuffer(values.tobytes(), np.uint8).reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, row_padding)), constant_values=170)
    offsets = values.dtype.fields
    return Message(
        height=height,
        width=len(values) // height,
        fields=[Message(name=name, offset=offsets[name][1], datatype=code, count=1) for name, code in fields],
        is_bigendian=big,
        point_step=values.itemsize,
        row_step=rows.shape[1],
        data=rows.tobytes(),
    )


XYZ = [("x", 7), ("y", 7), ("z", 7)]
POINTS = RNG.normal(size=(12, 3)).astype(np.float32)
RINGS = RNG.integers(0, 64, 12)


def packed(float_type="<f4", ring_type="<u2"):
    """Points with the fields out of order, at odd offsets, with gaps."""
    values = np.zeros(
        12,
        {
            "names": ["ring", "z", "x", "y"],
            "formats": [ring_type, *[float_type] * 3],
            "offsets": [1, 5, 16, 31],
            "itemsize": 45,
        },
    )
    values["x"], values["y"], values["z"] = POINTS.T
    values["ring"] = RINGS
    return values


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("kind", "code"), [("f4", 7), ("f8", 8)])
@pytest.mark.parametrize(("height", "row_padding"), [(1, 0), (3, 0), (3, 10)])
def test_points_wherever_they_lie(big, kind, code, height, row_padding):
    order = ">" if big else "<"
    values = packed(order + kind, order + "u2")
    message = cloud(values, [("x", code), ("y", code), ("z", code), ("ring", 4)], height, big, row_padding)
    points, rings = cloud_points(message)
    assert points.dtype == np.float32 and points.flags.c_contiguous
    np.testing.assert_array_equal(points, POINTS)
    assert rings.dtype == np.uint16
    np.testing.assert_array_equal(rings, RINGS)


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [("u1", 2, np.uint8), ("<i4", 5, np.int32), ("<f4", 7, np.int32), ("<i8", 9, np.int64), ("<u8", 10, np.uint64)],
)
def test_rings_of_any_number_type(kind, code, expected):
    _, rings = cloud_points(cloud(packed(ring_type=kind), [*XYZ, ("ring", code)]))
    assert rings.dtype == expected
    np.testing.assert_array_equal(rings, RINGS)


def test_a_cloud_without_rings_keeps_its_nans():
    values = packed()
    values["x"][3] = np.nan
    points, rings = cloud_points(cloud(values, XYZ))
    assert rings is None
    assert np.isnan(points[3, 0]) and len(points) == 12


def test_a_cloud_in_the_coordinates_of_a_map_is_refused():
    values = packed("<f8")
    values["x"][3:6], values["x"][6] = np.nan, 1e20
    fields = [(name, 8) for name in "xyz"]
    assert len(cloud_points(cloud(values, fields))[0]) == 12  # of one return that is wild
    values["y"] += 5_300_000
    for name in "xyz":
        values[name][:2] = 0  # what did not return
    with pytest.raises(ValueError, match=r"coordinates of 5300 km, .* float32: publish it in the sensor's own frame"):
        cloud_points(cloud(values, fields))


def test_an_empty_cloud():
    points, rings = cloud_points(cloud(packed()[:0], [*XYZ, ("ring", 4)]))
    assert points.shape == (0, 3) and rings.shape == (0,)
    assert cloud_points(cloud(packed("<f8")[:0], [(name, 8) for name in "xyz"]))[0].shape == (0, 3)


def test_an_unorganised_cloud_needs_no_row_step():
    message = cloud(packed(), XYZ)
    message.row_step = 0
    np.testing.assert_array_equal(cloud_points(message)[0], POINTS)


@pytest.mark.parametrize(
    ("fields", "change", "complaint"),
    [
        (XYZ[:2], {}, r"no field 'z'.*its fields: x \(datatype 7\), y \(datatype 7\)"),
        ([], {}, r"no field 'x'.*its fields: none"),
        ([*XYZ[:2], ("z", 5)], {}, r"no field 'z' of datatype 7"),
        (XYZ, {"width": 13}, r"cloud data has 540 bytes, but row_step 585 x height 1"),
        (XYZ, {"height": 2, "width": 12}, r"cloud data has 540 bytes, but row_step 540 x height 2"),
        (XYZ, {"height": 2, "width": 6, "row_step": 100}, r"row_step is 100, but 6 points of 45 bytes"),
        (XYZ, {"point_step": 33}, r"'y' ends at byte 35, beyond point_step 33"),
    ],
)
def test_clouds_that_do_not_add_up(fields, change, complaint):
    message = cloud(packed(), fields)
    vars(message).update(change)
    with pytest.raises(ValueError, match=complaint):
        cloud_points(message)


def test_a_ring_of_no_known_type_is_none():
    points, rings = cloud_points(cloud(packed(), [*XYZ, ("ring", 12)]))
    assert len(points) and rings is None


def camera_info(model="plumb_bob", d=(0.1, -0.2, 0.001, 0.002, 0.03), roi=(0, 0, 0, 0), binning=(0, 0), **change):
    values = {
        "width": 640,
        "height": 480,
        "distortion_model": model,
        "d": list(d),
        "k": [500.0, 0, 320, 0, 510, 240, 0, 0, 1],
        "p": [450.0, 0, 310, -45, 0, 450, 230, 0, 0, 0, 1, 0],
        "roi": Message(x_offset=roi[0], y_offset=roi[1], width=roi[2], height=roi[3]),
        "binning_x": binning[0],
        "binning_y": binning[1],
    }
    return Message(**{**values, **change})


def test_a_camera_from_k_and_d():
    expected = Camera(640, 480, 500, 510, 320, 240, "plumb_bob", (0.1, -0.2, 0.001, 0.002, 0.03))
    assert camera_of(camera_info()) == expected


def test_a_rectified_camera_from_p():
    assert camera_of(camera_info(), rectified=True) == Camera(640, 480, 450, 450, 310, 230)


def test_capital_letters_of_ros_1():
    info = camera_info()
    info.K, info.D, info.P = (np.array(vars(info).pop(name)) for name in "kdp")
    assert camera_of(info) == camera_of(camera_info())
    assert camera_of(info, rectified=True) == camera_of(camera_info(), rectified=True)


@pytest.mark.parametrize(
    ("model", "d", "expected"),
    [
        ("", (), "none"),
        ("", (0, 0, 0, 0, 0), "none"),
        ("plumb_bob", (0, 0, 0, 0, 0), "none"),
        ("plumb_bob", (), "none"),
        ("pinhole", (0, 0, 0, 0, 0), "none"),
        ("rational_polynomial", (1, 2, 3, 4, 5, 6, 7, 8), "rational_polynomial"),
        ("equidistant", (0.1, 0.2, 0.3, 0.4), "equidistant"),
        ("fisheye", (0.1, 0.2, 0.3, 0.4), "equidistant"),
        ("equidistant", (0, 0, 0, 0), "equidistant"),
    ],
)
def test_distortion_models(model, d, expected):
    camera = camera_of(camera_info(model, d))
    assert camera.distortion_model == expected
    assert camera.distortion == (() if expected == "none" else d)


@pytest.mark.parametrize(
    ("model", "d", "expected", "coefficients"),
    [
        ("plumb_bob", (1, 2, 3, 4), "plumb_bob", (1, 2, 3, 4, 0)),
        ("plumb_bob", (1, 2, 3, 4, 5, 0, 0, 0), "plumb_bob", (1, 2, 3, 4, 5)),
        ("plumb_bob", (1, 2, 3, 4, 5, 6, 7, 8), "rational_polynomial", (1, 2, 3, 4, 5, 6, 7, 8)),
        ("rational_polynomial", (1, 2, 3, 4, 5), "plumb_bob", (1, 2, 3, 4, 5)),
        ("rational_polynomial", (1, *(0,) * 12, 2), "rational_polynomial", (1, *(0,) * 12, 2)),
        ("equidistant", (1, 2, 3, 0, 0), "equidistant", (1, 2, 3, 0)),
    ],
)
def test_how_many_coefficients_there_are_counts_as_in_opencv(model, d, expected, coefficients):
    camera = camera_of(camera_info(model, d))
    assert (camera.distortion_model, camera.distortion) == (expected, coefficients)


def test_a_driver_that_rectifies_and_gives_p_alone():
    info = camera_info(d=(0, 0, 0, 0, 0), k=[0.0] * 9)
    assert camera_of(info) == camera_of(info, rectified=True)


@pytest.mark.parametrize(
    ("change", "rectified", "complaint"),
    [
        ({"model": "equidistant", "d": [1, 2, 3, 4, 5]}, False, "'equidistant' with D"),
        ({"k": [0.0] * 9}, False, "uncalibrated: K is zero"),
        ({"p": [0.0] * 12}, True, "uncalibrated: P is zero"),
        ({"model": "thin_prism"}, False, "'thin_prism'.*supported: plumb_bob"),
        ({"model": ""}, False, "distortion model '' with D"),
        ({"width": 0}, False, "0 x 480"),
    ],
)
def test_a_camera_that_cannot_be_used(change, rectified, complaint):
    with pytest.raises(ValueError, match=complaint):
        camera_of(camera_info(**change), rectified)


def test_region_of_interest_and_binning_give_the_camera_of_the_published_image():
    full = camera_of(camera_info())
    small = camera_of(camera_info(roi=(100, 60, 301, 200), binning=(3, 2)))
    assert (small.width, small.height) == (100, 100)
    assert small.distortion == full.distortion
    # Pixel (7, 4) of the published image covers columns 121..123 and rows 68..69 of the full one.
    ray = ((122 - full.cx) / full.fx, (68.5 - full.cy) / full.fy)
    np.testing.assert_allclose((small.fx * ray[0] + small.cx, small.fy * ray[1] + small.cy), (7, 4), atol=1e-9)


def test_which_images_are_rectified():
    info = camera_info()
    same = camera_info(p=[500.0, 0, 320, -45, 0, 510, 240, 0, 0, 0, 1, 0])
    assert is_rectified("/camera/image_rect_color", same)
    assert is_rectified("/camera/image_rect/compressed", same)
    assert not is_rectified("/camera/image_raw", info)
    # KITTI's bags publish rectified images as image_raw, with the K of the camera before.
    assert is_rectified("/kitti/camera_color_left/image_raw", info)
    assert not is_rectified("/kitti/camera_color_left/image_raw", same)
    assert not is_rectified("/kitti/camera_color_left/image_raw", camera_info(p=[0.0] * 12))


def test_a_transform():
    half = np.sqrt(0.5)
    transform = Message(translation=Message(x=1, y=2, z=3), rotation=Message(x=0, y=0, z=half, w=half))
    np.testing.assert_allclose(transform_matrix(transform) @ (1, 0, 0, 1), (1, 3, 3, 1), atol=1e-15)
    transform.translation.y = np.inf
    with pytest.raises(ValueError, match=r"translation .* is not finite"):
        transform_matrix(transform)
    transform.rotation = Message(x=0, y=0, z=0, w=0)
    with pytest.raises(ValueError, match="no rotation"):
        transform_matrix(transform)
