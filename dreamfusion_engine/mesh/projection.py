"""Lay pictures onto a texture: what a picture's camera sees of the surface takes the picture's colours.

Each texel looks at each camera. Where nothing is between, it takes the colour at its place in the picture, and the more
of it, the more squarely it is seen. Beside an edge behind which more surface lies it keeps its own colour: picture and
mesh agree to some pixels only, and the colours of one side would come onto the other.

V: pictures, N: pixels along a picture, H W: texels, K: texels that show something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from dreamfusion_engine.mesh.arrays import Bools, Floats
from dreamfusion_engine.mesh.bake import padded, texel_owners
from dreamfusion_engine.mesh.casting import Caster, caster, hit_distance
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.scene.cameras import Cameras, camera_rays, projected

SQUARELY = 0.15, 0.45  # cosine of the angle between view and normal: nothing below, all above
SHARPLY = 4.0  # power of that cosine by which pictures of one place are weighed: a mixture of two is a ghost
SOLID = 0.95  # alpha from which a pixel shows the object alone
RIM = 0.006  # image heights inside a picture's outline from which on its colours are believed, ...
BEYOND = 0.02, 0.05  # ... and outside it to which they reach where the mesh is larger: all, nothing
EDGE = 0.008, 0.02  # image heights from an edge of the mesh with more surface behind it: nothing within, all beyond
JUMP = 0.06  # world units by which the depth bends there
FAR = 1e6  # world units: where nothing is hit
CLEARANCE = 3e-3  # world units from the surface at which a look begins, so that it does not meet its own triangle
ROWS = 1 << 18  # texels at a time


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What pictures changed.

    texture: uint8[H, W, 3], sRGB.
    share: float in [0, 1], share of the texels that a picture's colours reached, each as much as they count there.
    """

    texture: NDArray[np.uint8]
    share: float


def texels_along(mesh: TexturedMesh, cameras: Cameras) -> float:
    """Return how many texels lie along the height of a picture, on average, where the surface is as far as the origin.

    mesh: TexturedMesh, world units.
    cameras: Cameras of the pictures.
    """
    sides = mesh.vertices[mesh.triangles].astype(np.float64)
    area = 0.5 * np.linalg.norm(np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0]), axis=1).sum()
    a, b = (mesh.uv[:, i].astype(np.float64) - mesh.uv[:, 0] for i in (1, 2))
    texels = 0.5 * np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() * mesh.texture.shape[0] * mesh.texture.shape[1]
    height = float((cameras.position.norm(dim=-1) / cameras.focal).mean())  # world units
    return float(height * np.sqrt(texels / max(area, 1e-12)))


def with_pictures(
    mesh: TexturedMesh,
    cameras: Cameras,
    pictures: Floats,
    *,
    strength: float,
    padding: int,
    device: torch.device,
    advance: Callable[[float], None] = lambda share: None,
) -> Projection:
    """Return the texture with the pictures' colours where their cameras see the surface; the rest stays bit for bit.

    mesh: TexturedMesh, world units.
    cameras: Cameras, V of them.
    pictures: float32[V, 4, N, N], colours in sRGB times alpha, and alpha, in [0, 1].
    strength: float in [0, 1], share of the pictures' colours where they count wholly.
    padding: int, texels of colour beyond the texture's islands.
    device: torch.device to compute on.
    advance: told the share done, in [0, 1].
    """
    face, weights = texel_owners(mesh.uv, len(mesh.texture), device)
    used = face >= 0
    advance(0.3)
    owner, scene = face[used], caster(mesh.vertices, mesh.triangles, device)
    corners = mesh.triangles[owner]
    points, smooth = (np.einsum("kc,kci->ki", weights[used], each[corners]) for each in (mesh.vertices, mesh.normals))
    flat = _face_normals(mesh)[owner]
    total, sum_weights, most = (np.zeros((len(points), n), np.float32) for n in (3, 1, 1))
    for i, picture in enumerate(pictures):
        view = _View(picture, cameras.rows(slice(i, i + 1)), scene)
        for first in range(0, len(points), ROWS):
            rows = slice(first, first + ROWS)
            colour, share, cosine = view.at(points[rows], smooth[rows], flat[rows])
            weight = share * cosine**SHARPLY
            total[rows] += weight * colour
            sum_weights[rows] += weight
            most[rows] = np.maximum(most[rows], share)
        advance(0.3 + 0.6 * (i + 1) / len(pictures))
    share = strength * most
    reached = share[:, 0] > 0.0
    colours = mesh.texture.astype(np.float32) / 255.0
    own = colours[used]
    own[reached] += share[reached] * (total[reached] / sum_weights[reached] - own[reached])
    colours[used] = own
    texture = padded(colours, used, padding)
    untouched = ~used & ~_near(used, reached, padding)
    texture[untouched] = mesh.texture[untouched]
    advance(1.0)
    return Projection(texture=texture, share=float(share.sum() / max(1, len(points))))


