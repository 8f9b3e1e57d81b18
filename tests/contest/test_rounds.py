"""Successive halving: what is kept, when, and how many steps it all takes."""

from __future__ import annotations

import pytest

from dreamfusion_engine.contest.rounds import all_steps, rounds_of


@pytest.mark.parametrize(("count", "kept"), [(2, [1]), (3, [2, 1]), (8, [4, 2, 1]), (16, [8, 4, 2, 1])])
def test_every_round_keeps_the_better_half_until_one_is_left(count: int, kept: list[int]) -> None:
    assert [each.keep for each in rounds_of(count, 1000)] == kept


@pytest.mark.parametrize("steps", [1, 7, 1200])
@pytest.mark.parametrize("count", [2, 8, 64])
def test_rounds_come_in_order_and_within_the_run(count: int, steps: int) -> None:
    at = [each.step for each in rounds_of(count, steps)]
    assert at == sorted(at) and at[0] >= 1 and at[-1] <= steps


def test_eight_seeds_cost_less_than_three_runs() -> None:
    rounds = rounds_of(8, 1000)
    assert [each.step for each in rounds] == [200, 300, 400]
    assert all_steps(8, 1000, rounds) == 8 * 200 + 4 * 100 + 2 * 100 + 600 == 2800
