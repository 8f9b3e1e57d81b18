"""The checkpoint of an interrupted training of networks: weights, Adam's moments and a few numbers, in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

FILE = "checkpoint.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq")


def save_training(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    numbers: Mapping[str, int | float],
    more: Mapping[str, Tensor] | None = None,
) -> None:
    """Write `folder`/checkpoint.safetensors whole or not at all.

    folder: Path.
    model: nn.Module.
    optimizer: Adam over parameters of `model`.
    numbers: by name; `load_training` returns them as text.
    more: other tensors, by name.
    """
    tensors = {f"model.{n}": p.detach() for n, p in model.named_parameters()} | dict(more or {})
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"adam.{key}.{name}"] = value
    part = folder / f"{FILE}.part"
    save_file(
        {n: t.contiguous().cpu() for n, t in tensors.items()},
        part,
        metadata={name: str(number) for name, number in numbers.items()},
    )
    os.replace(part, folder / FILE)


def load_training(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Restore the checkpoint of a folder, and return its numbers, as text, and all its tensors.

    folder: Path that `save_training` wrote to.
    model: nn.Module, restored in place.
    optimizer: Adam over its parameters, restored in place.
    device: torch.device of the tensors.
    """
    tensors = load_file(folder / FILE, device=str(device))
    with safe_open(folder / FILE, "pt") as opened:
        numbers: dict[str, str] = opened.metadata()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
            if f"adam.step.{name}" not in tensors:
                continue
            state = {"step": tensors[f"adam.step.{name}"]}
            for moment in _MOMENTS:
                # The fused optimizer walks memory, so the moments must lie in the parameter's order.
                state[moment] = torch.empty_like(parameter).copy_(tensors[f"adam.{moment}.{name}"])
            optimizer.state[parameter] = state
    return numbers, tensors
