"""Views of a camera: weights share out one, meet the named views at their middles, and mix rows linearly."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from dreamfusion_engine.guidance.view_weights import (
    interpolated_camera_weights,
    interpolated_heading_weights,
    interpolated_view_weights,
    mixed,
    nearest_camera_weights,
    nearest_heading_weights,
    nearest_view_weights,
    overhead_share,
    side_on_turn,
)
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.models.views import HEADINGS, VIEWS, azimuth_of, heading_of


def degrees(*values: float) -> torch.Tensor:
    return torch.deg2rad(torch.tensor(values))


def test_every_kind_of_weights_shares_out_one() -> None:
    azimuth = torch.rand(500, generator=torch.Generator().manual_seed(0)) * 20.0 - 10.0
    elevation = torch.rand(500, generator=torch.Generator().manual_seed(1)) * math.pi - math.pi / 2
    named = (nearest_view_weights, interpolated_view_weights)
    headings = (nearest_heading_weights, interpolated_heading_weights)
    rungs: dict[str, Any] = {"azimuths": 12, "elevations": [0.0, 0.4, 1.0]}
    exact: tuple[Callable[..., torch.Tensor], ...] = (
        partial(nearest_camera_weights, **rungs),
        partial(interpolated_camera_weights, **rungs),
    )
    for weigh in (*named, *headings, *exact):
        weights = weigh(azimuth, elevation)
        assert float(weights.min()) >= 0.0
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(500))


def test_at_the_middle_of_a_named_view_both_kinds_agree() -> None:
    azimuth, elevation = degrees(0, 90, -90, 180, -180, 360, 10), degrees(0, 10, -10, 0, 20, 0, 90)
    nearest = nearest_view_weights(azimuth, elevation)
    assert [VIEWS[i] for i in nearest.argmax(dim=1)] == [
        "front",
        "side",
        "side",
        "back",
        "back",
        "front",
        "overhead",
    ]
    torch.testing.assert_close(interpolated_view_weights(azimuth, elevation), nearest, atol=1e-6, rtol=0.0)


def test_interpolation_is_linear_between_neighbours_and_even_half_way() -> None:
    level = degrees(0, 0, 0, 60)
    weights = interpolated_view_weights(degrees(45, 22.5, -135, 0), level)
    expected = [[0.5, 0.5, 0, 0], [0.75, 0.25, 0, 0], [0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5]]
    torch.testing.assert_close(weights, torch.tensor(expected), atol=1e-6, rtol=0.0)


def test_interpolated_weights_never_jump_and_do_not_tell_left_from_right() -> None:
    azimuth = torch.linspace(-2 * math.pi, 2 * math.pi, 2001)
    for elevation in (0.0, 0.9, 1.2):
        level = torch.full_like(azimuth, elevation)
        weights = interpolated_view_weights(azimuth, level)
        assert float(weights.diff(dim=0).abs().max()) < 0.005
        torch.testing.assert_close(weights, weights.flip(0), atol=1e-5, rtol=0.0)


def test_headings_tell_left_from_right_and_mix_their_neighbours() -> None:
    azimuth, elevation = degrees(*range(-720, 720, 7)), torch.zeros(206)
    nearest = nearest_heading_weights(azimuth, elevation).argmax(dim=1).tolist()
    assert [HEADINGS[i] for i in nearest] == [heading_of(a) for a in azimuth.tolist()]
    assert [heading_of(azimuth_of(heading)) for heading in HEADINGS] == list(HEADINGS)
    middle = degrees(*range(0, 360, 45))
    level = torch.zeros(8)
    torch.testing.assert_close(
        interpolated_heading_weights(middle, level), nearest_heading_weights(middle, level), atol=1e-5, rtol=0.0
    )
    mix = interpolated_heading_weights(degrees(-22.5), degrees(60))[0]
    expected = dict.fromkeys(("front", "front left"), 0.25)
    for half in mix.chunk(2):
        found = {HEADINGS[i]: round(float(w), 4) for i, w in enumerate(half) if w > 1e-4}
        assert found == expected


def test_exact_cameras_are_the_nearest_in_azimuth_and_elevation() -> None:
    azimuth, elevation = degrees(0, 7, 8, -8, 352, 187), degrees(-10, 4, 6, 95, 20, 34)
    chosen = nearest_camera_weights(azimuth, elevation, 24, [math.radians(e) for e in (0, 10, 20, 80)]).argmax(1)
    rows = [divmod(int(row), 24) for row in chosen]
    assert rows == [(0, 0), (0, 0), (1, 1), (3, 23), (2, 23), (2, 12)]


def test_between_exact_cameras_the_four_around_are_mixed_and_at_one_it_is_alone() -> None:
    rungs = [math.radians(e) for e in (0, 10, 30)]
    weights = interpolated_camera_weights(degrees(-9, 90, 30), degrees(15, 40, -20), 12, rungs)
    found = [{divmod(i, 12): round(float(w), 4) for i, w in enumerate(row) if w > 1e-5} for row in weights]
    assert found[0] == {(1, 11): 0.225, (1, 0): 0.525, (2, 11): 0.075, (2, 0): 0.175}
    assert found[1:] == [{(2, 3): 1.0}, {(0, 1): 1.0}]


def test_turn_and_overhead_share_at_known_angles() -> None:
    turn = side_on_turn(degrees(0, 90, 180, 270, -45, 720))
    torch.testing.assert_close(turn, torch.tensor([0, 1, 2, 1, 0.5, 0]), atol=1e-5, rtol=0.0)
    above = overhead_share(degrees(-90, 0, 45, 60, 75, 90))
    torch.testing.assert_close(above, torch.tensor([0, 0, 0, 0.5, 1, 1]), atol=1e-5, rtol=0.0)


def test_mixing_is_linear_and_a_single_view_keeps_its_bits() -> None:
    tokens, pooled = torch.randn(4, 3, 5), torch.randn(4, 6)
    mask = torch.tensor([[True, False, False], [True, True, False], [True, True, True], [True, False, True]])
    rows = Conditioning(tokens=tokens, mask=mask, pooled=pooled)
    chosen = mixed(rows, torch.eye(4)[[2, 0]])
    assert torch.equal(chosen.tokens, tokens[[2, 0]])
    assert chosen.pooled is not None and torch.equal(chosen.pooled, pooled[[2, 0]])
    assert chosen.mask is not None and torch.equal(chosen.mask, mask[[2, 0]])
    half = mixed(rows, torch.tensor([[0.5, 0.5, 0.0, 0.0]]))
    torch.testing.assert_close(half.tokens[0], 0.5 * (tokens[0] + tokens[1]))
    assert half.mask is not None and half.mask.tolist() == [[True, True, False]]
