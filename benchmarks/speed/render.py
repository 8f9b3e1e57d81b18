"""Time of one picture without gradients, as previews, turntables and the mesh's references need it, beside plain torch.

    python benchmarks/speed/render.py [--json] [--resolutions 64 128 256] [--repeats 7] [--device cpu]

One view of each scene (`bench_scene.py`), lit, by `render_image` and by the plain-torch twin, which renders all rays
at once. Each row has median, spread, floor and rays a second. `ratio_to_torch` is torch's time over ours.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in (".", "tests")]

from twins import torch_render  # noqa: E402

from benchmarks.shared import measurement  # noqa: E402
from benchmarks.shared.bench_scene import FIELDS, bench_scene  # noqa: E402
from benchmarks.shared.measurement import Limits, Threads  # noqa: E402
from benchmarks.shared.work_counts import Work, step_work  # noqa: E402
from dreamfusion_engine.machine.device import usable_cores  # noqa: E402
from dreamfusion_engine.render.renderer import SURFACE_OPACITY, Rendering, render_image  # noqa: E402

_FORWARD = ("march", "field", "composite", "shade")


def measure(
    name: str, resolution: int, repeats: int, threads: dict[str, Threads], limits: Limits, device: torch.device
) -> dict[str, Any]:
    """Time one picture of a scene on both sides.

    name: str, of the scene.
    resolution: int, pixels along a side.
    repeats: int, timed pictures.
    threads: of each side.
    limits: of the machine, for the floor.
    """
    scene = bench_scene(name, resolution=resolution, views=1, device=device)
    background = torch.ones(3, device=device)
    middle = torch.full_like(scene.jitter, 0.5)

    def ours() -> Rendering:
        return render_image(
            scene.field,
            *scene.rays,
            scene.occupancy.occupied,
            scene.config,
            height=resolution,
            width=resolution,
            background=background,
            shading="lambertian",
            light=scene.light,
        )

    @torch.no_grad()
    def twin() -> Rendering:
        return torch_render.render(
            scene.sides["torch"].field,
            *scene.rays,
            scene.occupancy.occupied,
            scene.config,
            background=background,
            shading="lambertian",
            light=scene.light,
            jitter=middle,
        )

    threads["torch"].use()
    slow = measurement.milliseconds(measurement.seconds(twin, device, max(3, repeats // 2)))
    expected = twin().colour
    threads["ours"].use()
    row = measurement.milliseconds(measurement.seconds(ours, device, repeats))
    seen = ours()
    work = step_work(seen.samples, resolution**2, int((seen.opacity > SURFACE_OPACITY).sum()), scene.field)
    total = sum((work[part] for part in _FORWARD), Work(operations=0.0, moved=0.0))
    return {
        **row,
        "torch_milliseconds": slow["milliseconds"],
        "floor_milliseconds": round(1e3 * limits.floor(total.operations, total.moved), 4),
        "rays_per_second": round(1e3 * resolution**2 / row["milliseconds"]),
        "samples": seen.samples,
        "picture_difference": float((seen.colour.view(-1, 3) - expected).abs().max()),
        "ratio_to_torch": round(slow["milliseconds"] / row["milliseconds"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--resolutions", type=int, nargs="+", default=[64, 128, 256], help="pixels of a square view")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cores", type=int, default=usable_cores(), help="CPU cores to use")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    measurement.Threads(torch=options.cores, kernels=options.cores).use()
    limits = measurement.measured_limits(device)
    some = bench_scene("solid", resolution=64, views=1, device=device)
    points = some.marched(some.sides["ours"]).points
    threads = measurement.both_threads(options.cores, lambda: some.sides["torch"].field(points), device)
    report: dict[str, Any] = {
        "machine": measurement.machine(device),
        "threads": {side: vars(used) for side, used in threads.items()},
        "limits": limits.to_json(),
        "scenes": {
            name: {str(n): measure(name, n, options.repeats, threads, limits, device) for n in options.resolutions}
            for name in FIELDS
        },
    }
    report["ratio_to_torch"] = {
        name: {size: row["ratio_to_torch"] for size, row in rows.items()} for name, rows in report["scenes"].items()
    }
    lines = [
        f"{name} {size:>4} pixels: {row['milliseconds']:8.1f} ms ({row['spread'][0]:.1f} to {row['spread'][1]:.1f}), "
        f"torch {row['torch_milliseconds']:8.1f}, {row['ratio_to_torch']} times as fast, "
        f"{row['rays_per_second']:,} rays/s, floor {row['floor_milliseconds']:.2f} ms"
        for name, rows in report["scenes"].items()
        for size, row in rows.items()
    ]
    measurement.tell(report, lines, as_json=options.json)


if __name__ == "__main__":
    main()
