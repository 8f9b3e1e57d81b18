"""Main memory that OpenVINO needs besides torch's network, beside the estimate, for the starter's denoiser.

    python benchmarks/memory/hosted.py [--json]

This process traces the network. For each precision another process compiles it and makes two calls as a step makes
them. `measured` is the growth of its resident set since before OpenVINO was loaded. It needs /proc.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.guidance.denoiser.host import FlatDenoiser, arrays, step_call, tensors_of  # noqa: E402
from dreamfusion_engine.guidance.denoiser.openvino_graph import CompiledGraph, write_graph  # noqa: E402
from dreamfusion_engine.guidance.distillation import ScoreDistillation  # noqa: E402
from dreamfusion_engine.machine.device import MIB  # noqa: E402
from dreamfusion_engine.memory.estimate import hosted_bytes  # noqa: E402
from dreamfusion_engine.models.load import load_teacher  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, open_pipeline  # noqa: E402
from dreamfusion_engine.models.sizes import read_sizes  # noqa: E402

CONFIG = preset("standard", "a mug")


def resident_mib() -> float:
    """MiB of this process's resident set."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def starter() -> tuple[Any, Any]:
    """The starter's denoiser and a call of it."""
    pipeline = open_pipeline(locate_model("starter"))
    teacher = load_teacher(pipeline, torch.device("cpu"))
    distillation = ScoreDistillation(teacher, "a mug", "", pipeline.card, CONFIG.guidance)
    return teacher.denoiser, step_call(teacher, distillation, CONFIG)


def grown(path: Path, precision: str) -> float:
    """MiB that a compiled graph adds to this process, which has called the network in torch before.

    path: Path of the graph.
    precision: str, to compile it in.
    """
    network, call = starter()
    with torch.no_grad():
        network(*call[0], **call[1])
    before = resident_mib()
    graph = CompiledGraph(path, precision, 1)
    for _ in range(2):
        graph(arrays(call))
    return resident_mib() - before


def main() -> None:
    """Measure each precision in a process of its own. Where a graph is given, measure that one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--graph", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--precision", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.graph is not None:
        print(grown(options.graph, options.precision))
        return
    network, call = starter()
    told = hosted_bytes(read_sizes(locate_model("starter")), CONFIG, "cpu") / MIB
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        write_graph(FlatDenoiser(network, call), tensors_of(call), path)
        for precision in ("bfloat16", "float32"):
            command = [sys.executable, __file__, "--graph", str(path), "--precision", precision]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows[precision] = {"measured_mib": round(float(done.stdout.split()[-1])), "estimate_mib": round(told)}
    if options.json:
        print(json.dumps(rows))
        return
    for precision, row in rows.items():
        print(f"openvino {precision}: measured {row['measured_mib']} MiB, estimate {row['estimate_mib']} MiB")


if __name__ == "__main__":
    main()
