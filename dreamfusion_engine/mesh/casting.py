"""Cast rays against a triangle mesh (Warp, CPU and CUDA), and find what a ray or point meets first."""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import warp as wp
from torch import Tensor

from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.mesh.arrays import Doubles, Floats, Ints
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices

SKY_RAYS = 64  # directions a vertex looks in: the noise of its share of open sky is about 1 / 16


@dataclass(frozen=True, kw_only=True)
class Caster:
    """A mesh on a device, with its hierarchy of boxes, made by `caster`. mesh works on the memory of the tensors.

    mesh: wp.Mesh.
    vertices: float32[V, 3].
    triangles: int32[T, 3].
    """

    mesh: Any
    vertices: Tensor
    triangles: Tensor

    @property
    def device(self) -> torch.device:
        """The device of the mesh."""
        return self.vertices.device


def caster(vertices: Vertices, triangles: Triangles, device: torch.device, *, winding: bool = False) -> Caster:
    """Prepare a mesh for queries.

    vertices: float[V, 3].
    triangles: int[T, 3].
    device: torch.device to compute on.
    winding: bool, whether winding numbers will be asked for.
    """
    points = torch.from_numpy(np.ascontiguousarray(vertices, dtype=np.float32)).to(device)
    faces = torch.from_numpy(np.ascontiguousarray(triangles, dtype=np.int32)).to(device)
    mesh = wp.Mesh(
        points=wp.from_torch(points, dtype=wp.vec3, requires_grad=False),
        indices=wp.from_torch(faces.reshape(-1)),
        support_winding_number=winding,
    )
    return Caster(mesh=mesh, vertices=points, triangles=faces)


@wp.kernel(enable_backward=False)
def first_hit(
    begin: int,
    mesh: wp.uint64,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    reach: float,
    distance: wp.array(dtype=float),
) -> None:
    i = begin + wp.tid()
    hit = wp.mesh_query_ray(mesh, origins[i], directions[i], reach)
    distance[i] = reach
    if hit.result:
        distance[i] = hit.t


@wp.kernel(enable_backward=False)
def nearest_point(
    begin: int,
    mesh: wp.uint64,
    triangles: wp.array(dtype=int),
    vertices: wp.array(dtype=wp.vec3),
    points: wp.array(dtype=wp.vec3),
    reach: float,
    face: wp.array(dtype=int),
    weights: wp.array(dtype=wp.vec3),
    distance: wp.array(dtype=float),
) -> None:
    i = begin + wp.tid()
    p = points[i]
    q = wp.mesh_query_point_no_sign(mesh, p, reach)
    face[i] = -1
    distance[i] = reach
    if q.result:
        w = 1.0 - q.u - q.v
        a = vertices[triangles[3 * q.face]]
        b = vertices[triangles[3 * q.face + 1]]
        c = vertices[triangles[3 * q.face + 2]]
        face[i] = q.face
        weights[i] = wp.vec3(q.u, q.v, w)
        distance[i] = wp.length(q.u * a + q.v * b + w * c - p)


@wp.kernel(enable_backward=False)
def open_sky(
    begin: int,
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    local: wp.array(dtype=wp.vec3),
    lift: float,
    reach: float,
    share: wp.array(dtype=float),
) -> None:
    i = begin + wp.tid()
    n = normals[i]
    # Two axes across n without a branch on its length (Duff et al. 2017, "Building an orthonormal basis, revisited").
    s = wp.where(n[2] < 0.0, -1.0, 1.0)
    a = -1.0 / (s + n[2])
    b = n[0] * n[1] * a
    x = wp.vec3(1.0 + s * n[0] * n[0] * a, s * b, -s * n[0])
    y = wp.vec3(b, s + n[1] * n[1] * a, -n[1])
    seen = float(0.0)
    count = local.shape[0]
    for k in range(count):
        d = local[k]
        if not wp.mesh_query_ray_anyhit(mesh, points[i] + n * lift, x * d[0] + y * d[1] + n * d[2], reach):
            seen += 1.0
    share[i] = seen / float(count)


