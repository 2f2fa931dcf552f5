import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic.room import build_room
from depth_completion_ros.datasets.synthetic.scene import Scene, open3d, rays_from

try:
    open3d()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)


@pytest.mark.parametrize("seed", range(6))
def test_walls_floor_and_ceiling_close_the_room_but_for_its_windows(seed):
    room = build_room(np.random.default_rng(seed))
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(4000, 3)).astype(np.float32)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    start = np.array(room.size) * (0.5, 0.5, 0.6)
    hits = Scene(room.mesh).cast(rays_from(start, direction))
    end = start + hits.distance[:, None] * direction
    inside = ((end > -0.3) & (end < np.array(room.size) + 0.3)).all(axis=1)
    assert inside.mean() > 0.7
    assert inside[np.abs(direction[:, 2]) > 0.9].all()  # nothing is open above and below
    assert len(room.lamps) > 0
    for lamp in room.lamps:
        assert (lamp.position > 0).all()
        assert (lamp.position < room.size).all()
