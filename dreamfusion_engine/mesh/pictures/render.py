"""Render a textured mesh by casting rays (Warp, CPU and CUDA): albedo, lit colour, textureless, normals."""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
from dataclasses import dataclass, replace

import numpy as np
import torch
import warp as wp
from torch import Tensor

from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.casting import Caster, caster, open_sky_share
from dreamfusion_engine.mesh.tangents import corner_tangents
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.scene.cameras import Cameras

SKY_REACH = (
    0.8  # how far away something still darkens a corner, in units of the mesh's largest distance from its middle
)
_FLAT = torch.tensor([[[128, 128, 255]]], dtype=torch.uint8)
BUSY = 0.1  # of the whole range: a difference between neighbours that shows as a stair


@dataclass(frozen=True, kw_only=True)
class Views:
    """Pictures of B views, float32, premultiplied by coverage (nothing behind the mesh).

    coverage: [B, H, W] in [0, 1].
    albedo: [B, H, W, 3], sRGB texture colours.
    lit: [B, H, W, 3], sRGB, in studio light.
    clay: [B, H, W], sRGB grey, the same light on white.
    normal: [B, H, W, 3], world normals as colours 0.5 + 0.5 n.
    """

    coverage: Floats
    albedo: Floats
    lit: Floats
    clay: Floats
    normal: Floats


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A textured mesh on a device, ready to be rendered from any side, made by `scene_of`."""

    caster: Caster
    normals: Tensor  # float32[V, 3]
    sky: Tensor  # float32[V], share of open sky
    uv: Tensor  # float32[3 T, 2]
    texture: Tensor  # uint8[H, W, 3]
    tangents: Tensor  # float32[3 T, 4]
    normal_map: Tensor  # uint8[h, w, 3]; one flat texel where the mesh has none


@wp.func
def to_linear(c: float) -> float:
    """sRGB decoding, IEC 61966-2-1."""
    return wp.where(c <= 0.04045, c / 12.92, wp.pow((c + 0.055) / 1.055, 2.4))


@wp.func
def to_srgb(c: float) -> float:
    """sRGB encoding, IEC 61966-2-1."""
    x = wp.clamp(c, 0.0, 1.0)
    return wp.where(x <= 0.0031308, 12.92 * x, 1.055 * wp.pow(x, 1.0 / 2.4) - 0.055)


@wp.func
def texel(texture: wp.array(dtype=wp.uint8), rows: int, columns: int, x: int, y: int) -> wp.vec3:
    """Return the colour of a texel, clamped to the border.

    texture: uint8[rows * columns * 3], row by row.
    rows, columns: int.
    x, y: int, its column and row.
    """
    k = 3 * (wp.clamp(y, 0, rows - 1) * columns + wp.clamp(x, 0, columns - 1))
    return wp.vec3(float(texture[k]), float(texture[k + 1]), float(texture[k + 2])) * (1.0 / 255.0)


@wp.func
def bilinear(texture: wp.array(dtype=wp.uint8), rows: int, columns: int, u: float, v: float) -> wp.vec3:
    """Bilinear texture colour at (u, v), v down."""
    x = u * float(columns) - 0.5
    y = v * float(rows) - 0.5
    j = int(wp.floor(x))
    i = int(wp.floor(y))
    s = x - float(j)
    t = y - float(i)
    top = texel(texture, rows, columns, j, i) * (1.0 - s) + texel(texture, rows, columns, j + 1, i) * s
    bottom = texel(texture, rows, columns, j, i + 1) * (1.0 - s) + texel(texture, rows, columns, j + 1, i + 1) * s
    return top * (1.0 - t) + bottom * t


@wp.kernel(enable_backward=False)
def see(
    begin: int,
    pixels: wp.array(dtype=int),
    mesh: wp.uint64,
    triangles: wp.array(dtype=int),
    normals: wp.array(dtype=wp.vec3),
    sky: wp.array(dtype=float),
    uv: wp.array(dtype=wp.vec2),
    texture: wp.array(dtype=wp.uint8),
    rows: int,
    columns: int,
    tangents: wp.array(dtype=wp.vec4),
    bumps: wp.array(dtype=wp.uint8),
    bump_rows: int,
    bump_columns: int,
    position: wp.array(dtype=wp.vec3),
    rotation: wp.array(dtype=wp.vec3),
    focal: wp.array(dtype=float),
    light: wp.array(dtype=wp.vec3),
    height: int,
    width: int,
    grid: int,
    coverage: wp.array(dtype=float),
    albedo: wp.array(dtype=wp.vec3),
    lit: wp.array(dtype=wp.vec3),
    clay: wp.array(dtype=float),
    normal: wp.array(dtype=wp.vec3),
) -> None:
    item = pixels[begin + wp.tid()]
    b = item // (height * width)
    i = (item // width) % height
    j = item % width
    o = position[b]
    axes = wp.matrix_from_rows(rotation[3 * b], rotation[3 * b + 1], rotation[3 * b + 2])
    hits = float(0.0)
    sum_albedo = wp.vec3()
    sum_lit = wp.vec3()
    sum_clay = float(0.0)
    sum_normal = wp.vec3()
    share = 1.0 / float(grid * grid)
    for s in range(grid * grid):
        # A regular grid of samples in the pixel.
        dy = (float(s // grid) + 0.5) / float(grid)
        dx = (float(s % grid) + 0.5) / float(grid)
        y = 0.5 - (float(i) + dy) / float(height)
        x = ((float(j) + dx) / float(width) - 0.5) * (float(width) / float(height))
        d = wp.normalize(axes * wp.vec3(x / focal[b], y / focal[b], -1.0))
        hit = wp.mesh_query_ray(mesh, o, d, 1.0e6)
        if hit.result:
            w = 1.0 - hit.u - hit.v
            c0 = 3 * hit.face
            v0 = triangles[c0]
            v1 = triangles[c0 + 1]
            v2 = triangles[c0 + 2]
            n = normals[v0] * hit.u + normals[v1] * hit.v + normals[v2] * w
            at = uv[c0] * hit.u + uv[c0 + 1] * hit.v + uv[c0 + 2] * w
            if bump_rows > 1:  # mesh/normal_map.py has the equation
                c = bilinear(bumps, bump_rows, bump_columns, at[0], at[1]) * 2.0 - wp.vec3(1.0, 1.0, 1.0)
                t4 = tangents[c0] * hit.u + tangents[c0 + 1] * hit.v + tangents[c0 + 2] * w
                t = wp.vec3(t4[0], t4[1], t4[2])
                n = t * c[0] + wp.cross(n, t) * (c[1] * wp.sign(t4[3])) + n * c[2]
            n = wp.normalize(n)
            colour = bilinear(texture, rows, columns, at[0], at[1])
            open = sky[v0] * hit.u + sky[v1] * hit.v + sky[v2] * w
            # Studio light, linear: a key light, a weaker one from the camera, and a sky that is brighter above.
            key = wp.max(wp.dot(n, light[b]), 0.0)
            front = wp.max(-wp.dot(n, d), 0.0)
            above = 0.5 + 0.5 * n[2]
            shade = open * (0.12 + 0.2 * above) + (0.35 + 0.65 * open) * (0.7 * key + 0.1 * front)
            hits += 1.0
            sum_albedo += colour
            sum_lit += wp.vec3(
                to_srgb(to_linear(colour[0]) * shade),
                to_srgb(to_linear(colour[1]) * shade),
                to_srgb(to_linear(colour[2]) * shade),
            )
            sum_clay += to_srgb(0.75 * shade)
            sum_normal += n * 0.5 + wp.vec3(0.5, 0.5, 0.5)
    coverage[item] = hits * share
    albedo[item] = sum_albedo * share
    lit[item] = sum_lit * share
    clay[item] = sum_clay * share
    normal[item] = sum_normal * share


def scene_of(mesh: TexturedMesh, device: torch.device) -> Scene:
    """Bring the mesh to a device, with its hierarchy of boxes and the share of open sky above every vertex."""
    rays = caster(mesh.vertices, mesh.triangles, device)
    middle = 0.5 * (mesh.vertices.min(0) + mesh.vertices.max(0))
    reach = SKY_REACH * float(np.linalg.norm(mesh.vertices - middle, axis=1).max())
    sky = open_sky_share(rays, mesh.normals, reach)
    return Scene(
        caster=rays,
        normals=torch.from_numpy(np.ascontiguousarray(mesh.normals, dtype=np.float32)).to(device),
        sky=torch.from_numpy(sky).to(device),
        uv=torch.from_numpy(np.ascontiguousarray(mesh.uv.reshape(-1, 2), dtype=np.float32)).to(device),
        texture=torch.from_numpy(np.array(mesh.texture)).to(device),
        tangents=_tangents(mesh, device),
        normal_map=_normal_map(mesh, device),
    )


def _tangents(mesh: TexturedMesh, device: torch.device) -> Tensor:
    """float32[3 T, 4], or one row where no normal map needs them."""
    if mesh.normal_map is None:
        return torch.zeros(1, 4, device=device)
    return torch.from_numpy(corner_tangents(mesh.vertices, mesh.triangles, mesh.normals, mesh.uv).reshape(-1, 4)).to(
        device
    )


def _normal_map(mesh: TexturedMesh, device: torch.device) -> Tensor:
    return (_FLAT if mesh.normal_map is None else torch.from_numpy(np.ascontiguousarray(mesh.normal_map))).to(device)


def retextured(scene: Scene, mesh: TexturedMesh) -> Scene:
    """Return the scene with the texture and the UVs of a mesh of the same shape.

    scene: Scene.
    mesh: TexturedMesh.
    """
    device = scene.caster.device
    return replace(
        scene,
        uv=torch.from_numpy(np.ascontiguousarray(mesh.uv.reshape(-1, 2), dtype=np.float32)).to(device),
        texture=torch.from_numpy(np.array(mesh.texture)).to(device),
        tangents=_tangents(mesh, device),
        normal_map=_normal_map(mesh, device),
    )


def key_light(cameras: Cameras) -> Tensor:
    """Return unit vectors float32[B, 3] towards a key light above the camera's left shoulder."""
    local = torch.tensor([-0.55, 0.65, 0.55], device=cameras.position.device)
    return torch.nn.functional.normalize(cameras.rotation @ local, dim=-1)


