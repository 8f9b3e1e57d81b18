"""Regularisers: known values, where they push, and gradients that stay finite."""

from __future__ import annotations

import math

import pytest
import torch

from dreamfusion_engine.optimize.losses import binary_entropy_loss, opacity_loss, orientation_loss


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
