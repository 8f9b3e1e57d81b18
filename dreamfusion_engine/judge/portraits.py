"""Pictures of a mesh as the judge knows pictures: eight sides from above, lit and shaded as the corpus is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.pictures.render import render_mesh, scene_of
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.scene.cameras import Cameras, turntable_cameras

VIEWS = 8
ELEVATION = math.radians(30.0)  # as in Dream Fields and DreamFusion
PIXELS = 64
AMBIENT = 0.3
BACKGROUND = 0.75
HALF_LENGTH = 0.83  # world units: how the pictures show an object, the middle of what the corpus uses


def judge_cameras(device: torch.device | str = "cpu", config: CameraConfig | None = None) -> Cameras:
    """Return VIEWS cameras around the object.

    device: torch.device of the cameras.
    config: CameraConfig, of a field's own cameras; None: the default one.
    """
    return turntable_cameras(VIEWS, elevation=ELEVATION, config=config or CameraConfig(), device=torch.device(device))


def light_above(seen: Cameras) -> Tensor:
    """Return a point light above each camera: float32[B, 3].

    seen: Cameras, B of them.
    """
    return seen.position + torch.tensor([0.0, 0.0, 1.0])


def over_background(colour: Tensor, coverage: Tensor) -> Tensor:
    """Return colours over BACKGROUND, float32[B, 3, H, W] in [0, 1].

    colour: float32[B, 3, H, W], premultiplied.
    coverage: float32[B, 1, H, W], in [0, 1].
    """
    return (colour + BACKGROUND * (1.0 - coverage)).clamp(0.0, 1.0)


def to_box(vertices: Floats) -> Floats:
    """Return the vertices moved and scaled: their box is centred, and its longest half side is HALF_LENGTH.

    vertices: float32[V, 3].
    """
    low, high = vertices.min(0), vertices.max(0)
    return np.asarray((vertices - 0.5 * (low + high)) * (2.0 * HALF_LENGTH / (high - low).max()), np.float32)


def mesh_portraits(mesh: TexturedMesh, pixels: int = PIXELS) -> tuple[Tensor, Tensor]:
    """Return lit colour and white clay of a mesh, float32[VIEWS, 3, pixels, pixels] each, sRGB in [0, 1].

    mesh: TexturedMesh.
    pixels: int, along a side.
    """
    seen = judge_cameras()
    scene = scene_of(replace(mesh, vertices=to_box(mesh.vertices)), torch.device("cpu"))
    views = render_mesh(scene, seen, pixels, pixels, grid=3)
    coverage = torch.from_numpy(views.coverage)[:, None]
    albedo = torch.from_numpy(views.albedo).permute(0, 3, 1, 2)
    # Normals come as colours 0.5 + 0.5 n, premultiplied.
    normal = 2.0 * torch.from_numpy(views.normal).permute(0, 3, 1, 2) / coverage.clamp_min(1e-6) - 1.0
    towards = torch.nn.functional.normalize(light_above(seen), dim=1)[:, :, None, None]
    shade = AMBIENT + (1.0 - AMBIENT) * (normal * towards).sum(1, keepdim=True).clamp_min(0.0)
    clay = (shade * coverage).expand(-1, 3, -1, -1)
    return over_background(albedo * shade, coverage), over_background(clay, coverage)
