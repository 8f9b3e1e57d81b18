"""Texture look-ups: against torch's own, against the pictures of finished meshes, and by closed forms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from render.surface.surfaces import CPU, cameras, seen, square
from torch import Tensor
from twins import torch_surface

from dreamfusion_engine.mesh.pictures.render import render_mesh, scene_of
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.render.surface.hits import interpolated
from dreamfusion_engine.render.surface.texture import sample_texture


def picture_and_places(count: int = 300, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A texture of 7 x 11 texels, and places in it and somewhat beyond."""
    generator = torch.Generator().manual_seed(seed)
    texture = torch.rand(7, 11, 3, generator=generator)
    return texture.requires_grad_(), (1.4 * torch.rand(count, 2, generator=generator) - 0.2).requires_grad_()


def test_kernels_agree_with_torchs_own_look_up_in_values_and_gradients() -> None:
    texture, uv = picture_and_places()
    upstream = torch.randn(300, 3, generator=torch.Generator().manual_seed(1))
    ours, theirs = sample_texture(texture, uv), torch_surface.sample_texture(texture, uv)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad(found, (texture, uv), upstream) for found in (ours, theirs)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_the_twins_gradients_are_finite_differences_in_double_precision() -> None:
    texture, uv = (x.detach().double().requires_grad_() for x in picture_and_places(25))
    assert torch.autograd.gradcheck(torch_surface.sample_texture, (texture, uv), fast_mode=True)


def test_the_first_texel_is_at_the_top_left_and_its_middle_half_a_texel_in() -> None:
    texture = torch.arange(12.0).view(3, 4, 1)
    rows, columns = torch.meshgrid(torch.arange(3), torch.arange(4), indexing="ij")
    middles = torch.stack([(columns + 0.5) / 4, (rows + 0.5) / 3], -1).view(-1, 2)
    torch.testing.assert_close(sample_texture(texture, middles)[:, 0], torch.arange(12.0))
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-5.0, 1e9]])
    assert sample_texture(texture, corners)[:, 0].tolist() == [0.0, 3.0, 8.0, 11.0, 8.0]
    assert sample_texture(texture, torch.tensor([[0.25, 0.5]])).item() == pytest.approx(4.5)


def test_a_slope_has_its_slope_as_gradient() -> None:
    """The texture 2 u + 3 v, between the middles of the outermost texels."""
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    texture = (2.0 * (columns + 0.5) / 8 + 3.0 * (rows + 0.5) / 8)[..., None]
    uv = (0.1 + 0.8 * torch.rand(50, 2, generator=torch.Generator().manual_seed(0))).requires_grad_()
    (gradient,) = torch.autograd.grad(sample_texture(texture, uv).sum(), uv)
    torch.testing.assert_close(gradient, torch.tensor([[2.0, 3.0]]).expand(50, 2), rtol=1e-4, atol=1e-4)


def test_each_look_up_spreads_a_gradient_of_one_over_the_texels() -> None:
    texture, uv = picture_and_places()
    (gradient,) = torch.autograd.grad(sample_texture(texture, uv).sum(), texture)
    torch.testing.assert_close(gradient.sum((0, 1)), torch.full((3,), 300.0))


def test_a_textured_mesh_looks_as_in_the_pictures_of_finished_meshes() -> None:
    vertices, triangles = square(size=1.5)
    generator = np.random.default_rng(0)
    uv = generator.uniform(0.1, 0.9, (2, 3, 2)).astype(np.float32)
    texture = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    normals = np.tile(np.array([[0.0, -1.0, 0.0]], np.float32), (4, 1))
    mesh = TexturedMesh(vertices=vertices.numpy(), triangles=triangles.numpy(), normals=normals, uv=uv, texture=texture)
    views = cameras(0.3, 0.2)
    expected = render_mesh(scene_of(mesh, CPU), views, 24, 24, grid=1)
    hits = seen(vertices, triangles, views, 24)
    places = interpolated(torch.from_numpy(uv), triangles, hits)
    colour = sample_texture(torch.from_numpy(texture).float() / 255.0, places)
    colour = torch.where((hits.triangle >= 0)[:, None], colour, 0.0).view(24, 24, 3)
    covered = expected.coverage[0] > 0.0
    assert 100 < covered.sum() < 500
    np.testing.assert_allclose(colour.numpy()[covered], expected.albedo[0][covered], atol=1e-3)


def test_no_places_are_no_trouble() -> None:
    texture = torch.rand(2, 2, 3, requires_grad=True)
    uv = torch.zeros(0, 2, requires_grad=True)
    found = sample_texture(texture, uv)
    assert found.shape == (0, 3)
    found.sum().backward()
    assert texture.grad is not None and (texture.grad == 0.0).all()


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads: int, set_threads: Callable[[int], None]) -> None:
    texture, uv = picture_and_places(20_000)
    upstream = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(2))
    results = []
    for count in (1, threads):
        set_threads(count)
        found = sample_texture(texture, uv)
        results.append((found, *torch.autograd.grad(found, (texture, uv), upstream)))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu() -> None:
    upstream = torch.randn(300, 3, generator=torch.Generator().manual_seed(1))
    results = []
    for device in ("cpu", "cuda"):
        texture, uv = (x.detach().to(device).requires_grad_() for x in picture_and_places())
        found = sample_texture(texture, uv)
        gradients = torch.autograd.grad(found, (texture, uv), upstream.to(device))
        results.append([x.detach().cpu() for x in (found, *gradients)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-4)
