"""Colours that begin as the texture, and change by the odds of a field."""

from __future__ import annotations

import math

import torch
from reference.tiny_training import CPU, tiny_config

from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.refinement.colours import EDGE, SurfaceColours, change_nothing, changed, flatness_loss


def test_an_albedo_of_half_changes_nothing_and_others_go_their_way() -> None:
    colour = torch.rand(100, 3, generator=torch.Generator().manual_seed(0))
    assert float((changed(colour, torch.full_like(colour, 0.5)) - colour).abs().max()) < 1e-6
    assert (changed(colour, torch.full_like(colour, 0.6)) > colour).all()
    assert (changed(colour, torch.full_like(colour, 0.4)) < colour).all()


def test_the_odds_are_multiplied() -> None:
    made = changed(torch.full((1, 3), 0.2), torch.full((1, 3), 0.75))  # 1:4 times 3:1 is 3:4
    assert torch.allclose(made, torch.full((1, 3), 3.0 / 7.0))


def test_pure_colours_can_change_too_and_nothing_leaves_the_range() -> None:
    for pure in (0.0, 1.0):
        colour = torch.full((1, 3), pure)
        albedo = torch.full((1, 3), 0.5, requires_grad=True)
        (slope,) = torch.autograd.grad(changed(0.5 * colour + 0.25, albedo).sum(), albedo)
        assert (slope > 0.0).all()
        for share in (1e-6, 0.3, 0.99999):
            made = changed(colour, torch.full((1, 3), share))
            assert (made >= 0.0).all() and (made <= 1.0).all()
    assert (changed(torch.zeros(1, 3), torch.full((1, 3), 0.9)) > 0.05).all()


def test_a_fresh_field_shows_the_texture_as_it_is_and_can_learn() -> None:
    config = tiny_config().field
    field = RadianceField(config, seed=0, device=CPU)
    change_nothing(field)
    texture = torch.rand(8, 8, 3, generator=torch.Generator().manual_seed(0))
    middles = (torch.stack(torch.meshgrid(torch.arange(8), torch.arange(8), indexing="xy"), -1) + 0.5) / 8.0
    points = torch.rand(64, 3) - 0.5
    made = SurfaceColours(texture, field)(points, middles.reshape(-1, 2))
    assert float((made.detach().view(8, 8, 3) - texture).abs().max()) < 1e-5
    made.sum().backward()
    assert field.out.weight.grad is not None and float(field.out.weight.grad.abs().sum()) > 0.0


def test_small_steps_are_flattened_and_an_edge_is_pulled_less_the_larger_it_is() -> None:
    def pull(step: float) -> float:
        picture = torch.zeros(1, 4, 4, 3)
        picture[:, :, 2:] = step
        picture.requires_grad_(True)
        loss = flatness_loss(picture, torch.ones(1, 4, 4, dtype=torch.bool))
        (gradient,) = torch.autograd.grad(loss, picture)
        return float(gradient[0, 0, 2, 0])

    small, middle, large = pull(0.005), pull(0.02), pull(0.8)
    assert 0.0 < small < middle and 0.0 < large < 0.2 * middle
    assert pull(0.0) == 0.0


def test_a_step_to_what_is_beside_the_surface_costs_nothing() -> None:
    picture = torch.zeros(1, 4, 4, 3)
    picture[:, :, 2:] = 1.0
    beside = torch.zeros(1, 4, 4, dtype=torch.bool)
    beside[:, :, :2] = True
    assert float(flatness_loss(picture, beside)) == 0.0
    assert float(flatness_loss(picture, torch.zeros(1, 4, 4, dtype=torch.bool))) == 0.0
    one = torch.zeros(1, 1, 2, 3)
    one[0, 0, 1] = EDGE
    whole = torch.ones(1, 1, 2, dtype=torch.bool)
    assert abs(float(flatness_loss(one, whole)) - math.log(4.0)) < 1e-5
