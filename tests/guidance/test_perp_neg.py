"""Perp-Neg: what is taken away is perpendicular to what is wanted, and how much depends on the camera."""

from __future__ import annotations

import math

import pytest
import torch

from dreamfusion_engine.guidance.classifier_free import classifier_free_guidance
from dreamfusion_engine.guidance.perp_neg import perp_neg_noise, perpendicular, view_negatives


def normal(seed: int) -> torch.Tensor:
    return torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(seed))


def inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(dim=(1, 2, 3))


def test_a_vector_is_its_perpendicular_part_and_its_shadow() -> None:
    v, along = normal(1), normal(2)
    part = perpendicular(v, along)
    torch.testing.assert_close(inner(part, along), torch.zeros(3), atol=1e-4, rtol=0.0)
    shadow = (inner(v, along) / inner(along, along)).view(-1, 1, 1, 1) * along
    torch.testing.assert_close(part + shadow, v)
    torch.testing.assert_close(perpendicular(3.0 * along, along), torch.zeros_like(along), atol=1e-5, rtol=0.0)
    assert torch.equal(perpendicular(v, torch.zeros_like(v)), v)


def test_the_prompts_own_direction_is_kept_whatever_is_taken_away() -> None:
    """The guided prediction moves along e_c - e_u exactly as far as without negatives: the object stays."""
    e_u, e_c = normal(1), normal(2)
    negatives, weights = torch.stack([normal(3), normal(4)]), -torch.tensor([[0.5, 1.0, 2.0], [0.0, 0.3, 1.5]])
    with_negatives = perp_neg_noise(e_u, e_c, negatives, weights)
    direction = e_c - e_u
    torch.testing.assert_close(
        inner(with_negatives - e_u, direction), inner(direction, direction), rtol=1e-4, atol=1e-3
    )
    for negative, weight in zip(negatives[:1], weights[:1], strict=True):  # alone, it is pushed away where it differs
        alone = perp_neg_noise(e_u, e_c, negative[None], weight[None])
        assert bool((inner(alone - e_c, perpendicular(negative - e_u, direction)) < 0.0).all())


def test_guided_it_is_the_papers_sum() -> None:
    e_u, e_c, e_n = normal(1), normal(2), normal(3)
    weight, scale = torch.tensor([[-0.7, -0.7, -0.7]]), 7.0
    d, d_n = e_c - e_u, e_n - e_u
    expected = e_u + scale * (d - 0.7 * perpendicular(d_n, d))
    actual = classifier_free_guidance(e_u, perp_neg_noise(e_u, e_c, e_n[None], weight), scale)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def test_negatives_that_say_the_same_as_the_prompt_or_weigh_nothing_change_nothing() -> None:
    e_u, e_c = normal(1), normal(2)
    same = perp_neg_noise(e_u, e_c, e_c[None], torch.full((1, 3), -2.0))
    torch.testing.assert_close(same, e_c, atol=1e-5, rtol=1e-5)
    assert torch.equal(perp_neg_noise(e_u, e_c, normal(3)[None], torch.zeros(1, 3)), e_c)


def test_each_view_is_spared_where_it_is_the_prompt_and_the_front_is_pushed_off_the_back() -> None:
    angles = torch.deg2rad(torch.tensor([0.0, 90.0, 180.0, -90.0]))
    front, side = view_negatives(angles, torch.zeros(4))
    assert float(front[0]) == pytest.approx(0.0, abs=1e-3)  # seen from the front
    assert float(side[1]) == pytest.approx(0.0, abs=1e-3)  # seen from the side
    assert float(front[2]) == pytest.approx(-(1.0 + 0.967), abs=1e-3)
    assert float(side[2]) == pytest.approx(-(1.0 - 0.606), abs=1e-3)
    assert float(front[3]) == pytest.approx(float(front[1]), abs=1e-3)  # left as right


def test_weights_are_never_positive_and_fade_out_overhead() -> None:
    azimuth = torch.linspace(-math.pi, math.pi, 101)
    level = view_negatives(azimuth, torch.zeros(101))
    assert float(level.max()) <= 0.0
    assert torch.equal(view_negatives(azimuth, torch.full((101,), 1.4)), torch.zeros(2, 101))
    torch.testing.assert_close(view_negatives(azimuth, torch.full((101,), math.radians(60.0))), 0.5 * level)