class _View:
    """A picture before its camera, and how far each of its pixels is believed."""

    def __init__(self, picture: Floats, camera: Cameras, scene: Caster) -> None:
        self._camera, self._scene, self._size = camera, scene, picture.shape[-1]
        colour, beyond = _extended(picture)
        believed = _ramp(-beyond, -BEYOND[1] * self._size, -BEYOND[0] * self._size)
        edges = _edges(self._depth())
        if edges.any():
            away = ndimage.distance_transform_edt(~edges).astype(np.float32)
            believed *= _ramp(away, EDGE[0] * self._size, EDGE[1] * self._size)
        self._layers = np.concatenate([colour, believed[None]])

    def at(self, points: Floats, smooth: Floats, flat: Floats) -> tuple[Floats, Floats, Floats]:
        """Colours float32[K, 3] at places on the surface, how far they count in [0, 1], and cosines, float32[K, 1].

        points: float32[K, 3].
        smooth, flat: float32[K, 3], normals there: of the surface, by which colours count, and of its triangles.
        """
        eye = self._camera.position[0].cpu().numpy()
        towards = eye - points
        distance = np.linalg.norm(towards, axis=1, keepdims=True)
        towards /= distance
        length = np.maximum(np.linalg.norm(smooth, axis=1), 1e-12)
        cosine = np.einsum("ki,ki->k", towards, smooth) / length
        faces = np.einsum("ki,ki->k", towards, flat) > 0.0
        colour, share = np.zeros((len(points), 3), np.float32), np.zeros(len(points), np.float32)
        there = torch.from_numpy(np.ascontiguousarray(points, np.float32))[None]
        seen = projected(there, _on_host(self._camera), self._size, self._size)[0].numpy()
        inside = ((seen[:, :2] > 0.0) & (seen[:, :2] < self._size)).all(1) & (seen[:, 2] > 0.0)
        rows = np.flatnonzero(inside & faces & (cosine > SQUARELY[0]))
        layers = [
            ndimage.map_coordinates(layer, (seen[rows, 1] - 0.5, seen[rows, 0] - 0.5), order=1, mode="nearest")
            for layer in self._layers
        ]
        share[rows] = layers[3] * _ramp(cosine[rows], *SQUARELY)
        colour[rows] = np.stack(layers[:3], -1)
        rows = rows[share[rows] > 0.0]
        if len(rows):
            begin = points[rows] + CLEARANCE * flat[rows]
            free = hit_distance(self._scene, begin, towards[rows], FAR)
            share[rows[free < distance[rows, 0]]] = 0.0
        return colour, share[:, None], np.maximum(cosine, 0.0).astype(np.float32)[:, None]

    def _depth(self) -> Floats:
        """Distance to the surface at the middle of every pixel, float32[N, N]; FAR where there is none."""
        origins, directions = camera_rays(_on_host(self._camera), self._size, self._size)
        found = hit_distance(self._scene, origins.numpy(), directions.numpy(), FAR)
        return found.reshape(self._size, self._size)


def _extended(picture: Floats) -> tuple[Floats, Floats]:
    """The picture's colours without alpha, float32[3, N, N], and how far each pixel is outside its mask, float32[N, N].

    In the mask's rim and outside of it stands the nearest colour that is the object's alone. Inside, the distance is
    below 0.
    """
    size = picture.shape[-1]
    solid = picture[3] >= SOLID
    if not solid.any():
        return np.zeros((3, size, size), np.float32), np.full((size, size), np.inf, np.float32)
    depth = ndimage.distance_transform_edt(np.pad(solid, 1))[1:-1, 1:-1]
    inner = depth > max(1.0, RIM * size)
    if not inner.any():
        inner = solid
    nearest = ndimage.distance_transform_edt(~inner, return_distances=False, return_indices=True)
    plain = picture[:3] / np.maximum(picture[3], 1e-4)
    beyond = np.where(solid, -depth, ndimage.distance_transform_edt(~solid))
    return np.clip(plain[:, nearest[0], nearest[1]], 0.0, 1.0), beyond.astype(np.float32)


def _edges(depth: Floats) -> Bools:
    """The pixels at which one part of the surface ends before another, bool[N, N]. The object's outline is none.

    depth: float32[N, N], FAR where there is no surface.
    """
    edges = np.zeros(depth.shape, bool)
    hit = depth < FAR
    for axis in (0, 1):
        first, middle, last = (np.moveaxis(depth, axis, 0)[i : len(depth) - 2 + i] for i in range(3))
        all_hit = np.logical_and.reduce([np.moveaxis(hit, axis, 0)[i : len(depth) - 2 + i] for i in range(3)])
        bent = all_hit & (np.abs(first - 2.0 * middle + last) > JUMP)
        np.moveaxis(edges, axis, 0)[1:-1] |= bent
    return edges


def _face_normals(mesh: TexturedMesh) -> Floats:
    """Unit normals float32[T, 3]; 0 for a triangle without area."""
    corners = mesh.vertices[mesh.triangles].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)).astype(np.float32)


def _near(used: Bools, reached: Bools, padding: int) -> Bools:
    """The texels beside islands whose nearest texel has a new colour, bool[H, W]."""
    changed = np.zeros_like(used)
    changed[used] = reached
    distance, nearest = ndimage.distance_transform_edt(~used, return_indices=True)
    return np.asarray((distance <= padding) & changed[tuple(nearest)])


def _ramp(x: Floats, low: float, high: float) -> Floats:
    """0 up to low, 1 from high on, smooth between: 3 t^2 - 2 t^3."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def _on_host(camera: Cameras) -> Cameras:
    return camera.seen_from(torch.device("cpu"))
