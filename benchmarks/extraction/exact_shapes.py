"""Fit surfaces to pictures of exact objects by three ways from one start, and measure what comes out.

    python benchmarks/extraction/exact_shapes.py [--kinds mug chair ...] [--cells 32 48] [--steps 60] [--blur 0.08]
                                                 [--ways marching moved ...] [--output DIR] [--json]

Every way begins at the marching cubes of the object's blurred distance function, sees masks, depths and normals of the
exact mesh from the same cameras in the same order, and makes the same number of steps with the same loss:

- marching: the lattice's scalars are moved, with gradients through marching cubes;
- moved: the vertices are moved, with the smoothing, the regularisers and the repair of the command `refine`;
- moved far: the same with a reach of half a box and the rate that fits best;
- flexible: FlexiCubes, the lattice's scalars with weights and moves of its corners.

On one lattice all have about as many triangles. 'mug-' is the mug whose start has no handle. Seconds are of the
processor (`os.times`), of all steps and the result, without measuring. The sheet has two views of each: the exact mesh,
the start, and the ways in this order. Rates and weights were chosen on a pig, and that of L_dev on the chair.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.extraction.flexible_cubes import closed  # noqa: E402
from benchmarks.extraction.marching import marching_surface  # noqa: E402
from benchmarks.extraction.measures import VOLUME_CELLS, Exact, Measures, exact_of, measures_of  # noqa: E402
from benchmarks.extraction.views import Sight, cameras_around, picture_loss, sight_of  # noqa: E402
from benchmarks.extraction.ways import LatticeWay, MovedWay, Way  # noqa: E402
from dreamfusion_engine.config.stages import RefineConfig  # noqa: E402
from dreamfusion_engine.mesh.arrays import Floats, Ints  # noqa: E402
from dreamfusion_engine.scene.cameras import orbit_cameras  # noqa: E402
from training.starter.exact_mesh import REACH, exact_mesh, lattice_points, signed_distance  # noqa: E402
from training.starter.objects.kinds import Appearance, kind_named, make_object  # noqa: E402
from training.starter.primitives import Part  # noqa: E402

CPU = torch.device("cpu")
EXACT_CELLS = 96  # along the box of the exact mesh
POOL = 48  # views, of which every step takes some
LOST = "-"  # after a kind's name: the start lacks the last part
Mesh = tuple[Floats, Ints]

WAYS: dict[str, Callable[[Tensor], Way]] = {
    "marching": lambda scalars: LatticeWay(scalars, REACH, rate=0.1, flexible=False),
    "moved": lambda scalars: MovedWay(scalars, REACH, config=RefineConfig(), weight=0.001),
    "moved far": lambda scalars: MovedWay(
        scalars, REACH, config=RefineConfig(strength=15.0, reach=0.5, stiffness=0.5), weight=0.001
    ),
    "flexible": lambda scalars: LatticeWay(scalars, REACH, rate=0.1, flexible=True),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way on one object. seconds: of the processor."""

    kind: str
    cells: int
    way: str
    seconds: float
    measures: Measures


class Target:
    """An exact object: its mesh, its pictures, and starts for the ways.

    name: str, of a kind; with LOST at its end the starts lack the last part.
    pixels: int, along a picture's side.
    """

    def __init__(self, name: str, pixels: int) -> None:
        self.name = name
        kind = kind_named(name.removesuffix(LOST))
        self._parts: list[Part] = make_object(np.random.default_rng([7, 0]), kind, Appearance())
        self.mesh = exact_mesh(self._parts, EXACT_CELLS, CPU)
        filled = signed_distance(self._parts, lattice_points(VOLUME_CELLS, CPU)).numpy() < 0.0
        self.exact: Exact = exact_of(*self.mesh, filled)
        self.pixels = pixels
        self.cameras = cameras_around(POOL, seed=0)
        vertices, triangles = (torch.from_numpy(each) for each in self.mesh)
        self.sight: Sight = sight_of(vertices, triangles, self.cameras, pixels)

    def start(self, cells: int, blur: float) -> Tensor:
        """Return the blurred distances on a lattice, float32[cells + 1, cells + 1, cells + 1], in cells.

        cells: int, along the box.
        blur: float, world units, standard deviation.
        """
        parts = self._parts[:-1] if self.name.endswith(LOST) else self._parts
        cell = 2.0 * REACH / cells
        distance = signed_distance(parts, lattice_points(cells, CPU)).view((cells + 1,) * 3).numpy()
        return torch.from_numpy(gaussian_filter(distance, blur / cell, mode="nearest") / np.float32(cell))


def fit(way: Way, target: Target, steps: int, views: int) -> tuple[Mesh, float]:
    """Make all steps of a way. Returns the mesh, and the seconds of the processor.

    way: Way.
    target: Target.
    steps: int.
    views: int, of a step.
    """
    generator = torch.Generator().manual_seed(1)
    before = processor_seconds()
    for step in range(steps):
        chosen = torch.randperm(POOL, generator=generator)[:views]
        vertices, triangles = way.surface()
        seen = sight_of(vertices, triangles, target.cameras.rows(chosen), target.pixels)
        way.step(picture_loss(seen, target.sight.rows(chosen)), step / steps)
    mesh = way.result()
    return mesh, processor_seconds() - before


