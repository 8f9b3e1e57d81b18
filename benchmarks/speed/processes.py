"""Views a second and memory with several processes, and with views in parts.

    python benchmarks/speed/processes.py [--json] [--steps 12] [--resolution 32] [--device cpu]

Rows: one process with 2 views; two processes with 2 views each; one process with 8 views at once; one with 8 views, one
at a time. Each row is a fresh torchrun that trains a hamburger with the starter model from its first step on; the first
two steps do not count. `ratio_to_one` is the views a second over those of the first row. On a CPU all processes
share the cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.shared import measurement  # noqa: E402
from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.guidance.distillation import ScoreDistillation  # noqa: E402
from dreamfusion_engine.machine import processes as together  # noqa: E402
from dreamfusion_engine.machine.device import peak_memory_mib, usable_cores  # noqa: E402
from dreamfusion_engine.machine.places import resolve_device  # noqa: E402
from dreamfusion_engine.models.load import load_teacher  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, open_pipeline  # noqa: E402
from dreamfusion_engine.optimize.step_graphs import step_graphs  # noqa: E402
from dreamfusion_engine.optimize.volume_training import VolumeTraining  # noqa: E402

ROWS = ((1, 2, 0), (2, 2, 0), (1, 8, 0), (1, 8, 1))  # processes, views of each, views at once
_WARM_UP = {"cpu": 2, "cuda": 20}  # steps; on a card until those of every shading have been recorded


def work(views: int, at_once: int, steps: int, resolution: int, device_name: str) -> None:
    """Be one process of a row. The first one prints its figures.

    views: int, of each step.
    at_once: int, views in a part.
    steps: int, of training.
    resolution: int, pixels along a side of a view.
    """
    us = together.join("cuda" if device_name.startswith("cuda") else "cpu")
    device = us.device(resolve_device(device_name))
    settings = {"optimize": {"views": views, "resolution": [resolution] * 2}, "memory": {"views_at_once": at_once}}
    config = preset("standard", "a hamburger", settings)
    pipeline = open_pipeline(locate_model(config.model))
    teacher = load_teacher(pipeline, device, precision="bfloat16" if device.type == "cpu" else "auto")
    distillation = ScoreDistillation(teacher, config.prompt, "", pipeline.card, config.guidance)
    graphs = step_graphs(config.memory, device, lambda event: None)
    training = VolumeTraining(config, seed=0, device=device, processes=us, graphs=graphs)
    before = peak_memory_mib(device)

    def step() -> None:
        training.train_step(distillation)

    each = measurement.seconds(step, device, steps, warm_up=_WARM_UP[device.type])
    row = measurement.milliseconds(each)
    row["views_per_second"] = round(1e3 * views * us.count / row["milliseconds"], 2)
    row["memory_of_steps_mib"] = round(peak_memory_mib(device) - before)
    if us.first:
        sys.stdout.write(json.dumps(row) + "\n")
    together.leave()


def measure(processes: int, views: int, at_once: int, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one row, in processes of its own.

    processes: int, their number.
    views: int, of each process in a step.
    at_once: int, views in a part.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += [__file__, "--worker", str(views), str(at_once), "--steps", str(options.steps)]
    command += ["--resolution", str(options.resolution), "--device", options.device]
    threads = str(max(1, options.cores // processes))
    environment = {**os.environ, "OMP_NUM_THREADS": threads if processes > 1 else str(max(1, options.cores - 1))}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"processes": processes, "views": views, "views_at_once": at_once or views, **row}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--resolution", type=int, default=32, help="pixels of a square view")
    parser.add_argument("--rows", type=int, nargs="+", default=list(range(len(ROWS))), help="which rows, from 0")
    parser.add_argument("--cores", type=int, default=usable_cores(), help="CPU cores to use")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--worker", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        views, at_once = options.worker
        work(views, at_once, options.steps, options.resolution, options.device)
        return
    rows = [measure(*ROWS[k], options) for k in options.rows]
    report = {
        "machine": measurement.machine(torch.device(options.device)),
        "rows": rows,
        "ratio_to_one": [round(row["views_per_second"] / rows[0]["views_per_second"], 2) for row in rows],
    }
    lines = [
        f"{row['processes']} x {row['views']}, {row['views_at_once']} at once: {row['views_per_second']} views/s, "
        f"{row['milliseconds']} ms a step, {row['memory_of_steps_mib']} MiB for the steps of the first process"
        for row in rows
    ]
    measurement.tell(report, lines, as_json=options.json)


if __name__ == "__main__":
    main()