def hit_distance(scene: Caster, origins: Vertices, directions: Vertices, reach: float) -> Floats:
    """Return the distance float32[N] to the first triangle along each ray, or `reach` where none is nearer.

    scene: Caster of the mesh.
    origins: float[N, 3].
    directions: float[N, 3]; distances are in units of their lengths.
    reach: float, largest distance.
    """
    rays = [_tensor(x, scene.device) for x in (origins, directions)]
    distance = torch.empty(len(rays[0]), device=scene.device)
    arguments = [scene.mesh.id, *(warp_runtime.vectors(x, 3) for x in rays), reach, distance]
    warp_runtime.launch(first_hit, len(distance), arguments, device=scene.device)
    return np.asarray(distance.cpu().numpy())


def nearest_triangle(scene: Caster, points: Vertices, reach: float) -> tuple[Ints, Floats, Floats]:
    """Return the triangle nearest to each point, barycentric weights of the nearest point on it, and the distance.

    They are int32[N], -1 where none is within reach; float32[N, 3]; float32[N]. Triangles without area are never found.

    scene: Caster of the mesh.
    points: float[N, 3].
    reach: float, largest distance.
    """
    given = _tensor(points, scene.device)
    face = torch.empty(len(given), dtype=torch.int32, device=scene.device)
    weights = torch.zeros(len(given), 3, device=scene.device)
    distance = torch.empty(len(given), device=scene.device)
    arguments = [
        scene.mesh.id,
        scene.triangles,
        warp_runtime.vectors(scene.vertices, 3),
        warp_runtime.vectors(given, 3),
        reach,
        face,
        warp_runtime.vectors(weights, 3),
        distance,
    ]
    warp_runtime.launch(nearest_point, len(given), arguments, device=scene.device)
    return face.cpu().numpy(), weights.cpu().numpy(), distance.cpu().numpy()


def open_sky_share(scene: Caster, normals: Vertices, reach: float) -> Floats:
    """Return the share of open sky above every vertex, float32[V], cosine-weighted: 1 on a ball, less in a corner.

    scene: Caster of the mesh.
    normals: float[V, 3], unit length.
    reach: float, distance within which a surface still shades, world units.
    """
    return _sky(scene, scene.vertices, _tensor(normals, scene.device), 1e-2 * reach, reach, SKY_RAYS)


def sky_share(scene: Caster, points: Vertices, normals: Vertices, reach: float, rays: int) -> Floats:
    """Return the share of open sky over each point, float32[N], cosine-weighted.

    scene: Caster of what shades.
    points: float[N, 3], a little above the surface that they are on.
    normals: float[N, 3], unit length.
    reach: float, distance within which a surface still shades, world units.
    rays: int, directions that each point looks in.
    """
    return _sky(scene, _tensor(points, scene.device), _tensor(normals, scene.device), 0.0, reach, rays)


def _sky(scene: Caster, points: Tensor, normal: Tensor, lift: float, reach: float, rays: int) -> Floats:
    directions = _tensor(cosine_directions(rays), scene.device)
    share = torch.empty(len(normal), device=scene.device)
    vectors = [warp_runtime.vectors(x, 3) for x in (points, normal, directions)]
    arguments = [scene.mesh.id, *vectors, lift, reach, share]
    warp_runtime.launch(open_sky, len(normal), arguments, device=scene.device, grain=64)
    return np.asarray(share.cpu().numpy())


def cosine_directions(count: int) -> Doubles:
    """Return unit vectors float64[count, 3], z > 0, dense as the cosine to +z: a sunflower on the disc."""
    k = np.arange(count) + 0.5
    radius, angle = np.sqrt(k / count), k * (np.pi * (3.0 - np.sqrt(5.0)))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1.0 - radius**2)], -1)


def _tensor(array: Vertices, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(device)
