"""Extract a closed surface: a lattice, a level, marching cubes, and every vertex moved onto the true level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from skimage.measure import marching_cubes

from dreamfusion_engine.errors import RunError
from dreamfusion_engine.mesh.arrays import Doubles, Floats, Ints
from dreamfusion_engine.mesh.field_queries import Density, query_density
from dreamfusion_engine.mesh.surface.closing import FAR, RADIUS
from dreamfusion_engine.mesh.surface.lattice import Lattice, sample_lattice
from dreamfusion_engine.mesh.surface.refine import coarse_resolution, follow_surface, refine_lattice
from dreamfusion_engine.mesh.surface.silhouette import Silhouettes
from dreamfusion_engine.mesh.surface.symmetry import closed_by_its_image, mirrored_lattice
from dreamfusion_engine.mesh.surface.topology import volume

MARGIN = 0.05  # vertices keep this share of a cell from lattice corners: nearer, triangles degenerate
STEPS = 4  # of the false-position search along each edge; each cuts the error several times
CLOSING_LOSS = 0.005  # of the silhouettes' IoU: a closing that costs more has filled a gap that the pictures show


def extract_surface(
    density: Density,
    resolution: int,
    iso: float | Literal["auto"],
    silhouettes: Silhouettes,
    device: torch.device,
    advance: Callable[[float], None] = lambda share: None,
    *,
    mirrored: bool = False,
) -> tuple[Doubles, Ints, float]:
    """Return the closed surface: vertices float64[V, 3], triangles int32[T, 3] facing outward, and the level.

    Vertices are in world units.

    density: float32[N, 3], world units, to float32[N], 1 / world unit.
    resolution: int, cells along the box.
    iso: float, the level, 1 / world unit, or 'auto' for the one whose silhouettes agree best.
    silhouettes: Silhouettes of the reference views.
    device: torch.device of the field.
    advance: told the share done, in [0, 1].
    mirrored: bool, whether the surface is to be its own image in x = 0 to the bit, as the density is but for rounding;
        an odd resolution becomes one more.
    Raises RunError run.empty where no surface is there, run.non_finite where values are not finite.
    """
    resolution += resolution % 2 if mirrored else 0
    lattice = sample_lattice(density, coarse_resolution(resolution), device)
    level = silhouettes.level(lattice) if iso == "auto" else iso
    while lattice.resolution < resolution:
        advance(0.5 * lattice.resolution / resolution)
        lattice = refine_lattice(density, lattice, level, device)
        level = silhouettes.level(lattice) if iso == "auto" else iso
    advance(0.5)
    solid = closed_as_seen(density, lattice, level, silhouettes, device)
    advance(0.7)
    if mirrored:
        solid = Lattice(values=mirrored_lattice(solid.values), known=mirrored_lattice(solid.known))
        vertices, triangles = surface_of(solid, level, half=True)
        plane = np.abs(vertices[:, 0]) < 1e-9
        advance(0.8)
        return *closed_by_its_image(onto_level(density, solid, level, vertices, device), triangles, plane), level
    vertices, triangles = surface_of(solid, level)
    advance(0.8)
    return onto_level(density, solid, level, vertices, device), triangles, level


def closed_as_seen(
    density: Density, lattice: Lattice, level: float, silhouettes: Silhouettes, device: torch.device
) -> Lattice:
    """Close the lattice by the largest ball, of RADIUS, half of it or none, that fills no gap the silhouettes show.

    density: the field's.
    lattice: Lattice.
    level: float, density of the surface.
    silhouettes: Silhouettes of the reference views.
    device: torch.device of the field.
    """
    lattice, closed = follow_surface(density, lattice, level, RADIUS, device)
    needed = silhouettes.agreement(lattice, level).mean() - CLOSING_LOSS
    for radius in (0.5 * RADIUS, 0.0):
        if silhouettes.agreement(closed, level).mean() >= needed:
            break
        lattice, closed = follow_surface(density, lattice, level, radius, device)
    return closed


def surface_of(lattice: Lattice, level: float, *, half: bool = False) -> tuple[Doubles, Ints]:
    """Run marching cubes on the lattice: vertices float64[V, 3], world units; triangles int32[T, 3] facing outward.

    It runs on log(density / level), which is nearly linear across a soft edge where the density is not.

    lattice: Lattice.
    level: float, 1 / world unit.
    half: bool, whether to leave out what is at x < 0; the surface then has its border on x = 0.
    Raises RunError run.empty where no corner reaches the level.
    Source: Lewiner 2003.
    """
    if not (lattice.values > level).any():
        raise RunError(
            "run.empty",
            what="The trained field is empty: there is nothing to make a mesh of.",
            why=f"Its density is at most {float(lattice.values.max()):.4g}, below the surface's level {level:.4g}.",
            fix="Try another seed or more steps, or leave the iso level at 'auto'.",
        )
    height = log_height(lattice.values, level)
    # A corner on the level, or nearly, would give triangles without area.
    height = np.where(height < 0.0, np.minimum(height, -1e-3), np.maximum(height, 1e-3))
    first = lattice.resolution // 2 if half else 0
    corners, faces, _, _ = marching_cubes(height[first:], 0.0)
    corners = corners + np.array([first, 0, 0], corners.dtype)
    vertices = corners.astype(np.float64) * (2.0 / lattice.resolution) - 1.0
    triangles = faces.astype(np.int32)
    if volume(vertices, triangles) < 0.0:
        triangles = np.ascontiguousarray(triangles[:, ::-1])
    return vertices, triangles


def log_height(values: Floats, level: float) -> Floats:
    """log(density / level), cut to [-FAR, FAR]: positive inside.

    values: float32[...], densities.
    level: float, density of the surface, above 0.
    """
    cut = np.exp(FAR)
    return np.log(np.clip(values / np.float32(level), 1.0 / cut, cut)).astype(np.float32)


def onto_level(density: Density, lattice: Lattice, level: float, vertices: Doubles, device: torch.device) -> Doubles:
    """Move each vertex along its lattice edge to where the field itself, not its interpolation, crosses the level.

    It uses false position with the Illinois rule on `log_height`. Vertices stay inside their edges, so the connectivity
    stays right. Those of edges that the field does not cross (the box's border, closed parts) stay where they are.

    density: as for `extract_surface`.
    lattice: Lattice.
    level: float, 1 / world unit.
    vertices: float64[V, 3], world units, from `surface_of`.
    device: torch.device of the field.
    """
    half = 0.5 * lattice.resolution
    place = (vertices + 1.0) * half
    offset = np.abs(place - np.rint(place))
    axis = offset.argmax(1)
    low = np.rint(place).astype(np.int64)
    rows = np.arange(len(vertices))
    low[rows, axis] = np.minimum(np.floor(place[rows, axis]).astype(np.int64), lattice.resolution - 1)
    high = low.copy()
    high[rows, axis] += 1
    ends = [log_height(lattice.values[tuple(e.T)], level).astype(np.float64) for e in (low, high)]
    inner = ((low > 0) & (high < lattice.resolution)).all(1)
    asked = lattice.known[tuple(low.T)] & lattice.known[tuple(high.T)]
    on_edge = np.sort(offset, 1)[:, 1] < 1e-3  # false at the few vertices that marching cubes puts inside a cell
    move = np.flatnonzero(inner & asked & on_edge & (ends[0] * ends[1] < 0.0))
    a, b = np.zeros(len(move)), np.ones(len(move))
    fa, fb = ends[0][move], ends[1][move]
    t = fa / (fa - fb)
    base, along = low[move].astype(np.float64), axis[move]
    last = np.zeros(len(move))
    for _ in range(STEPS):
        points = base.copy()
        points[np.arange(len(move)), along] += t
        f = log_height(query_density(density, points / half - 1.0, device), level).astype(np.float64)
        left = f * fa > 0.0  # the crossing lies between t and b
        fb, fa = np.where(left & (last > 0), 0.5 * fb, fb), np.where(~left & (last < 0), 0.5 * fa, fa)
        a, fa = np.where(left, t, a), np.where(left, f, fa)
        b, fb = np.where(left, b, t), np.where(left, fb, f)
        last = np.where(left, 1.0, -1.0)
        gap = fa - fb
        t = np.where(gap == 0.0, 0.5 * (a + b), a + (b - a) * fa / np.where(gap == 0.0, 1.0, gap))
    moved = low.astype(np.float64)[move]
    moved[np.arange(len(move)), along] += np.clip(t, MARGIN, 1.0 - MARGIN)
    result = vertices.copy()
    result[move] = moved / half - 1.0
    return result
