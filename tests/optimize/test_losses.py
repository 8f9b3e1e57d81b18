"""Regularisers: known values, where they push, and gradients that stay finite."""

from __future__ import annotations

import math

import pytest
import torch

from dreamfusion_engine.optimize.losses import (
    binary_entropy_loss,
    opacity_loss,
    orientation_loss,
    smoothness_loss,
    transmittance_loss,
)


def test_opacity_costs_a_tenth_when_empty_and_about_one_when_solid() -> None:
    assert float(opacity_loss(torch.zeros(5))) == pytest.approx(0.1)
    assert float(opacity_loss(torch.ones(5))) == pytest.approx(math.sqrt(1.01))
    assert float(opacity_loss(torch.tensor([0.0, 1.0]))) == pytest.approx(0.5 * (0.1 + math.sqrt(1.01)))


def test_entropy_is_one_bit_at_one_half_zero_at_certainty_and_symmetric() -> None:
    assert float(binary_entropy_loss(torch.full((3,), 0.5))) == pytest.approx(math.log(2.0))
    assert float(binary_entropy_loss(torch.tensor([0.0, 1.0]))) < 2e-3
    o = torch.linspace(0.01, 0.99, 20)
    torch.testing.assert_close(binary_entropy_loss(o), binary_entropy_loss(1.0 - o))


def test_entropy_pushes_every_ray_away_from_one_half() -> None:
    o = torch.tensor([0.2, 0.49, 0.51, 0.8], requires_grad=True)
    binary_entropy_loss(o).backward()
    assert o.grad is not None
    assert torch.sign(o.grad).tolist() == [1.0, 1.0, -1.0, -1.0]  # descent: down below one half, up above it


def test_emptiness_is_worth_its_share_up_to_the_target_and_no_more() -> None:
    """Analytic: views that are 70 %, 30 % and 5 % covered, with a target of 0.6."""
    opacity = torch.tensor([[0.7, 0.7], [0.6, 0.0], [0.1, 0.0]], requires_grad=True)
    loss = transmittance_loss(opacity, torch.tensor(0.6))
    assert float(loss.detach()) == pytest.approx(-(0.3 + 0.6 + 0.6) / 3.0)
    (gradient,) = torch.autograd.grad(loss, opacity)
    expected = [[1.0 / 6.0, 1.0 / 6.0], [0.0, 0.0], [0.0, 0.0]]  # only the first view is not empty enough
    torch.testing.assert_close(gradient, torch.tensor(expected))


def test_the_reward_for_emptiness_is_the_same_for_parts_of_a_step() -> None:
    opacity = torch.rand(4, 9, generator=torch.Generator().manual_seed(0))
    whole = transmittance_loss(opacity, torch.tensor(0.5))
    parts = [transmittance_loss(part, torch.tensor(0.5)) for part in opacity.split(1)]
    torch.testing.assert_close(whole, torch.stack(parts).mean())


def test_gradients_are_finite_at_empty_and_solid_rays() -> None:
    for loss in (opacity_loss, binary_entropy_loss):
        o = torch.tensor([0.0, 1e-8, 0.5, 1.0 - 1e-7, 1.0], requires_grad=True)
        loss(o).backward()
        assert o.grad is not None
        assert torch.isfinite(o.grad).all()


def test_formulas_agree_with_automatic_differentiation_in_double_precision() -> None:
    o = torch.linspace(0.05, 0.95, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(opacity_loss, o)
    assert torch.autograd.gradcheck(binary_entropy_loss, o)


def test_orientation_is_a_mean_over_all_rays_hit_or_not() -> None:
    assert float(orientation_loss(torch.tensor([0.0, 0.0, 0.4, 0.0]))) == pytest.approx(0.1)


def sphere_normals(size: int) -> torch.Tensor:
    """Normals of a unit sphere seen from far away over [-1.2, 1.2]^2: float32[1, size, size, 3], zero beside it."""
    y, x = torch.meshgrid(torch.linspace(-1.2, 1.2, size), torch.linspace(-1.2, 1.2, size), indexing="ij")
    rest = 1.0 - x.square() - y.square()
    normal = torch.stack([x, y, rest.clamp_min(0.0).sqrt()], dim=-1)
    return torch.where(rest[..., None] > 0.0, normal, 0.0)[None]


def test_smoothness_costs_least_for_a_plane_and_ripples_cost_more_than_the_sphere_they_are_on() -> None:
    plane = torch.tensor([0.0, 0.6, 0.8]).expand(1, 24, 24, 3)
    assert float(smoothness_loss(plane)) == pytest.approx(0.1)
    sphere = sphere_normals(48)
    noise = 0.2 * torch.randn(sphere.shape, generator=torch.Generator().manual_seed(0))
    on_object = sphere.square().sum(-1, keepdim=True) > 0.5
    rippled = torch.nn.functional.normalize(sphere + noise, dim=-1) * on_object
    assert 0.1 < float(smoothness_loss(sphere)) < 0.2 < float(smoothness_loss(rippled))


def test_smoothness_asks_nothing_across_the_outline_and_nothing_of_no_object() -> None:
    normal = torch.zeros(2, 6, 6, 3, requires_grad=True)
    smoothness_loss(normal).backward()
    assert normal.grad is not None and torch.equal(normal.grad, torch.zeros_like(normal))
    half = torch.zeros(1, 4, 6, 3)
    half[:, :, :3, 2] = 1.0  # a plane beside nothing
    assert float(smoothness_loss(half)) == pytest.approx(0.1)


def bent(degrees: torch.Tensor) -> torch.Tensor:
    """Normals of a strip of N pixels that turn about one axis: float32[1, 2, N, 3]; degrees: float32[N]."""
    angle = torch.deg2rad(degrees)
    return torch.stack([angle.sin(), torch.zeros_like(angle), angle.cos()], dim=-1).expand(1, 2, -1, 3)


def test_one_edge_costs_less_than_ripples_and_little_more_than_the_same_bend_rounded_off() -> None:
    """An edge of 90 degrees; ripples of 20 degrees to and fro; 90 degrees over nine pixels. Squares would ask for the
    last: it costs a seventh of the edge by them."""
    place = torch.arange(19)
    edge, ripples, rounded = (
        float(smoothness_loss(bent(degrees)))
        for degrees in (90.0 * (place >= 10), 20.0 * (place % 2), 10.0 * (place - 5).clamp(0, 9))
    )
    flat = float(smoothness_loss(bent(torch.zeros(19))))
    assert edge < ripples
    assert flat < rounded < edge and edge - flat < 1.6 * (rounded - flat)
