from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dreamfusion_engine.render.shading import (
    density_gradient,
    lambertian,
    orientation_penalty,
    outward_normals,
    over_background,
)


def unit(*xyz: float) -> Tensor:
    return torch.nn.functional.normalize(torch.tensor([xyz]), dim=-1)


def random_points(count: int) -> Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0


def test_the_gradient_of_a_linear_density_is_exact_at_any_step() -> None:
    slope = torch.tensor([2.0, -1.0, 0.5])
    for step in (0.5, 0.01):
        found = density_gradient(lambda p: p @ slope + 3.0, random_points(20), step)
        torch.testing.assert_close(found, slope.expand(20, 3), rtol=1e-3, atol=1e-3)


def test_the_error_of_the_gradient_falls_with_the_square_of_the_step() -> None:
    points = random_points(100).double()
    waves = torch.tensor([3.0, 2.0, 1.0]).double()
    exact = torch.cos(points @ waves)[:, None] * waves
    coarse, fine = (
        (density_gradient(lambda p: torch.sin(p @ waves), points, h) - exact).norm(dim=-1).mean() for h in (0.1, 0.05)
    )
    assert 3.8 < float(coarse / fine) < 4.2


def test_normals_of_a_ball_point_outwards() -> None:
    points = random_points(200)
    normals = outward_normals(density_gradient(lambda p: 10.0 - 20.0 * p.norm(dim=-1), points, 1e-3))
    expected = torch.nn.functional.normalize(points, dim=-1)
    far = points.norm(dim=-1) > 0.2
    assert ((normals * expected).sum(-1)[far] > 0.999).all()


def test_flat_density_has_no_normal_and_finite_gradients() -> None:
    flat = torch.zeros(4, 3, requires_grad=True)
    normals = outward_normals(flat)
    assert (normals == 0.0).all()
    normals.sum().backward()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


@pytest.mark.parametrize(
    ("light", "expected"),
    [((0.0, 0.0, 5.0), 1.0), ((3.0, 0.0, 0.0), 0.1), ((0.0, 0.0, -2.0), 0.1), ((2.0, 0.0, 2.0), 0.1 + 0.9 * 0.5**0.5)],
)
def test_lambertian_light_follows_the_cosine_above_the_ambient(light: tuple[float, ...], expected: float) -> None:
    shade = lambertian(unit(0.0, 0.0, 1.0), torch.zeros(1, 3), torch.tensor(light), ambient=0.1)
    assert float(shade) == pytest.approx(expected, abs=1e-6)


def test_the_light_is_a_point_not_a_direction() -> None:
    normals = unit(0.0, 0.0, 1.0).expand(2, 3)
    points = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    shade = lambertian(normals, points, torch.tensor([1.0, 0.0, 1.0]))
    assert float(shade[1]) == pytest.approx(1.0)
    assert float(shade[0]) < 0.8


def test_only_surfaces_that_face_away_are_penalised() -> None:
    view = unit(0.0, 1.0, 0.0)
    facing, averted, aslant = unit(0.0, -1.0, 0.0), unit(0.0, 1.0, 0.0), unit(1.0, 1.0, 0.0)
    one = torch.ones(1)
    assert float(orientation_penalty(facing, view, one)) == 0.0
    assert float(orientation_penalty(averted, view, one)) == pytest.approx(1.0)
    assert float(orientation_penalty(aslant, view, one)) == pytest.approx(0.5)
    assert float(orientation_penalty(averted, view, 0.25 * one)) == pytest.approx(0.25)


def test_the_penalty_turns_normals_and_leaves_the_weight_alone() -> None:
    weight = torch.ones(1, requires_grad=True)
    normals = unit(0.2, 1.0, 0.0).requires_grad_()
    orientation_penalty(normals, unit(0.0, 1.0, 0.0), weight).sum().backward()
    assert weight.grad is None
    assert normals.grad is not None
    assert float(normals.grad[0, 1]) > 0.0


def test_background_shows_in_proportion_to_what_passes() -> None:
    colour, opacity = torch.tensor([[0.3, 0.0, 0.0], [0.0, 0.0, 0.0]]), torch.tensor([0.75, 0.0])
    picture = over_background(colour, opacity, torch.tensor([1.0, 0.5, 0.0]))
    torch.testing.assert_close(picture, torch.tensor([[0.55, 0.125, 0.0], [1.0, 0.5, 0.0]]))
