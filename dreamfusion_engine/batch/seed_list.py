"""The seeds of a batch: '0-3', '5' or '0,2,7'."""

from __future__ import annotations

import re

from dreamfusion_engine.config.seed_range import HIGHEST
from dreamfusion_engine.errors import InputError

MOST_SEEDS = 1000
_FIX = "For example: --seeds 0-3, --seeds 5, or --seeds 0,2,7."


def typed_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that were typed, in their order, each once.

    text: str.
    Raises InputError input.seeds for a reversed or huge range, and for what is none.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,12})\s*(?:-\s*(\d{1,12})\s*)?", part)
        if found is None:
            raise _refusal(f"{part.strip()[:60]!r} is neither a seed nor a range.")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise _refusal(f"{first}-{last} ends before it begins.", f"Turn it round: {last}-{first}. ")
        if last > HIGHEST:
            raise _refusal(f"It goes to {last:,}; seeds go from 0 to {HIGHEST:,}.")
        if len(seeds) + last - first + 1 > MOST_SEEDS:
            raise _refusal(f"It has more than {MOST_SEEDS:,} seeds.")
        seeds |= dict.fromkeys(range(first, last + 1))
    return tuple(seeds)


def _refusal(why: str, fix: str = "") -> InputError:
    return InputError("input.seeds", what="These are no seeds for a batch.", why=why, fix=fix + _FIX)
