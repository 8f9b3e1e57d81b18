"""Small textured meshes and trainings, for the tests of what refines them."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import torch
from mesh.shapes import icosphere
from numpy.typing import NDArray
from paint.surfaces import unwrapped_ball
from reference.tiny_training import CPU, tiny_config

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.mesh.surface.topology import vertex_normals
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.refinement.surface import RefinedSurface, surface_of
from dreamfusion_engine.refinement.training import RefineTraining


@functools.cache
def ball(texture: int = 64) -> TexturedMesh:
    """A ball of 320 triangles with a texture of noise, off the middle and at a size of its own."""
    vertices, triangles, uv = unwrapped_ball(2, texture)
    return TexturedMesh(
        vertices=(3.0 * vertices + [5.0, 1.0, -2.0]).astype(np.float32),
        triangles=triangles,
        normals=vertex_normals(vertices, triangles).astype(np.float32),
        uv=uv,
        texture=np.random.default_rng(0).integers(0, 256, (texture, texture, 3)).astype(np.uint8),
    )


@functools.cache
def surface() -> RefinedSurface:
    return surface_of(ball())


def settings(steps: int = 12, refine: dict[str, Any] | None = None, **more: Any) -> GenerateConfig:
    """A tiny run's settings, lit from the first step on."""
    config = tiny_config(steps, albedo_until=0.0, **more)
    return dataclasses.replace(config, refine=dataclasses.replace(config.refine, samples=1, **(refine or {})))


def training(config: GenerateConfig, freedom: NDArray[Any] | None = None, seed: int = 0) -> RefineTraining:
    return RefineTraining(surface(), config, seed=seed, device=CPU, freedom=freedom)


def sphere(subdivisions: int = 2) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    vertices, triangles = icosphere(subdivisions)
    return vertices.astype(np.float32), triangles


def same_state(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
