"""CUDA graphs of a step's parts: the work from rays to gradients, recorded once and replayed with other inputs.

A step is a thousand small kernels, and most take less time than their launch from Python. A graph launches them all at
once. It repeats exactly what was recorded: the same kernels on the same memory. So inputs are copied into the tensors
that the recorded work reads, and each kind of part has a graph of its own. Work that cannot be recorded runs as
without graphs, and this is reported once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

import torch

from dreamfusion_engine.config.stages import MemoryConfig
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.inputs.outside_text import first_line
from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.machine.device import out_of_memory
from dreamfusion_engine.optimize.step_part import PartInputs, mapped, tensors_of

Work = Callable[[], None]
WARM_UP = 2  # parts of a kind that run unrecorded: kernels are compiled, libraries choose theirs, memory is set up
MOST = 12  # graphs at a time; the memory of those beyond is given back, oldest first


class Recorder(Protocol):
    """Records work and returns its replay."""

    def rehearse(self, work: Work) -> None:
        """Run the work where it will be recorded."""
        ...

    def record(self, work: Work) -> Work:
        """Return a function that repeats the work; recording does not run the work."""
        ...

    def start_anew(self) -> None:
        """Release every recording so far."""
        ...


class CudaRecorder:
    """Records what torch and Warp run on one stream of a card.

    device: torch.device, the card.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()  # one for all: graphs never run at the same time

    def rehearse(self, work: Work) -> None:
        with torch.cuda.device(self._device):
            here = torch.cuda.current_stream()
            self._stream.wait_stream(here)
            with torch.cuda.stream(self._stream):
                work()
            here.wait_stream(self._stream)

    def record(self, work: Work) -> Work:
        with torch.cuda.device(self._device):
            here = torch.cuda.current_stream()
            graph = torch.cuda.CUDAGraph()
            try:
                with (
                    torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
                    warp_runtime.recording(self._stream) as kernels,
                ):
                    work()
            finally:
                torch.cuda.set_stream(here)  # a recording that breaks off leaves its own stream behind
        return _Replay(graph, kernels)

    def start_anew(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()  # torch takes no recording into a pool that nothing is left of


@dataclass(frozen=True)
class _Replay:
    """Replays a graph on the current stream. kernels: keeps the modules of Warp's kernels loaded for as long."""

    graph: torch.cuda.CUDAGraph
    kernels: object

    def __call__(self) -> None:
        self.graph.replay()


class StepGraphs:
    """The recorded parts of one training.

    recorder: Recorder to use.
    report: told once where recording does not work.
    working: attribute, bool, whether recording works so far.
    replays: attribute, int, parts that were replayed so far.
    """

    def __init__(self, recorder: Recorder, report: Report) -> None:
        self._recorder = recorder
        self._report = report
        self._met: Counter[Hashable] = Counter()
        self._recorded: dict[Hashable, tuple[PartInputs, Work]] = {}
        self.working = True
        self.replays = 0

    def run(self, key: Hashable, inputs: PartInputs, work: Callable[[PartInputs], None]) -> None:
        """Run `work(inputs)`: by a replay, after a few parts of the same kind ran without one.

        key: equal for parts whose work differs only in the tensors of `inputs`.
        inputs: PartInputs.
        work: the work, a function of the inputs.
        """
        if key not in self._recorded:
            if self._met[key] < WARM_UP and self.working:
                self._met[key] += 1
                self._recorder.rehearse(lambda: work(inputs))
                return
            if not self.working or not self._record(key, inputs, work):
                work(inputs)
                return
        kept, replay = self._recorded[key]
        for tensor, now in zip(tensors_of(kept), tensors_of(inputs), strict=True):
            tensor.copy_(now, non_blocking=True)
        replay()
        self.replays += 1

    def forget(self) -> None:
        """Free every graph and its memory."""
        self._recorded.clear()
        self._met.clear()
        self._recorder.start_anew()

    def _record(self, key: Hashable, inputs: PartInputs, work: Callable[[PartInputs], None]) -> bool:
        """Whether there is a graph of this kind now; if not, the artist is told why, and there will be none."""
        while len(self._recorded) >= MOST:
            del self._recorded[next(iter(self._recorded))]
        kept = mapped(inputs, torch.Tensor.clone)
        try:
            self._recorded[key] = kept, self._recorder.record(lambda: work(kept))
            return True
        except Exception as error:  # whatever a library does that a graph cannot hold
            why = "there is no memory for them" if out_of_memory(error) else first_line(str(error))
        self.working = False
        self.forget()
        text = f"This run goes on without CUDA graphs, which only make it faster: {why}"
        self._report(Note(code="memory.graphs", text=text))
        return False


def step_graphs(settings: MemoryConfig, device: torch.device, report: Report) -> StepGraphs | None:
    """Return graphs for a training on a card that wants them; None where they are off or impossible.

    With offload 'all' each layer's weights travel to the card in every step, which a graph cannot hold.

    settings: MemoryConfig.
    device: torch.device of the training.
    report: told once where recording does not work.
    """
    if device.type != "cuda" or not settings.graphs or settings.offload == "all":
        return None
    return StepGraphs(CudaRecorder(device), report)
