"""A model in training: its moving average, its optimizer's pace, and its checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from training.starter.checkpoint import load_training, save_training

_EMA_DECAY = 0.999
_WARM_UP = 200  # steps


class Paced(Protocol):
    """A plan of so many pictures at that learning rate."""

    @property
    def images(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...


def learning_rate(plan: Paced, step: int, images: int, *, tail: float = 0.4, last: float = 0.1) -> float:
    """Return the learning rate of a step: it rises, stays, and falls by a cosine.

    plan: Paced.
    step: int, for the rise.
    images: int, pictures seen.
    tail: float in (0, 1], share of the pictures over which it falls.
    last: float in [0, 1], share of the rate at the end.
    """
    done = max(0.0, images / plan.images - (1.0 - tail)) / tail
    decay = last + (1.0 - last) * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
    return plan.learning_rate * min(1.0, (step + 1) / _WARM_UP) * decay


def average_in(average: Mapping[str, Tensor], model: nn.Module, step: int) -> None:
    """Move the moving average of parameters towards them; in the first steps by more.

    average: tensors by the parameters' names, changed in place.
    model: nn.Module with the parameters.
    step: int, from 0.
    """
    decay = min(_EMA_DECAY, (1 + step) / (10 + step))
    parameters = dict(model.named_parameters())
    torch._foreach_lerp_(list(average.values()), [parameters[name].detach() for name in average], 1.0 - decay)


class Averaged:
    """A model in training with its moving average and its optimizer: what a checkpoint holds.

    model: nn.Module.
    average: moving average of each parameter, by name.
    optimizer: of the parameters.
    device: torch.device of all of them.
    step: int, steps done.
    images: int, pictures seen.
    seconds: float, time spent in training.
    """

    model: nn.Module
    average: dict[str, Tensor]  # of the parameters, by name
    optimizer: torch.optim.Optimizer
    device: torch.device
    step: int
    images: int
    seconds: float

    def save(self, folder: Path) -> None:
        """Write the checkpoint whole or not at all.

        folder: Path.
        """
        numbers = {"step": self.step, "images": self.images, "seconds": self.seconds}
        averages = {f"average.{n}": p for n, p in self.average.items()}
        save_training(folder, self.model, self.optimizer, numbers, averages)

    def load(self, folder: Path) -> None:
        """Continue from a checkpoint.

        folder: Path that `save` wrote to.
        """
        numbers, tensors = load_training(folder, self.model, self.optimizer, self.device)
        for name, average in self.average.items():
            average.copy_(tensors[f"average.{name}"])
        self.step, self.images = int(numbers["step"]), int(numbers["images"])
        self.seconds = float(numbers["seconds"])

    def fill_with_average(self, model: nn.Module) -> None:
        """Give a model the averaged weights.

        model: nn.Module of the same shape, changed in place.
        """
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.average[name])
