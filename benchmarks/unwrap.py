"""Two libraries that unwrap, on exact meshes of the corpus: python benchmarks/unwrap.py --meshes 30 --triangles 10000

Both as the engine asks them. The rows of uvunwrap, which has no wheel for Python 3.10, are there where it is installed.
seconds: of the library alone, one after the other on the same mesh. processor: its seconds of all cores. charts:
their number. stretch: the L2 stretch of the whole layout (Sander 2001), 1 where every triangle has its true shape and
its share of the area. overlap: share of the UV area that is used twice. use: share of the texture that charts cover.
seams: their length on the object, in square roots of its area. mirrored: share of the UV area that is turned over, of
what is not in the majority.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dreamfusion_engine.mesh.arrays import Floats, Ints  # noqa: E402
from dreamfusion_engine.mesh.surface.cleanup import cleaned, decimated  # noqa: E402
from dreamfusion_engine.mesh.surface.topology import directed_edges, face_normals, parts_of  # noqa: E402
from dreamfusion_engine.mesh.uv import unwrap_worker  # noqa: E402
from dreamfusion_engine.mesh.uv.overlap import uv_areas, uv_overlap  # noqa: E402
from training.starter.exact_mesh import exact_mesh  # noqa: E402
from training.starter.objects.kinds import KINDS, Appearance, make_object  # noqa: E402

Layout = tuple[Floats, Ints]  # uv float32[T, 3, 2], chart int32[T]
TEXTURE, PADDING, RESOLUTION = 1024, 4, 96


def by_xatlas(vertices: Floats, triangles: Ints) -> Layout:
    uv, indices = unwrap_worker.by_xatlas(vertices, triangles.astype(np.uint32), TEXTURE, PADDING)
    return uv, parts_of(indices)[1]


def by_uvunwrap(vertices: Floats, triangles: Ints) -> Layout:
    found = unwrap_worker.by_uvunwrap(vertices, triangles.astype(np.uint32), TEXTURE, PADDING)
    assert found is not None
    return found[0], parts_of(found[1])[1]


def measured(vertices: Floats, triangles: Ints, unwrap: Callable[[Floats, Ints], Layout]) -> dict[str, float]:
    """A row."""
    started, worked = time.perf_counter(), time.process_time()
    uv, chart = unwrap(vertices, triangles)
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    signed = uv_areas(uv)
    area = 0.5 * np.linalg.norm(face_normals(vertices, triangles), axis=1)
    whole = float(np.abs(signed).sum())
    turned = float(np.abs(signed[signed < 0.0]).sum()) / whole
    return {
        "seconds": seconds,
        "processor": processor,
        "charts": float(len(np.unique(chart))),
        "stretch": stretch(vertices, triangles, uv, area),
        "overlap": uv_overlap(uv),
        "use": whole,
        "seams": seams(vertices, triangles, uv) / float(np.sqrt(area.sum())),
        "mirrored": min(turned, 1.0 - turned),
    }


def stretch(vertices: Floats, triangles: Ints, uv: Floats, area: NDArray[np.float64]) -> float:
    """The L2 stretch of a layout (Sander et al. 2001, section 3), infinite where a triangle has no UV area.

    area: float64[T], on the object. Triangles without it do not count.
    """
    real = area > 1e-12 * area.sum()
    points, places = vertices[triangles][real].astype(np.float64), uv[real].astype(np.float64)
    first, second = places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]
    twice = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    p, q = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    along_u = (second[:, 1:] * p - first[:, 1:] * q) / np.where(twice == 0.0, np.nan, twice)[:, None]
    along_v = (first[:, :1] * q - second[:, :1] * p) / np.where(twice == 0.0, np.nan, twice)[:, None]
    squares = 0.5 * ((along_u**2).sum(-1) + (along_v**2).sum(-1))
    if np.isnan(squares).any():
        return float("inf")
    scale = 0.5 * np.abs(twice).sum() / area[real].sum()
    return float(np.sqrt((area[real] * squares).sum() / area[real].sum() * scale))


def seams(vertices: Floats, triangles: Ints, uv: Floats) -> float:
    """The length of the edges at which the layout is cut, each once."""
    start, end = directed_edges(triangles).T
    ends = np.stack([uv, np.roll(uv, -1, 1)], 2).reshape(-1, 2, 2)
    size = int(triangles.max()) + 1
    order = np.argsort(np.minimum(start, end) * size + np.maximum(start, end), kind="stable").reshape(-1, 2)
    one, other = ends[order[:, 0]], ends[order[:, 1]][:, ::-1]
    cut = np.abs(one - other).max((1, 2)) > 1e-6
    lengths = np.linalg.norm(vertices[start[order[:, 0]]] - vertices[end[order[:, 0]]], axis=-1)
    return float(lengths[cut].sum())


def main() -> None:
    """Print a table: the median of each figure over the meshes, and the worst seconds, stretch and overlap."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meshes", type=int, default=30)
    parser.add_argument("--triangles", type=int, default=10_000)
    wanted = parser.parse_args()
    ways: dict[str, Callable[[Floats, Ints], Layout]] = {"xatlas": by_xatlas}
    try:
        import uvunwrap  # noqa: F401

        ways["uvunwrap"] = by_uvunwrap
    except ImportError:
        print("uvunwrap is not installed: xatlas alone")
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for number, kind in enumerate(KINDS[: wanted.meshes]):
        parts = make_object(np.random.default_rng([7, number]), kind, Appearance())
        surface = cleaned(*exact_mesh(parts, RESOLUTION, torch.device("cpu")), min_part=0.001, smoothing=10)
        points, triangles = decimated(*surface, wanted.triangles, 0.001)
        vertices = points.astype(np.float32)
        for name, unwrap in ways.items():
            rows[name].append(measured(vertices, triangles, unwrap))
            said = ", ".join(f"{key} {value:.4g}" for key, value in rows[name][-1].items())
            print(f"{kind.names[0]}, {len(triangles):,} triangles, {name}: {said}", flush=True)
    print(f"\nMedians (worst) over {len(rows['xatlas'])} meshes of at most {wanted.triangles:,} triangles")
    keys = list(rows["xatlas"][0])
    print("| library | " + " | ".join(keys) + " |\n|---" * 1 + "|---" * len(keys) + "|")
    for name, found in rows.items():
        cells = []
        for key in keys:
            values = [row[key] for row in found]
            worst = min(values) if key == "use" else max(values)
            cells.append(f"{np.median(values):.3g} ({worst:.3g})")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
