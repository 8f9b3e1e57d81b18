"""Meshes with UVs of known facts, for the tests of what paints them."""

from __future__ import annotations

from typing import Any

import numpy as np
from mesh.shapes import icosphere
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Doubles, Floats, Ints
from dreamfusion_engine.mesh.uv.unwrap import unwrap
from dreamfusion_engine.paint.canvas import Canvas, CanvasPart, canvas_of

Mesh = tuple[Doubles, Ints, Floats]  # vertices, triangles, UVs of the corners


def plane(cells: int = 1, *, size: float = 2.0, tiles: float = 1.0) -> Mesh:
    """A square across the front camera's view, in the plane y = 0, facing -Y; its UVs span `tiles` textures."""
    along = np.linspace(0.0, 1.0, cells + 1)
    u, v = (grid.reshape(-1) for grid in np.meshgrid(along, along))
    vertices = np.stack([size * (u - 0.5), np.zeros_like(u), size * (0.5 - v)], -1)
    corner = np.arange(len(u)).reshape(cells + 1, cells + 1)
    top, right, below, across = corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]
    triangles = np.stack([np.stack([top, below, across], -1), np.stack([top, across, right], -1)], 2).reshape(-1, 3)
    uv = tiles * np.stack([u, v], -1)[triangles]
    return vertices, triangles.astype(np.int32), uv.astype(np.float32)


def joined(*meshes: Mesh) -> Mesh:
    """Several meshes as one."""
    counts = np.cumsum([0, *(len(vertices) for vertices, _, _ in meshes)])
    return (
        np.concatenate([vertices for vertices, _, _ in meshes]),
        np.concatenate([triangles + n for (_, triangles, _), n in zip(meshes, counts, strict=False)]).astype(np.int32),
        np.concatenate([uv for _, _, uv in meshes]),
    )


def moved(mesh: Mesh, by: tuple[float, float, float]) -> Mesh:
    vertices, triangles, uv = mesh
    return vertices + np.array(by), triangles, uv


def mirrored(cells: int = 8, diagonals: bool = True) -> Mesh:
    """A square whose halves lie on each other in the texture, as those of a symmetric model.

    diagonals: bool, whether the quads of both halves are split along the same one.
    """
    vertices, triangles, uv = plane(cells)
    other = vertices * np.array([-1.0, 1.0, 1.0])
    quads = triangles.reshape(-1, 2, 3)
    if not diagonals:
        a, b, c, d = quads[:, 0, 0], quads[:, 0, 1], quads[:, 0, 2], quads[:, 1, 2]
        quads = np.stack([np.stack([a, b, d], -1), np.stack([b, c, d], -1)], 1)
    flipped = quads.reshape(-1, 3)[:, ::-1].astype(np.int32)
    places = np.zeros((len(vertices), 2), np.float32)
    places[triangles.reshape(-1)] = uv.reshape(-1, 2)
    return joined(
        (vertices + [1.0, 0.0, 0.0], triangles, uv),  # x from 0 to 2
        (other - [1.0, 0.0, 0.0], flipped, places[flipped]),
    )


def unwrapped_ball(subdivisions: int = 3, texture: int = 128) -> Mesh:
    """An icosphere with UVs of its own for every triangle."""
    vertices, triangles = icosphere(subdivisions)
    charts = unwrap(vertices, triangles, texture=texture, padding=4, seconds=60.0)
    return vertices, triangles, charts.uv


def part_of(mesh: Mesh, name: str = "part", normals: Floats | None = None) -> CanvasPart:
    vertices, triangles, uv = mesh
    return CanvasPart(name=name, vertices=vertices, triangles=triangles, uv=uv, normals=normals)


def canvas(*meshes: Mesh, texture: int = 64, **more: Any) -> Canvas:
    """A canvas of a part for each mesh."""
    return canvas_of([part_of(mesh, f"part {i}") for i, mesh in enumerate(meshes)], texture, **more)


def stripes(points: NDArray[Any]) -> NDArray[Any]:
    """A smooth colour of each point of the box, in [0, 1]: its place, a little bent."""
    return 0.5 + 0.4 * np.sin(1.5 * points)
