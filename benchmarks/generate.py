"""Prompt to GLB by preset: seconds by stage, steps a second, peak memory, how well mesh and renders agree.

    python benchmarks/generate.py [--json] [--preset draft standard] [--prompt "a hamburger"] [--device auto]
        [--set STAGE.KEY=VALUE ...] [--twin-steps 8]

Each preset runs in a process of its own, as on the command line, so that its peak memory is its own. The figures are
those of its result.json. `ratio_to_torch` compares a training step at the end of the run, in the same configuration:
its time with field and renderer in plain torch operations, over its time with the engine's kernels. Both are measured
here, in turn; denoiser and optimizer are the same in both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from twins import torch_render  # noqa: E402
from twins.torch_field import TorchField  # noqa: E402

from benchmarks.shared import measurement  # noqa: E402
from dreamfusion_engine.commands.typed_settings import parse_settings  # noqa: E402
from dreamfusion_engine.config.presets import PRESET_NAMES  # noqa: E402
from dreamfusion_engine.config.stages import GenerateConfig  # noqa: E402
from dreamfusion_engine.guidance.distillation import ScoreDistillation  # noqa: E402
from dreamfusion_engine.machine.device import usable_cores  # noqa: E402
from dreamfusion_engine.machine.places import resolve_device  # noqa: E402
from dreamfusion_engine.models.family import FAMILIES  # noqa: E402
from dreamfusion_engine.models.load import load_teacher  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, model_facts, open_pipeline  # noqa: E402
from dreamfusion_engine.optimize import step_part  # noqa: E402
from dreamfusion_engine.optimize.checkpoint import load_checkpoint  # noqa: E402
from dreamfusion_engine.optimize.step_graphs import step_graphs  # noqa: E402
from dreamfusion_engine.optimize.volume_training import VolumeTraining  # noqa: E402
from dreamfusion_engine.render.renderer import Rendering  # noqa: E402
from dreamfusion_engine.request.settings import settings_for  # noqa: E402


def run_preset(config: GenerateConfig, settings: list[str], output: Path) -> dict[str, Any]:
    """Run one preset in a process of its own. Returns seconds on the clock and figures of result.json.

    config: of the run.
    settings: words for `--set`.
    output: Path of the run's folder.
    """
    command = [sys.executable, "-m", "dreamfusion_engine", "generate", config.prompt, "--preset", config.preset]
    command += ["--output", str(output), "--device", config.device, "--model", config.model]
    for setting in settings:
        command += ["--set", setting]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    result = json.loads((output / "result.json").read_text(encoding="utf-8"))
    return {
        "seconds": round(seconds, 1),
        "seconds_by_stage": result["seconds"],
        "steps": result["steps"],
        "steps_per_second": result["steps_per_second"],
        "peak_memory_mib": result["peak_memory_mib"],
        "fidelity_psnr": round(result["mesh"]["fidelity_psnr"], 2),
        "triangles": result["mesh"]["triangles"],
        "restarts": result["health"]["restarts"],
    }


def twin_render(field: Any, *given: Any, normals: bool, rows: int | None, **named: Any) -> Rendering:
    """Stand in for `render.renderer.render`, by the plain-torch twin.

    normals, rows: ignored, because the twin always computes normals and counts its samples.
    """
    return torch_render.render(TorchField(field), *given, **named)


def step_ratio(config: GenerateConfig, output: Path, steps: int, cores: int) -> dict[str, Any]:
    """Milliseconds of a training step after the run's last checkpoint, with and without the kernels.

    output: Path of the run's folder.
    steps: int, timed steps of each side.
    cores: int, of the machine.
    """
    device = resolve_device(config.device)
    pipeline = open_pipeline(locate_model(config.model))
    teacher = load_teacher(pipeline, device, precision="bfloat16" if device.type == "cpu" else "auto")
    distillation = ScoreDistillation(
        teacher,
        config.prompt,
        config.negative,
        pipeline.card,
        config.guidance,
        together=FAMILIES[pipeline.family].views_together,
    )
    graphs = step_graphs(config.memory, device, lambda event: None)
    trainings = [VolumeTraining(config, seed=config.seed, device=device, graphs=each) for each in (graphs, None)]
    saved = load_checkpoint(output / "checkpoint", config)
    for training in trainings:
        training.load_state(saved.tensors)
    last = trainings[0].step - 1

    def step(training: VolumeTraining = trainings[0]) -> None:
        training.step = last  # every timed step is the run's last one
        training.train_step(distillation)

    def twin() -> None:
        with mock.patch.object(step_part, "render", twin_render):
            step(trainings[1])

    threads = measurement.both_threads(cores, twin, device)
    ours: list[float] = []
    theirs: list[float] = []
    if device.type == "cuda":
        measurement.seconds(step, device, repeats=1, warm_up=20)  # until a step of every shading has been recorded
    for _ in range(steps):
        threads["ours"].use()
        ours += measurement.seconds(step, device, repeats=1, warm_up=1)
        threads["torch"].use()
        theirs += measurement.seconds(twin, device, repeats=1, warm_up=1)
    row, slow = measurement.milliseconds(ours), measurement.milliseconds(theirs)
    return {
        "step": row,
        "torch_step": slow,
        "ratio_to_torch": round(slow["milliseconds"] / row["milliseconds"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--preset", nargs="+", default=["draft", "standard"], choices=PRESET_NAMES)
    parser.add_argument("--prompt", default="a hamburger")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE")
    parser.add_argument("--twin-steps", type=int, default=8, help="steps for ratio_to_torch")
    parser.add_argument("--cores", type=int, default=usable_cores(), help="CPU cores to use for ratio_to_torch")
    options = parser.parse_args()
    device = resolve_device(options.device)
    report: dict[str, Any] = {"machine": measurement.machine(device), "prompt": options.prompt, "presets": {}}
    overrides = {**parse_settings(options.set), "model": options.model, "device": options.device}
    facts = model_facts(options.model, "")
    for name in options.preset:
        config = settings_for(facts, name, options.prompt, overrides).config
        with tempfile.TemporaryDirectory() as folder:
            row = run_preset(config, options.set, Path(folder))
            row |= step_ratio(config, Path(folder), options.twin_steps, options.cores)
        report["presets"][name] = row
    report["ratio_to_torch"] = {name: row["ratio_to_torch"] for name, row in report["presets"].items()}
    lines = [
        f"{name}: {row['seconds']} s from prompt to GLB, {row['steps']} steps at {row['steps_per_second']} a second, "
        f"{row['peak_memory_mib']} MiB, {row['fidelity_psnr']} dB; a step is {row['ratio_to_torch']} times as fast as "
        "with plain torch"
        for name, row in report["presets"].items()
    ]
    measurement.tell(report, lines, as_json=options.json)


if __name__ == "__main__":
    main()
