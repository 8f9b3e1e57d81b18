"""Time of one training step, part by part, beside the same step in plain torch operations.

    python benchmarks/speed/step.py [--json] [--resolution 64] [--views 1] [--repeats 9] [--device cpu]
        [--model starter]

Parts: march, field, composite, shade, encode (what the diffusion model does to a picture first), denoise (its one call
for all views, with and without the prompt), backward, optimizer; `nerf` is all but encode and denoise. Each part has
its median, spread (quartiles), the plain-torch twin's median on the same samples, and its floor (`measurement.py`).
`ratio_to_torch` is torch's time over ours: above 1 the kernels are faster. The sides take turns in one process. Ours
has the engine's threads (kernels on every core, torch on all but one), the twin every core or all but one, whichever
is faster. `ratio_to_bare` is the denoise part over a bare call of the denoiser.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in (".", "tests")]

from benchmarks.shared import measurement  # noqa: E402
from benchmarks.shared.bench_scene import FIELDS, BenchScene, Side, bench_scene  # noqa: E402
from benchmarks.shared.lone_views import lone_pipeline  # noqa: E402
from benchmarks.shared.measurement import Limits, Threads  # noqa: E402
from benchmarks.shared.work_counts import Work, step_work  # noqa: E402
from dreamfusion_engine.config.stages import GuidanceConfig  # noqa: E402
from dreamfusion_engine.guidance.distillation import ScoreDistillation  # noqa: E402
from dreamfusion_engine.guidance.scores.sds import score_loss  # noqa: E402
from dreamfusion_engine.machine.device import usable_cores  # noqa: E402
from dreamfusion_engine.models.load import load_teacher  # noqa: E402
from dreamfusion_engine.optimize.losses import smoothness_loss  # noqa: E402
from dreamfusion_engine.render.renderer import SURFACE_OPACITY, surface_of  # noqa: E402
from dreamfusion_engine.render.shading import lambertian, over_background  # noqa: E402

NERF = ("march", "field", "composite", "shade", "backward", "optimizer")
PARTS = ("march", "field", "composite", "shade", "encode", "denoise", "backward", "optimizer")
_TURN = 4  # steps of one side before the other takes its turn
_SCALE = 7.0  # of the guidance
_TIMESTEP = 0.5  # share of the noise levels at which the denoiser is asked


class Guide:
    """The diffusion model with a prompt, for calls whose parts can be timed. The noise is the same in every step."""

    def __init__(self, model: str, device: torch.device) -> None:
        pipeline = lone_pipeline(model)
        self.teacher = load_teacher(pipeline, device, precision="bfloat16" if device.type == "cpu" else "auto")
        prompt = pipeline.card.examples[0] if pipeline.card.examples else "a hamburger"
        self.distillation = ScoreDistillation(self.teacher, prompt, "", pipeline.card, GuidanceConfig())

    def denoise(self, x: torch.Tensor, scene: BenchScene) -> torch.Tensor:
        """The gradient of score distillation at x, by one denoiser call.

        x: float32[B, C, H, W], in the model's space.
        scene: gives the cameras of the B views.
        """
        with torch.no_grad():
            generator = torch.Generator(x.device).manual_seed(0)
            noise = torch.randn(x.shape, generator=generator, device=x.device)
            t = torch.full((len(x),), int(_TIMESTEP * self.teacher.schedule.usable), device=x.device)
            alpha, sigma = self.teacher.schedule.at(t)
            x_t = alpha * x + sigma * noise
            embeddings = self.distillation.conditioning.embeddings(
                scene.cameras.azimuth, scene.cameras.elevation, "lambertian"
            )
            return self.distillation.guided(x_t, t, embeddings, _SCALE) - noise

    def bare_call(self, views: int) -> tuple[Any, ...]:
        """The arguments of one denoiser call: noisy images, timesteps and conditioning, twice for each view."""
        size = self.teacher.image_size
        channels = self.teacher.to_model_space(torch.zeros(1, 3, size, size, device=self.teacher.device)).shape
        x_t = torch.randn(2 * views, *channels[1:], device=self.teacher.device)
        t = torch.full((2 * views,), int(_TIMESTEP * self.teacher.schedule.usable), device=self.teacher.device)
        told = self.distillation.conditioning.unconditional(2 * views)
        return x_t, t, told


def training_step(
    scene: BenchScene, side: Side, optimizer: torch.optim.Optimizer, guide: Guide | None
) -> tuple[dict[str, float], torch.Tensor, tuple[int, int]]:
    """Make one lit step.

    side: of the scene.
    guide: gives the gradient; None for a plain loss on the picture.
    Returns seconds by part, the picture float32[R, 3], and the numbers of samples and of surface rays.
    """
    origins, directions = scene.rays
    views = len(scene.cameras)
    size = round((len(origins) / views) ** 0.5)
    background = torch.full((3,), 0.5, device=origins.device)
    watch = measurement.Stopwatch(origins.device)
    samples = scene.marched(side)
    watch.lap("march")
    density, albedo = side.field(samples.points)
    watch.lap("field")
    colour, opacity, depth = side.composite(density, albedo, samples)
    watch.lap("composite")
    depth = depth / opacity.clamp_min(1e-6)
    surface = surface_of(side.field, origins, directions, opacity, depth, samples.dt)
    colour = colour * lambertian(surface.normal, surface.point, scene.light)[:, None]
    picture = over_background(colour, opacity, background)
    ripples = smoothness_loss(surface.normal.view(views, size, size, 3))
    watch.lap("shade")
    loss = 0.1 * surface.orientation.mean() + 0.01 * opacity.mean() + 0.04 * ripples
    if guide is None:
        loss = loss + (picture - 0.2).square().mean()
    else:
        x = guide.teacher.to_model_space(picture.view(views, size, size, 3).permute(0, 3, 1, 2))
        watch.lap("encode")
        gradient = guide.denoise(x, scene)
        watch.lap("denoise")
        loss = loss + score_loss(x, gradient) / x.numel()
    optimizer.zero_grad()
    loss.backward()
    watch.lap("backward")
    optimizer.step()
    watch.lap("optimizer")
    return watch.seconds, picture.detach(), (len(samples), int((opacity > SURFACE_OPACITY).sum()))


def measure(
    scene: BenchScene, guide: Guide | None, repeats: int, threads: dict[str, Threads], limits: Limits
) -> dict[str, Any]:
    """Time the parts of one scene on both sides, in turn. The learning rate is 0, so that all steps are alike.

    guide: the diffusion model, or None.
    repeats: int, timed steps of each side.
    threads: of each side.
    limits: of the machine, for the floors.
    """
    optimizer = torch.optim.Adam(scene.field.parameters(), lr=0.0, betas=(0.9, 0.99), eps=1e-15, fused=True)
    found: dict[str, list[dict[str, float]]] = {side: [] for side in scene.sides}
    pictures: dict[str, torch.Tensor] = {}
    counts = (0, 0)
    for turn in range(-1, -(-repeats // _TURN)):  # the first turn compiles and allocates
        for name, side in scene.sides.items():
            threads[name].use()
            training_step(scene, side, optimizer, None)  # lets the other side's threads sleep, and fills the caches
            for _ in range(min(_TURN, repeats - turn * _TURN) if turn >= 0 else 1):
                each, pictures[name], counts = training_step(scene, side, optimizer, guide)
                each["nerf"] = sum(each[part] for part in NERF)
                each["step"] = sum(each[part] for part in PARTS if part in each)
                if turn >= 0:
                    found[name].append(each)
    threads["ours"].use()
    samples, surface_rays = counts
    work = step_work(samples, len(scene.rays[0]), surface_rays, scene.field)
    work["nerf"] = sum((work[part] for part in NERF), Work(operations=0.0, moved=0.0))
    rows: dict[str, dict[str, Any]] = {}
    for part in found["ours"][0]:
        ours, twin = ([each[part] for each in found[side]] for side in ("ours", "torch"))
        row = measurement.milliseconds(ours)
        row["torch_milliseconds"] = measurement.milliseconds(twin)["milliseconds"]
        row["ratio_to_torch"] = round(row["torch_milliseconds"] / row["milliseconds"], 2)
        if part in work:
            row["floor_milliseconds"] = round(1e3 * limits.floor(work[part].operations, work[part].moved), 4)
        rows[part] = row
    return {
        "samples": samples,
        "surface_rays": surface_rays,
        "picture_difference": float((pictures["ours"] - pictures["torch"]).abs().max()),
        "parts": rows,
    }


def measure_denoiser(guide: Guide, views: int, repeats: int, device: torch.device) -> dict[str, Any]:
    """Time a bare call of the denoiser for as many images as a step needs, and give its floor.

    views: int, of the step.
    repeats: int, timed calls.
    """
    x_t, t, told = guide.bare_call(views)

    def bare() -> None:
        with torch.no_grad():
            guide.teacher.predict_noise(x_t, t, told)

    each = measurement.seconds(bare, device, repeats)
    with FlopCounterMode(display=False) as counter:
        bare()
    limits = measurement.measured_limits(device, torch.bfloat16)
    weights = sum(p.numel() for p in guide.teacher.denoiser.parameters()) * 2.0
    return {
        **measurement.milliseconds(each),
        "images": len(x_t),
        "gigaflop": round(counter.get_total_flops() / 1e9, 2),
        "bfloat16_limits": limits.to_json(),
        "floor_milliseconds": round(1e3 * limits.floor(counter.get_total_flops(), weights), 3),
    }


def lines_of(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    lines = []
    for name, row in report["scenes"].items():
        lines.append(f"{name}: {row['samples']} samples, {row['surface_rays']} rays with a surface")
        for part, value in row["parts"].items():
            low, high = value["spread"]
            floor = f", floor {value['floor_milliseconds']:.3f}" if "floor_milliseconds" in value else ""
            lines.append(
                f"  {part:10}{value['milliseconds']:9.2f} ms ({low:.2f} to {high:.2f}), torch "
                f"{value['torch_milliseconds']:8.2f}, {value['ratio_to_torch']:6.2f} times as fast{floor}"
            )
    if "denoiser" in report:
        row = report["denoiser"]
        lines.append(
            f"bare denoiser, {row['images']} images: {row['milliseconds']} ms, floor {row['floor_milliseconds']}; "
            f"the step's denoise part is {report['ratio_to_bare']} times that"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--resolution", type=int, default=64, help="pixels of a square view")
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--cores", type=int, default=usable_cores(), help="CPU cores to use")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", default="starter", help="'none' leaves encode and denoise out")
    options = parser.parse_args()
    device = torch.device(options.device)
    Threads(torch=options.cores, kernels=options.cores).use()
    limits = measurement.measured_limits(device)
    full = bench_scene("solid", resolution=options.resolution, views=options.views, device=device)
    idle = torch.optim.Adam(full.field.parameters(), lr=0.0)
    threads = measurement.both_threads(
        options.cores, lambda: training_step(full, full.sides["torch"], idle, None), device
    )
    guide = None if options.model == "none" else Guide(options.model, device)
    report: dict[str, Any] = {
        "machine": measurement.machine(device),
        "threads": {side: vars(used) for side, used in threads.items()},
        "limits": limits.to_json(),
        "resolution": options.resolution,
        "views": options.views,
        "scenes": {},
    }
    for name in FIELDS:
        scene = bench_scene(name, resolution=options.resolution, views=options.views, device=device)
        report["scenes"][name] = measure(scene, guide, options.repeats, threads, limits)
    report["ratio_to_torch"] = {n: row["parts"]["nerf"]["ratio_to_torch"] for n, row in report["scenes"].items()}
    if guide is not None:
        report["denoiser"] = measure_denoiser(guide, options.views, options.repeats, device)
        slowest = max(row["parts"]["denoise"]["milliseconds"] for row in report["scenes"].values())
        report["ratio_to_bare"] = round(slowest / report["denoiser"]["milliseconds"], 2)
    measurement.tell(report, lines_of(report), as_json=options.json)


if __name__ == "__main__":
    main()