def render_mesh(scene: Scene, cameras: Cameras, height: int, width: int, *, grid: int = 2) -> Views:
    """Render what B cameras see.

    scene: Scene of the mesh.
    cameras: Cameras, B of them.
    height, width: int, pixels.
    grid: int; pixels where the picture changes get grid x grid samples, averaged as sRGB values, all others one.
    """
    device, count = scene.caster.device, len(cameras)
    rotation, position, focal = (
        x.to(device).float().contiguous() for x in (cameras.rotation, cameras.position, cameras.focal)
    )
    coverage, clay = (torch.empty(count, height, width, device=device) for _ in range(2))
    albedo, lit, normal = (torch.empty(count, height, width, 3, device=device) for _ in range(3))

    def look(pixels: Tensor, samples: int) -> None:
        arguments = [
            pixels,
            scene.caster.mesh.id,
            scene.caster.triangles,
            warp_runtime.vectors(scene.normals, 3),
            scene.sky,
            warp_runtime.vectors(scene.uv, 2),
            scene.texture,
            *scene.texture.shape[:2],
            warp_runtime.vectors(scene.tangents, 4),
            scene.normal_map,
            *scene.normal_map.shape[:2],
            warp_runtime.vectors(position, 3),
            warp_runtime.vectors(rotation, 3),
            focal,
            warp_runtime.vectors(key_light(cameras).to(device).contiguous(), 3),
            height,
            width,
            samples,
            coverage,
            warp_runtime.vectors(albedo, 3),
            warp_runtime.vectors(lit, 3),
            clay,
            warp_runtime.vectors(normal, 3),
        ]
        warp_runtime.launch(see, len(pixels), arguments, device=device)

    look(torch.arange(count * height * width, dtype=torch.int32, device=device), 1)
    if grid > 1:
        changes = busy_pixels(torch.cat([coverage[..., None], albedo, normal], -1))
        look(torch.nonzero(changes.reshape(-1))[:, 0].int().contiguous(), grid)
    return Views(
        coverage=coverage.cpu().numpy(),
        albedo=albedo.cpu().numpy(),
        lit=lit.cpu().numpy(),
        clay=clay.cpu().numpy(),
        normal=normal.cpu().numpy(),
    )


