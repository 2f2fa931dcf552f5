"""A picture of what the synthetic world looks like: docs/contact_sheet.jpg.

python benchmarks/contact_sheet.py                                  # streets, rooms and sensors
python benchmarks/contact_sheet.py --beside ../kitti/2011_09_26 out.png   # frames of a recording in the first row
"""

import argparse
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from depth_completion_ros.datasets import open_source
from depth_completion_ros.datasets.synthetic import LIDARS, SyntheticFrames, SyntheticRooms, Tof, TofSpots
from depth_completion_ros.datasets.synthetic.frames import ROOM_CAMERA, STREET_CAMERA
from depth_completion_ros.frame import Frame

_WIDTH = 1464
_CAPTION = 22
# Of the first frames with seed 0, some that differ: day and night, rain and fog, glass, every kind of road.
_STREETS = (2, 12, 13, 21, 26, 29, 4, 15, 1, 34, 27, 23)
_ROOMS = (0, 11, 5, 22, 28, 13, 14, 17, 21, 18)
_FAR = {"street": 60.0, "room": 6.0}  # metres that are drawn blue


def picture(frame: Frame) -> np.ndarray:
    """The image alone."""
    assert frame.image is not None
    return frame.image


def measurements(frame: Frame, far: float) -> np.ndarray:
    """What the depth sensor measured: a depth image, or points over the darkened image."""
    if frame.depth is not None:
        size = (frame.camera.width, frame.camera.height)
        return cv2.resize(_coloured(frame.depth, far), size, interpolation=cv2.INTER_NEAREST)
    assert frame.image is not None
    assert frame.points is not None
    points = frame.points @ frame.extrinsic[:3, :3].T + frame.extrinsic[:3, 3]
    pixels = np.nan_to_num(frame.camera.project(points), nan=-9)
    canvas = frame.image // 3
    colors = _coloured(points[:, 2][None].astype(np.float32), far)[0]
    dot = 2 if len(points) > 5000 else 4
    for row in np.argsort(-points[:, 2]):
        u, v = np.rint(pixels[row]).astype(int)
        if 0 <= u < frame.camera.width and 0 <= v < frame.camera.height:
            canvas[v : v + dot, u : u + dot] = colors[row]
    return canvas


def truth(frame: Frame, far: float) -> np.ndarray:
    """The dense depth."""
    assert frame.ground_truth is not None
    return _coloured(frame.ground_truth, far)


def _coloured(depth: np.ndarray, far: float) -> np.ndarray:
    """Red is near, blue is far, black unknown; even steps of inverse depth would show nothing that is far."""
    share = np.sqrt(np.clip(depth / far, 0, 1))
    colors = cv2.applyColorMap((255 - 255 * share).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    return colors * (depth > 0)[..., None]


def _row(tiles: list[np.ndarray], captions: list[str]) -> np.ndarray:
    """Tiles beside each other, as wide as the sheet, with a line of text above each."""
    width, head = _WIDTH // len(tiles), _CAPTION if any(captions) else 4
    shown = []
    for tile, caption in zip(tiles, captions, strict=True):
        height = round(tile.shape[0] * (width - 4) / tile.shape[1])
        small = cv2.resize(tile, (width - 4, height), interpolation=cv2.INTER_AREA)
        top = np.full((head, width - 4, 3), 255, np.uint8)
        cv2.putText(top, caption, (2, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        shown.append(np.pad(np.vstack([top, small]), ((0, 0), (2, 2), (0, 0)), constant_values=255))
    lowest = max(tile.shape[0] for tile in shown)
    filled = [np.pad(tile, ((0, lowest - len(tile)), (0, 0), (0, 0)), constant_values=255) for tile in shown]
    row = np.hstack(filled)
    return np.pad(row, ((0, 0), (0, _WIDTH - row.shape[1]), (0, 0)), constant_values=255)


def sheet(seed: int, beside: Path | None) -> np.ndarray:
    """The whole picture."""
    rows = []
    if beside is not None:
        real = list(islice(open_source(beside), 0, 9, 4))
        rows.append(_row([picture(frame) for frame in real], ["recorded", "", ""][: len(real)]))
    roads, rooms = SyntheticFrames(1 + max(_STREETS), seed), SyntheticRooms(1 + max(_ROOMS), seed)
    streets = [roads[index] for index in _STREETS]
    for k in range(0, len(streets), 3):
        captions = ["" if k else "SyntheticFrames: streets", "", ""]
        rows.append(_row([picture(frame) for frame in streets[k : k + 3]], captions))
    names = list(LIDARS)
    scans = [SyntheticFrames(3, seed + 1, STREET_CAMERA, 0.0, [LIDARS[name]])[2] for name in names]
    tiles, captions = [measurements(f, _FAR["street"]) for f in scans], [f"LiDAR: {name}" for name in names]
    tiles += [truth(scans[0], _FAR["street"]), picture(scans[0])]
    captions += ["ground truth, 60 m", "its image"]
    rows += [_row(tiles[k : k + 3], captions[k : k + 3]) for k in range(0, len(tiles), 3)]
    for k in range(0, len(_ROOMS), 5):
        captions = ["" if k else "SyntheticRooms", *[""] * 4]
        rows.append(_row([picture(rooms[index]) for index in _ROOMS[k : k + 5]], captions))
    for index in (1, 4):
        tof, spots = (SyntheticRooms(5, seed + 2, ROOM_CAMERA, 0.0, [sensor])[index] for sensor in (Tof(), TofSpots()))
        far = _FAR["room"]
        tiles = [picture(tof), truth(tof, far), measurements(tof, far), measurements(spots, far)]
        rows.append(_row(tiles, ["", "ground truth, 6 m", "ToF", "ToF spots"]))
    return np.vstack(rows)


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    docs = Path(__file__).parents[1] / "docs"
    parser.add_argument("output", type=Path, nargs="?", default=docs / "contact_sheet.jpg")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--beside", type=Path, metavar="RECORDING", help="real frames for the first row")
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    image = np.ascontiguousarray(sheet(options.seed, options.beside)[..., ::-1])
    if not cv2.imwrite(str(options.output), image, [cv2.IMWRITE_JPEG_QUALITY, 85]):
        raise SystemExit(f"{options.output} could not be written")
    print(f"{options.output}: {image.shape[1]} x {image.shape[0]}, {options.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
