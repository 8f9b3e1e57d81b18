"""The seeds of a batch as they are typed."""

from __future__ import annotations

import pytest

from dreamfusion_engine.batch.seed_list import typed_seeds
from dreamfusion_engine.errors import InputError


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("5", (5,)), ("0-3", (0, 1, 2, 3)), ("0,2,7", (0, 2, 7)), (" 4 - 5 , 1", (4, 5, 1)), ("1,1-2", (1, 2))],
)
def test_seeds_are_numbers_and_ranges_each_once(text: str, seeds: tuple[int, ...]) -> None:
    assert typed_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("3-0", "before it begins"),
        ("0-2000000", "more than"),
        ("0-999999999999", "seeds go from"),
        ("", "neither"),
        ("-1", "neither"),
        ("1;2", "neither"),
        ("1,", "neither"),
        ("9" * 40, "neither"),
    ],
)
def test_what_is_reversed_huge_or_none_is_refused_with_what_to_type(text: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        typed_seeds(text)
    assert caught.value.code == "input.seeds" and why in caught.value.why and "--seeds 0-3" in caught.value.fix
