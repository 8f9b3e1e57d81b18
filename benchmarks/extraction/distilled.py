"""Let the starter teacher shape a surface, by moved vertices and by FlexiCubes: does a part come that is not there?

    python benchmarks/extraction/distilled.py [--prompt "a red mug"] [--kind mug-] [--colour red] [--cells 32]
                                              [--mesh FILE.glb] [--steps 60] [--t-max 0.9] [--seed 0] [--output DIR]

All ways begin at the marching cubes of an exact object's blurred distances ('mug-': without its handle), in one colour
that stays. They make as many steps of score distillation, with the settings, cameras and seeds of the command `refine`
in the preset draft. 'moved' has the settings of `refine`; 'moved far' a reach of half a box and fifteen times the rate;
'smooth' is FlexiCubes with the loss of bumps that `refine` has. `--t-max` is the upper end of the first timesteps,
where `refine` has 0.5; with it the lower end is 0.5, as where an object begins. The measures are those of
`exact_shapes.py`, against the whole object. The sheet has two views of the whole object, the start, and each way.

With `--mesh`, a file of this engine such as a draft, all begin at that mesh on the lattice. Chamfer distance and IoU
are then those of `shared/shape_distance.py`, the best of eight exact objects of the kind, and normals are not measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.extraction.exact_shapes import LOST, Mesh, Row, Target, processor_seconds, row_text, sheet  # noqa: E402
from benchmarks.extraction.measures import Measures, filled_points, measures_of  # noqa: E402
from benchmarks.extraction.ways import LatticeWay, MovedWay, Way  # noqa: E402
from benchmarks.shared.shape_distance import distance_to_kind  # noqa: E402
from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.config.refine import refining  # noqa: E402
from dreamfusion_engine.config.stages import GenerateConfig, RefineConfig, Shading  # noqa: E402
from dreamfusion_engine.guidance.guidance import Guidance  # noqa: E402
from dreamfusion_engine.judge.portraits import to_box  # noqa: E402
from dreamfusion_engine.mesh.casting import caster, nearest_triangle  # noqa: E402
from dreamfusion_engine.mesh.export import read_glb  # noqa: E402
from dreamfusion_engine.optimize.step_part import score_loss  # noqa: E402
from dreamfusion_engine.optimize.training import InputsOf, Training  # noqa: E402
from dreamfusion_engine.paint.render import pixel_means  # noqa: E402
from dreamfusion_engine.render.renderer import Rendering  # noqa: E402
from dreamfusion_engine.render.shading import lambertian  # noqa: E402
from dreamfusion_engine.render.surface.antialias import antialiased, edge_neighbours  # noqa: E402
from dreamfusion_engine.render.surface.caster import SurfaceCaster  # noqa: E402
from dreamfusion_engine.render.surface.hits import differentiable_hits, interpolated  # noqa: E402
from dreamfusion_engine.render.surface.normals import vertex_normals  # noqa: E402
from dreamfusion_engine.run.model import open_run_model  # noqa: E402
from dreamfusion_engine.run.teacher import load_run_teacher, run_places  # noqa: E402
from dreamfusion_engine.scene.cameras import Cameras, pixel_rays  # noqa: E402
from training.starter.exact_mesh import REACH, lattice_points  # noqa: E402
from training.starter.objects.kinds import Appearance, kind_named  # noqa: E402
from training.starter.objects.palette import COLOURS  # noqa: E402

CPU = torch.device("cpu")
INSTANCES = 8  # exact objects that a given mesh is held against
WAYS: dict[str, Callable[[Tensor], Way]] = {
    "moved": lambda start: MovedWay(start, REACH, config=RefineConfig(), weight=1.0),
    "moved far": lambda start: MovedWay(start, REACH, config=RefineConfig(strength=15.0, reach=0.5), weight=1.0),
    "flexible": lambda start: LatticeWay(start, REACH, rate=0.03, flexible=True),
    "smooth": lambda start: LatticeWay(start, REACH, rate=0.03, flexible=True, bumps=RefineConfig().bumps),
}
GRID = 2  # samples along a pixel's side, as in `refine`


class ShapeTraining(Training):
    """A training of a surface's shape alone, by one of the ways.

    way: Way.
    colour: float32[3], sRGB in [0, 1], of the whole surface.
    config: GenerateConfig from `refining`.
    seed: int.
    """

    def __init__(self, way: Way, colour: Tensor, config: GenerateConfig, *, seed: int) -> None:
        super().__init__(config, seed=seed, device=CPU)
        self.way = way
        self._colour = colour
        self._loss = torch.zeros(())

    def view(self, cameras: Cameras, size: int, *, background: float = 1.0, shading: Shading = "albedo") -> Rendering:
        """As for `Training.view`."""
        plain = torch.full((len(cameras), 3), background)
        with torch.no_grad():
            return self._seen(*self.way.surface(), cameras, size, plain, shading, cameras.position)

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Not needed: a run of this benchmark is not resumed."""
        raise NotImplementedError("A shape of this benchmark is not resumed; run it again.")

    def _new_field(self) -> nn.Module:
        return nn.ParameterList([torch.zeros(1)])  # nothing beside the way is trained

    def _bring_to(self, progress: float) -> None:
        pass

    def _begin_step(self, progress: float) -> None:
        self._surface = self.way.surface()
        self._loss = torch.zeros(())

    def _add_gradients(
        self,
        inputs_of: InputsOf,
        first: int,
        count: int,
        *,
        size: int,
        shading: Shading,
        distillation: Guidance,
        overlap: bool,
    ) -> None:
        inputs = inputs_of(first, count)
        views = inputs.views
        seen = self._seen(*self._surface, views.cameras, size, views.background, shading, views.light)
        self._loss = self._loss + inputs.weights.share * score_loss(seen, inputs, distillation, size)

    def _add_own_gradients(self, progress: float, score_size: float) -> None:
        # The ways' own losses are meant beside a loss of pictures; the score's are this much larger.
        self.way.step(self._loss / score_size, progress)

    def _seen(
        self,
        vertices: Tensor,
        triangles: Tensor,
        cameras: Cameras,
        size: int,
        background: Tensor,
        shading: Shading,
        light: Tensor,
    ) -> Rendering:
        """Pictures [B, size, size, ...] in one colour, with gradients to the vertices, as `refine` has them."""
        views, fine = len(cameras), size * GRID
        cast = SurfaceCaster(vertices.detach(), triangles, CPU).cast_views(cameras, fine, fine)
        rays = (cast.triangle >= 0).nonzero()[:, 0]
        origins, directions = pixel_rays(cameras, fine, fine, rays)
        met = differentiable_hits(cast.of(rays), vertices, triangles, origins, directions)
        point = origins + met.depth[:, None] * directions
        normal = interpolated(vertex_normals(vertices, triangles, met.triangle), triangles, met)
        colour = torch.ones_like(point) if shading == "textureless" else self._colour.expand_as(point)
        if shading != "albedo":
            lit_from = light.index_select(0, rays // (fine * fine))
            colour = colour * lambertian(nn.functional.normalize(normal, dim=-1), point, lit_from)[:, None]
        opacity = (cast.triangle >= 0).float()
        behind = background.expand(views, 3).repeat_interleave(fine * fine, 0)
        picture = torch.cat([behind.index_copy(0, rays, colour), opacity[:, None]], 1).view(views, fine, fine, 4)
        picture = antialiased(picture, cast, vertices, triangles, cameras, edge_neighbours(triangles))
        pixels = pixel_means(picture.reshape(-1, 4), views, GRID)
        return Rendering(
            colour=pixels[..., :3],
            opacity=pixels[..., 3],
            depth=torch.zeros(views, size, size),
            normal=None,
            orientation=None,
            samples=len(rays),
        )


def start_of_mesh(file: Path, cells: int) -> Tensor:
    """Return the signed distances to a mesh of this engine, float32[cells + 1, cells + 1, cells + 1], in cells.

    file: Path of a closed mesh; it is brought into the box of the exact shapes.
    cells: int, along the box.
    """
    content = read_glb(file)
    places, corners = np.unique(to_box(content.positions), axis=0, return_inverse=True)
    scene = caster(places, corners.reshape(-1)[content.triangles], CPU, winding=True)
    distance = nearest_triangle(scene, lattice_points(cells, CPU).numpy(), 10.0)[2]
    signed = np.where(filled_points(scene, cells), -distance, distance) * (0.5 * cells / REACH)
    return torch.from_numpy(signed.astype(np.float32).reshape((cells + 1,) * 3))


def measured(mesh: Mesh, target: Target, arguments: argparse.Namespace) -> Measures:
    """Return a mesh's figures.

    mesh: Mesh.
    target: Target, the whole object.
    arguments: of the command line.
    """
    found = measures_of(*mesh, target.exact)
    if arguments.mesh is None:
        return found
    kind = kind_named(arguments.kind.removesuffix(LOST))
    distance, overlap = distance_to_kind(*mesh, kind, Appearance(), INSTANCES)
    return replace(found, chamfer=distance, iou=overlap, normals=float("nan"), edges=float("nan"))


def shaped(way: Way, arguments: argparse.Namespace) -> tuple[Mesh, float]:
    """Let the teacher shape a surface. Returns the mesh, and the seconds of the processor without loading the teacher.

    way: Way.
    arguments: of the command line.
    """
    given: dict[str, Any] = {
        "device": "cpu",
        "optimize": {"steps": arguments.steps, "views": arguments.views},
    }
    if arguments.t_max is not None:
        given["guidance"] = {"t_max": [arguments.t_max, 0.3], "t_min": [min(0.5, arguments.t_max - 0.05), 0.02]}
    config = refining(preset("draft", arguments.prompt, given), given)
    teacher = load_run_teacher(
        config, *open_run_model(config, lambda event: None), run_places(config), lambda event: None
    )
    training = ShapeTraining(way, torch.tensor(COLOURS[arguments.colour]), config, seed=arguments.seed)
    before = processor_seconds()
    for _ in range(arguments.steps):
        training.train_step(teacher.distillation)
    mesh = way.result()
    return mesh, processor_seconds() - before


def main() -> None:
    """Shape the start by every way, print a line for each, and write the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompt", default="a red mug")
    parser.add_argument("--kind", default="mug-")
    parser.add_argument("--mesh", type=Path)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--colour", choices=list(COLOURS), default="red")
    parser.add_argument("--cells", type=int, default=32)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--views", type=int, default=2, help="of a step")
    parser.add_argument("--t-max", type=float, help="above 0.3; None: that of refine")
    parser.add_argument("--blur", type=float, default=0.08, help="world units")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "extraction")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.output.mkdir(parents=True, exist_ok=True)
    target = Target(given.kind, 32)
    start = target.start(given.cells, given.blur) if given.mesh is None else start_of_mesh(given.mesh, given.cells)
    still = MovedWay(start, REACH, config=RefineConfig(), weight=0.0)
    meshes = [target.mesh]
    for name in ["start", *given.ways]:
        mesh, seconds = (still.result(), 0.0) if name == "start" else shaped(WAYS[name](start), given)
        found = measured(mesh, target, given)
        print(row_text(Row(kind=given.kind, cells=given.cells, way=name, seconds=seconds, measures=found)), flush=True)
        meshes.append(mesh)
        begun = given.kind if given.mesh is None else "mesh"
        sheet(meshes).save(given.output / f"distilled_{begun}_{given.t_max or 0.5}.png")


if __name__ == "__main__":
    main()
