"""How the learning rate changes in the course of training.

A schedule is stated in the epochs of its paper, and stretched to whatever length a training has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau


@dataclass(frozen=True)
class Milestones:
    """Multiplies the rate by ``factor`` at each of the ``epochs``, after a linear rise over the first ``warm_up``."""

    epochs: tuple[float, ...]
    factor: float
    warm_up: float = 0.0

    def __call__(self, epoch: float) -> float:
        """The rate at an epoch, over the recipe's."""
        return min(1.0, epoch / self.warm_up if self.warm_up else 1.0) * self.factor ** sum(
            epoch >= milestone for milestone in self.epochs
        )


@dataclass(frozen=True)
class Cosine:
    """Falls like half a cosine to ``floor`` at the ``end``, after a linear rise over the first ``warm_up`` epochs."""

    end: float
    warm_up: float
    floor: float

    def __call__(self, epoch: float) -> float:
        """The rate at an epoch, over the recipe's."""
        if epoch < self.warm_up:
            return epoch / self.warm_up
        progress = min(1.0, (epoch - self.warm_up) / (self.end - self.warm_up))
        return max(self.floor, (1 + math.cos(math.pi * progress)) / 2)


@dataclass(frozen=True)
class Plateau:
    """Multiplies the rate by ``factor`` when the mean loss of an epoch has not fallen for ``patience`` epochs."""

    factor: float
    patience: int


Schedule = Milestones | Cosine | Plateau


class RateScheduler:
    """Sets the learning rate of an optimiser after every step.

    Args:
        optimizer: has the recipe's rate.
        schedule: of the recipe.
        epochs: how many epochs the recipe has.
        steps: how many steps the training has, which the epochs are spread over.
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule, epochs: float, steps: int) -> None:
        self._steps_per_epoch = max(1, round(steps / epochs))
        self._losses: list[float] = []
        self._scheduler: LambdaLR | ReduceLROnPlateau
        if isinstance(schedule, Plateau):
            self._scheduler = ReduceLROnPlateau(optimizer, factor=schedule.factor, patience=schedule.patience)
        else:
            rate: Callable[[float], float] = schedule
            # The first step has a rate, too, or it would be none.
            self._scheduler = LambdaLR(optimizer, lambda step: rate((step + 1) / steps * epochs))

    def step(self, loss: float) -> None:
        """To be called after every step of the optimiser, with its loss."""
        if isinstance(self._scheduler, LambdaLR):
            self._scheduler.step()
            return
        self._losses.append(loss)
        if len(self._losses) == self._steps_per_epoch:
            self._scheduler.step(sum(self._losses) / len(self._losses))
            self._losses = []

    def state_dict(self) -> dict[str, Any]:
        """All that a continued training needs."""
        return {"losses": self._losses, "scheduler": self._scheduler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where :meth:`state_dict` was taken."""
        self._losses = list(state["losses"])
        self._scheduler.load_state_dict(state["scheduler"])
