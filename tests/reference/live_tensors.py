"""Counts the tensors that are alive while a piece of torch runs, and the most there were: works on fake tensors too.

What it counts are storages, each once, from the operation that made them until nothing refers to them any more.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveTensors(TorchDispatchMode):
    """While entered, `now` and `peak` are bytes of tensors made since; parameters of the given modules never count."""

    def __init__(self, *modules: torch.nn.Module) -> None:
        super().__init__()
        self.now = 0
        self.peak = 0
        own = [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
        self._sizes = {tensor.untyped_storage()._cdata: 0 for tensor in own}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for value in tree_leaves(out):
            if isinstance(value, torch.Tensor):
                self._made(value.untyped_storage())
        return out

    def track(self, tensor: torch.Tensor) -> None:
        """Count a tensor that was there before."""
        self._made(tensor.untyped_storage())

    def _made(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._sizes:
            return
        self._sizes[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.now -= self._sizes.pop(key, 0)
