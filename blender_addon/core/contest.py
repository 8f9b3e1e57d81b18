"""A contest of seeds, as the add-on knows it: where it stands, its files, and what it costs. Plain values, no files."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

MOST_SEEDS = 64  # the engine's limit; the panel offers fewer
STATE = "contest.json"  # of a local engine, in the job's folder: from it a contest goes on
_WORDS_LIMIT = 300  # characters of who ranks, and of why a seed failed
_LARGEST = 1 << 53
_PICTURE = re.compile(r"seed-(\d{1,10})")
# When the engine looks at the drafts, as shares of the training: contest/rounds.py, which a test holds this against.
_FIRST_SHARE, _MORE_SHARE, _LAST_SHARE = 0.2, 0.1, 0.9


@dataclass(frozen=True)
class Seed:
    """A seed in a contest.

    seed: int.
    grade: float, the last one, higher is better; None before the first.
    step: int, training step of it.
    on: bool, whether it goes on.
    mesh: bool, whether the mesh of its draft was made.
    trouble: str, why it failed; "" where it did not.
    """

    seed: int
    grade: float | None = None
    step: int = 0
    on: bool = True
    mesh: bool = False
    trouble: str = ""


@dataclass(frozen=True)
class Standing:
    """Where a contest stands.

    judge: str, who ranks, in words; "" while not known.
    round, rounds: int, rounds that are over, and in all.
    seeds: Seed each, the best first.
    """

    judge: str = ""
    round: int = 0
    rounds: int = 0
    seeds: tuple[Seed, ...] = ()

    @property
    def left(self) -> tuple[Seed, ...]:
        """The seeds that go on, the best first."""
        return tuple(each for each in self.seeds if each.on)

    def of(self, seed: int) -> Seed | None:
        """What is known of a seed; None for one of another contest."""
        return next((each for each in self.seeds if each.seed == seed), None)

    def with_mesh(self, seed: int) -> Standing:
        """The standing after the mesh of a draft has come.

        seed: int.
        """
        return replace(
            self, seeds=tuple(replace(each, mesh=True) if each.seed == seed else each for each in self.seeds)
        )

    def to_json(self) -> dict[str, Any]:
        """The standing as plain values; `standing_of` reads it back."""
        return asdict(self)


def standing_of(values: Any, first: int, count: int) -> Standing | None:
    """A standing from a message or a journal; None for values that are none, or of other seeds.

    values: what json.loads gave.
    first, count: int, the contest's lowest seed, and how many it has.
    """
    if not isinstance(values, dict) or not isinstance(values.get("seeds"), (list, tuple)):
        return None
    rows = values["seeds"]
    if len(rows) != count or count > MOST_SEEDS or not all(isinstance(row, dict) for row in rows):
        return None
    seeds = tuple(_seed_of(row) for row in rows)
    if {each.seed for each in seeds} != set(range(first, first + count)):
        return None
    judge = values.get("judge")
    over, rounds = (_whole(values.get(name), MOST_SEEDS) for name in ("round", "rounds"))
    return Standing(judge[:_WORDS_LIMIT] if isinstance(judge, str) else "", over, rounds, seeds)


def _seed_of(row: dict[str, Any]) -> Seed:
    grade, trouble = row.get("grade"), row.get("trouble")
    graded = isinstance(grade, (int, float)) and not isinstance(grade, bool) and math.isfinite(grade)
    return Seed(
        seed=_whole(row.get("seed"), _LARGEST),
        grade=float(grade) if graded and grade is not None else None,
        step=_whole(row.get("step"), _LARGEST),
        on=row.get("on") is not False,
        mesh=row.get("mesh") is True,
        trouble=trouble[:_WORDS_LIMIT] if isinstance(trouble, str) else "",
    )


def _whole(value: Any, most: int) -> int:
    """A whole number from 0 to `most`; 0 for what is none."""
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
    return value if good else 0


def picture_name(seed: int) -> str:
    """The name of a draft's picture in messages, and of its icon: 'seed-3'."""
    return f"seed-{seed}"


def pictured_seed(name: str) -> int | None:
    """The seed of which a picture is, by its name; None for another picture."""
    found = _PICTURE.fullmatch(name)
    return int(found[1]) if found else None


def thumbnail_file(seed: int) -> str:
    """Where a draft's picture lies in the job's folder, as a local engine writes it."""
    return str(Path("seeds") / str(seed) / "thumbnail.png")


def mesh_file(seed: int) -> str:
    """Where a draft's mesh lies in the job's folder, as a local engine writes it."""
    return str(Path("seeds") / str(seed) / "mesh.glb")


def draft_folder(seed: int) -> str:
    """Where a local engine keeps a draft, as the folder of a run that can go on.

    seed: int.
    """
    return str(Path("seeds") / str(seed))


def training_share(count: int, steps: int) -> float:
    """The training steps of a whole contest over those of one run.

    count: int, seeds; 1 for a plain run.
    steps: int, training steps of one run.
    """
    if count < 2 or steps < 1:
        return 1.0
    total, before, left, share = 0, 0, count, _FIRST_SHARE
    while left > 1:
        step = max(1, round(share * steps))
        total += left * (step - before)
        before, left, share = step, (left + 1) // 2, min(share + _MORE_SHARE, _LAST_SHARE)
    return (total + left * (steps - before)) / steps
