"""A denoiser that a graph computes, and how it replaces the network.

Score distillation asks for predictions without gradients, so torch need not compute them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from dreamfusion_engine.config.stages import GenerateConfig, views_at_once
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.noise import add_noise

Call = tuple[tuple[Any, ...], dict[str, Any]]


class HostedDenoiser(nn.Module):
    """A denoiser that a graph computes wherever no gradient is wanted.

    network: nn.Module that was traced; it answers where gradients are on, or where a call has another pattern.
    graph: list of arrays to the prediction, an array.
    call: a call as it was traced.
    """

    def __init__(self, network: nn.Module, graph: Callable[[list[Any]], Any], call: Call) -> None:
        super().__init__()
        self.network = network
        self._graph = graph
        self._pattern = pattern(call)

    def forward(self, *args: Any, **named: Any) -> Any:
        """Predict as the network does with return_dict=False."""
        if torch.is_grad_enabled() or pattern((args, named)) != self._pattern:
            return self.network(*args, **named)
        return (torch.from_numpy(self._graph(arrays((args, named)))),)


class FlatDenoiser(nn.Module):
    """A denoiser as a function of tensors alone.

    network: nn.Module, the denoiser.
    call: a call of it; its tensors are replaced, in the order of `tensors_of`, and everything else stays.
    """

    def __init__(self, network: nn.Module, call: Call) -> None:
        super().__init__()
        self._network = network
        self._call = call

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return what the denoiser predicts for these tensors."""
        args, named = _filled(self._call, iter(tensors))
        output: Tensor = self._network(*args, **named)[0]
        return output


def tensors_of(value: Any) -> list[Tensor]:
    """Return every tensor in tuples and dictionaries, in order."""
    if isinstance(value, Tensor):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    return [tensor for item in inner for tensor in tensors_of(item)]


def arrays(call: Call) -> list[Any]:
    """Return the call's tensors as arrays, which a graph takes."""
    return [tensor.contiguous().numpy() for tensor in tensors_of(call)]


def pattern(call: Call) -> Any:
    """Return what calls of one graph have in common: all but the values of tensors and the number of rows."""
    rows = len(tensors_of(call)[0])

    def of(value: Any) -> Any:
        if isinstance(value, Tensor):
            first = "rows" if value.ndim and len(value) == rows else value.shape[:1]
            return str(value.dtype), str(value.device), str(first), tuple(value.shape[1:])
        if isinstance(value, dict):
            return tuple((name, of(item)) for name, item in value.items())
        return tuple(of(item) for item in value) if isinstance(value, tuple) else repr(value)

    return of(call)


def _filled(value: Any, tensors: Iterator[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return next(tensors)
    if isinstance(value, dict):
        return {name: _filled(item, tensors) for name, item in value.items()}
    return tuple(_filled(item, tensors) for item in value) if isinstance(value, tuple) else value


@torch.no_grad()
def step_call(teacher: Adapter, distillation: ScoreDistillation, config: GenerateConfig) -> Call:
    """Return a call of the denoiser as a step makes it, with noise of several strengths over grey pictures.

    teacher: Adapter of the model.
    distillation: ScoreDistillation of the teacher.
    config: GenerateConfig; gives the number and size of the views.
    """
    count, size = views_at_once(config), config.optimize.resolution[0]
    turns = (torch.arange(count) + 0.5) / count
    told = distillation.conditioning.embeddings(2.0 * math.pi * turns, torch.full((count,), 0.3), "albedo")
    x = teacher.to_model_space(torch.full((count, 3, size, size), 0.5))
    t = (turns * teacher.schedule.usable).long()
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    network, listener = teacher.denoiser, _Listener()
    teacher.denoiser = listener
    try:
        distillation.predictions(add_noise(x, noise, *teacher.schedule.at(t)), t, told)
    except _HeardError as heard:
        return heard.call
    finally:
        teacher.denoiser = network
    raise RuntimeError("the teacher did not ask its denoiser")


class _HeardError(Exception):
    """Ends a call that was only to be heard."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call


class _Listener(nn.Module):
    """In a denoiser's place: says how it is called."""

    def forward(self, *args: Any, **named: Any) -> Any:
        raise _HeardError((args, named))
