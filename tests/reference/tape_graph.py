"""A CUDA graph for a machine without one: what some work did, operation by operation, done again on the same memory.

Like a graph it repeats to the letter. Numbers of Python's are those of the recording, branches are those that were
taken, every tensor stays where it was. So work that depends on anything but the tensors that it reads, or reads a
tensor that has moved since, gives another result in a replay here as it would there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from dreamfusion_engine.machine import warp_runtime

Work = Callable[[], None]


class TapeRecorder:
    """Records what torch's operations and the kernels do. patch: of pytest, to see the kernels' launches."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._tape: Tape | None = None
        self.rehearsed = 0
        self.recorded: list[Tape] = []
        launch = warp_runtime.launch

        def noted(kernel: Any, items: int, arguments: Any, **options: Any) -> None:
            again = lambda: launch(kernel, items, arguments, **options)  # noqa: E731
            if self._tape is not None:
                self._tape.saved(arguments)
                self._tape.steps.append(again)
            again()

        patch.setattr(warp_runtime, "launch", noted)

    def rehearse(self, work: Work) -> None:
        self.rehearsed += 1
        work()

    def record(self, work: Work) -> Work:
        self._tape = Tape()
        try:
            with self._tape:
                work()
        finally:
            tape, self._tape = self._tape, None
            tape.undo()
        self.recorded.append(tape)
        return tape.replay

    def start_anew(self) -> None:
        """Tapes share nothing."""


class Tape(TorchDispatchMode):
    """steps: what was done, in order. replays: how often it was done again."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Work] = []
        self.replays = 0
        self._own: set[int] = set()  # memory that the work itself made
        self._before: dict[int, tuple[Tensor, Tensor]] = {}  # other memory that it wrote to, and what was there
        self._kept: list[Tensor] = []

    def replay(self) -> None:
        self.replays += 1
        with torch._C._AutoDispatchBelowAutograd():
            for step in self.steps:
                step()

    def undo(self) -> None:
        """A recording does nothing: put back what the work changed."""
        with torch.no_grad():
            for tensor, before in self._before.values():
                tensor.copy_(before)

    def saved(self, arguments: Any) -> None:
        """Keep what is in memory that is not the work's own, before something may write there."""
        for argument in arguments:
            tensor = argument if isinstance(argument, Tensor) else getattr(argument, "_ref", None)
            if isinstance(tensor, Tensor):
                place = tensor.untyped_storage().data_ptr()
                if place not in self._own and place not in self._before:
                    self._before[place] = tensor, tensor.detach().clone()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [a for a in tree_flatten((args, kwargs))[0] if isinstance(a, Tensor)]
        if any(argument.alias_info is not None and argument.alias_info.is_write for argument in func._schema.arguments):
            self.saved(given)
        out = func(*args, **kwargs)
        made = [o for o in tree_flatten(out)[0] if isinstance(o, Tensor)]
        old = {tensor.untyped_storage().data_ptr() for tensor in given}
        new = [tensor for tensor in made if tensor.untyped_storage().data_ptr() not in old]
        self._own.update(tensor.untyped_storage().data_ptr() for tensor in new)
        self._kept += [*given, *made]  # no address is used twice

        if "empty" in str(func):  # memory, which has nothing in it and may be given another size
            return out
        graded = torch.is_grad_enabled()  # some operations leave out what only their gradient needs

        def again() -> None:
            with torch.set_grad_enabled(graded):
                found = [o for o in tree_flatten(func(*args, **kwargs))[0] if isinstance(o, Tensor)]
            for tensor, now in zip(made, found, strict=True):
                if any(tensor is one for one in new):
                    tensor.copy_(now)

        self.steps.append(again)
        return out
