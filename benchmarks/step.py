"""Time of the NeRF part of one training step, beside the same step in plain torch operations.

    python benchmarks/step.py [--json] [--resolution 64] [--views 1] [--repeats 9] [--threads 2] [--device cpu]

Stages: march, field, composite, shade, backward, optimiser; medians in milliseconds. Two scenes: 'blob', the field as a
run starts, and 'solid', a ball of radius 0.8 with opaque walls, as full as finished objects are. `ratio_to_torch` is
torch's total over ours, both measured in turn in this process: above 1 the kernels are faster.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from reference import torch_field, torch_render  # noqa: E402

from dreamfusion_engine.config import CameraConfig, FieldConfig, RenderConfig  # noqa: E402
from dreamfusion_engine.field.occupancy import OccupancyGrid  # noqa: E402
from dreamfusion_engine.field.radiance import RadianceField  # noqa: E402
from dreamfusion_engine.render.composite import composite  # noqa: E402
from dreamfusion_engine.render.march import Samples, march  # noqa: E402
from dreamfusion_engine.render.renderer import Field, surface_of  # noqa: E402
from dreamfusion_engine.render.shading import lambertian, over_background  # noqa: E402
from dreamfusion_engine.scene.cameras import camera_rays, sample_cameras  # noqa: E402
from dreamfusion_engine.scene.light import sample_lights  # noqa: E402

STAGES = ("march", "field", "composite", "shade", "backward", "optimiser")
SCENES = {"blob": FieldConfig(), "solid": FieldConfig(blob_density=60.0, blob_radius=0.8)}
March = Callable[..., Samples]
Composite = Callable[[Tensor, Tensor, Samples], tuple[Tensor, Tensor, Tensor]]


class Stopwatch:
    """Seconds from one call of `lap` to the next, with the device's work finished."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: list[float] = []
        self.last = self._now()

    def lap(self) -> None:
        now = self._now()
        self.seconds.append(now - self.last)
        self.last = now

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def training_step(
    field: RadianceField,
    asked: Field,
    rays: tuple[Tensor, Tensor],
    light: Tensor,
    grid: OccupancyGrid,
    config: RenderConfig,
    optimiser: torch.optim.Optimizer,
    jitter: Tensor,
    march_with: March,
    composite_with: Composite,
) -> tuple[list[float], Tensor, int]:
    """One lit step; seconds of each stage, the picture float32[R, 3] and the number of samples."""
    origins, directions = rays
    background = torch.full((3,), 0.5, device=origins.device)
    watch = Stopwatch(origins.device)
    samples = march_with(
        origins,
        directions,
        grid.occupied,
        step=2.0 / config.steps,
        jitter=jitter,
        max_samples=config.max_samples_per_ray,
    )
    watch.lap()
    density, albedo = asked(samples.points)
    watch.lap()
    colour, opacity, depth = composite_with(density, albedo, samples)
    watch.lap()
    depth = depth / opacity.clamp_min(1e-6)
    surface = surface_of(asked, origins, directions, opacity, depth, samples.dt)
    colour = colour * lambertian(surface.normal, surface.point, light)[:, None]
    picture = over_background(colour, opacity, background)
    loss = (picture - 0.2).square().mean() + 0.1 * surface.orientation.mean() + 0.01 * opacity.mean()
    watch.lap()
    optimiser.zero_grad()
    loss.backward()
    watch.lap()
    optimiser.step()
    watch.lap()
    return watch.seconds, picture.detach(), len(samples)


def measure(scene: str, resolution: int, views: int, repeats: int, device: torch.device) -> dict[str, Any]:
    """Medians of both sides for one scene, in turn on the same rays; learning rate 0 makes all steps alike."""
    config = RenderConfig()
    generator = torch.Generator(device).manual_seed(0)
    field = RadianceField(SCENES[scene], seed=0, device=device)
    grid = OccupancyGrid(config, device)
    for _ in range(8):
        grid.update(field.density, generator)
    cameras = sample_cameras(views, CameraConfig(), generator)
    rays = camera_rays(cameras, resolution, resolution)
    light = sample_lights(cameras.position, generator).repeat_interleave(resolution * resolution, 0)
    jitter = torch.rand(rays[0].shape[0], generator=generator, device=device)
    optimiser = torch.optim.Adam(field.parameters(), lr=0.0, betas=(0.9, 0.99), eps=1e-15, fused=True)
    sides: dict[str, tuple[Field, March, Composite]] = {
        "ours": (field, march, composite),
        "torch": (torch_field.TorchField(field), torch_render.march, torch_render.composite),
    }
    seconds: dict[str, list[list[float]]] = {side: [] for side in sides}
    pictures: dict[str, Tensor] = {}
    samples = 0
    for repeat in range(repeats + 2):
        for side, (asked, march_with, composite_with) in sides.items():
            stages, pictures[side], samples = training_step(
                field, asked, rays, light, grid, config, optimiser, jitter, march_with, composite_with
            )
            if repeat >= 2:  # the first two warm caches, allocators and compiled kernels
                seconds[side].append(stages)
    times = {side: _medians(rows) for side, rows in seconds.items()}
    return {
        "samples": samples,
        "milliseconds": times["ours"],
        "torch_milliseconds": times["torch"],
        "picture_difference": float((pictures["ours"] - pictures["torch"]).abs().max()),
        "ratio_to_torch": round(times["torch"]["total"] / times["ours"]["total"], 2),
    }


def _medians(rows: list[list[float]]) -> dict[str, float]:
    stages = {
        stage: round(1e3 * statistics.median(column), 2)
        for stage, column in zip(STAGES, zip(*rows, strict=True), strict=True)
    }
    return {**stages, "total": round(1e3 * statistics.median(map(sum, rows)), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--resolution", type=int, default=64, help="pixels of a square view")
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    scenes = {s: measure(s, options.resolution, options.views, options.repeats, device) for s in SCENES}
    report = {
        "resolution": options.resolution,
        "views": options.views,
        "threads": options.threads,
        "device": options.device,
        "scenes": scenes,
        "ratio_to_torch": {scene: row["ratio_to_torch"] for scene, row in scenes.items()},
    }
    if options.json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    for scene, row in scenes.items():
        sys.stdout.write(f"{scene}: {row['samples']} samples, {row['ratio_to_torch']} times as fast as torch\n")
        for side in ("milliseconds", "torch_milliseconds"):
            sys.stdout.write(f"  {side:20}" + "".join(f"  {k} {v}" for k, v in row[side].items()) + "\n")


if __name__ == "__main__":
    main()
