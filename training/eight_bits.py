"""Weights with eight bits each, for files that a repository keeps for ever."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_SMALLEST = 4096  # elements; smaller tensors stay in half precision
_SCALE = ".scale"  # of a row of integers, in float32


def in_bytes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every large matrix as int8 with a float32 scale a row (a convolution's output channel); the others as float16."""
    packed = {}
    for name, tensor in tensors.items():
        if tensor.ndim < 2 or tensor.numel() < _SMALLEST:
            packed[name] = tensor.half().contiguous()
            continue
        rows = tensor.float().flatten(1)
        scale = rows.abs().amax(1).clamp(min=1e-12) / 127.0
        packed[name] = (rows / scale[:, None]).round().to(torch.int8).reshape(tensor.shape).contiguous()
        packed[name + _SCALE] = scale
    return packed


def from_bytes(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The float32 tensors of `in_bytes`: within half of a row's scale of what they were."""
    tensors = {}
    for name, tensor in packed.items():
        if name.endswith(_SCALE):
            continue
        tensors[name] = tensor.float()
        if tensor.dtype == torch.int8:
            tensors[name] *= packed[name + _SCALE].reshape(-1, *[1] * (tensor.ndim - 1))
    return tensors
