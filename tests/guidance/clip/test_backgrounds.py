"""Facts about the patterns behind a CLIP's crops."""

from __future__ import annotations

import math

import pytest
import torch

from dreamfusion_engine.guidance.clip.backgrounds import (
    SQUARES,
    blurred,
    checkerboards,
    clouds,
    patterned_backgrounds,
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_checkerboard_has_two_colours_in_eight_by_eight_squares() -> None:
    colours = torch.rand(3, 2, 3, generator=rng())
    boards = checkerboards(colours, 24)
    cells = boards.reshape(3, 3, SQUARES, 3, SQUARES, 3)
    assert float(cells.std(dim=(3, 5)).max()) == 0.0, "a square has one colour"
    values = cells[:, :, :, 0, :, 0]
    for row in range(SQUARES):
        for column in range(SQUARES):
            torch.testing.assert_close(values[:, :, row, column], colours[:, (row + column) % 2])


def test_no_blur_changes_nothing_and_any_blur_keeps_the_mean() -> None:
    pictures = torch.rand(2, 3, 20, 20, generator=rng())
    torch.testing.assert_close(blurred(pictures, torch.zeros(2)), pictures)
    soft = blurred(pictures, torch.tensor([1.0, 6.0]))
    torch.testing.assert_close(soft.mean(dim=(2, 3)), pictures.mean(dim=(2, 3)))
    assert float(soft[1].std()) < float(soft[0].std()) < float(pictures.std())


def test_a_blurred_point_is_a_gaussian_of_that_width() -> None:
    point, sigma = torch.zeros(1, 1, 65, 65), 3.0
    point[0, 0, 32, 32] = 1.0
    along = torch.arange(65) - 32.0
    bell = torch.exp(-0.5 * (along / sigma).square()) / (sigma * math.sqrt(2.0 * math.pi))
    torch.testing.assert_close(
        blurred(point, torch.tensor([sigma]))[0, 0], bell[:, None] * bell[None, :], atol=1e-6, rtol=1e-3
    )


def test_the_power_of_clouds_falls_with_the_third_power_of_the_frequency() -> None:
    """An amplitude of f^-1.5, seen before the sigmoid."""
    made = clouds(torch.randn(400, 3, 64, 33, 2, generator=rng(1)), 64)
    power = torch.fft.rfft2(torch.logit(made)).abs().square().mean(dim=(0, 1))
    slope = math.log(float(power[0, 16] / power[0, 4])) / math.log(16 / 4)
    assert slope == pytest.approx(-3.0, abs=0.15)


@pytest.mark.parametrize("size", [1, 7, 22, 154])
def test_backgrounds_are_colours_of_any_size_and_no_two_are_alike(size: int) -> None:
    made = patterned_backgrounds(6, size, 0.06, rng(2))
    assert made.shape == (6, 3, size, size)
    assert torch.isfinite(made).all() and float(made.min()) >= 0.0 and float(made.max()) <= 1.0
    assert all(float((made[i] - made[j]).abs().max()) > 1e-3 for i in range(6) for j in range(i))


def test_the_same_seed_gives_the_same_and_all_three_kinds_come() -> None:
    made = patterned_backgrounds(300, 16, 0.0, rng(3))
    assert torch.equal(made, patterned_backgrounds(300, 16, 0.0, rng(3)))
    colours = torch.tensor([len(each.flatten(1).T.unique(dim=0)) for each in made])
    board = colours <= 2
    cloud = ~board & (made.diff(dim=3).abs().mean(dim=(1, 2, 3)) < 0.28)  # of noise it is a third
    assert 70 < int(board.sum()) < 130 and 70 < int(cloud.sum()) < 130, "a third each"


def test_a_third_is_of_one_colour_where_that_is_asked_for() -> None:
    """Blurred noise and boards keep some contrast; of clouds no picture is plain to the last bits."""
    plain, cloudy = (patterned_backgrounds(60, 16, 0.05, rng(2), plain=each) for each in (True, False))
    flat = plain.std(dim=(2, 3)).amax(1) < 1e-5
    assert 10 <= int(flat.sum()) <= 30
    assert float(plain[flat].mean((2, 3)).std(0).min()) > 0.1, "every one has a colour of its own"
    assert torch.equal(plain[~flat], cloudy[~flat]) and not (cloudy.std(dim=(2, 3)).amax(1) < 1e-5).any()
