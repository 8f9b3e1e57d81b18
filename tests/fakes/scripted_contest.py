"""The drafts of the scripted engine's contests: the highest seed is the best, halves stop, a choice wins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from fakes.shapes import ball_glb, png

STEPS_A_ROUND = 10
FAILS = 1  # of the seeds of a contest with the word "frail": the lowest


class Engine(Protocol):
    """What of the scripted engine is needed here."""

    def say(self, message_type: str, data: bytes = b"", **fields: Any) -> None: ...


def chosen(wishes: list[str]) -> int | None:
    """The seed that the client chose last; None for none."""
    return next((int(wish.split()[1]) for wish in reversed(wishes) if wish.startswith("choose ")), None)


def winner(
    engine: Engine, job: dict[str, Any], wishes: list[str], wait: Callable[[], bool], folder: Path | None
) -> int | None:
    """The seed that wins, after its rounds were told; None where the job was cancelled meanwhile.

    wait: takes the time of a draft; returns whether the job is to stop.
    folder: of the contest, where every draft gets a checkpoint; None: elsewhere.
    """
    name, first, count = job["id"], job["seeds"]["first"], job["seeds"]["count"]
    frail = "frail" in job["prompt"].split()
    rows: list[dict[str, Any]] = [
        {"seed": seed, "grade": None, "step": 0, "on": True, "mesh": False, "trouble": ""} for seed in told(job)
    ]
    rounds = max(1, (count - 1).bit_length())

    def stands(number: int) -> None:
        rows.sort(key=lambda row: (bool(row["trouble"]), not row["on"], -(row["grade"] or 0.0), row["seed"]))
        engine.say("standing", id=name, judge="a scripted judge", round=number, rounds=rounds, seeds=rows)

    def stop(row: dict[str, Any], step: int) -> None:
        row["on"], row["mesh"] = False, bool(row["step"])
        if row["step"]:
            engine.say("draft", ball_glb(f"draft {row['seed']}", 90, 60), id=name, seed=row["seed"], step=step)

    stands(0)
    for number in range(rounds):
        step = STEPS_A_ROUND * (number + 1)
        for row in sorted((row for row in rows if row["on"]), key=lambda row: row["seed"]):
            if wait():
                return None
            pick = next((each for each in rows if each["seed"] == chosen(wishes) and each["step"]), None)
            if pick is not None:
                for other in [each for each in rows if each["on"] and each is not pick]:
                    stop(other, step)
                pick["on"], pick["mesh"] = True, False
                stands(number)
                return int(pick["seed"])
            engine.say(
                "preview", png(64, 64, 40 + 20 * (row["seed"] - first)), id=name, name=f"seed-{row['seed']}", step=step
            )
            total = STEPS_A_ROUND * count * (rounds + 1)
            fields: dict[str, Any] = {"rate": 50.0, "eta_s": 9.0, "memory_mib": 960.0}
            engine.say("progress", id=name, stage="train", step=step, total=total, **fields)
            if folder is not None:
                checkpoint = folder / "seeds" / str(row["seed"]) / "checkpoint" / "checkpoint.json"
                checkpoint.parent.mkdir(parents=True, exist_ok=True)
                checkpoint.write_text(json.dumps({"step": step}))
            row["step"], row["grade"] = step, (1 + row["seed"] - first) / (count + 1)
            if frail and row["seed"] - first < FAILS:
                row["on"], row["grade"], row["trouble"] = False, None, "The object vanished."
            stands(number)
        alive = sorted((row for row in rows if row["on"]), key=lambda row: -row["grade"])
        for row in alive[(len(alive) + 1) // 2 :]:
            stop(row, step)
        stands(number + 1)
        engine.say("note", id=name, code="contest.round", text=f"Round {number + 1} of {rounds} is over.")
    return int(next(row["seed"] for row in rows if row["on"]))


def told(job: dict[str, Any]) -> range:
    """The seeds of a contest."""
    return range(job["seeds"]["first"], job["seeds"]["first"] + job["seeds"]["count"])
