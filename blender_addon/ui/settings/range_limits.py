"""Settings that come as a lower and an upper end, kept in order while a slider moves: the engine takes no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

GAP = 0.001  # between the ends of the noise range, which must differ: the last digit that is shown

Update = Callable[[Any, Any], None]  # as Blender calls it after a property has changed: (group, context)


def pair(name: str) -> Update:
    """For a property that holds both ends: the lower one pushes the upper one up, the upper one stops at the lower."""

    def update(group: Any, _context: Any) -> None:
        low, high = getattr(group, name)
        if high < low:
            setattr(group, name, (low, low))

    return update


def below(name: str, upper: str) -> Update:
    """For the property `name` of lower ends, which pushes up the ends in `upper`, GAP away."""

    def update(group: Any, _context: Any) -> None:
        low, high = getattr(group, name), getattr(group, upper)
        if _touching(low, high):
            setattr(group, upper, [max(h, low_end + GAP) for low_end, h in zip(low, high, strict=True)])

    return update


def above(name: str, lower: str) -> Update:
    """For the property `name` of upper ends, which pushes down the ends in `lower`, GAP away."""

    def update(group: Any, _context: Any) -> None:
        low, high = getattr(group, lower), getattr(group, name)
        if _touching(low, high):
            setattr(group, lower, [min(low_end, h - GAP) for low_end, h in zip(low, high, strict=True)])

    return update


def _touching(low: Any, high: Any) -> bool:
    """Whether some ends are nearer than half of GAP. Half, because pushing them apart calls the other one's update."""
    return any(h - low_end < 0.5 * GAP for low_end, h in zip(low, high, strict=True))
