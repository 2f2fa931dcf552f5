"""Statistics of frames beside each other, to see how far a synthetic world is from a real sensor.

python benchmarks/frame_statistics.py ../kitti/2011_09_26              # that recording beside synthetic streets
python benchmarks/frame_statistics.py ../kitti/2011_09_26 --frames 40 --seed 3
python benchmarks/frame_statistics.py --rooms picture.png              # a folder or files of images: images only

Depth is that of the sensor in the picture: the median and the 10th and 90th percentile of image rows, the share of
pixels with a measurement, and that of measurements on depth edges. Scans of LiDARs with rings, ahead: shots lost
between neighbours on one surface, roughness along a ring (how far a point is off the line through its neighbours),
points apart from both neighbours, and points that nearer ones should hide. Images are grey, scaled to 352 rows: mean,
contrast, dark and burnt-out pixels, the share of pixels with a strong gradient, and the slope of the power spectrum.
"""

import argparse
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from depth_completion_ros.datasets import open_source
from depth_completion_ros.datasets.synthetic import LIDARS, SyntheticFrames, SyntheticRooms
from depth_completion_ros.evaluation.holdout import drop_occluded
from depth_completion_ros.frame import Frame
from depth_completion_ros.pipeline import sparse_depth_of

_HEIGHT = 352
_BANDS = 6  # of image rows