def processor_seconds() -> float:
    """Return what this process has computed so far, in seconds."""
    now = os.times()
    return now.user + now.system


def measured(target: Target, cells: int, arguments: argparse.Namespace) -> tuple[list[Row], list[Mesh]]:
    """Return the rows of one object on one lattice, and the meshes: exact, start, ways.

    target: Target.
    cells: int, along the box.
    arguments: of the command line.
    """
    start = target.start(cells, arguments.blur)
    first = marching_surface(closed(start), REACH)
    meshes = [target.mesh, (first.vertices.numpy(), first.triangles.numpy().astype(np.int32))]
    rows = [
        Row(kind=target.name, cells=cells, way="start", seconds=0.0, measures=measures_of(*meshes[1], target.exact))
    ]
    for name in arguments.ways:
        mesh, seconds = fit(WAYS[name](start), target, arguments.steps, arguments.views)
        found = measures_of(*mesh, target.exact)
        rows.append(Row(kind=target.name, cells=cells, way=name, seconds=seconds, measures=found))
        meshes.append(mesh)
        print(row_text(rows[-1]), file=sys.stderr, flush=True)
    return rows, meshes


def row_text(row: Row) -> str:
    """One line of the table, Markdown. Chamfer distances are in thousandths of a world unit."""
    found = row.measures
    cells = [
        f"{1e3 * found.chamfer:.1f}",
        f"{found.iou:.3f}",
        f"{found.normals:.1f}",
        f"{found.edges:.1f}",
        "yes" if found.closed else "no",
        f"{found.crossings}",
        f"{found.folds}",
        f"{found.parts}, {found.handles}",
        f"{found.triangles}",
        f"{row.seconds:.1f}",
    ]
    return f"| {row.kind} | {row.cells} | {row.way} | {' | '.join(cells)} |"


def table(rows: list[Row]) -> str:
    """The whole table with the means of each lattice's ways, Markdown."""
    head = "| kind | cells | way | Chamfer / 1000 | IoU | normals | at edges | closed | crossings | folds "
    head += "| parts, handles | triangles | seconds |\n" + "|---" * 13 + "|"
    return "\n".join([head, *map(row_text, rows), *map(row_text, means(rows))])


def means(rows: list[Row]) -> list[Row]:
    """Return the means of each way on each lattice; sums of crossings, folds, parts and handles."""
    found = []
    for cells, way in dict.fromkeys((row.cells, row.way) for row in rows):
        same = [row for row in rows if (row.cells, row.way) == (cells, way)]
        each = [row.measures for row in same]
        whole = Measures(
            chamfer=float(np.mean([m.chamfer for m in each])),
            iou=float(np.mean([m.iou for m in each])),
            normals=float(np.mean([m.normals for m in each])),
            edges=float(np.mean([m.edges for m in each])),
            closed=all(m.closed for m in each),
            crossings=sum(m.crossings for m in each),
            folds=sum(m.folds for m in each),
            parts=sum(m.parts for m in each),
            handles=sum(m.handles for m in each),
            triangles=round(float(np.mean([m.triangles for m in each]))),
        )
        seconds = float(np.mean([row.seconds for row in same]))
        found.append(Row(kind=f"**all {len(same)}**", cells=cells, way=way, seconds=seconds, measures=whole))
    return found


@torch.no_grad()
def sheet(meshes: list[Mesh], pixels: int = 240) -> Image.Image:
    """Return two views of each mesh, one below the other, in flat shades."""
    cameras = orbit_cameras(*(torch.tensor(each) for each in ([0.6, -2.2], [0.45, 0.9], [3.2, 3.2], [0.7, 0.7])))
    columns = []
    for vertices, triangles in meshes:
        seen = sight_of(torch.from_numpy(vertices), torch.from_numpy(triangles), cameras, pixels)
        towards = torch.nn.functional.normalize(cameras.position + torch.tensor([0.6, 0.0, 1.2]), dim=-1)
        light = (seen.normal * towards[:, None, None]).sum(-1).clamp(0.0, 1.0)
        grey = torch.where(seen.met, 0.2 + 0.75 * light, torch.ones(()))
        columns.append((255.0 * grey).to(torch.uint8).reshape(-1, pixels).numpy())
    return Image.fromarray(np.concatenate(columns, 1))


def main() -> None:
    """Measure every object on every lattice, print the table, and write table and sheets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=["mug-", "chair", "house", "mug", "duck"])
    parser.add_argument("--cells", nargs="+", type=int, default=[32])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--views", type=int, default=2, help="of a step")
    parser.add_argument("--pixels", type=int, default=72)
    parser.add_argument("--blur", type=float, default=0.08, help="world units")
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "extraction")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.output.mkdir(parents=True, exist_ok=True)
    targets = {name: Target(name, given.pixels) for name in given.kinds}
    rows: list[Row] = []
    for cells in given.cells:
        for name, target in targets.items():
            found, meshes = measured(target, cells, given)
            rows += found
            sheet(meshes).save(given.output / f"{name.replace(' ', '-')}_{cells}.png")
            content = json.dumps([asdict(row) for row in rows], indent=1) + "\n"
            (given.output / "extraction.json").write_text(content, "utf-8")
    print(json.dumps([asdict(row) for row in rows]) if given.json else table(rows))


if __name__ == "__main__":
    main()