def busy_pixels(picture: Tensor) -> Tensor:
    """Return bool[B, H, W], the pixels that differ from one of their four neighbours by more than BUSY in any channel.

    picture: float32[B, H, W, C].
    """
    busy = torch.zeros(picture.shape[:3], dtype=torch.bool, device=picture.device)
    across = ((picture[:, :, 1:] - picture[:, :, :-1]).abs() > BUSY).any(-1)
    down = ((picture[:, 1:] - picture[:, :-1]).abs() > BUSY).any(-1)
    busy[:, :, 1:] |= across
    busy[:, :, :-1] |= across
    busy[:, 1:] |= down
    busy[:, :-1] |= down
    return busy


def over(colour: Floats, coverage: Floats, background: Floats) -> Floats:
    """Lay a premultiplied picture over a background; float32[..., 3].

    colour: float32[..., 3], sRGB, premultiplied.
    coverage: float32[...] in [0, 1].
    background: broadcastable to colour, sRGB.
    """
    return np.asarray(colour + (1.0 - coverage[..., None]) * background, np.float32)


def psnr(a: Floats, b: Floats) -> float:
    """-10 log10 mean (a - b)^2, dB: the peak signal-to-noise ratio of pictures in [0, 1] over all their values.

    a, b: float[...], of the same shape.
    """
    return float(-10.0 * np.log10(max(float(np.mean((a.astype(np.float64) - b) ** 2)), 1e-12)))
