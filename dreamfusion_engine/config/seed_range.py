"""The seeds of a contest: a first one, and how many from there on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dreamfusion_engine.errors import InputError

MOST_SEEDS = 64
HIGHEST = 2**31 - 1  # as the setting `seed`
_FIX = "For example: --seeds 8, which is 0 to 7, or --seeds 3-10."


@dataclass(frozen=True, kw_only=True)
class SeedRange:
    """Seeds that follow each other.

    first: int, the lowest, from 0.
    count: int, how many, from 2 to MOST_SEEDS.
    Raises InputError input.seeds where they are no such range.
    """

    first: int
    count: int

    def __post_init__(self) -> None:
        for value in (self.first, self.count):
            if not isinstance(value, int) or isinstance(value, bool):
                raise _refusal(f"{str(value)[:60]!r} is no whole number.")
        if self.count < 2:
            has = "one seed" if self.count == 1 else "no seed"
            raise _refusal(f"It has {has}, and a contest needs two.", "For one seed use --seed N. ")
        if self.count > MOST_SEEDS:
            raise _refusal(f"It has {self.count:,} seeds, more than {MOST_SEEDS}.")
        if not 0 <= self.first <= HIGHEST - self.count + 1:
            raise _refusal(f"It begins at {self.first:,}; seeds go from 0 to {HIGHEST:,}.")

    @property
    def seeds(self) -> tuple[int, ...]:
        """Every seed, lowest first."""
        return tuple(range(self.first, self.first + self.count))

    @property
    def words(self) -> str:
        """The range as it is typed: '3-10'."""
        return f"{self.first}-{self.first + self.count - 1}"


def typed_range(text: str) -> SeedRange:
    """Return the seeds of '8', which is 0 to 7, or of '3-10'.

    text: str.
    Raises InputError input.seeds for a reversed, empty or huge range, and for what is none.
    """
    found = re.fullmatch(r"\s*(\d{1,12})\s*(?:-\s*(\d{1,12})\s*)?", text)
    if found is None:
        raise _refusal(f"{text[:60]!r} is neither a count nor a range.")
    if found[2] is None:
        return SeedRange(first=0, count=int(found[1]))
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise _refusal(f"It ends at {last}, before it begins at {first}.", f"Turn it round: --seeds {last}-{first}. ")
    return SeedRange(first=first, count=last - first + 1)


def told_range(values: Mapping[str, Any]) -> SeedRange:
    """Return the seeds of {"first": 3, "count": 8}, as a message has them.

    values: of the message.
    Raises InputError input.seeds.
    """
    if set(values) != {"first", "count"}:
        raise _refusal("It must say 'first' and 'count', and nothing else.")
    return SeedRange(first=values["first"], count=values["count"])


def _refusal(why: str, fix: str = "") -> InputError:
    return InputError("input.seeds", what="These seeds cannot be a contest.", why=why, fix=fix + _FIX)
