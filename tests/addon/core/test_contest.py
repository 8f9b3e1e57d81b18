"""Where a contest stands, as the add-on believes it, and what a contest costs.

Of: blender_addon/core/contest.py, blender_addon/core/job.py.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from blender_addon.core.contest import (
    MOST_SEEDS,
    Seed,
    Standing,
    mesh_file,
    pictured_seed,
    standing_of,
    thumbnail_file,
    training_share,
)
from blender_addon.core.job import Job, Recipe, RecipeError, winner_of
from dreamfusion_engine.config.seed_range import MOST_SEEDS as ENGINES_MOST
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.contest.board import Board
from dreamfusion_engine.contest.rounds import all_steps, rounds_of
from dreamfusion_engine.machine.run_folder import CONTEST

STANDING = Standing(
    "a judge", 1, 2, (Seed(4, 0.5, 100), Seed(3, 0.25, 100, on=False, mesh=True), Seed(5, None, 0, False, False, "No."))
)


def row(seed: int, **values: Any) -> dict[str, Any]:
    return {"seed": seed, "grade": 0.5, "step": 10, "on": True, "mesh": False, "trouble": "", **values}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 64])
@pytest.mark.parametrize("steps", [1, 10, 333, 2500])
def test_a_contest_costs_the_steps_that_the_engine_makes(count: int, steps: int) -> None:
    whole = steps if count == 1 else all_steps(count, steps, rounds_of(count, steps))
    assert training_share(count, steps) == pytest.approx(whole / steps, abs=1e-12)


def test_what_the_engine_tells_is_read_as_it_is() -> None:
    board = Board(seeds=SeedRange(first=3, count=3), judge="the built-in judge")
    board.entries[1].grades, board.entries[1].step = [0.75], 40
    told = board.standing(2)
    read = standing_of(
        json.loads(json.dumps({"judge": told.judge, "round": 0, "rounds": 2, "seeds": told.seeds})), 3, 3
    )
    assert read is not None and read.judge == "the built-in judge" and read.of(4) == Seed(4, 0.75, 40)
    assert [each.seed for each in read.seeds] == [4, 3, 5] and len(read.left) == 3 and read.of(9) is None
    assert MOST_SEEDS == ENGINES_MOST


def test_a_standing_comes_back_as_it_was_and_a_mesh_is_noted() -> None:
    assert standing_of(json.loads(json.dumps(STANDING.to_json())), 3, 3) == STANDING
    later = STANDING.with_mesh(4)
    assert [each.mesh for each in later.seeds] == [True, True, False] and STANDING.seeds[0].mesh is False


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        {"seeds": 5},
        {"seeds": [row(3), row(4), 5]},
        {"seeds": [row(3), row(4)]},
        {"seeds": [row(3), row(3), row(4)]},
        {"seeds": [row(3), row(4), row(6)]},
        {"seeds": [row(3), row(4), row(True)]},
    ],
)
def test_what_is_no_standing_of_these_seeds_is_none(values: Any) -> None:
    assert standing_of(values, 3, 3) is None


def test_numbers_and_words_of_a_standing_are_bounded() -> None:
    rows = [row(3, grade=math.inf, step=-1, trouble=9), row(4, grade=math.nan, step=1e9), row(5, grade="1", on=None)]
    read = standing_of({"seeds": rows, "judge": "x" * 9999, "round": -3, "rounds": 10**9}, 3, 3)
    assert read is not None and len(read.judge) == 300 and (read.round, read.rounds) == (0, 0)
    assert [(each.grade, each.step, each.trouble) for each in read.seeds] == [
        (None, 0, ""),
        (None, 0, ""),
        (None, 10, ""),
    ]
    assert read.seeds[2].on is True
    many = [row(seed) for seed in range(MOST_SEEDS + 1)]
    assert standing_of({"seeds": many}, 0, len(many)) is None


def test_files_and_pictures_are_named_as_a_local_engine_names_them() -> None:
    assert Path(thumbnail_file(3)) == Path("seeds/3/thumbnail.png") and Path(mesh_file(3)) == Path("seeds/3/mesh.glb")
    assert pictured_seed("seed-12") == 12
    assert [pictured_seed(name) for name in ("latest", "seed-", "seed--1", "seed-1/..", "seed-" + "9" * 11)] == [
        None
    ] * 5
    assert CONTEST == "contest.json"


def test_a_recipe_of_a_contest_survives_and_a_plain_one_is_as_before() -> None:
    plain, contest = Recipe("a mug", seed=3), Recipe("a mug", seed=3, seeds=8)
    assert "seeds" not in plain.to_json() and not plain.is_contest
    assert contest.is_contest and Recipe.from_json(contest.to_json()) == contest
    for bad in (0, -1, MOST_SEEDS + 1, True, "8", 2.0):
        with pytest.raises(RecipeError, match="seeds"):
            Recipe.from_json({"prompt": "a mug", "seeds": bad})
    with pytest.raises(RecipeError, match="seeds"):
        Recipe.from_json({"prompt": "a mug", "seed": (1 << 31) - 1, "seeds": 2})


def test_the_outcome_of_a_contest_is_a_plain_run_of_the_winner() -> None:
    job = Job("0" * 32, Recipe("a mug", seed=3, seeds=8, versions={"torch": "2"}), Path())
    assert job.outcome == job.recipe, "nobody has won"
    job.winner = 7
    assert job.outcome == Recipe("a mug", seed=7, versions={"torch": "2"})
    assert job.of_seed(4) == Recipe("a mug", seed=4)


@pytest.mark.parametrize(("seed", "expected"), [(3, 3), (10, 10), (2, None), (11, None), (True, None), ("3", None)])
def test_a_winner_is_one_of_the_seeds(seed: Any, expected: int | None) -> None:
    assert winner_of({"seed": seed}, Recipe("a mug", seed=3, seeds=8)) == expected
    assert winner_of({"seed": seed}, Recipe("a mug", seed=3)) is None
