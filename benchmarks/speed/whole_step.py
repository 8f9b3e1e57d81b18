"""A whole training step with a teacher as large as Stable Diffusion 1.5, beside the bare parts of its model.

    python benchmarks/speed/whole_step.py [--json] [--device cuda] [--size sd15] [--views 1] [--resolution 64]
        [--no-graphs]

The teacher has random weights and the real architecture: a unet over 64 x 64 latents and the VAE's encoder at 512
pixels, through which the gradient comes back. `step` is a training step in the middle of a run of 10,000, with
everything that happens between two steps: the time of a block of steps, synchronised before and after it, over their
number. `nerf` is the same with a teacher that costs nothing. `encode` (forward and backward) and `denoise` (one call
for all views, with and without the prompt) are the bare networks, on a card compiled by torch, each measured alone.
`ratio_to_parts` is `step` over the sum of both. `tiny` in the place of `sd15` is for trying this program out.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in (".", "tests")]

from reference import tiny_families  # noqa: E402
from reference.tiny_pipeline import tiny_tokenizer  # noqa: E402

from benchmarks.memory.networks import ARCHITECTURES  # noqa: E402
from benchmarks.shared import measurement  # noqa: E402
from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.config.stages import GenerateConfig  # noqa: E402
from dreamfusion_engine.guidance.distillation import ScoreDistillation  # noqa: E402
from dreamfusion_engine.machine.device import peak_memory_mib, usable_cores  # noqa: E402
from dreamfusion_engine.machine.places import resolve_device  # noqa: E402
from dreamfusion_engine.models.card import PromptCard  # noqa: E402
from dreamfusion_engine.models.families.adapter import Adapter  # noqa: E402
from dreamfusion_engine.models.load import load_teacher  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import open_pipeline  # noqa: E402
from dreamfusion_engine.models.teacher import Conditioning  # noqa: E402
from dreamfusion_engine.optimize.step_graphs import step_graphs  # noqa: E402
from dreamfusion_engine.optimize.volume_training import VolumeTraining  # noqa: E402

STEPS = 10_000  # of the run that is projected
TARGETS = {"nerf_milliseconds": 3.0, "ratio_to_parts": 1.3, "minutes_of_10000_steps": 6.0, "peak_memory_mib": 6144.0}
FASTEST = {"steps_per_second": 30.0}  # targets from below
_PROMPT = "a red mug"


class Nothing:
    """A teacher that costs nothing: it takes pictures as they are, and predicts no noise."""

    def __init__(self, model: Adapter) -> None:
        self.device, self.schedule = model.device, model.schedule
        self.image_size = 64
        self.denoiser = torch.nn.Identity()

    def encode_prompts(self, prompts: list[str]) -> Conditioning:
        return Conditioning(tokens=torch.zeros(len(prompts), 1, 1, device=self.device))

    def to_model_space(self, image: torch.Tensor) -> torch.Tensor:
        return 2.0 * image - 1.0

    def predict_noise(self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        return torch.zeros_like(x_t)


def random_teacher(size: str, device: torch.device, folder: Path) -> Adapter:
    """A Stable Diffusion teacher with random weights, saved and loaded like any other folder.

    size: str, 'sd15' or 'tiny'.
    folder: Path to save it in.
    """
    pipeline = tiny_families.stable_diffusion()
    if size == "sd15":
        torch.manual_seed(0)
        architecture = ARCHITECTURES["Stable Diffusion 1.5"]
        assert architecture.vae is not None
        pipeline.register_modules(
            unet=architecture.denoiser(),
            vae=architecture.vae(),
            text_encoder=tiny_families.clip(width=768),
            tokenizer=tiny_tokenizer(77),
        )
    pipeline.vae.register_to_config(force_upcast=False)  # as published; diffusers' own default says otherwise
    pipeline.to(torch.bfloat16).save_pretrained(folder)
    return load_teacher(open_pipeline(folder), device)


def measure_steps(
    config: GenerateConfig, teacher: Any, device: torch.device, block: int, repeats: int
) -> dict[str, Any]:
    """Milliseconds of a step in the middle of a run, and whether it was recorded as a graph.

    block: int, steps between two looks at the clock.
    repeats: int, timed blocks.
    """
    graphs = step_graphs(config.memory, device, lambda event: None)
    training = VolumeTraining(config, seed=0, device=device, graphs=graphs)
    training.step = config.optimize.steps // 2
    scores = ScoreDistillation(teacher, _PROMPT, "", PromptCard(), config.guidance)

    def steps() -> None:
        for _ in range(block):
            training.train_step(scores)
            training.broken()  # a run calls it too, and looks now and then

    each = measurement.seconds(steps, device, repeats, warm_up=3)  # until steps of every shading have been recorded
    row = measurement.milliseconds([seconds / block for seconds in each])
    return {**row, "recorded": graphs is not None and graphs.working, "peak_memory_mib": round(peak_memory_mib(device))}


def bare_parts(teacher: Adapter, views: int, compiled: bool) -> dict[str, Callable[[], Any]]:
    """The model's own networks, called as a step calls them: the encoder with its backward pass, and the denoiser.

    views: int, of the step.
    compiled: bool, by torch.
    """
    vae, size, device = teacher._space.vae, teacher.image_size, teacher.device  # type: ignore[attr-defined]
    dtype = next(vae.parameters()).dtype
    form = torch.contiguous_format if device.type == "cpu" else torch.channels_last
    picture = torch.rand(views, 3, size, size, device=device, dtype=dtype).contiguous(memory_format=form)
    picture.requires_grad_()
    bare = copy.copy(teacher)
    encoder: Any = vae.encoder
    if compiled:
        networks: list[Any] = [torch.compile(vae.encoder), torch.compile(teacher.denoiser)]
        encoder, bare.denoiser = networks
    latents = teacher.to_model_space(torch.zeros(1, 3, size, size, device=device)).shape[1:]
    x_t = torch.randn(2 * views, *latents, device=device)
    t = torch.full((2 * views,), teacher.schedule.usable // 2, device=device)
    told = teacher.encode_prompts([""] * (2 * views))

    def encode() -> None:
        made = encoder(picture)
        torch.autograd.grad(made, picture, torch.ones_like(made))

    @torch.no_grad()
    def denoise() -> None:
        bare.predict_noise(x_t, t, told)

    return {"encode": encode, "denoise": denoise}


def targets(report: dict[str, Any]) -> dict[str, Any]:
    """Each target with its figure, and whether it was met."""
    rows = {
        name: {"target": most, "found": report[name], "met": report[name] <= most} for name, most in TARGETS.items()
    }
    least = {name: {"target": low, "found": report[name], "met": report[name] >= low} for name, low in FASTEST.items()}
    return {**rows, **least}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", choices=("sd15", "tiny"), default="sd15")
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--resolution", type=int, default=64, help="pixels of a square render")
    parser.add_argument("--block", type=int, default=25, help="steps that are timed together")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--no-graphs", action="store_true", help="every step as it is written")
    parser.add_argument("--cores", type=int, default=usable_cores(), help="CPU cores to use")
    options = parser.parse_args()
    device = resolve_device(options.device)
    measurement.engine_threads(options.cores).use()
    optimize = {"steps": STEPS, "views": options.views, "resolution": [options.resolution] * 2}
    settings = {"optimize": optimize, "memory": {"graphs": not options.no_graphs}}
    config = preset("standard", _PROMPT, settings)
    with tempfile.TemporaryDirectory() as folder:
        teacher = random_teacher(options.size, device, Path(folder))
        step = measure_steps(config, teacher, device, options.block, options.repeats)
        nerf = measure_steps(config, Nothing(teacher), device, options.block, options.repeats)
        compiled = device.type == "cuda"
        bare = {
            name: measurement.milliseconds(measurement.seconds(part, device, options.repeats, warm_up=3))
            for name, part in bare_parts(teacher, options.views, compiled).items()
        }
    report: dict[str, Any] = {
        "machine": measurement.machine(device),
        "size": options.size,
        "views": options.views,
        "resolution": options.resolution,
        "precision": str(teacher.parts.dtype).removeprefix("torch."),
        "vae_precision": str(teacher.parts.vae_dtype).removeprefix("torch."),
        "step": step,
        "nerf": nerf,
        "bare": {**bare, "compiled": compiled},
        "nerf_milliseconds": nerf["milliseconds"],
        "ratio_to_parts": round(step["milliseconds"] / sum(row["milliseconds"] for row in bare.values()), 3),
        "steps_per_second": round(1e3 / step["milliseconds"], 2),
        "minutes_of_10000_steps": round(STEPS * step["milliseconds"] / 60e3, 2),
        "peak_memory_mib": step["peak_memory_mib"],
    }
    if device.type == "cuda" and options.size == "sd15":
        report["targets"] = targets(report)
    lines = [
        f"a step: {step['milliseconds']} ms{' (recorded)' if step['recorded'] else ''}, "
        f"{report['steps_per_second']} a second, 10,000 in {report['minutes_of_10000_steps']} minutes, "
        f"{step['peak_memory_mib']} MiB",
        f"its NeRF part: {nerf['milliseconds']} ms",
        f"bare networks: encode {bare['encode']['milliseconds']} ms, denoise {bare['denoise']['milliseconds']} ms; "
        f"a step is {report['ratio_to_parts']} times their sum",
        *(f"{name}: {row['found']}, target {row['target']}" for name, row in report.get("targets", {}).items()),
    ]
    measurement.tell(report, lines, as_json=options.json)


if __name__ == "__main__":
    main()
