"""Renders of a sphere: gradients against differences, grey views, and shading as other programs have it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from clip_mesh.trainings import settings, training
from torch import Tensor

from dreamfusion_engine.clip_mesh.finish import finished
from dreamfusion_engine.clip_mesh.render import GREY, Looks
from dreamfusion_engine.mesh.pictures.render import render_mesh, scene_of
from dreamfusion_engine.render.renderer import Rendering
from dreamfusion_engine.scene.cameras import Cameras, orbit_cameras, turntable_cameras

SIZE = 40


def cameras(count: int = 2) -> Cameras:
    one = torch.ones(count)
    return orbit_cameras(torch.arange(count) * 2.0 + 0.3, 0.4 * one, 3.2 * one, 0.7 * one)


def seen(looks: Looks, grey: Tensor | None = None) -> Rendering:
    run = training()
    behind = torch.tensor([0.2, 0.7, 0.4])
    return run.renderer.render(looks, cameras(), SIZE, background=behind, light=cameras().position, grey=grey)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["vertices", "colours", "normals"])
def test_gradients_agree_with_finite_differences(which: str) -> None:
    """Downhill of a smooth sum over the pictures, silhouettes included; steps are small beside a pixel."""
    looks = training(bent=0.04).looks()
    parts = {name: value.detach().clone() for name, value in vars(looks).items()}
    weights = torch.randn(2, 3, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(4))
    smooth = torch.nn.functional.interpolate(weights, (SIZE, SIZE), mode="bicubic").permute(0, 2, 3, 1)

    def value(part: Tensor) -> Tensor:
        return (smooth * seen(Looks(**{**parts, which: part})).colour).sum()

    leaf = parts[which].clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(value(leaf), leaf)
    direction = gradient / gradient.norm()
    h = 2e-2 if which == "vertices" else 5e-2
    with torch.no_grad():
        ends = [float(value(parts[which] + sign * h * direction)) for sign in (1.0, -1.0)]
    assert (ends[0] - ends[1]) / (2.0 * h) == pytest.approx(float(gradient.norm()), rel=0.08)


def test_grey_views_show_the_shape_and_no_colour_and_get_no_gradient_for_it() -> None:
    looks = training(bent=0.04).looks()
    mixed = seen(looks, grey=torch.tensor([False, True]))
    plain = seen(looks)
    assert torch.equal(mixed.colour[0], plain.colour[0])
    inside = mixed.opacity[1] == 1.0
    grey = mixed.colour.detach()[1][inside]
    assert float((grey.amax(-1) - grey.amin(-1)).max()) < 1e-6 and float(grey.max()) <= GREY + 1e-6
    assert float(grey.std()) > 0.01, "light falls on it"
    whole = seen(looks, grey=torch.tensor([True, True]))
    gradients = torch.autograd.grad(
        whole.colour.sum(), [looks.vertices, looks.colours, looks.normals], allow_unused=True
    )
    assert float(gradients[1].abs().max()) == 0.0
    assert float(gradients[0].abs().max()) > 0.0 and float(gradients[2].abs().max()) > 0.0


def test_a_flat_normal_map_leaves_the_smooth_normals_of_the_surface() -> None:
    run = training()
    picture = seen(run.looks())
    inside = picture.opacity == 1.0
    origin = cameras().position
    assert picture.normal is not None
    normal = picture.normal[inside]
    assert float(normal.norm(dim=-1).min()) == pytest.approx(1.0, abs=1e-4)
    # On a ball the normal is the place itself: where the ray of the middle meets it, it looks at the camera.
    middle = picture.normal[:, SIZE // 2, SIZE // 2]
    towards = torch.nn.functional.normalize(origin, dim=-1)
    assert float((middle * towards).sum(-1).min()) > 0.99


@pytest.mark.slow
def test_the_finished_mesh_is_shaded_as_the_training_saw_it() -> None:
    """Another renderer reads texture, normal map and tangents of the result: colours and normals are the same."""
    config = settings()
    run = training(config, bent=0.04)
    mesh, facts = finished(run, config.mesh)
    assert facts.triangles == len(run.plan.triangles), "the same triangles, so that pixels can be compared"
    there = turntable_cameras(3, elevation=0.3, config=config.camera, device=torch.device("cpu"))
    mine = run.view(there, 96)
    other = render_mesh(scene_of(mesh, torch.device("cpu")), there, 96, 96)
    inside = (mine.opacity.numpy() == 1.0) & (other.coverage == 1.0)
    assert inside.mean() > 0.1
    away = np.abs(mine.colour.detach().numpy() - other.albedo)[inside]
    assert np.median(away) < 0.01 and away.mean() < 0.02
    assert mine.normal is not None
    normals = 2.0 * other.normal - 1.0
    cosine = (normals * mine.normal.numpy()).sum(-1)[inside]
    assert np.quantile(cosine, 0.05) > 0.99
    flat = render_mesh(scene_of(dataclasses.replace(mesh, normal_map=None), torch.device("cpu")), there, 96, 96)
    bare = ((2.0 * flat.normal - 1.0) * mine.normal.numpy()).sum(-1)[inside]
    assert np.quantile(bare, 0.05) < 0.97, "without its map it would not be"
