"""Frames of slanted planes: quick to make, with depth known in closed form. Run as a program, trains on them."""

import multiprocessing
import os
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from depth_completion_ros.datasets.base import IndexedSource
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.training.augmentation import Augmentation
from depth_completion_ros.training.processes import Processes, join_processes
from depth_completion_ros.training.recipes import recipe
from depth_completion_ros.training.samples import SampleStream, Share
from depth_completion_ros.training.sparsity import Sparsity
from depth_completion_ros.training.trainer import Settings, Trainer

CAMERA = Camera(160, 96, 110.0, 110.0, 71.0, 52.5)
RINGS = 24
STEPS = 10
LINES = Sparsity(lines=(4, 24))


def plane_depth(camera, normal, distance):
    """Where the rays of a camera meet the plane normal @ x == distance."""
    rays = np.concatenate([camera.rays(), np.ones((camera.height, camera.width, 1))], -1)
    return (distance / (rays @ normal)).astype(np.float32)


class Planes(IndexedSource):
    """A LiDAR at the place of the camera, which sees a plane whose brightness tells its depth."""

    def __init__(self, frames=4, camera=CAMERA, name="planes"):
        self.name, self.camera, self.frames = name, camera, frames

    def __len__(self):
        return self.frames

    def plane(self, index):
        rng = np.random.default_rng(index)
        return np.array([rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), 1.0]), rng.uniform(5, 20)

    def __getitem__(self, index):
        depth = plane_depth(self.camera, *self.plane(index))
        rows = np.arange(2, self.camera.height, self.camera.height // RINGS)[:RINGS]
        points = self.camera.unproject(depth)[rows, ::2]
        rings = np.repeat(np.arange(len(rows)), points.shape[1])
        image = np.stack([np.clip(255 - 8 * depth, 0, 255)] * 3, -1).astype(np.uint8)
        return Frame(
            stamp=index + 1,
            camera=self.camera,
            image=image,
            points=points.reshape(-1, 3),
            rings=rings,
            ground_truth=depth,
            name=f"plane {index}",
        )


class Blind(Planes):
    """Has no ground truth."""

    def __getitem__(self, index):
        return replace(super().__getitem__(index), ground_truth=None)


class Registered(Planes):
    """Measures a depth image, which has no lines to withhold."""

    def __getitem__(self, index):
        frame = super().__getitem__(index)
        depth = np.zeros_like(frame.ground_truth)
        depth[::8, ::8] = frame.ground_truth[::8, ::8]
        return replace(frame, points=None, rings=None, depth=depth)


class Louvers(Planes):
    """Planks at two depths, told apart by their brightness: what no interpolation of few points can know."""

    def __getitem__(self, index):
        columns = np.arange(self.camera.width) // 20 % 2
        depth = np.broadcast_to(np.where(columns, 5, 3), (self.camera.height, self.camera.width)).astype(np.float32)
        image = np.stack([255 - 40 * depth] * 3, -1).astype(np.uint8)
        frame = super().__getitem__(index)
        return replace(frame, points=None, rings=None, image=image, depth=depth, ground_truth=depth)


class Fatal(Planes):
    """Kills the training that takes this many frames of it, and tells the process that makes them in a file."""

    def __init__(self, alive, file):
        super().__init__()
        self.alive, self.file = alive, file

    def __getitem__(self, index):
        self.alive -= 1
        if self.alive < 0:
            self.file.write_text(str(os.getpid()))
            training = multiprocessing.parent_process()
            os.kill(training.pid if training else os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def tiny_trainer(
    folder,
    model="emdc",
    source=None,
    *,
    processes=None,
    learning_rate=1e-3,
    crop=(64, 96),
    sparsity=LINES,
    init=None,
    held_out=(),
    mode=None,
    **settings,
):
    """A training of few and small steps by the recipe of a model."""
    chosen = recipe(model)
    chosen = replace(
        chosen,
        batch=2,
        augmentation=Augmentation(crop, zoom=(1.0, 1.2), image_dropout=0.0 if model == "auxiliary" else 0.2),
        sparsity=sparsity,
        optimizer=partial(chosen.optimizer, lr=learning_rate),
    )
    stream = SampleStream([Share(source or Planes(), 1.0)], chosen.augmentation, chosen.sparsity, seed=3)
    return Trainer(
        model,
        {"preset": "lite"} | ({"mode": mode} if mode else {}),
        chosen,
        stream,
        Path(folder),
        Settings(**{"steps": STEPS, "save_every": 3, **settings}),
        processes or Processes(0, 1, torch.device("cpu")),
        init=init,
        held_out=held_out,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, frames, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with join_processes("cpu") as joined:
        source = Fatal(frames, folder / "maker")
        others = {"held_out": [Planes(1)], "held_out_every": 4}
        tiny_trainer(folder, source=source, processes=joined, workers=workers, **others).run()
    # What goes on at the end of the interpreter can abort the process, now and then.
    threads = [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]
    assert not [name for name in threads if "gloo" in name], threads
