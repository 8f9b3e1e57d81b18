"""How time grows with rays, samples, views and triangles, each over a factor of 16.

    python benchmarks/speed/scaling.py [--json] [--repeats 5] [--device cpu] [--only rays samples views triangles]

rays: one view of 16, 32 and 64 pixels. samples: 16, 64 and 256 steps through the box. views: 1, 4 and 16 of 32 pixels.
Each is the NeRF part of a lit step (`step.py`) on the scene 'solid'. triangles: clean, unwrap and bake (`extract.py`)
with budgets of 2,000, 8,000 and 32,000. `exponent` is log(time ratio) / log(16): 1 is linear, less is better.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in (".", "tests")]

from reference import soft_fields  # noqa: E402

from benchmarks.shared import measurement  # noqa: E402
from benchmarks.shared.bench_scene import BenchScene, bench_scene  # noqa: E402
from benchmarks.speed import extract  # noqa: E402
from benchmarks.speed.step import NERF, training_step  # noqa: E402
from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.config.stages import RenderConfig  # noqa: E402
from dreamfusion_engine.machine.device import usable_cores  # noqa: E402

SIZES: dict[str, tuple[int, ...]] = {
    "rays": (16**2, 32**2, 64**2),
    "samples": (16, 64, 256),
    "views": (1, 4, 16),
    "triangles": (2_000, 8_000, 32_000),
}
_PIXELS = 32  # of the views in the rows for samples and views


def scene_of(axis: str, size: int, device: torch.device) -> BenchScene:
    """The scene of one row.

    axis: str, 'rays', 'samples' or 'views'.
    size: int, number of rays, of steps through the box, or of views.
    """
    if axis == "rays":
        return bench_scene("solid", resolution=math.isqrt(size), views=1, device=device)
    if axis == "views":
        return bench_scene("solid", resolution=_PIXELS, views=size, device=device)
    config = RenderConfig(steps=size, max_samples_per_ray=max(128, math.ceil(math.sqrt(3.0) * size) + 1))
    return bench_scene("solid", resolution=_PIXELS, views=1, device=device, config=config)


def step_row(axis: str, size: int, repeats: int, device: torch.device) -> dict[str, Any]:
    """The time of the NeRF part, and its number of samples.

    axis, size: as for `scene_of`.
    """
    scene = scene_of(axis, size, device)
    optimizer = torch.optim.Adam(scene.field.parameters(), lr=0.0, fused=True)
    each = []
    samples = 0
    for repeat in range(2 + repeats):
        parts, _, (samples, _) = training_step(scene, scene.sides["ours"], optimizer, None)
        if repeat >= 2:
            each.append(sum(parts[part] for part in NERF))
    return {**measurement.milliseconds(each), "samples": samples}


def triangle_rows(sizes: Sequence[int], repeats: int, device: torch.device) -> dict[str, dict[str, Any]]:
    """The time of clean, unwrap and bake for each budget, on one surface.

    sizes: budgets of triangles.
    """
    shape = soft_fields.hamburger(bumps=0.004, edge=0.008)
    reference = extract.moved_to(soft_fields.photographs(shape, soft_fields.orbit(8), 96, samples=112), device)
    source = extract.fitted_field(shape, device)
    rows = {}
    for budget in sizes:
        settings = preset("standard", "a hamburger", {"mesh": {"triangles": budget, "unwrap_seconds": 3600.0}})
        each = []
        for _ in range(repeats):
            parts = extract.build(extract.Asked(source), reference, settings, device, files=False)
            each.append(sum(parts[part] for part in ("clean", "unwrap", "bake")))
        rows[str(budget)] = measurement.milliseconds(each)
    return rows


def exponent(rows: dict[str, dict[str, Any]]) -> float:
    """log(t_last / t_first) / log(size_last / size_first)."""
    first, *_, last = rows
    times = rows[last]["milliseconds"] / rows[first]["milliseconds"]
    return round(math.log(times) / math.log(int(last) / int(first)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--cores", type=int, default=usable_cores(), help="CPU cores to use")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    threads = measurement.engine_threads(options.cores)
    threads.use()
    axes: dict[str, dict[str, Any]] = {}
    for axis in options.only:
        if axis == "triangles":
            axes[axis] = triangle_rows(SIZES[axis], max(1, options.repeats // 3), device)
        else:
            axes[axis] = {str(size): step_row(axis, size, options.repeats, device) for size in SIZES[axis]}
    report = {
        "machine": measurement.machine(device),
        "threads": vars(threads),
        "axes": axes,
        "exponent": {axis: exponent(rows) for axis, rows in axes.items()},
    }
    lines = [
        f"{axis:10}"
        + ", ".join(f"{int(size):,}: {row['milliseconds']:.1f} ms" for size, row in rows.items())
        + f"; exponent {report['exponent'][axis]}"
        for axis, rows in axes.items()
    ]
    measurement.tell(report, lines, as_json=options.json)


if __name__ == "__main__":
    main()
