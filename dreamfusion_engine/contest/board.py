"""Where a contest stands: every seed's grades and fate, kept in contest.json after every draft, so that it resumes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.contest.rounds import Round
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Standing
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.run_folder import CONTEST, check_contest
from dreamfusion_engine.wire.bounded_json import UnsafeJson, read_json_file

FORMAT = 1
_TROUBLE_LIMIT = 500  # characters of why a seed failed, in a message about all of them


@dataclass(kw_only=True)
class Entry:
    """A seed in a contest.

    seed: int.
    step: int, training steps at its last grade.
    grades: float each, by round; higher is better.
    out: int, the round after which it stopped; -1 while it goes on.
    trouble: str, why it failed; '' where it did not.
    mesh: 'yes' or 'none' once the mesh of its draft was made, which may have no surface; '' before.
    """

    seed: int
    step: int = 0
    grades: list[float] = field(default_factory=list)
    out: int = -1
    trouble: str = ""
    mesh: str = ""


@dataclass(kw_only=True)
class Board:
    """All seeds of a contest.

    seeds: SeedRange.
    judge: str, who ranks, for people.
    entries: Entry each, by seed.
    seconds: float, spent on drafts.
    chosen: int, the seed that a person let win; None: the judge ranks.
    """

    seeds: SeedRange
    judge: str = ""
    chosen: int | None = None
    entries: list[Entry] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.entries = self.entries or [Entry(seed=seed) for seed in self.seeds.seeds]

    @property
    def alive(self) -> list[Entry]:
        """The seeds that go on."""
        return [entry for entry in self.entries if entry.out < 0]

    @property
    def without_mesh(self) -> list[Entry]:
        """The seeds that have stopped, and whose draft's mesh was not made yet."""
        return [entry for entry in self.entries if entry.out >= 0 and not entry.trouble and not entry.mesh]

    @property
    def ranking(self) -> list[Entry]:
        """Every seed, the best first: the chosen one, who lasted longer, the better last grade, the lower seed."""

        def place(entry: Entry) -> tuple[bool, bool, float, float, int]:
            worst = -entry.grades[-1] if entry.grades else math.inf
            lasted = -len(entry.grades) if entry.out >= 0 else -math.inf
            return entry.seed != self.chosen, bool(entry.trouble), lasted, worst, entry.seed

        return sorted(self.entries, key=place)

    def to_grade(self, number: int) -> list[Entry]:
        """Return the seeds that wait for a round's grade.

        number: int, of the round.
        """
        return [entry for entry in self.alive if len(entry.grades) <= number]

    def close(self, number: int, about: Round) -> list[Entry]:
        """End a round: all but the best stop. Returns those who stopped, the better first.

        number: int, of the round.
        about: Round.
        """
        ranked = sorted(self.alive, key=lambda entry: (-entry.grades[number], entry.seed))
        for entry in ranked[about.keep :]:
            entry.out = number
        return ranked[about.keep :]

    def decided(self, rounds: int) -> bool:
        """Return whether there is a winner.

        rounds: int, of the contest.
        """
        alive = self.alive
        return self.chosen is not None or (len(alive) == 1 and len(alive[0].grades) == rounds)

    def candidate(self, seed: int | None) -> Entry | None:
        """Return the seed that a person chose, where it can win: a draft of it is there, and nobody has won yet.

        seed: int; None: nobody has chosen.
        """
        if self.chosen is not None:
            return None
        return next((each for each in self.entries if each.seed == seed and each.step and not each.trouble), None)

    def choose(self, winner: Entry, number: int) -> list[Entry]:
        """Let a seed win by a person's choice, also one that had stopped. Returns those who stop now.

        winner: Entry of `candidate`.
        number: int, of the round.
        """
        stopped = [entry for entry in self.alive if entry is not winner]
        for entry in stopped:
            entry.out, entry.mesh = number, "" if entry.step else "none"  # of one that never began there is none
        winner.out, winner.mesh, self.chosen = -1, "", winner.seed
        return stopped

    def standing(self, rounds: int) -> Standing:
        """Return what is told of the contest while it goes on.

        rounds: int, in all.
        """
        over = min((len(entry.grades) for entry in self.alive), default=rounds)
        return Standing(
            judge=self.judge,
            round=min(over, rounds),
            rounds=rounds,
            seeds=[
                {
                    "seed": entry.seed,
                    "grade": entry.grades[-1] if entry.grades else None,
                    "step": entry.step,
                    "on": entry.out < 0,
                    "mesh": entry.mesh == "yes",
                    "trouble": entry.trouble[:_TROUBLE_LIMIT],
                }
                for entry in self.ranking
            ],
        )

    def save(self, folder: Path) -> None:
        """Write contest.json.

        folder: Path of the contest.
        Raises InputError where it cannot be written.
        """
        values = {"format": FORMAT, "first": self.seeds.first, "count": self.seeds.count, "judge": self.judge}
        values |= {
            "chosen": self.chosen,
            "seconds": round(self.seconds, 2),
            "entries": [asdict(entry) for entry in self.entries],
        }
        try:
            write_atomically(folder / CONTEST, (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())
        except OSError as error:
            raise output_error(folder, error) from error

    def report(self, rounds: Sequence[Round]) -> dict[str, Any]:
        """Return what result.json says of the contest.

        rounds: of the contest.
        """
        return {
            "seeds": list(self.seeds.seeds),
            "judge": self.judge,
            "chosen": self.chosen,
            "rounds": [asdict(each) for each in rounds],
            "ranking": [
                {
                    "seed": entry.seed,
                    "grade": entry.grades[-1] if entry.grades else None,
                    "step": entry.step,
                    "mesh": entry.mesh == "yes",
                    "trouble": entry.trouble,
                }
                for entry in self.ranking
            ],
            "draft_seconds": round(self.seconds, 2),
        }


def load_board(folder: Path, seeds: SeedRange) -> Board:
    """Return the board of a contest that was broken off.

    folder: Path of the contest.
    seeds: SeedRange, which it must be about.
    Raises InputError checkpoint.missing, checkpoint.damaged or checkpoint.other_run.
    """
    check_contest(folder, seeds.words, resume=True)
    path = folder / CONTEST
    try:
        values = read_json_file(path)
        if values["format"] != FORMAT:
            raise ValueError(f"format {values['format']!r}; this version reads format {FORMAT}")
        found = SeedRange(first=values["first"], count=values["count"])
        entries = [_entry(each) for each in values["entries"]]
        if [entry.seed for entry in entries] != list(found.seeds):
            raise ValueError("its entries are not its seeds")
        chosen = values.get("chosen")  # not in a contest of an earlier version
        if chosen is not None and chosen not in found.seeds:
            raise ValueError("the seed that was chosen is none of its seeds")
        board = Board(
            seeds=found,
            judge=str(values["judge"])[:200],
            chosen=chosen,
            entries=entries,
            seconds=float(values["seconds"]),
        )
    except (OSError, UnsafeJson, InputError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "checkpoint.damaged",
            what="The contest's state is damaged.",
            why=f"{path}: {type(error).__name__}: {str(error)[:300]}",
            fix="Leave out --resume to begin it anew.",
        ) from error
    if found != seeds:
        raise InputError(
            "checkpoint.other_run",
            what="The contest in this folder is one of other seeds.",
            why=f"It has the seeds {found.words}, and {seeds.words} were asked for.",
            fix=f"Give --seeds {found.words}, or another --output folder.",
        )
    return board


def _entry(values: Any) -> Entry:
    entry = Entry(**values)
    whole = all(isinstance(value, int) for value in (entry.seed, entry.step, entry.out))
    if not whole or not all(isinstance(grade, int | float) for grade in entry.grades):
        raise ValueError("an entry is none")
    return entry
