"""Make a quick mesh of the current state, with a colour at every vertex, for the viewport while training runs."""

from __future__ import annotations

import fast_simplification
import numpy as np
import torch

from dreamfusion_engine.events import MeshPreview
from dreamfusion_engine.mesh.field_queries import Albedo, Density, query_albedo
from dreamfusion_engine.mesh.surface.closing import RADIUS, closed_lattice
from dreamfusion_engine.mesh.surface.extract import surface_of
from dreamfusion_engine.mesh.surface.lattice import sample_lattice
from dreamfusion_engine.mesh.surface.refine import refine_lattice

# Blender's main thread takes some 5 ms to read so many and as long to show them, each in a tick of its own, which may
# take 10; busy cores stretch that by half. A ball that fills the box has 19,000 triangles, haze up to 60,000.
MOST_TRIANGLES = 10_000


def preview_mesh(
    density: Density,
    albedo: Albedo,
    iso: float,
    resolution: int = 48,
    *,
    step: int = 0,
    device: torch.device | str = "cpu",
) -> MeshPreview:
    """Return the surface of a density level with the albedo at its vertices, world units, Z up.

    It has about MOST_TRIANGLES at most.

    density, albedo: as for `build_mesh`.
    iso: float, density level, 1 / world unit.
    resolution: int, cells along the box; an even one asks the field at an eighth of the corners first.
    step: int, training step that it is reported for.
    device: of the field.
    Raises RunError run.empty where there is no surface, run.non_finite where the field is not finite.
    """
    place = torch.device(device)
    if resolution % 2 == 0:
        lattice = refine_lattice(density, sample_lattice(density, resolution // 2, place), iso, place)
    else:
        lattice = sample_lattice(density, resolution, place)
    vertices, triangles = surface_of(closed_lattice(lattice, iso, RADIUS), iso)
    if len(triangles) > MOST_TRIANGLES:
        vertices, triangles = fast_simplification.simplify(
            np.ascontiguousarray(vertices, np.float64),
            np.ascontiguousarray(triangles, np.int32),
            target_count=MOST_TRIANGLES,
            agg=7.0,  # quick rather than careful
        )
    colours = np.rint(query_albedo(albedo, vertices, place) * 255.0).astype(np.uint8)
    return MeshPreview(
        step=step,
        vertices=vertices.astype("<f4").tobytes(),
        triangles=triangles.astype("<i4").tobytes(),
        colours=colours.tobytes(),
    )
