"""Pinhole cameras around the object, and their rays.

Right-handed, Z up, the object's front faces -Y. Azimuth 0 looks at the front (camera at -Y) and grows
counter-clockwise seen from above, so azimuth pi/2 is the camera at +X. Axis letters: B views, R = B*H*W rays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.machine.device import sent


@dataclass(frozen=True, kw_only=True)
class Cameras:
    """A batch of B pinhole cameras.

    position: float32[B, 3], world units.
    rotation: float32[B, 3, 3], columns are the camera's right, up and backward axes in the world.
    focal: float32[B], focal length in image heights (0.5 / tan(fov / 2)).
    azimuth, elevation: float32[B], radians, of the position seen from the origin; prompts are chosen by them.
    """

    position: Tensor
    rotation: Tensor
    focal: Tensor
    azimuth: Tensor
    elevation: Tensor

    def __len__(self) -> int:
        return self.position.shape[0]

    def rows(self, which: slice | Tensor) -> Cameras:
        """Return some of the cameras.

        which: a slice, or int64[K], in [0, B), any of them as often as wanted.
        """
        return Cameras(**{name: value[which] for name, value in vars(self).items()})

    def seen_from(self, device: torch.device) -> Cameras:
        """Return the cameras with what makes rays on `device`, without waiting for it.

        Azimuth and elevation stay where they are, because the host chooses prompts by them.
        """
        there = {name: sent(vars(self)[name], device) for name in ("position", "rotation", "focal")}
        return Cameras(**there, azimuth=self.azimuth, elevation=self.elevation)


def spherical_position(azimuth: Tensor, elevation: Tensor, distance: Tensor) -> Tensor:
    """Return camera positions float32[B, 3].

    azimuth, elevation: float32[B], radians.
    distance: float32[B], world units.
    """
    c = torch.cos(elevation)
    return distance[:, None] * torch.stack([c * torch.sin(azimuth), -c * torch.cos(azimuth), torch.sin(elevation)], -1)


def look_at(position: Tensor, target: Tensor, up: Tensor) -> Tensor:
    """Return rotations float32[B, 3, 3] whose columns are right, up, backward, for cameras that look at a target.

    For a camera that looks straight down (view parallel to up), up is +Y, so that the front, -Y, is at the bottom of
    the picture.

    position: float32[B, 3], world units.
    target: float32[B, 3], world units.
    up: float32[B, 3]; need not be unit length or orthogonal to the view.
    """
    backward = torch.nn.functional.normalize(position - target, dim=-1)
    right = torch.linalg.cross(up, backward, dim=-1)
    degenerate = right.norm(dim=-1, keepdim=True) < 1e-4
    fallback = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0], device=up.device).expand_as(up), backward, dim=-1)
    right = torch.nn.functional.normalize(torch.where(degenerate, fallback, right), dim=-1)
    return torch.stack([right, torch.linalg.cross(backward, right, dim=-1), backward], dim=-1)


def orbit_cameras(
    azimuth: Tensor, elevation: Tensor, distance: Tensor, fov: Tensor, target: Tensor | None = None
) -> Cameras:
    """Return cameras on a sphere that look at a target, Z up.

    azimuth, elevation: float32[B], radians.
    distance: float32[B], world units.
    fov: float32[B], radians.
    target: float32[B, 3], world units; None: the origin.
    """
    position = spherical_position(azimuth, elevation, distance)
    target = torch.zeros_like(position) if target is None else target
    up = torch.tensor([0.0, 0.0, 1.0], device=position.device).expand_as(position)
    return Cameras(
        position=position,
        rotation=look_at(position, target, up),
        focal=0.5 / torch.tan(0.5 * fov),
        azimuth=azimuth,
        elevation=elevation,
    )


def mid_orbit_cameras(azimuth: Tensor, elevation: Tensor, config: CameraConfig) -> Cameras:
    """Return cameras at training's middle distance and field of view.

    azimuth, elevation: float32[B], radians.
    config: CameraConfig.
    """
    one = torch.ones_like(azimuth)
    return orbit_cameras(
        azimuth,
        elevation,
        0.5 * (config.distance[0] + config.distance[1]) * one,
        math.radians(0.5 * (config.fov_deg[0] + config.fov_deg[1])) * one,
    )


def turntable_cameras(count: int, *, elevation: float, config: CameraConfig, device: torch.device) -> Cameras:
    """Return `count` cameras at equal azimuth steps from the front, at middle distance and field of view.

    count: int.
    elevation: float, radians.
    config: CameraConfig.
    device: torch.device of the cameras.
    """
    azimuth = torch.arange(count, device=device, dtype=torch.float32) * (2.0 * math.pi / count)
    return mid_orbit_cameras(azimuth, elevation * torch.ones_like(azimuth), config)


def sample_cameras(count: int, config: CameraConfig, generator: torch.Generator) -> Cameras:
    """Return random cameras for training, on the generator's device.

    Azimuths are stratified: one uniform draw in each of `count` equal sectors, from a common random start, so that
    several views in one step see different sides. Half of the elevations are uniform in angle, half in area.

    With `camera.group` G above 1, G views in a row are a group. They share everything but the azimuth, which goes
    around the object in G equal turns; the first azimuths are stratified in one such turn.

    count: int, B, a multiple of G.
    config: CameraConfig.
    generator: source of the random numbers.
    Source: DreamFusion, arXiv 2209.14988, App. A.2.
    """
    device, groups = generator.device, count // config.group

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(groups, generator=generator, device=device)

    turn = 2.0 * math.pi / config.group
    sector = turn / groups
    start = torch.rand(1, generator=generator, device=device) * 2.0 * math.pi
    first = start + torch.arange(groups, device=device) * sector + uniform(0.0, sector)
    azimuth = (first[:, None] + torch.arange(config.group, device=device) * turn).flatten() % (2.0 * math.pi)
    low, high = (math.radians(e) for e in config.elevation_deg)
    by_angle = uniform(low, high)
    by_area = torch.asin(uniform(math.sin(low), math.sin(high)))
    elevation = torch.where(torch.rand(groups, generator=generator, device=device) < 0.5, by_angle, by_area)
    target = config.target_jitter * torch.randn(groups, 3, generator=generator, device=device)
    shared = elevation, uniform(*config.distance), torch.deg2rad(uniform(*config.fov_deg)), target
    return orbit_cameras(azimuth, *(value.repeat_interleave(config.group, 0) for value in shared))


def camera_rays(cameras: Cameras, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return origins and unit directions of rays through pixel centres, each float32[B * height * width, 3].

    Rows of pixels start at the top left.

    cameras: Cameras, B of them.
    height, width: int, pixels.
    """
    device = cameras.position.device
    y = 0.5 - (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
    x = ((torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width - 0.5) * (width / height)
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    local = torch.stack([grid_x, grid_y], -1)[None] / cameras.focal[:, None, None, None]
    local = torch.cat([local, -torch.ones_like(local[..., :1])], -1)
    directions = torch.nn.functional.normalize(torch.einsum("bij,bhwj->bhwi", cameras.rotation, local), dim=-1)
    origins = cameras.position[:, None, None, :].expand_as(directions)
    return origins.reshape(-1, 3).contiguous(), directions.reshape(-1, 3).contiguous()


def pixel_rays(cameras: Cameras, height: int, width: int, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return some of the rays of `camera_rays`, up to rounding: origins and unit directions, each float32[K, 3].

    Less work than all rays where few pixels show something.

    cameras: Cameras, B of them.
    height, width: int, pixels.
    pixels: int64[K], which, in [0, B * height * width).
    """
    column, row = pixels % width, pixels // width
    position, focal, *axes = cameras.position, cameras.focal[:, None], *cameras.rotation.unbind(-1)
    if len(cameras) > 1:
        view = row // height
        row = row % height
        position, focal, *axes = (x.index_select(0, view) for x in (position, focal, *axes))
    across = ((column + 0.5) / height - 0.5 * width / height)[:, None] / focal
    up = (0.5 - (row + 0.5) / height)[:, None] / focal
    directions = torch.nn.functional.normalize(across * axes[0] + up * axes[1] - axes[2], dim=-1)
    return position.expand_as(directions).contiguous(), directions


def projected(points: Tensor, cameras: Cameras, height: int, width: int) -> Tensor:
    """Return where points lie on the pictures, [B, N, 3]: x right and y down in pixels, and the distance ahead.

    The middle of the pixel in row i, column j lies at (j + 0.5, i + 0.5): a point on a ray of `camera_rays` is there.
    The distance is along the view, in world units; x and y mean nothing where it is not positive. Gradients reach the
    points.

    points: float[B, N, 3], world units, N for each camera.
    cameras: Cameras, B of them.
    height, width: int, pixels.
    """
    local = (points - cameras.position[:, None]) @ cameras.rotation
    ahead = -local[..., 2:]
    scale = cameras.focal[:, None, None] * height / torch.where(ahead > 0.0, ahead, 1.0)
    x, y = (scale * local[..., :2]).unbind(-1)
    return torch.stack([x + 0.5 * width, 0.5 * height - y, ahead[..., 0]], -1)
