"""The views of a step: cameras all around, more of them low than high, with the object off the middle."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import CameraConfig, GenerateConfig, SphereConfig
from dreamfusion_engine.optimize.step_views import StepViews
from dreamfusion_engine.scene.background import random_backgrounds
from dreamfusion_engine.scene.cameras import Cameras, orbit_cameras
from dreamfusion_engine.scene.light import sample_lights


def sample_offset_cameras(
    count: int, camera: CameraConfig, sphere: SphereConfig, generator: torch.Generator
) -> Cameras:
    """Return random cameras, on the generator's device.

    Azimuths, distances and fields of view are uniform, elevations low + (high - low) Beta(1, low_views). The object is
    moved by U(-o, o) along X and up: cameras and what they look at move the other way.

    count: int, B.
    camera: CameraConfig.
    sphere: SphereConfig, whose offset is o.
    generator: source of the random numbers.
    Source: CLIP-Mesh, Khalid 2022, arXiv 2203.13333.
    """
    azimuth, elevated, far, wide, across, up = torch.rand(6, count, generator=generator, device=generator.device)

    def between(ends: tuple[float, float], share: Tensor) -> Tensor:
        return ends[0] + (ends[1] - ends[0]) * share

    # The inverse of Beta(1, b)'s distribution 1 - (1 - x)^b.
    low = 1.0 - (1.0 - elevated).pow(1.0 / sphere.low_views)
    cameras = orbit_cameras(
        2.0 * math.pi * azimuth,
        torch.deg2rad(between(camera.elevation_deg, low)),
        between(camera.distance, far),
        torch.deg2rad(between(camera.fov_deg, wide)),
    )
    ends = (-sphere.offset, sphere.offset)
    moved = torch.stack([between(ends, across), torch.zeros_like(across), between(ends, up)], -1)
    return dataclasses.replace(cameras, position=cameras.position - moved)


def sample_sphere_views(config: GenerateConfig, count: int, generator: torch.Generator) -> StepViews:
    """Draw `count` random views for one step; rays have no jitter.

    config: GenerateConfig of the attempt.
    count: int, views B.
    generator: torch.Generator on the host.
    """
    cameras = sample_offset_cameras(count, config.camera, config.sphere, generator)
    return StepViews(
        cameras=cameras,
        light=sample_lights(cameras.position, generator, config.camera.light_spread),
        background=random_backgrounds(count, generator),
        jitter=torch.zeros(count, 0),
    )
