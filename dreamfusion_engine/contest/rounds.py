"""When a contest looks at its drafts, and how many go on: successive halving (Jamieson 2016, arXiv 1502.07943).

A draft is the beginning of the run that was asked for. So nothing of the winner is made twice, and its object is the
one that its seed alone would have given. What an object is to be shows after a fifth of the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FIRST_SHARE = 0.2  # of the training: shape and colour stand, measured on the starter model
MORE_SHARE = 0.1  # from one round to the next
_LAST_SHARE = 0.9


@dataclass(frozen=True, kw_only=True)
class Round:
    """A look at the drafts.

    step: int, training step at which it comes.
    keep: int, drafts that go on.
    """

    step: int
    keep: int


def rounds_of(count: int, steps: int) -> tuple[Round, ...]:
    """Return the rounds until one draft is left; each keeps the better half.

    count: int, drafts, 2 at least.
    steps: int, training steps of a whole run.
    """
    rounds, left, share = [], count, FIRST_SHARE
    while left > 1:
        left = (left + 1) // 2
        rounds.append(Round(step=max(1, round(share * steps)), keep=left))
        share = min(share + MORE_SHARE, _LAST_SHARE)
    return tuple(rounds)


def all_steps(count: int, steps: int, rounds: Sequence[Round]) -> int:
    """Return the training steps of a whole contest, the winner's to the end among them.

    count, steps: int, as for `rounds_of`.
    rounds: from there.
    """
    total, before, left = 0, 0, count
    for each in rounds:
        total += left * (each.step - before)
        before, left = each.step, each.keep
    return total + left * (steps - before)
