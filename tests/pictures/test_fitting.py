"""Cut-outs take the size and the place of what a render shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pictures.painting import Floats, disc

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.pictures.fitting import FACTORS, FARTHEST, Fitting, common_factor, middle_and_spread
from dreamfusion_engine.pictures.placing import TARGET_PIXELS, Placement, picture_cameras, placements
from dreamfusion_engine.pictures.viewpoint import Viewpoint

SIDE = 96


def with_mask(mask: Floats) -> Floats:
    return np.concatenate([np.full((*mask.shape, 3), 0.5, np.float32), mask[..., None]], -1)


def fitting_of(*masks: Floats) -> Fitting:
    pixels = tuple(with_mask(mask) for mask in masks)
    cameras = picture_cameras([Viewpoint(90.0 * i) for i in range(len(masks))], CameraConfig())
    return Fitting(pixels, tuple(placements(pixels, cameras)))


def test_middle_and_spread_are_those_of_a_box() -> None:
    """A uniform distribution of width w has the standard deviation w / sqrt(12), however few pixels it has."""
    mask = np.zeros((30, 40), np.float32)
    mask[4:10, 7:8] = 1.0
    assert np.allclose(middle_and_spread(mask), [7.5, 7.0, 1.0 / math.sqrt(12.0), 6.0 / math.sqrt(12.0)])
    assert np.allclose(middle_and_spread(0.5 * mask), middle_and_spread(mask))
    assert np.allclose(middle_and_spread(np.zeros((3, 3), np.float32)), 0.0)


def test_a_known_size_and_place_are_found_in_every_view() -> None:
    """Ellipses that lie anywhere in their pictures, seen at 0.7 times the guess: one factor, a place for each."""
    fitting = fitting_of(disc(120, 200, at=(0.4, 0.3), radius=0.25), disc(300, 300, at=(0.5, 0.6), radius=0.4))
    radii = [0.7 * where.scale * r for where, r in zip(fitting.guessed, (30.0, 120.0), strict=True)]
    seen = np.stack(
        [
            disc(SIDE, SIDE, at=(0.5 + 0.05, 0.5 - 0.1), radius=radii[0]),
            disc(SIDE, SIDE, at=(0.5 - 0.02, 0.5), radius=radii[1]),
        ]
    )
    rows = fitting.fitted(seen)
    assert fitting.factor(rows) == pytest.approx(0.7, rel=0.01)
    assert np.allclose(rows[:, 0] / fitting.guess[:, 0], fitting.factor(rows))
    assert np.allclose(rows[:, 1:], [[-0.1, 0.05], [0.0, -0.02]], atol=2e-3)
    views = fitting.views(rows)
    assert views.shape == (2, 4, TARGET_PIXELS, TARGET_PIXELS) and views.dtype == np.float32
    for view, shown in zip(views, seen, strict=True):
        assert np.allclose(middle_and_spread(view[3]) / TARGET_PIXELS, middle_and_spread(shown) / SIDE, atol=2e-3)


def test_a_lopsided_object_lies_over_itself() -> None:
    """The middle of its box is not that of its mask."""
    mask = np.zeros((100, 100), np.float32)
    mask[20:80, 40:60] = mask[60:80, 20:60] = 1.0
    fitting = fitting_of(mask)
    at = Placement(scale=0.8 * fitting.guessed[0].scale, across=0.08, down=-0.04)
    seen = Fitting(fitting.pixels, (at,)).views(np.array([[at.scale, at.across, at.down]]))[:, 3]
    assert np.allclose(fitting.fitted(seen), [[at.scale, at.across, at.down]], atol=3e-3)


def test_haze_around_the_object_does_not_count() -> None:
    fitting = fitting_of(disc(100, 100, radius=0.3))
    solid = disc(SIDE, SIDE, radius=0.2)[None]
    wanted = 0.2 / 30.0 / fitting.guess[0, 0]  # 30 pixels are the radius of the cut-out
    assert fitting.factor(fitting.fitted(np.maximum(solid, 0.4))) == pytest.approx(wanted, rel=0.02)


def test_where_nothing_is_to_be_seen_the_guess_stays() -> None:
    fitting = fitting_of(disc(100, 100, radius=0.3), disc(100, 100, radius=0.3))
    nothing, something = np.zeros((SIDE, SIDE), np.float32), disc(SIDE, SIDE, at=(0.5, 0.6), radius=0.2)
    assert np.allclose(fitting.fitted(np.stack([nothing, nothing])), fitting.guess)
    rows = fitting.fitted(np.stack([nothing, something]))
    assert np.allclose(rows[0, 1:], fitting.guess[0, 1:]) and rows[1, 1] == pytest.approx(0.1, abs=2e-3)
    assert rows[0, 0] / fitting.guess[0, 0] == pytest.approx(rows[1, 0] / fitting.guess[1, 0])


def test_what_is_fitted_is_bounded() -> None:
    one = [np.array([0.1, 0.2])]
    assert common_factor([], []) == 1.0
    assert common_factor(one, [np.array([9.0, 9.0])]) == FACTORS[1]
    assert common_factor(one, [np.array([1e-3, 1e-3])]) == FACTORS[0]
    assert common_factor(one, [np.zeros(2)]) == FACTORS[0] and common_factor([np.zeros(2)], one) == FACTORS[0]
    corner = disc(SIDE, SIDE, at=(0.05, 0.97), radius=0.1)[None]
    assert np.abs(fitting_of(disc(100, 100, radius=0.3)).fitted(corner)[0, 1:]).max() == FARTHEST
