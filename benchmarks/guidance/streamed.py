"""Denoisers larger than the memory: a layer's random weights are made when it is called, and dropped after.

They depend on the seed and on their place in the network alone, so every call has the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

SPREAD = 0.02  # standard deviation of parameters that begin at zero, so that every path of a network counts
_PLACES = 1_000_003  # more than a network has parameters: no two seeds share a weight


class _EmptyOnMeta(TorchFunctionMode):
    """A torch mode in which `torch.empty`, of which layers make their weights, takes no memory."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if func is torch.empty:
            given["device"] = "meta"
        return func(*args, **given)


def streamed(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Return a frozen float32 network on the CPU whose layers hold weights only while they compute.

    build: makes the network.
    seed: int, of the weights.
    Raises TypeError where a layer's weights have no rule here, or a buffer is not filled when it is made.
    """
    torch.manual_seed(seed)  # of the few parameters that are no layer's and stay
    with _EmptyOnMeta():
        model = build().eval().requires_grad_(False)
    if any(buffer.is_meta for buffer in model.buffers()):
        raise TypeError(f"{type(model).__name__} has a buffer that is not filled when it is made.")
    places = {parameter: place for place, parameter in enumerate(model.parameters())}
    for layer in model.modules():
        empty = {name: each for name, each in layer.named_parameters(recurse=False) if each.is_meta}
        if empty:
            _stream(layer, empty, {name: seed * _PLACES + places[each] for name, each in empty.items()})
    return model


def _stream(layer: nn.Module, empty: Mapping[str, nn.Parameter], seeds: Mapping[str, int]) -> None:
    """Let a layer make its weights before each call and drop them after it."""
    bound = _bound(layer)

    def fill(_layer: nn.Module, _inputs: Any) -> None:
        for name, shape in empty.items():
            numbers = torch.Generator().manual_seed(seeds[name])
            weight = torch.empty(shape.shape)
            if bound:
                weight.uniform_(-bound, bound, generator=numbers)
            elif name == "weight":
                weight.fill_(1.0)
            else:
                weight.normal_(std=SPREAD, generator=numbers)
            setattr(layer, name, nn.Parameter(weight, requires_grad=False))

    def drop(_layer: nn.Module, _inputs: Any, _output: Tensor) -> None:
        for name, shape in empty.items():
            setattr(layer, name, shape)

    layer.register_forward_pre_hook(fill)
    layer.register_forward_hook(drop)


def _bound(layer: nn.Module) -> float:
    """Return b of torch's own U(-b, b) for a layer's weights and bias, b = 1 / sqrt(fan in); 0 for a norm.

    Raises TypeError for another layer.
    """
    if isinstance(layer, nn.Linear):
        return 1.0 / math.sqrt(layer.in_features)
    if isinstance(layer, nn.Conv2d):
        return 1.0 / math.sqrt(layer.in_channels * math.prod(layer.kernel_size))
    if isinstance(layer, nn.GroupNorm | nn.LayerNorm | nn.RMSNorm):
        return 0.0
    raise TypeError(f"There is no rule for the weights of {type(layer).__name__}.")
