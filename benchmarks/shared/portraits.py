"""Pictures for the judge of exact corpus objects, and of meshes from files: the same cameras, the same light."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.judge import portraits
from dreamfusion_engine.judge.portraits import AMBIENT, BACKGROUND, PIXELS, VIEWS
from dreamfusion_engine.mesh.export import GlbContent
from dreamfusion_engine.mesh.textured import TexturedMesh
from training.starter.objects.kinds import Appearance, Kind, make_object
from training.starter.renderer import compose, render_objects


def mesh_portraits(content: GlbContent) -> tuple[Tensor, Tensor]:
    """Lit colour and white clay of a mesh, float32[VIEWS, 3, PIXELS, PIXELS] each, shaded as the corpus is."""
    mesh = TexturedMesh(
        vertices=content.positions,
        triangles=content.triangles,
        normals=content.normals,
        uv=content.uv[content.triangles],
        texture=content.texture,
    )
    return portraits.mesh_portraits(mesh)


def truth_portraits(kind: Kind, appearance: Appearance, seed: int) -> tuple[Tensor, Tensor]:
    """Lit colour and white clay of an exact object of the corpus, as `mesh_portraits` gives them.

    kind, appearance: of the object.
    seed: int, chooses the object.
    """
    parts = make_object(np.random.default_rng([11, seed]), kind, appearance)
    seen = portraits.judge_cameras()
    light = portraits.light_above(seen)
    traced = render_objects([parts] * VIEWS, seen, light, torch.full((VIEWS,), AMBIENT), pixels=PIXELS, samples=3)
    grey = torch.full((VIEWS, 3), BACKGROUND)
    return compose(traced, grey, "lambertian"), compose(traced, grey, "textureless")
