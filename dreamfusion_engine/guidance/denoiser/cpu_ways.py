"""Ways to run a denoiser on this machine's CPU: tried, timed in turn, and kept for the machine."""

from __future__ import annotations

import dataclasses
import math
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dreamfusion_engine.guidance.denoiser.choice import Choice, ChoiceFile, fastest, key_of, make_room, overlapped
from dreamfusion_engine.guidance.denoiser.host import Call, FlatDenoiser, HostedDenoiser, arrays, pattern, tensors_of
from dreamfusion_engine.guidance.denoiser.openvino_graph import (
    CompiledGraph,
    GraphError,
    graph_digest,
    least_cosine,
    write_graph,
)
from dreamfusion_engine.guidance.denoiser.trial import Trial
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.backends import has_bfloat16
from dreamfusion_engine.machine.device import asked_threads, kernel_threads, usable_cores
from dreamfusion_engine.models.families.adapter import Adapter

_ROUNDS = (3, 9)  # of timing every way in turn, fewest and most ...
_TIME_BOX = 2.0  # ... for as many seconds after the fewest


class CpuWays:
    """Ways to run one denoiser on this machine's CPU.

    network: nn.Module, frozen, float32.
    call: a call as a step makes it.
    reference: Choice, torch without any of this.
    folder: Path, folder of the cache.
    model: str, digest of the denoiser's weights.
    precisions: those that the settings allow.
    """

    def __init__(
        self, network: nn.Module, call: Call, reference: Choice, folder: Path, model: str, precisions: tuple[str, ...]
    ) -> None:
        self._network = network
        self._call = call
        self._reference = reference
        self._precisions = precisions
        libraries = {name: metadata.version(name) for name in ("torch", "diffusers", "openvino")}
        traced = key_of([model, libraries, repr(pattern(call))])
        self._folder = folder / traced[:32]
        self._cache = folder

    def choose(self, *, forced: bool) -> Choice:
        """Return the choice that is kept for this machine, or measure one and keep it.

        forced: bool, whether only ways of OpenVINO are asked for; torch is taken only where none works.
        Raises GraphError, OSError.
        """
        kept = self._kept(forced)
        choice = kept.read()
        if choice is None:
            choice = self._measured(forced)
            kept.write(choice)
        return choice

    def prove(self, choice: Choice) -> None:
        """Try a choice of OpenVINO that was not tried on this machine, such as that of a checkpoint from elsewhere.

        choice: Choice of OpenVINO.
        Raises GraphError, OSError.
        """
        tried = (self._kept(True).read(), self._kept(False).read())
        if choice.name in {way.name for way in tried if way is not None}:
            return
        with tempfile.TemporaryDirectory() as folder, ExitStack() as ended:
            self._trial(choice, self._write_call(Path(folder), self._by_torch("float32")), ended)

    def choose_overlap(
        self, choice: Choice, teacher: Adapter, step_seconds: Callable[[bool], float], *, forced: bool
    ) -> Choice:
        """Return a choice of OpenVINO with `overlap` decided, kept or measured now; change the teacher accordingly.

        choice: Choice of OpenVINO.
        teacher: Adapter; has the choice's denoiser.
        step_seconds: overlapped or not, to the seconds of a step with the denoiser that the teacher has.
        forced: bool, as for `choose`.
        Raises GraphError, OSError.
        """
        if choice.overlap is not None:
            return choice
        if kernel_threads() < 2:  # nothing can work beside anything
            return dataclasses.replace(choice, overlap=False)
        beside = {dataclasses.replace(choice, threads=count, overlap=True) for count in (1, choice.threads)}
        ways = [dataclasses.replace(choice, overlap=False), *sorted(beside, key=lambda way: way.threads)]
        networks = {way.threads: self.hosted(way) for way in ways}

        def seconds(way: Choice) -> float:
            teacher.denoiser = networks[way.threads]
            return step_seconds(way.overlap is True)

        for way in ways:
            seconds(way)  # compiles what a step needs
        found = overlapped(choice, _in_turn({way: lambda way=way: seconds(way) for way in ways}))  # type: ignore[misc]
        self._kept(forced).write(found)
        teacher.denoiser = networks[found.threads]
        return found

    def _kept(self, forced: bool) -> ChoiceFile:
        rows = len(tensors_of(self._call)[0])
        machine = [platform.processor() or platform.machine(), has_bfloat16("cpu"), usable_cores(), asked_threads()]
        return ChoiceFile(self._folder, [machine, self._reference.name, self._precisions, rows, forced])

    def _write_call(self, folder: Path, exact: Tensor) -> Path:
        path = folder / "call.npz"
        np.savez(path, *arrays(self._call), reference=exact.numpy())
        return path

    def _trial(self, way: Choice, call: Path, ended: ExitStack) -> Trial:
        """A trial that has begun well; `ended` ends it. Raises GraphError."""
        trial = Trial(self._graph(), call, way.precision, way.threads)
        ended.callback(trial.end)
        if not trial.begin():
            raise GraphError(f"{way.name} does not work on this machine")
        return trial

    def hosted(self, choice: Choice) -> nn.Module:
        """Return the denoiser that a choice of OpenVINO describes.

        choice: Choice of OpenVINO.
        Raises GraphError, OSError.
        """
        graph = CompiledGraph(self._graph(), choice.precision, choice.threads)
        host = HostedDenoiser(self._network, graph, self._call)
        with torch.no_grad():
            args, named = self._call
            if not math.isfinite(least_cosine(host(*args, **named)[0].numpy(), self._by_torch("float32").numpy())):
                raise GraphError("it predicts values that are not finite numbers")
        return host

    def _ways(self) -> list[Choice]:
        """Of OpenVINO: every allowed precision with as many threads as torch has, and with one for every core."""
        counts = {self._reference.threads, asked_threads() or usable_cores()}
        each = [(precision, count) for precision in self._precisions for count in sorted(counts)]
        return [Choice(runtime="openvino", precision=p, threads=count) for p, count in each]  # type: ignore[arg-type]

    def _measured(self, forced: bool) -> Choice:
        """Every way timed in turn on one call. Raises GraphError, OSError."""
        self._graph()
        others = [
            Choice(runtime="torch", precision=precision, threads=self._reference.threads)  # type: ignore[arg-type]
            for precision in self._precisions
        ]
        exact = self._by_torch("float32")
        cosines = {way: least_cosine(self._by_torch(way.precision).numpy(), exact.numpy()) for way in others}
        calls: dict[Choice, Callable[[], float]] = {
            way: lambda way=way: _seconds(lambda: self._by_torch(way.precision))  # type: ignore[misc]
            for way in others
        }
        with tempfile.TemporaryDirectory() as folder, ExitStack() as ended:
            call = self._write_call(Path(folder), exact)
            for way in self._ways():
                with suppress(GraphError):
                    trial = self._trial(way, call, ended)
                    calls[way], cosines[way] = trial.seconds, trial.cosine
            taken = _in_turn(calls)
        if forced and any(way.runtime == "openvino" and math.isfinite(taken[way]) for way in taken):
            taken = {way: s if way.runtime == "openvino" else math.inf for way, s in taken.items()}
        return fastest(self._reference, taken, cosines)

    def _by_torch(self, precision: str) -> Tensor:
        """What torch predicts in a precision, float32."""
        args, named = self._call
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            return self._network(*args, **named)[0].float().contiguous()  # type: ignore[no-any-return]

    def _graph(self) -> Path:
        """The graph's .xml, traced now where none that is whole is kept. Raises GraphError, OSError."""
        path, proof = self._folder / "graph.xml", self._folder / "graph.sha256"
        try:
            if proof.read_text(encoding="ascii") == graph_digest(path):
                path.with_suffix(".bin").touch()
                return path
        except (OSError, ValueError):
            pass
        self._folder.mkdir(parents=True, exist_ok=True)
        make_room(self._cache, self._folder)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            fresh = Path(folder) / "graph.xml"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the trace warns of every size that it takes as given
                write_graph(FlatDenoiser(self._network, self._call), tensors_of(self._call), fresh)
            digest = graph_digest(fresh)
            for name in ("graph.bin", "graph.xml"):
                (Path(folder) / name).replace(self._folder / name)
        write_atomically(proof, digest.encode())
        return path


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _in_turn(calls: Mapping[Choice, Callable[[], float]]) -> dict[Choice, float]:
    """Median milliseconds of every call, nan where one failed; in turn, so that all see the same load."""
    taken: dict[Choice, list[float]] = {way: [] for way in calls}
    begun = time.perf_counter()
    for done in range(_ROUNDS[1]):
        if done >= _ROUNDS[0] and time.perf_counter() - begun > _TIME_BOX:
            break
        for way, call in calls.items():
            taken[way].append(1000.0 * call())
    return {way: statistics.median(each) if all(map(math.isfinite, each)) else math.nan for way, each in taken.items()}
