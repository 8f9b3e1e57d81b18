"""Several processes that train one field together, each rendering views of its own, by torch.distributed.

`torchrun --nproc-per-node N -m dreamfusion_engine generate ...` starts them and gives every process its number in the
environment. Gradients are added up over the processes, so that all take the same step. Only the first process asks what
people wish (stop, pause) and tells the others, so that all stop at the same step. Only the first writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, cast

from dreamfusion_engine.machine.device import out_of_memory

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dreamfusion_engine.machine.places import Places

T = TypeVar("T")
LONGEST_WAIT = timedelta(days=30)  # of one process for another


@dataclass(frozen=True, kw_only=True)
class Processes:
    """This process among those of a run.

    index: int, its number, from 0.
    count: int, number of processes.
    """

    index: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the first, which writes and asks people."""
        return self.index == 0

    def add_up(self, gradients: Sequence[Tensor]) -> None:
        """Replace each gradient by its sum over all processes, in one exchange. All must be on one device."""
        if self.count == 1:
            return
        import torch
        from torch import distributed

        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        for gradient, total in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(total.view_as(gradient))

    def agree(self, word: T) -> T:
        """Return the first process's word (anything small that can be pickled), in every process."""
        if self.count == 1:
            return word
        import torch
        from torch import distributed

        said = [word]
        distributed.broadcast_object_list(said, src=0, device=torch.device("cpu"))
        return said[0]

    def all_or_none(self, work: Callable[[], T]) -> T:
        """Return what `work` returns; where memory runs out in one process, raise an error in every one.

        A process that is short of memory then leaves no other waiting for its part of a step. Other errors end their
        process, and torchrun then ends the others.

        work: called once; processes must not meet in it.
        Raises torch.OutOfMemoryError with the words of the process that was short.
        """
        if self.count == 1:
            return work()
        import torch

        result: T | None = None
        reason = ""
        try:
            result = work()
        except Exception as error:
            if not out_of_memory(error):
                raise
            reason = str(error) or type(error).__name__
        # Out here the error is gone, and with it the tensors that its traceback held.
        reason = self._first_of(reason)
        if reason:
            raise torch.OutOfMemoryError(reason)
        return cast(T, result)

    def _first_of(self, word: str) -> str:
        """The first word of any process that is not empty, in every process; '' where all are."""
        import torch
        from torch import distributed

        said = torch.tensor([int(bool(word))])  # on the host, where it takes no notice of a card
        distributed.all_reduce(said, op=distributed.ReduceOp.MAX)
        if not said.item():
            return ""
        words: list[str] = [""] * self.count
        distributed.all_gather_object(words, word)
        return next(each for each in words if each)

    def places(self, chosen: Places) -> Places:
        """Return this process's places: a card for each, as `device` gives it.

        chosen: Places of the run.
        """
        return replace(chosen, teacher=self.device(chosen.teacher), field=self.device(chosen.field))

    def device(self, chosen: torch.device) -> torch.device:
        """Return this process's device: a card for each, where `chosen` is a card and there are several processes."""
        import torch

        if self.count == 1 or chosen.type in ("cpu", "mps"):
            return chosen
        return torch.device(chosen.type, int(os.environ.get("LOCAL_RANK", "0")))


ALONE = Processes()


def join(device_type: str) -> Processes:
    """Meet the other processes that torchrun started; return ALONE where it did not start this one.

    device_type: 'cpu' or 'cuda', of the tensors that are added up.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return ALONE
    import torch
    from torch import distributed

    if device_type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not distributed.is_initialized():
        # Words travel over gloo, so that agreeing never waits for a card. A run may be paused for days.
        distributed.init_process_group("cpu:gloo,cuda:nccl" if device_type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    return Processes(index=distributed.get_rank(), count=count)


def leave() -> None:
    """End what `join` began, once every process has come here; do nothing where this process is alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def started_as_follower() -> bool:
    """Return whether torchrun started this process as another than the first: it has nothing to say to people."""
    return os.environ.get("RANK", "0") != "0" and os.environ.get("WORLD_SIZE", "1") != "1"
