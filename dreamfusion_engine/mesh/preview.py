"""A quick mesh of the current state, with a colour at every vertex, for the viewport while training runs."""

from __future__ import annotations

import numpy as np
import torch

from dreamfusion_engine.events import MeshPreview
from dreamfusion_engine.mesh.closing import RADIUS, closed_lattice
from dreamfusion_engine.mesh.extract import surface_of
from dreamfusion_engine.mesh.lattice import sample_lattice
from dreamfusion_engine.mesh.queries import Albedo, Density, query_albedo
from dreamfusion_engine.mesh.refine import refine_lattice


def preview_mesh(
    density: Density,
    albedo: Albedo,
    iso: float,
    resolution: int = 48,
    *,
    step: int = 0,
    device: torch.device | str = "cpu",
) -> MeshPreview:
    """The surface of level `iso` with the albedo at its vertices, world units, Z up.

    density, albedo: as for `build_mesh`. iso: density level, 1 / world unit. resolution: cells along the box; an even
    one asks the field at an eighth of the corners first. step: the training step it is told to be of.
    Raises RunError `run.empty` if there is no surface, `run.non_finite` if the field is not finite.
    """
    place = torch.device(device)
    if resolution % 2 == 0:
        lattice = refine_lattice(density, sample_lattice(density, resolution // 2, place), iso, place)
    else:
        lattice = sample_lattice(density, resolution, place)
    vertices, triangles = surface_of(closed_lattice(lattice, iso, RADIUS), iso)
    colours = np.rint(query_albedo(albedo, vertices, place) * 255.0).astype(np.uint8)
    return MeshPreview(
        step=step,
        vertices=vertices.astype("<f4").tobytes(),
        triangles=triangles.astype("<i4").tobytes(),
        colours=colours.tobytes(),
    )
