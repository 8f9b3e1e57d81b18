"""GLB files for tests, by the engine's own writer: a closed body whose colour tells where on it a point is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.mesh.export import write_glb
from dreamfusion_engine.mesh.textured import TexturedMesh

PIXELS = 128
CHARTS = 4  # round the body; between two of them the texture jumps
NOSE = 0.6  # how far the front stands out


def body(rings: int = 24, segments: int = 32) -> TexturedMesh:
    """An egg with a nose at -Y, of rings x segments x 2 - 2 x segments triangles.

    Its texture has the height (0 at the foot, 1 at the top) in green, the side (left -1 to right 1) in red; blue is 1
    in front. segments: a multiple of CHARTS.
    """
    theta = np.linspace(0.0, math.pi, rings + 1)[1:-1]
    phi = np.arange(segments) * (2.0 * math.pi / segments)
    round_ = np.stack(np.broadcast_arrays(np.sin(theta)[:, None], phi, np.cos(theta)[:, None]), -1).reshape(-1, 3)
    points = np.stack([round_[:, 0] * np.sin(round_[:, 1]), -round_[:, 0] * np.cos(round_[:, 1]), round_[:, 2]], -1)
    points = np.concatenate([points, [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]])
    nose = np.maximum(0.0, -points[:, 1]) ** 8
    points = points * np.array([0.5, 0.4, 0.7]) + np.array([0.3, 0.2, 0.1])
    points[:, 1] -= NOSE * nose
    triangles, uv = [], []
    top, bottom = (rings - 1) * segments, (rings - 1) * segments + 1
    for s in range(segments):
        ends = [_uv(s, segments, k) for k in (0, 1)]

        def at(row: int, side: int, s: int = s) -> int:
            return row * segments + (s + side) % segments

        def place(row: int, side: int, ends: list[float] = ends) -> tuple[float, float]:
            return (ends[side], (row + 1) / rings)

        triangles.append((top, at(0, 0), at(0, 1)))
        uv.append(((0.5 * sum(ends), 0.0), place(0, 0), place(0, 1)))
        for r in range(rings - 2):
            triangles += [(at(r, 0), at(r + 1, 0), at(r + 1, 1)), (at(r, 0), at(r + 1, 1), at(r, 1))]
            uv += [
                (place(r, 0), place(r + 1, 0), place(r + 1, 1)),
                (place(r, 0), place(r + 1, 1), place(r, 1)),
            ]
        triangles.append((bottom, at(rings - 2, 1), at(rings - 2, 0)))
        uv.append(((0.5 * sum(ends), 1.0), place(rings - 2, 1), place(rings - 2, 0)))
    faces = np.array(triangles, np.int32)
    return TexturedMesh(
        vertices=points.astype(np.float32),
        triangles=faces,
        normals=_normals(points, faces),
        uv=np.clip(np.array(uv, np.float32), 0.0, 1.0),
        texture=_texture(),
    )


def write_body(path: Path, rings: int = 24, segments: int = 32, pixels: int = PIXELS) -> Path:
    """Write `body` as the engine writes its results. pixels: along the texture."""
    mesh = body(rings, segments)
    if pixels != PIXELS:
        big = np.repeat(np.repeat(mesh.texture, pixels // PIXELS, 0), pixels // PIXELS, 1)
        noise = np.random.default_rng(0).integers(0, 3, big.shape, np.uint8)  # so that it does not shrink to nothing
        mesh = TexturedMesh(
            vertices=mesh.vertices,
            triangles=mesh.triangles,
            normals=mesh.normals,
            uv=mesh.uv,
            texture=np.minimum(big, 250) + noise,
        )
    write_glb(mesh, path, name="a body")
    return path


def _uv(segment: int, segments: int, side: int) -> float:
    """The u of a segment's border: charts lie side by side in the opposite order of that on the body, with gaps."""
    width = segments // CHARTS
    chart, inside = divmod(segment, width)
    return (CHARTS - 1 - chart + 0.1 + 0.8 * (inside + side) / width) / CHARTS


def _texture() -> NDArray[np.uint8]:
    u, v = np.meshgrid((np.arange(PIXELS) + 0.5) / PIXELS, (np.arange(PIXELS) + 0.5) / PIXELS)
    place = u * CHARTS
    chart = CHARTS - 1 - np.floor(place)
    phi = (chart + (place - np.floor(place) - 0.1) / 0.8) / CHARTS * 2.0 * math.pi
    colour = np.stack([0.5 + 0.5 * np.sin(phi), 0.5 + 0.5 * np.cos(v * math.pi), 0.5 + 0.5 * np.cos(phi)], -1)
    return np.rint(np.clip(colour, 0.0, 1.0) * 255.0).astype(np.uint8)


def _normals(points: NDArray[np.float64], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    a, b, c = (points[faces[:, i]] for i in range(3))
    flat = np.cross(b - a, c - a)
    total = np.zeros_like(points)
    for i in range(3):
        np.add.at(total, faces[:, i], flat)
    return (total / np.linalg.norm(total, axis=1, keepdims=True)).astype(np.float32)