def of_image(image: np.ndarray) -> dict[str, float]:
    """Statistics of one RGB image."""
    height, width = image.shape[:2]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    scaled = cv2.resize(grey, (round(width * _HEIGHT / height), _HEIGHT), interpolation=cv2.INTER_AREA)
    across, down = cv2.Sobel(scaled, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(scaled, cv2.CV_32F, 0, 1) / 8
    gradient = np.hypot(across, down)
    side = min(scaled.shape)
    window = np.outer(np.hanning(side), np.hanning(side))
    left = (scaled.shape[1] - side) // 2
    square = scaled[:side, left : left + side]
    power = np.abs(np.fft.fft2((square - square.mean()) * window)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    rings = np.geomspace(4 / side, 0.45, 12)
    level = [np.log(power[(frequency >= low) & (frequency < high)].mean()) for low, high in pairwise(rings)]
    middle = np.log(np.sqrt(rings[1:] * rings[:-1]))
    saturation = image.max(axis=2).astype(float) - image.min(axis=2)
    return {
        "image: mean": float(grey.mean()),
        "image: contrast (std)": float(grey.std()),
        "image: dark pixels < 20, %": 100 * float((grey < 20).mean()),
        "image: burnt out > 250, %": 100 * float((grey > 250).mean()),
        "image: colour (max - min)": float(saturation.mean()),
        "image: gradient > 8, %": 100 * float((gradient > 8).mean()),
        "image: gradient, mean": float(gradient.mean()),
        "image: slope of the spectrum": float(np.polyfit(middle, level, 1)[0]),
    }


def of_depth(frame: Frame) -> dict[str, float]:
    """Statistics of what the depth sensor measured of the picture."""
    depth = _sparse_depth(frame)
    measured = depth > 0
    answer = {"depth: measured pixels, %": 100 * float(measured.mean())}
    for band, rows in enumerate(np.array_split(depth, _BANDS)):
        found = rows[rows > 0]
        answer[f"depth: measured, rows {band + 1}/{_BANDS}, %"] = 100 * float((rows > 0).mean())
        for percent in (10, 50, 90) if len(found) > 50 else ():
            answer[f"depth: {percent} % point, rows {band + 1}/{_BANDS}, m"] = float(np.percentile(found, percent))
    rows, columns = np.nonzero(measured)
    order = depth[rows, columns]
    # Neighbours in a row of measurements, at most 4 pixels apart.
    neighbours = (rows[1:] == rows[:-1]) & (columns[1:] - columns[:-1] <= 4)
    jump = np.abs(order[1:] - order[:-1]) > 0.1 * np.minimum(order[1:], order[:-1])
    if neighbours.sum() > 100:
        answer["depth: jumps > 10 % to the next, %"] = 100 * float(jump[neighbours].mean())
    return answer


def of_scan(frame: Frame) -> dict[str, float]:
    """Statistics of a LiDAR's rings, 38 degrees to either side of where it looks."""
    assert frame.points is not None
    assert frame.rings is not None
    azimuth = np.arctan2(frame.points[:, 1], frame.points[:, 0])
    ahead = np.flatnonzero(np.abs(azimuth) < np.radians(38))
    order = ahead[np.lexsort((azimuth[ahead], frame.rings[ahead]))]
    points, ring, azimuth = frame.points[order], np.asarray(frame.rings)[order], azimuth[order]
    distance, height = np.linalg.norm(points, axis=1), points[:, 2]
    same, gap = ring[1:] == ring[:-1], np.diff(azimuth)
    step = np.median(gap[same & (gap > 0)])
    nearer, further = np.minimum(distance[1:], distance[:-1]), np.abs(np.diff(distance))
    missed = np.rint(gap / step) - 1
    answer = {"scan: shots that came back, %": 100 * len(order) * step / np.radians(76) / len(np.unique(ring))}
    for low, high in ((0, 15), (15, 40), (40, 80)):
        smooth = same & (nearer >= low) & (nearer < high) & (further < 0.05 * nearer + 0.1) & (missed <= 5)
        if smooth.sum() > 200:
            lost = missed[smooth].clip(0).sum()
            answer[f"scan: lost on a surface at {low} to {high} m, %"] = 100 * float(lost / (lost + smooth.sum()))
    close = same & (gap < 1.6 * step)
    inner = close[1:] & close[:-1]
    rough = 100 * np.abs(distance[2:] - 2 * distance[1:-1] + distance[:-2]) / np.sqrt(6)
    at, level = distance[1:-1], height[1:-1]
    for place, where in (("ground", (level < -1.45) & (at < 15)), ("above it", (level > -1.1) & (at < 40))):
        found = rough[inner & where]
        if len(found) > 100:
            answer[f"scan: roughness, {place}, median, cm"] = float(np.median(found))
            answer[f"scan: rough by 5 to 50 cm, {place}, %"] = 100 * float(((found > 5) & (found < 50)).mean())
            answer[f"scan: rough by more, {place}, %"] = 100 * float((found >= 50).mean())
    apart = (further[1:] > 0.5 + 0.03 * at) & (further[:-1] > 0.5 + 0.03 * at)
    answer["scan: apart from both neighbours, %"] = 100 * float(apart[inner].mean())
    depth = _sparse_depth(frame)
    seen = drop_occluded(depth, depth) > 0
    answer["scan: hidden by nearer points, %"] = 100 * float((~seen)[depth > 0].mean())
    return answer


def _sparse_depth(frame: Frame) -> np.ndarray:
    """(H, W) nearest measurement per pixel, or the depth image itself, as its own camera sees it."""
    if frame.points is not None:
        return sparse_depth_of(frame)
    assert frame.depth is not None
    return frame.depth


def summary(of_one: Iterable[dict[str, float]]) -> dict[str, tuple[float, float, float]]:
    """The 10th percentile, the median and the 90th percentile over frames of every statistic."""
    collected: dict[str, list[float]] = {}
    for statistics in of_one:
        for name, value in statistics.items():
            collected.setdefault(name, []).append(value)
    return {name: tuple(np.percentile(values, (10, 50, 90))) for name, values in collected.items()}


def _real(paths: list[Path]) -> Iterator[dict[str, float]]:
    for path in paths:
        pictures = [path] if path.is_file() else sorted([*path.glob("*.png"), *path.glob("*.jpg")])
        if pictures and path.suffix not in (".mcap", ".db3", ".bag"):
            for picture in pictures:
                image = cv2.imread(str(picture), cv2.IMREAD_COLOR)
                if image is None:
                    raise SystemExit(f"{picture} is no image that OpenCV can read")
                yield of_image(image[..., ::-1].copy())
        else:
            yield from _of_frames(open_source(path))


def _of_frames(frames: Iterable[Frame]) -> Iterator[dict[str, float]]:
    for frame in frames:
        assert frame.image is not None
        yield of_image(frame.image) | of_depth(frame) | (of_scan(frame) if frame.rings is not None else {})


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, nargs="+", help="recordings, or images or folders of them")
    parser.add_argument("--rooms", action="store_true", help="compare with synthetic rooms, not streets")
    parser.add_argument("--frames", type=int, default=20, help="synthetic frames (default: 20)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generated: SyntheticRooms | SyntheticFrames
    if options.rooms:
        generated = SyntheticRooms(options.frames, options.seed)
    else:
        generated = SyntheticFrames(options.frames, options.seed, sensors=[LIDARS["HDL-64E"]])
    real, synthetic = summary(_real(options.path)), summary(_of_frames(generated))
    print("| median (10 % .. 90 % of the frames) | real | synthetic |\n|---|---|---|")
    for name, row in synthetic.items():
        cells = [
            f"{m:.3g} ({low:.3g} .. {high:.3g})" if m == m else "-"
            for low, m, high in (real.get(name, (np.nan,) * 3), row)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
