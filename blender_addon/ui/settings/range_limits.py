"""Settings with a lower and an upper end. They stay in order while a slider moves, because the engine requires it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

GAP = 0.001  # between the ends of the noise range, which must differ: the last digit that is shown

Update = Callable[[Any, Any], None]  # as Blender calls it after a property has changed: (group, context)


def pair(name: str) -> Update:
    """An update function for a property with two ends. The lower one pushes the upper one, which stops at the lower.

    name: str, of the property.
    """

    def update(group: Any, _context: Any) -> None:
        low, high = getattr(group, name)
        if high < low:
            setattr(group, name, (low, low))

    return update


def below(name: str, upper: str) -> Update:
    """An update function for a property of lower ends. It keeps the upper ends at least GAP above them.

    name: str, the property of the lower ends.
    upper: str, the property of the upper ends.
    """

    def update(group: Any, _context: Any) -> None:
        low, high = getattr(group, name), getattr(group, upper)
        if _touching(low, high):
            setattr(group, upper, [max(h, low_end + GAP) for low_end, h in zip(low, high, strict=True)])

    return update


def above(name: str, lower: str) -> Update:
    """An update function for a property of upper ends. It keeps the lower ends at least GAP below them.

    name: str, the property of the upper ends.
    lower: str, the property of the lower ends.
    """

    def update(group: Any, _context: Any) -> None:
        low, high = getattr(group, lower), getattr(group, name)
        if _touching(low, high):
            setattr(group, lower, [min(low_end, h - GAP) for low_end, h in zip(low, high, strict=True)])

    return update


def _touching(low: Any, high: Any) -> bool:
    """Whether some ends are nearer than half of GAP. Half, because pushing one end calls the other one's update."""
    return any(h - low_end < 0.5 * GAP for low_end, h in zip(low, high, strict=True))
