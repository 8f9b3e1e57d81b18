"""Time of one differentiable picture of a textured mesh, part by part, forward and backward.

    python benchmarks/surface.py [--json] [--resolutions 64 128 256 512] [--triangles 1000 20000 200000] [--repeats 7]

The mesh is a torus that fills most of the picture, with a texture of 512 x 512 texels. Parts: build (a new hierarchy
of boxes), refit (the same after the vertices moved), cast, attributes (rays, weights, depths, normals, texture, light),
antialias, backward (to all vertices and texels). `picture` is all of them but build. Only what is met is coloured, as
in `refinement/render.py`. `processor` is what all threads together computed, the least of all pictures: where other
programs hold the cores, the clock counts waiting too. No twin is measured beside it: plain torch would test every ray
against every triangle.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in (".", "tests")]

from mesh.shapes import lattice_torus  # noqa: E402

from benchmarks.shared import measurement  # noqa: E402
from dreamfusion_engine.machine.device import usable_cores  # noqa: E402
from dreamfusion_engine.render.surface.antialias import antialiased, edge_neighbours  # noqa: E402
from dreamfusion_engine.render.surface.caster import SurfaceCaster  # noqa: E402
from dreamfusion_engine.render.surface.hits import differentiable_hits, interpolated  # noqa: E402
from dreamfusion_engine.render.surface.normals import vertex_normals  # noqa: E402
from dreamfusion_engine.render.surface.texture import sample_texture  # noqa: E402
from dreamfusion_engine.scene.cameras import orbit_cameras, pixel_rays  # noqa: E402

_TEXELS = 512  # along the texture
_WARM_UP = 2


class Watch(measurement.Stopwatch):
    """Also sums what all threads computed by part, in seconds."""

    def __init__(self, where: torch.device) -> None:
        self.computed: dict[str, float] = {}
        self._before = time.process_time()
        super().__init__(where)

    def lap(self, part: str) -> None:
        super().lap(part)
        now = time.process_time()
        self.computed[part] = self.computed.get(part, 0.0) + now - self._before
        self._before = now


class Scene:
    """A torus of about so many triangles, and the parts of its picture.

    count: int, triangles.
    device: torch.device.
    """

    def __init__(self, count: int, device: torch.device) -> None:
        sides = round((count / 4.0) ** 0.5)
        vertices, triangles = lattice_torus(2 * sides, sides, ring=0.9, tube=0.4)
        self.device = device
        self.vertices = torch.from_numpy(vertices).float().to(device).requires_grad_()
        self.triangles = torch.from_numpy(triangles).to(device)
        generator = torch.Generator().manual_seed(0)
        self.texture = torch.rand(_TEXELS, _TEXELS, 3, generator=generator).to(device).requires_grad_()
        self.uv = (0.02 * torch.rand(len(triangles), 3, 2, generator=generator)).to(device)
        self.uv += torch.rand(len(triangles), 1, 2, generator=generator).to(device)
        self.neighbours = edge_neighbours(self.triangles)
        self.light = torch.nn.functional.normalize(torch.tensor([1.0, -2.0, 2.0], device=device), dim=-1)
        self.caster = self.build()

    def build(self) -> SurfaceCaster:
        return SurfaceCaster(self.vertices, self.triangles, self.device)

    def picture(self, pixels: int, watch: measurement.Stopwatch) -> float:
        """One picture of the present vertices, with the gradient of a loss. Returns the share of rays that meet."""
        cameras = orbit_cameras(*(torch.tensor([x], device=self.device) for x in (0.3, 0.6, 4.0, 0.7)))
        watch.lap("cameras")
        self.caster.refit(self.vertices)
        watch.lap("refit")
        cast = self.caster.cast_views(cameras, pixels, pixels)
        watch.lap("cast")
        met = (cast.triangle >= 0).nonzero()[:, 0]
        rays = pixel_rays(cameras, pixels, pixels, met)
        hits = differentiable_hits(cast.of(met), self.vertices, self.triangles, *rays)
        normal = interpolated(vertex_normals(self.vertices, self.triangles, hits.triangle), self.triangles, hits)
        colour = sample_texture(self.texture, interpolated(self.uv, self.triangles, hits))
        shade = 0.3 + 0.7 * torch.nn.functional.normalize(normal, dim=-1) @ self.light
        image = torch.ones(len(cast), 3, device=self.device).index_copy(0, met, shade[:, None] * colour)
        image = image.view(1, pixels, pixels, 3)
        watch.lap("attributes")
        image = antialiased(image, cast, self.vertices, self.triangles, cameras, self.neighbours)
        watch.lap("antialias")
        torch.autograd.grad(image.square().mean(), (self.vertices, self.texture))
        watch.lap("backward")
        return len(met) / len(cast)


def measure(count: int, pixels: list[int], repeats: int, device: torch.device) -> dict[str, Any]:
    """The parts of pictures of one mesh.

    count: int, triangles asked for.
    pixels: along the sides of the pictures.
    repeats: int, timed pictures.
    """
    scene = Scene(count, device)
    rows: dict[str, Any] = {
        "triangles": len(scene.triangles),
        "build": measurement.milliseconds(measurement.seconds(scene.build, device, repeats)),
        "pictures": {},
    }
    for size in pixels:
        each, computed = [], []
        met = 0.0
        for _ in range(_WARM_UP + repeats):
            watch = Watch(device)
            met = scene.picture(size, watch)
            computed.append(watch.computed)
            each.append(watch.seconds)
        names = [part for part in each[0] if part != "cameras"]
        parts = {part: measurement.milliseconds([seconds[part] for seconds in each[_WARM_UP:]]) for part in names}
        processor = {part: min(seconds[part] for seconds in computed) for part in names}
        whole = [sum(seconds[part] for part in parts) for seconds in each[_WARM_UP:]]
        rows["pictures"][str(size)] = {
            "picture": measurement.milliseconds(whole),
            "processor_milliseconds": round(1e3 * min(sum(seconds[part] for part in names) for seconds in computed), 3),
            "processor_parts": {part: round(1e3 * value, 3) for part, value in processor.items()},
            "rays_that_meet": round(met, 3),
            "parts": parts,
        }
    return rows


def main() -> None:
    """Measure all sizes and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--resolutions", type=int, nargs="+", default=[64, 128, 256, 512], help="pixels of a square view"
    )
    parser.add_argument("--triangles", type=int, nargs="+", default=[1000, 20000, 200000])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cores", type=int, default=usable_cores(), help="CPU cores to use")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    threads = measurement.engine_threads(options.cores)
    threads.use()
    report: dict[str, Any] = {
        "machine": measurement.machine(device),
        "threads": vars(threads),
        "meshes": [measure(count, options.resolutions, options.repeats, device) for count in options.triangles],
    }
    lines = []
    for mesh in report["meshes"]:
        lines.append(f"{mesh['triangles']:,} triangles: build {mesh['build']['milliseconds']:.1f} ms")
        for size, row in mesh["pictures"].items():
            parts = ", ".join(f"{part} {found['milliseconds']:.1f}" for part, found in row["parts"].items())
            low, high = row["picture"]["spread"]
            computed = ", ".join(f"{part} {least:.1f}" for part, least in row["processor_parts"].items())
            lines.append(
                f"  {size:>4} pixels: {row['picture']['milliseconds']:7.1f} ms ({low:.1f} to {high:.1f}): {parts}"
            )
            lines.append(f"       processor: {row['processor_milliseconds']:7.1f} ms: {computed}")
    measurement.tell(report, lines, as_json=options.json)


if __name__ == "__main__":
    main()
