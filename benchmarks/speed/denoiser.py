"""The denoiser's call of a step by runtime and precision, all in turn in one process: milliseconds and exactness.

    python benchmarks/speed/denoiser.py [--json] [--model starter] [--repeats 20] [--cores N]

Wall-clock time and the processor time of the process are given. On a machine with other work processor time is the
steadier one; with one thread it is what the call takes on a core of its own. The cosine is the smallest of a row's
prediction to torch's in float32. Torch has the engine's number of threads, OpenVINO that number and one for every core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from benchmarks.shared import measurement  # noqa: E402
from benchmarks.shared.lone_views import lone_pipeline  # noqa: E402
from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.guidance.denoiser import choice, openvino_graph  # noqa: E402
from dreamfusion_engine.guidance.denoiser.host import FlatDenoiser, HostedDenoiser, step_call, tensors_of  # noqa: E402
from dreamfusion_engine.guidance.distillation import ScoreDistillation  # noqa: E402
from dreamfusion_engine.machine.device import usable_cores  # noqa: E402
from dreamfusion_engine.models.load import load_teacher  # noqa: E402

CPU = torch.device("cpu")


def ways(model: str, threads: list[int]) -> tuple[dict[str, Callable[[], Tensor]], int]:
    """The denoiser's calls by name, torch in float32 first, and the number of rows in a call.

    model: str, the teacher.
    threads: numbers of threads for OpenVINO.
    """
    pipeline = lone_pipeline(model)
    teacher = load_teacher(pipeline, CPU, precision="float32")
    prompt = pipeline.card.examples[0] if pipeline.card.examples else "a hamburger"
    config = preset("standard", prompt, {"model": model})
    distillation = ScoreDistillation(teacher, prompt, "", pipeline.card, config.guidance)
    call, network = step_call(teacher, distillation, config), teacher.denoiser
    args, named = call

    def by_torch(precision: str) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            output: Tensor = network(*args, **named)[0]
        return output.float()

    found: dict[str, Callable[[], Tensor]] = {
        f"torch {precision} x {torch.get_num_threads()}": lambda precision=precision: by_torch(precision)  # type: ignore[misc]
        for precision in openvino_graph.PRECISIONS
    }
    if choice.installed():
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the trace warns of every size that it takes as given
            path = Path(folder) / "graph.xml"
            openvino_graph.write_graph(FlatDenoiser(network, call), tensors_of(call), path)
            for count in threads:
                for precision in openvino_graph.PRECISIONS:
                    graph = openvino_graph.CompiledGraph(path, precision, count)
                    hosted = HostedDenoiser(network, graph, call)
                    found[f"openvino {precision} x {count}"] = lambda hosted=hosted: hosted(*args, **named)[0]  # type: ignore[misc]
    return found, len(tensors_of(call)[0])


@torch.no_grad()
def measure(found: dict[str, Callable[[], Tensor]], repeats: int) -> dict[str, Any]:
    """Milliseconds on the clock and of the processor, and the cosine, of each way. The ways take turns.

    found: calls by name, as from `ways`; the first counts as exact.
    repeats: int, timed calls of each way.
    """
    answers = {name: way().numpy() for name, way in found.items()}
    exact = next(iter(answers.values()))
    walls: dict[str, list[float]] = {name: [] for name in found}
    processor: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(repeats):
        for name, way in found.items():
            way()  # fills the caches, which another way has used
            begun = time.perf_counter(), time.process_time()
            way()
            walls[name].append(time.perf_counter() - begun[0])
            processor[name].append(time.process_time() - begun[1])
    return {
        name: {
            "wall": measurement.milliseconds(walls[name]),
            "processor": measurement.milliseconds(processor[name]),
            "cosine": round(openvino_graph.least_cosine(answers[name], exact), 7),
        }
        for name in found
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--cores", type=int, default=usable_cores(), help="CPU cores to use")
    options = parser.parse_args()
    threads = measurement.engine_threads(options.cores)
    threads.use()
    found, rows = ways(options.model, sorted({threads.torch, options.cores}))
    table = measure(found, options.repeats)
    report = {"machine": measurement.machine(CPU), "model": options.model, "rows": rows, "ways": table}
    lines = [f"{rows} rows a call"] + [
        f"{name:24} {row['wall']['milliseconds']:8.1f} ms, of a processor {row['processor']['milliseconds']:8.1f} ms, "
        f"cosine {row['cosine']:.7f}"
        for name, row in table.items()
    ]
    measurement.tell(report, lines, as_json=options.json)


if __name__ == "__main__":
    main()
