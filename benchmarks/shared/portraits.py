"""Pictures for the judge: of meshes and of exact corpus objects, from the same cameras, in the same light."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from benchmarks.shared.shape_distance import to_box
from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.mesh.export import GlbContent
from dreamfusion_engine.mesh.pictures.render import render_mesh, scene_of
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.scene.cameras import Cameras, turntable_cameras
from training.starter.objects.kinds import Appearance, Kind, make_object
from training.starter.renderer import compose, render_objects

CPU = torch.device("cpu")
VIEWS = 8
ELEVATION = math.radians(30.0)  # as in Dream Fields and DreamFusion
PIXELS = 64
AMBIENT = 0.3
BACKGROUND = 0.75


def cameras() -> Cameras:
    """VIEWS cameras around the object."""
    return turntable_cameras(VIEWS, elevation=ELEVATION, config=CameraConfig(), device=CPU)


def light(seen: Cameras) -> Tensor:
    """A point light above each camera: float32[B, 3]."""
    return seen.position + torch.tensor([0.0, 0.0, 1.0])


def over_background(colour: Tensor, coverage: Tensor) -> Tensor:
    """Colours over BACKGROUND, float32[B, 3, H, W] in [0, 1].

    colour: float32[B, 3, H, W], premultiplied.
    coverage: float32[B, 1, H, W], in [0, 1].
    """
    return (colour + BACKGROUND * (1.0 - coverage)).clamp(0.0, 1.0)


def mesh_portraits(content: GlbContent) -> tuple[Tensor, Tensor]:
    """Lit colour and white clay of a mesh, float32[VIEWS, 3, PIXELS, PIXELS] each, shaded as the corpus is."""
    mesh = TexturedMesh(
        vertices=to_box(content.positions),
        triangles=content.triangles,
        normals=content.normals,
        uv=content.uv[content.triangles],
        texture=content.texture,
    )
    seen = cameras()
    views = render_mesh(scene_of(mesh, CPU), seen, PIXELS, PIXELS, grid=3)
    coverage = torch.from_numpy(views.coverage)[:, None]
    albedo = torch.from_numpy(views.albedo).permute(0, 3, 1, 2)
    # Normals come as colours 0.5 + 0.5 n, premultiplied.
    normal = 2.0 * torch.from_numpy(views.normal).permute(0, 3, 1, 2) / coverage.clamp_min(1e-6) - 1.0
    towards = torch.nn.functional.normalize(light(seen), dim=1)[:, :, None, None]
    shade = AMBIENT + (1.0 - AMBIENT) * (normal * towards).sum(1, keepdim=True).clamp_min(0.0)
    clay = (shade * coverage).expand(-1, 3, -1, -1)
    return over_background(albedo * shade, coverage), over_background(clay, coverage)


def truth_portraits(kind: Kind, appearance: Appearance, seed: int) -> tuple[Tensor, Tensor]:
    """Lit colour and white clay of an exact object of the corpus, as `mesh_portraits` gives them.

    kind, appearance: of the object.
    seed: int, chooses the object.
    """
    parts = make_object(np.random.default_rng([11, seed]), kind, appearance)
    seen = cameras()
    traced = render_objects([parts] * VIEWS, seen, light(seen), torch.full((VIEWS,), AMBIENT), pixels=PIXELS, samples=3)
    grey = torch.full((VIEWS, 3), BACKGROUND)
    return compose(traced, grey, "lambertian"), compose(traced, grey, "textureless")
