"""Seeds of a contest: a count or a range, and every other text is refused with what to type instead."""

from __future__ import annotations

from typing import Any

import pytest

from dreamfusion_engine.config.seed_range import HIGHEST, SeedRange, told_range, typed_range
from dreamfusion_engine.errors import InputError


@pytest.mark.parametrize(("text", "seeds"), [("3", (0, 1, 2)), ("3-5", (3, 4, 5)), (" 7 - 8 ", (7, 8))])
def test_a_count_begins_at_0_and_a_range_holds_both_ends(text: str, seeds: tuple[int, ...]) -> None:
    assert typed_range(text).seeds == seeds


def test_a_range_is_typed_as_it_is_read() -> None:
    assert typed_range(SeedRange(first=3, count=8).words) == SeedRange(first=3, count=8)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("5-3", "ends at 3"),
        ("0", "no seed"),
        ("4-4", "one seed"),
        ("", "neither"),
        ("-3", "neither"),
        ("1,2", "neither"),
        ("0-100", "101 seeds"),
        ("9" * 12, "more than 64"),
        (f"{HIGHEST}-{HIGHEST + 1}", "seeds go from 0"),
        ("9" * 5000, "neither"),
    ],
)
def test_what_is_no_contest_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError) as refused:
        typed_range(text)
    error = refused.value
    assert error.code == "input.seeds" and error.exit_code == 2 and why in error.why and "--seeds" in error.fix
    assert len(error.why) < 200


@pytest.mark.parametrize(
    "values", [{}, {"first": 0}, {"first": "0", "count": 2}, {"first": True, "count": 2}, {"first": 0, "count": 1e9}]
)
def test_a_message_that_is_no_contest_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        told_range(values)
    assert told_range({"first": 1, "count": 2}).seeds == (1, 2)
