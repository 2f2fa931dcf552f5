import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic.landscape import KINDS, build_landscape
from depth_completion_ros.datasets.synthetic.scene import Scene, open3d, rays_from

try:
    open3d()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)


def test_there_are_many_kinds_and_their_lane_is_on_level_road():
    kinds = set()
    for seed in range(8):
        landscape = build_landscape(np.random.default_rng(seed))
        kinds.add(landscape.kind)
        down = rays_from(np.array([0.0, landscape.lane, 1.65]), np.float32([[0, 0, -1]]))
        # The road is at height 0, paint and patches up to a centimetre above it.
        assert Scene(landscape.mesh).cast(down).distance[0] == pytest.approx(1.645, abs=0.01)
    assert len(kinds) > 3
    assert kinds <= set(KINDS)


def test_roads_bend_and_climb():
    far = []
    for seed in range(6):
        landscape = build_landscape(np.random.default_rng(seed))
        asphalt = landscape.mesh.corners[:2000].reshape(-1, 3)  # the road comes first
        ahead = asphalt[np.abs(asphalt[:, 0] - 70) < 2]
        far.append(ahead[:, 1:].mean(axis=0))
    sideways, height = np.ptp(far, axis=0)
    assert sideways > 2
    assert height > 0.5


def test_every_triangle_that_can_be_seen_has_a_normal():
    mesh = build_landscape(np.random.default_rng(1)).mesh
    assert np.isfinite(mesh.corners).all()
    a, b, c = np.moveaxis(mesh.corners, 1, 0)
    seen = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-6
    # But for the poles of smooth sheets, single corners.
    assert (np.abs(np.linalg.norm(mesh.normals[seen], axis=2) - 1) < 0.02).mean() > 0.999
