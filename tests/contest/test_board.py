"""A contest's standing: halves, ranks, survives a restart, and refuses what is not its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.contest.board import Board, Entry, load_board
from dreamfusion_engine.contest.rounds import Round, rounds_of
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.run_folder import CONTEST

SEEDS = SeedRange(first=5, count=4)


def after_a_round() -> Board:
    board = Board(seeds=SEEDS)
    for entry, grade in zip(board.entries, (-0.1, 0.4, 0.4, 0.2), strict=True):
        entry.grades.append(grade)
        entry.step = 10
    board.close(0, Round(step=10, keep=2))
    return board


def candidate(board: Board, seed: int) -> Entry:
    found = board.candidate(seed)
    assert found is not None
    return found


def test_the_worse_half_stops_and_of_equals_the_lower_seed_leads() -> None:
    board = after_a_round()
    assert [entry.seed for entry in board.alive] == [6, 7]
    assert [entry.seed for entry in board.ranking] == [6, 7, 8, 5]


def test_who_failed_is_last_and_who_has_no_grade_never_wins() -> None:
    board = Board(seeds=SEEDS)
    board.entries[0].trouble, board.entries[0].out = "it vanished", 0
    board.entries[2].grades.append(-3.0)
    assert board.ranking[0].seed == 7 and board.ranking[-1].seed == 5
    assert [entry.seed for entry in board.to_grade(0)] == [6, 8]


def test_a_board_comes_back_as_it_was(tmp_path: Path) -> None:
    board = after_a_round()
    board.judge = "the built-in judge"
    board.save(tmp_path)
    assert load_board(tmp_path, SEEDS) == board
    report = board.report(rounds_of(4, 50))
    assert [place["seed"] for place in report["ranking"]] == [6, 7, 8, 5]
    assert json.loads(json.dumps(report)) == report


def test_a_seed_that_had_stopped_can_be_chosen_and_the_others_stop() -> None:
    board = after_a_round()
    stopped = board.choose(candidate(board, 5), 1)
    assert board.chosen == 5 and board.ranking[0].seed == 5 and [entry.seed for entry in board.alive] == [5]
    assert [entry.seed for entry in stopped] == [6, 7] and board.decided(2)
    assert [entry.seed for entry in board.without_mesh] == [6, 7, 8]
    assert board.candidate(6) is None, "there is a winner already"


def test_a_seed_without_a_draft_or_that_failed_cannot_be_chosen() -> None:
    board = Board(seeds=SEEDS)
    assert board.candidate(5) is None and board.candidate(4) is None and board.candidate(None) is None
    board.entries[1].step, board.entries[1].trouble, board.entries[1].out = 10, "it vanished", 0
    board.entries[2].step = 10
    assert board.candidate(6) is None
    board.choose(candidate(board, 7), 0)
    assert [entry.seed for entry in board.without_mesh] == [], "of drafts that never began there is no mesh to make"
    assert board.ranking[-1].seed == 6


def test_what_is_told_of_a_contest_is_its_ranking() -> None:
    board = after_a_round()
    board.judge, board.entries[0].mesh = "the built-in judge", "yes"
    told = board.standing(2)
    assert (told.judge, told.round, told.rounds) == ("the built-in judge", 1, 2)
    assert [(row["seed"], row["grade"], row["on"]) for row in told.seeds] == [
        (6, 0.4, True),
        (7, 0.4, True),
        (8, 0.2, False),
        (5, -0.1, False),
    ]
    assert told.seeds[-1]["mesh"] and json.loads(json.dumps(told.seeds)) == told.seeds
    assert Board(seeds=SEEDS).standing(2).round == 0


def test_a_choice_comes_back_and_a_board_of_an_earlier_version_has_none(tmp_path: Path) -> None:
    board = after_a_round()
    board.choose(candidate(board, 8), 1)
    board.save(tmp_path)
    assert load_board(tmp_path, SEEDS) == board
    assert board.report(rounds_of(4, 50))["chosen"] == 8
    values = json.loads((tmp_path / CONTEST).read_text(encoding="utf-8"))
    del values["chosen"]
    (tmp_path / CONTEST).write_text(json.dumps(values), encoding="utf-8")
    assert load_board(tmp_path, SEEDS).chosen is None
    (tmp_path / CONTEST).write_text(json.dumps({**values, "chosen": 99}), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        load_board(tmp_path, SEEDS)
    assert refused.value.code == "checkpoint.damaged"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "first": 5, "count": 4, "judge": "", "seconds": 0}'])
def test_a_damaged_board_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / CONTEST).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        load_board(tmp_path, SEEDS)
    assert refused.value.code == "checkpoint.damaged" and "--resume" in refused.value.fix


def test_other_seeds_cannot_go_on_with_it(tmp_path: Path) -> None:
    after_a_round().save(tmp_path)
    with pytest.raises(InputError, match="other seeds") as refused:
        load_board(tmp_path, SeedRange(first=0, count=4))
    assert "--seeds 5-8" in refused.value.fix


def test_a_plain_run_is_no_contest(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(InputError, match="no contest") as refused:
        load_board(tmp_path, SEEDS)
    assert "single seed" in refused.value.why and "--seeds" in refused.value.fix
