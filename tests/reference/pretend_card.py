"""A card for a machine without one: torch's device "meta", whose tensors have shapes and no values.

What a step may not do on a card cannot be done there either: to read a value raises, and so does a shape that depends
on values. What remains is watched here: every operation on a tensor of the host's, and every value that is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from dreamfusion_engine.machine import warp_runtime

CARD = torch.device("meta")


def without_kernels(patch: pytest.MonkeyPatch) -> Counter[str]:
    """Kernels have no values to work on: their launches are counted by name, and that is all."""
    launched: Counter[str] = Counter()

    def noted(kernel: Any, items: int, arguments: Any, *, device: torch.device, grain: int = 1024) -> None:
        assert device == CARD
        for argument in arguments:
            assert not isinstance(argument, Tensor) or argument.device == CARD
        launched[kernel.key.split("__")[-1]] += 1

    def on_the_card(tensor: Tensor, dtype: Any = None) -> Tensor:
        assert tensor.is_contiguous()
        return tensor.detach()

    patch.setattr(warp_runtime, "launch", noted)
    patch.setattr(warp_runtime, "array", on_the_card)
    return launched


class HostWork(TorchDispatchMode):
    """Notes operations that touch a tensor of the host's; a single number beside a card's tensor is an argument."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        made = [x for x in tree_flatten(out)[0] if isinstance(x, Tensor)]
        host = [x for x in given if x.device.type == "cpu"]
        beside = bool(host) and all(x.ndim == 0 for x in host) and all(x.device == CARD for x in made)
        sent = "copy" in str(func)
        if (host and (sent or not beside)) or any(x.device.type == "cpu" for x in made):
            self.found[str(func)] += 1
        return out


class SentValues(TorchFunctionMode):
    """Notes tensors made of Python's numbers: on a card, a copy that a graph cannot hold."""

    MAKERS = (torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy)

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self.MAKERS:
            self.found[func.__name__] += 1
        return func(*args, **(kwargs or {}))
