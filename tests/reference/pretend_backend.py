"""A card of Apple's for a machine without one: tensors that say they are on 'mps', and refuse what MPS refuses.

Their values lie in main memory, and every operation computes them as the processor does, so results can be compared bit
for bit. Torch's rules of devices hold: nothing is computed of tensors on two devices, nothing comes over but by a copy,
and every copy is counted. MPS's own rules hold too: no float64, no random numbers by a generator of another device, no
torch.compile, no copy that the host does not wait for (pytorch issue 189690).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

FAR = torch.device("mps")
_NEAR = torch.device("cpu")
_MAKERS = (torch.tensor, torch.as_tensor, torch.asarray)
_LIKE = (torch.Tensor.new_zeros, torch.Tensor.new_ones, torch.Tensor.new_full, torch.Tensor.new_empty)


@dataclass
class Crossings:
    """Bytes that were copied there and back, and the number of copies."""

    there: int = 0
    back: int = 0
    copies: int = 0

    def count(self, size: int, *, there: bool) -> None:
        self.copies += 1
        if there:
            self.there += size
        else:
            self.back += size


class _Memory:
    """Which storages are on the far device. They are kept, so that no other gets their address."""

    def __init__(self) -> None:
        self._far: dict[int, Any] = {}
        self._neutral: dict[int, Any] = {}
        self.asked = ""  # name of the function that Python's code has called, in a forward pass
        self.crossings = Crossings()

    def has(self, tensor: Tensor, *, neutral: bool = False) -> bool:
        with torch._C.DisableTorchFunction():
            address = tensor.untyped_storage()._cdata
            return address in self._far or (neutral and address in self._neutral)

    def neutral(self, made: Any) -> None:
        """Tensors that torch makes within an operation, on the device of what it is given, which it asks in C++."""
        with torch._C.DisableTorchFunction():
            for tensor in _tensors(made):
                storage = tensor.untyped_storage()
                self._neutral[storage._cdata] = storage

    def put(self, tensor: Tensor, *, far: bool) -> None:
        with torch._C.DisableTorchFunction():
            storage = tensor.untyped_storage()
            if far:
                if tensor.dtype == torch.float64:
                    raise TypeError("Cannot convert a MPS Tensor to float64 dtype: the MPS framework has no float64.")
                self._far[storage._cdata] = storage
            else:
                self._far.pop(storage._cdata, None)


def _is_far(device: Any) -> bool:
    return device is not None and not isinstance(device, Tensor) and torch.device(device).type == FAR.type


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(value)[0] if isinstance(leaf, Tensor)]


class _Operations(TorchDispatchMode):
    """Follows every operation, those of backward passes included."""

    def __init__(self, memory: _Memory) -> None:
        super().__init__()
        self._memory = memory

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = dict(kwargs or {})
        wanted, name = named.get("device"), func.overloadpacket.__name__
        there = _is_far(wanted)
        if there:
            named["device"] = _NEAR
            if named.get("generator") is not None:
                raise RuntimeError("Expected a 'mps' device type for generator but found 'cpu'")
        given = _tensors((args, named))
        far = [tensor for tensor in given if self._memory.has(tensor)]
        near = [tensor for tensor in given if tensor.ndim and not self._memory.has(tensor, neutral=True)]
        if name == "copy_":
            into, source = args[0], args[1]
            if self._memory.has(into) != self._memory.has(source):
                if named.get("non_blocking") or (len(args) > 2 and args[2]):
                    raise AssertionError("a copy to or from MPS that the host does not wait for may read too late")
                self._memory.crossings.count(source.numel() * source.element_size(), there=self._memory.has(into))
            return func(*args, **named)
        # Python's words for a place are heard in _Words; within an operation torch names the tensor's own in C++.
        placed = wanted is not None and not name.startswith("new_") and name != "_to_copy"
        if name == "index" and self._memory.has(args[0]):  # which brings its places over by itself
            for tensor in near:
                self._memory.crossings.count(tensor.numel() * tensor.element_size(), there=True)
        elif far and near and not placed:
            raise RuntimeError(f"Expected all tensors to be on the same device, but found mps:0 and cpu in {name}")
        made = func(*args, **named)
        if not given and name != self._memory.asked:
            self._memory.neutral(made)
        if there if placed else bool(far):
            for tensor in _tensors(made):
                self._memory.put(tensor, far=True)
        return made


class _Words(TorchFunctionMode):
    """Answers for a tensor where it is, and sends it where Python's words ask."""

    def __init__(self, memory: _Memory) -> None:
        super().__init__()
        self._memory = memory

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = dict(kwargs or {})
        if func == torch.Tensor.device.__get__:  # type: ignore[attr-defined]
            return FAR if self._memory.has(args[0]) else func(*args)
        if func is torch.Tensor.to:
            return self._to(args, named)
        if func is torch.Tensor.cpu:
            return self._to((args[0], _NEAR), named)
        if func in (torch.Tensor.numpy, torch.Tensor.pin_memory) and self._memory.has(args[0]):
            raise TypeError("can't convert mps:0 device type tensor to numpy")
        if func in _MAKERS and _is_far(named.get("device")):
            return self._to((func(*args, **{**named, "device": _NEAR}), FAR), {})
        self._memory.asked = getattr(func, "__name__", "")
        try:
            made = func(*args, **named)
        finally:
            self._memory.asked = ""
        if func in _LIKE and self._memory.has(args[0]) and named.get("device") is None:
            self._memory.put(made, far=True)
        return made

    def _to(self, args: Any, named: dict[str, Any]) -> Tensor:
        tensor, *rest = args
        rest, here = list(rest), self._memory.has(tensor)
        target = here
        for place, word in enumerate(rest):
            if isinstance(word, Tensor):
                target = self._memory.has(word)
            elif isinstance(word, torch.device | str):
                target, rest[place] = _is_far(word), _NEAR
        if named.get("device") is not None:
            target, named["device"] = _is_far(named["device"]), _NEAR
        if target == here:
            out: Tensor = torch.Tensor.to(tensor, *rest, **named)
            self._memory.put(out, far=here)
            return out
        if named.pop("non_blocking", False) or (len(rest) > 2 and rest[2] is True):
            raise AssertionError("a copy to or from MPS that the host does not wait for may read too late")
        self._memory.crossings.count(tensor.numel() * tensor.element_size(), there=target)
        moved = torch.Tensor.to(tensor, *rest, **{**named, "copy": True})
        self._memory.put(moved, far=target)
        return moved


@contextmanager
def pretended_mps(patch: pytest.MonkeyPatch) -> Iterator[Crossings]:
    """Let torch have a card of Apple's inside; yields what is carried."""

    def compiled(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("torch.compile is not there on MPS")

    patch.setattr(torch, "compile", compiled)
    memory = _Memory()
    with _Operations(memory), _Words(memory):
        yield memory.crossings
