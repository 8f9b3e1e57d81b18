"""How far the colours of a mesh are from those of the exact objects of its kind, in CIELAB, where they can be seen.

A judge that looks at a whole picture takes a mug that is blue all over for a mug with a blue handle. This measure
compares every visible place with the same place of an exact object, so it does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage.color import rgb2lab

from dreamfusion_engine.judge.portraits import judge_cameras, to_box
from dreamfusion_engine.mesh.casting import caster, hit_distance
from dreamfusion_engine.mesh.export import GlbContent
from training.starter.exact_mesh import exact_mesh, nearest_parts
from training.starter.objects.kinds import Appearance, Kind, make_object

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
CPU = torch.device("cpu")
POINTS = 4096  # on the whole surface
EXACT = 8  # exact objects that a mesh is held against
EXACT_RESOLUTION = 64  # cells along the box of the exact meshes
TURNS = 12  # about the vertical axis, for kinds without a front
_BLOCKED = 0.99  # of the way from a camera to a point: what is met before hides it
_KEPT = 16 * EXACT  # surfaces of exact objects: a table asks for the same prompts again


@dataclass(frozen=True, kw_only=True)
class ColouredSurface:
    """Visible places of a surface, in the box into which `to_box` fits a mesh.

    points: float32[N, 3], world units.
    colours: float64[N, 3], CIELAB.
    named: bool[N], whether a place belongs to the part whose colour the prompt names.
    """

    points: Floats
    colours: NDArray[np.float64]
    named: Bools


@dataclass(frozen=True, kw_only=True)
class ColourDistance:
    """Mean distances in CIELAB (CIE 1976); about 2.3 is just seen, 100 lies between black and white.

    whole: of all visible places, from the mesh to the nearest exact object and back, halved.
    part: of the places of that object's named part alone; None where the prompt names none.
    """

    whole: float
    part: float | None


def mesh_surface(content: GlbContent) -> ColouredSurface:
    """Return what is seen of a mesh.

    content: with its texture.
    """
    vertices = to_box(content.positions)
    points, face, weights = sampled(vertices, content.triangles)
    uv = (content.uv[content.triangles[face]] * weights[:, :, None]).sum(1)
    rows, columns = content.texture.shape[:2]
    column = np.clip((uv[:, 0] * columns).astype(np.int64), 0, columns - 1)
    row = np.clip((uv[:, 1] * rows).astype(np.int64), 0, rows - 1)
    seen = visible(points, vertices, content.triangles)
    colours = rgb2lab(content.texture[row, column][seen] / 255.0)
    return ColouredSurface(points=points[seen], colours=colours, named=np.zeros(len(colours), bool))


@lru_cache(maxsize=_KEPT)
def exact_surface(kind: Kind, appearance: Appearance, seed: int, stream: int = 7) -> ColouredSurface:
    """Return what is seen of an exact object of the corpus.

    kind, appearance: of the object.
    seed: int, chooses the object.
    stream: int, of seeds; 7 is that of the exact shapes, 11 that of the portraits.
    """
    parts = make_object(np.random.default_rng([stream, seed]), kind, appearance)
    vertices, triangles = exact_mesh(parts, EXACT_RESOLUTION, CPU)
    points, _, weights = sampled(vertices, triangles)
    index, colours = nearest_parts(parts, torch.from_numpy(points))
    box = to_box(np.concatenate([vertices, points]))[len(vertices) :]  # no point lies outside the vertices' box
    seen = visible(box, to_box(vertices), triangles)
    named = np.array(named_parts(kind, appearance, seed, stream))[index.numpy()]
    return ColouredSurface(points=box[seen], colours=rgb2lab(colours.double().numpy()[seen]), named=named[seen])


def named_parts(kind: Kind, appearance: Appearance, seed: int, stream: int = 7) -> list[bool]:
    """Return which parts of an exact object have the colour that the prompt names for a part.

    They are those that change with its name: the same random numbers make the same object otherwise.
    """
    other = "green" if appearance.part != "green" else "purple"
    looks = (appearance, replace(appearance, part=other) if appearance.part else appearance)
    one, two = (make_object(np.random.default_rng([stream, seed]), kind, look) for look in looks)
    return [a.colour != b.colour for a, b in zip(one, two, strict=True)]


def sampled(vertices: Floats, triangles: NDArray[np.int32]) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Return POINTS points spread evenly over a surface, float32[N, 3]; their triangles, int64[N]; and their
    barycentric weights, float32[N, 3].

    vertices: float32[V, 3].
    triangles: int32[T, 3].
    """
    rng = np.random.default_rng(0)
    corners = vertices[triangles].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    face = rng.choice(len(triangles), size=POINTS, p=area / area.sum())
    u, v = np.sqrt(rng.random(POINTS)), rng.random(POINTS)
    weights = np.stack([1.0 - u, u * (1.0 - v), u * v], -1)
    points = (corners[face] * weights[:, :, None]).sum(1)
    return points.astype(np.float32), face, weights.astype(np.float32)


def visible(points: Floats, vertices: Floats, triangles: NDArray[np.int32]) -> Bools:
    """Return which points of a surface one of the judge's cameras sees, bool[N].

    points: float32[N, 3], on the surface.
    vertices: float32[V, 3], in the box.
    triangles: int32[T, 3].
    """
    scene = caster(vertices, triangles, CPU)
    seen = np.zeros(len(points), bool)
    for place in judge_cameras().position.numpy():
        ways = points - place
        seen |= hit_distance(scene, np.broadcast_to(place, ways.shape), ways, 2.0) > _BLOCKED
    return seen


def colour_distance(surface: ColouredSurface, kind: Kind, appearance: Appearance, count: int = EXACT) -> ColourDistance:
    """Return how far the colours of a surface are from those of the exact object whose colours are nearest.

    surface: what is seen of the mesh.
    kind, appearance: what it should be.
    count: int, exact objects to compare with.

    A mesh of a kind without a front may stand turned about its axis, so several angles are tried.
    """
    exact = [exact_surface(kind, appearance, seed) for seed in range(count)]
    angles = [0.0] if kind.front else [i * 2.0 * math.pi / TURNS for i in range(TURNS)]
    found = []
    for angle in angles:
        c, s = math.cos(angle), math.sin(angle)
        points = surface.points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)
        found += [_distance(points, surface.colours, other) for other in exact]
    return min(found, key=lambda each: each.whole)


def _distance(points: Floats, colours: NDArray[np.float64], exact: ColouredSurface) -> ColourDistance:
    there = np.linalg.norm(colours - exact.colours[cKDTree(exact.points).query(points)[1]], axis=1)
    back = np.linalg.norm(exact.colours - colours[cKDTree(points).query(exact.points)[1]], axis=1)
    part = float(back[exact.named].mean()) if exact.named.any() else None
    return ColourDistance(whole=float(0.5 * (there.mean() + back.mean())), part=part)
