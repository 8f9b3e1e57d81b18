"""Steps with field and denoiser one after another and at the same time: whole steps in turn, and the ratio.

    python benchmarks/speed/overlap.py [--json] [--preset standard] [--model starter] [--repeats 12] [--cores N]
        [--progress 0.7] [--set STAGE.KEY=VALUE ...]

A step of a young run is timed, set to a moment of training, with the denoiser in OpenVINO by 1, 2, 4 ... threads up to
the cores. `plain` and `overlapped` are what `memory.overlap` switches between. Kernels have every core, or one in the
rows with `kernels 1`. `ratio` is the fastest plain way's time over the fastest overlapped one's: above 1 overlapping is
faster. `gradient_difference` compares one overlapped step to the plain one: |a - b| / |b| over all parameters.
`largest` is the difference of a single number, over the largest in b. `judge_milliseconds` is the time that a plain
step waits for the denoiser and the arithmetic of the score.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from benchmarks.shared import measurement  # noqa: E402
from benchmarks.shared.lone_views import lone_pipeline  # noqa: E402
from dreamfusion_engine.commands.typed_settings import parse_settings  # noqa: E402
from dreamfusion_engine.config.presets import PRESET_NAMES, preset  # noqa: E402
from dreamfusion_engine.config.stages import GenerateConfig  # noqa: E402
from dreamfusion_engine.guidance.denoiser.host import FlatDenoiser, HostedDenoiser, step_call, tensors_of  # noqa: E402
from dreamfusion_engine.guidance.denoiser.openvino_graph import CompiledGraph, write_graph  # noqa: E402
from dreamfusion_engine.guidance.distillation import ScoreDistillation  # noqa: E402
from dreamfusion_engine.machine import warp_runtime  # noqa: E402
from dreamfusion_engine.machine.device import usable_cores  # noqa: E402
from dreamfusion_engine.models.families.adapter import Adapter  # noqa: E402
from dreamfusion_engine.models.load import load_teacher  # noqa: E402
from dreamfusion_engine.optimize.volume_training import VolumeTraining  # noqa: E402

CPU = torch.device("cpu")
_WARM_UP = 30  # steps of the young run before anything is timed


def hosted(teacher: Adapter, scores: ScoreDistillation, config: GenerateConfig, cores: int) -> dict[int, Any]:
    """The denoiser in OpenVINO by its number of threads, in bfloat16, the precision that the engine tries first.

    cores: int, the largest number of threads.
    """
    call, network = step_call(teacher, scores, config), teacher.denoiser
    counts = {1, cores} | {2**i for i in range(cores.bit_length()) if 2**i <= cores}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the trace warns of every size that it takes as given
        path = Path(folder) / "graph.xml"
        write_graph(FlatDenoiser(network, call), tensors_of(call), path)
        return {
            count: HostedDenoiser(network, CompiledGraph(path, "bfloat16", count), call) for count in sorted(counts)
        }


class Bench:
    """One young training. Every way makes its steps in it, always at the same moment of the schedules."""

    def __init__(self, config: GenerateConfig, model: str, cores: int, progress: float) -> None:
        pipeline = lone_pipeline(model)
        self.teacher = load_teacher(pipeline, CPU, precision="bfloat16")
        self.scores = ScoreDistillation(self.teacher, config.prompt, "", pipeline.card, config.guidance)
        self.networks = hosted(self.teacher, self.scores, config, cores)
        self.training = VolumeTraining(config, seed=0, device=CPU)
        every = config.render.occupancy_every
        self._moment = int(progress * config.optimize.steps) // every * every  # this step updates the grid ...
        for _ in range(_WARM_UP):
            self.step(False, 1, cores)
        self._moment += 1  # ... and the timed one does not

    def step(self, overlap: bool, threads: int, kernels: int) -> float:
        """Seconds of a step.

        overlap: bool, field and denoiser at the same time.
        threads: int, of the denoiser.
        kernels: int, threads of the kernels.
        """
        self.teacher.denoiser = self.networks[threads]
        warp_runtime.set_threads(kernels)
        self.training.step = self._moment
        begun = time.perf_counter()
        self.training.train_step(self.scores, overlap=overlap)
        return time.perf_counter() - begun

    def gradient(self, overlap: bool) -> Tensor:
        """The unclipped gradient of a step from here. The step is undone afterwards.

        overlap: bool, field and denoiser at the same time.
        """
        kept = {name: tensor.clone() for name, tensor in self.training.state().items()}
        with mock.patch("torch.nn.utils.clip_grad_norm_", lambda parameters, most: torch.zeros(())):
            self.step(overlap, 1, 1)
        found = torch.cat([p.grad.flatten() for p in self.training.field.parameters() if p.grad is not None])
        self.training.load_state(kept)
        return found

    def judged(self, threads: int, kernels: int) -> float:
        """Seconds that a plain step spends on the denoiser and the score.

        threads: int, of the denoiser.
        kernels: int, threads of the kernels.
        """
        spent, real = 0.0, self.scores.loss

        def loss(*given: Any) -> Any:
            nonlocal spent
            begun = time.perf_counter()
            made = real(*given)
            spent += time.perf_counter() - begun
            return made

        with mock.patch.object(self.scores, "loss", loss):
            self.step(False, threads, kernels)
        return spent


def measure(bench: Bench, cores: int, repeats: int) -> dict[str, Any]:
    """Time every way. The ways take turns, so that all see the same load.

    cores: int, of the machine.
    repeats: int, timed steps of each way.
    """
    ways = [
        (overlap, threads, kernels)
        for threads in bench.networks
        for kernels in sorted({1, cores})
        for overlap in (False, True)
    ]
    taken: dict[tuple[bool, int, int], list[float]] = {way: [] for way in ways}
    judged: dict[int, list[float]] = {threads: [] for threads in bench.networks}
    for turn in range(-1, repeats):
        for way in ways:
            bench.step(*way)  # fills the caches and wakes the threads after another way
            seconds = bench.step(*way)
            if turn >= 0:
                taken[way].append(seconds)
        for threads, each in judged.items():
            each.append(bench.judged(threads, cores))
    rows = [
        {
            "overlapped": overlap,
            "denoiser_threads": threads,
            "kernel_threads": kernels,
            **measurement.milliseconds(taken[overlap, threads, kernels]),
        }
        for overlap, threads, kernels in ways
    ]
    best = {each: min(row["milliseconds"] for row in rows if row["overlapped"] is each) for each in (False, True)}
    plain, together = (bench.gradient(each) for each in (False, True))
    return {
        "rows": rows,
        "judge_milliseconds": {threads: measurement.milliseconds(each) for threads, each in judged.items()},
        "plain_milliseconds": best[False],
        "overlapped_milliseconds": best[True],
        "ratio": round(best[False] / best[True], 3),
        "gradient_difference": float((together - plain).norm() / plain.norm()),
        "largest": float((together - plain).abs().max() / plain.abs().max()),
    }


def lines_of(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    lines = [
        f"{'overlapped' if row['overlapped'] else 'plain':10} denoiser {row['denoiser_threads']}, kernels "
        f"{row['kernel_threads']}: {row['milliseconds']:8.1f} ms ({row['spread'][0]:.1f} to {row['spread'][1]:.1f})"
        for row in report["rows"]
    ]
    waits = ", ".join(f"{row['milliseconds']:.1f} ms with {n}" for n, row in report["judge_milliseconds"].items())
    return [
        *lines,
        f"of a plain step the judge takes {waits} threads",
        f"the fastest overlapped step is {report['ratio']} times as fast as the fastest plain one",
        f"gradients differ by {report['gradient_difference']:.1e}, of a single number {report['largest']:.1e}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--preset", default="standard", choices=PRESET_NAMES)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--progress", type=float, default=0.7, help="of training, in [0, 1)")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE")
    parser.add_argument("--cores", type=int, default=usable_cores(), help="CPU cores to use")
    options = parser.parse_args()
    measurement.engine_threads(options.cores).use()
    torch.use_deterministic_algorithms(True)  # as a run
    config = preset(options.preset, "a hamburger", {**parse_settings(options.set), "model": options.model})
    bench = Bench(config, options.model, options.cores, options.progress)
    report = {
        "machine": measurement.machine(CPU),
        "preset": options.preset,
        "views": config.optimize.views,
        "progress": options.progress,
        **measure(bench, options.cores, options.repeats),
    }
    measurement.tell(report, lines_of(report), as_json=options.json)


if __name__ == "__main__":
    main()
