"""What the recorder of CUDA graphs does in which order, with stand-ins for a card's objects: where there is no card its
lines run at least, and a recording that breaks off leaves nothing behind.

Of: dreamfusion_engine/optimize/step_graphs.py, dreamfusion_engine/machine/warp_runtime.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import warp as wp

from dreamfusion_engine.config.stages import MemoryConfig
from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.optimize.step_graphs import CudaRecorder, StepGraphs, step_graphs

CARD = torch.device("cuda", 1)


class FakeStream:
    """A stream of the card, by name; `log` is everybody's."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log, self.device_index = name, log, 1
        self.cuda_stream = hash(name)

    def wait_stream(self, other: FakeStream) -> None:
        self.log.append(f"{self.name} waits for {other.name}")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened on the pretended card, in order."""
    happened: list[str] = []
    main, side = FakeStream("main", happened), FakeStream("side", happened)
    current = [main]
    pools = iter(range(100))

    @contextlib.contextmanager
    def stream(which: FakeStream) -> Iterator[None]:
        before, current[0] = current[0], which
        yield
        current[0] = before

    @contextlib.contextmanager
    def graph(graph: Any, *, pool: int, stream: FakeStream, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        happened.append(f"begin in pool {pool}")
        current[0] = stream
        yield  # as torch's, it puts the stream back only where nothing goes wrong
        happened.append("end")
        current[0] = main

    @contextlib.contextmanager
    def scoped_capture(*, stream: Any, external: bool, force_module_load: bool) -> Iterator[str]:
        assert external and not force_module_load
        happened.append(f"kernels on {stream}")
        yield "modules"

    def set_stream(which: FakeStream) -> None:
        current[0] = which

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: side)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: current[0])
    monkeypatch.setattr(torch.cuda, "set_stream", set_stream)

    def stream_from_torch(stream: Any) -> str:
        happened.append("wrap")
        return f"warp's {stream.name}"

    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: next(pools))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: happened.append("replay")))
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(wp, "ScopedCapture", scoped_capture)
    monkeypatch.setattr(wp, "stream_from_torch", stream_from_torch)
    monkeypatch.setattr(wp, "device_from_torch", str)
    monkeypatch.setattr(wp, "launch", lambda *a, stream, **o: happened.append(f"launch on {stream}"))
    monkeypatch.setattr(warp_runtime, "_streams", {})
    return happened


def work() -> None:
    warp_runtime.launch(None, 3, [], device=CARD)


def test_work_is_rehearsed_and_recorded_on_one_stream_of_its_own(log: list[str]) -> None:
    recorder = CudaRecorder(CARD)
    recorder.rehearse(work)
    replay = recorder.record(work)
    work()
    replay()
    assert log == [
        "side waits for main",
        "wrap",
        "launch on warp's side",
        "main waits for side",
        "begin in pool 0",
        "kernels on warp's side",
        "launch on warp's side",
        "end",
        "wrap",
        "launch on warp's main",
        "replay",
    ], "each stream is wrapped once: Warp forgets a recording when another wrapping of its stream goes"


def test_a_recording_that_breaks_off_leaves_its_stream(log: list[str]) -> None:
    recorder = CudaRecorder(CARD)

    def fails() -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="not permitted"):
        recorder.record(fails)
    work()
    assert log[-1] == "launch on warp's main"


def test_what_is_recorded_after_all_was_forgotten_gets_a_pool_of_its_own(log: list[str]) -> None:
    graphs = StepGraphs(CudaRecorder(CARD), lambda event: None)
    graphs._recorder.record(work)
    graphs.forget()
    graphs._recorder.record(work)
    assert [line for line in log if "pool" in line] == ["begin in pool 0", "begin in pool 1"]


def test_only_a_card_that_may_has_graphs(log: list[str]) -> None:
    def made(device: torch.device, **settings: Any) -> StepGraphs | None:
        return step_graphs(MemoryConfig(**settings), device, lambda event: None)

    assert made(CARD) is not None
    assert made(CARD, graphs=False) is None
    assert made(CARD, offload="all") is None
    assert made(torch.device("cpu")) is None
