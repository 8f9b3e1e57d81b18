"""Objects are cut out of pictures without alpha, with masks that are known."""

from __future__ import annotations

import numpy as np
import pytest
from pictures.painting import Floats, cross, disc, painted

from dreamfusion_engine.pictures.cut_out import cut_out

SIDES = 150, 180  # height, width


def backdrop(name: str) -> Floats:
    height, width = SIDES
    y, x = np.indices(SIDES) / np.array(SIDES)[:, None, None]
    if name == "white":
        return np.ones((height, width, 3), np.float32)
    if name == "gradient":
        return ((0.95 - 0.4 * y + 0.05 * x)[..., None] * np.array([1.0, 0.97, 0.92])).astype(np.float32)
    if name == "grass":
        grain = np.random.default_rng(1).normal(0.0, 0.07, SIDES)
        return np.stack([0.25 + grain, 0.5 + grain, 0.2 + 0.5 * grain], -1).astype(np.float32)
    stripes = 0.07 * np.sin(60.0 * x + 5.0 * np.sin(7.0 * y))
    return np.stack([0.6 + stripes, 0.42 + stripes, 0.28 + stripes], -1).astype(np.float32)


def overlap(found: Floats, wanted: Floats) -> float:
    a, b = found > 0.5, wanted > 0.5
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("behind", ["white", "gradient", "grass", "wood"])
@pytest.mark.parametrize("colour", [(0.75, 0.12, 0.1), (0.2, 0.25, 0.8)], ids=["red", "blue"])
def test_an_object_is_cut_out_with_its_holes(behind: str, colour: tuple[float, float, float]) -> None:
    mask = cross(*SIDES)
    found = cut_out(painted(mask, colour, backdrop(behind)))
    assert found is not None and found.shape == SIDES
    assert overlap(found, mask) > 0.94
    assert found[round(0.525 * SIDES[0]), SIDES[1] // 2] < 0.5  # the hole


@pytest.mark.parametrize("behind", ["gradient", "grass", "wood"])
def test_an_object_that_stands_on_the_lower_edge_is_whole(behind: str) -> None:
    mask = disc(*SIDES, at=(0.75, 0.5), radius=0.4)
    found = cut_out(painted(mask, (0.8, 0.1, 0.1), backdrop(behind)))
    assert found is not None and overlap(found, mask) > 0.97


@pytest.mark.slow
def test_a_white_object_before_grey_and_a_black_one_before_white_are_found() -> None:
    mask = disc(*SIDES)
    for colour, behind in (((1.0, 1.0, 1.0), 0.6), ((0.05, 0.05, 0.05), 1.0)):
        found = cut_out(painted(mask, colour, behind))
        assert found is not None and overlap(found, mask) > 0.97


@pytest.mark.slow
def test_specks_are_left_out() -> None:
    mask = disc(*SIDES)
    dirty = mask.copy()
    dirty[12:15, 12:15] = 1.0
    found = cut_out(painted(dirty, (0.7, 0.1, 0.1), backdrop("white")))
    assert found is not None and found[13, 13] < 0.5 and overlap(found, mask) > 0.97


@pytest.mark.parametrize("empty", ["flat", "noise", "gradient", "wood"])
def test_where_nothing_stands_out_nothing_is_found(empty: str) -> None:
    if empty == "flat":
        picture = np.full((*SIDES, 3), 0.5, np.float32)
    elif empty == "noise":
        picture = np.random.default_rng(2).random((*SIDES, 3)).astype(np.float32)
    else:
        picture = backdrop(empty)
    assert cut_out(picture) is None


def test_the_same_picture_gives_the_same_mask() -> None:
    picture = painted(cross(*SIDES), (0.2, 0.5, 0.3), backdrop("wood"))
    first, second = cut_out(picture), cut_out(picture)
    assert first is not None and second is not None and (first == second).all()
