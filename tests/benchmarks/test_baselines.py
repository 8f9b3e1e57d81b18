"""The paper's table: whose teacher stands in brackets, and that what is there is not made again."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import pytest

from benchmarks import baselines
from benchmarks.baselines import METHODS, arguments_of, grade_all, line_of, table, teaches
from benchmarks.shared.graded_run import Row, Truth
from benchmarks.shared.grader import Grade
from benchmarks.shared.prompt_list import Prompt, full_list
from dreamfusion_engine.judge.folder import WEIGHTS

GRADE = Grade(colour=1.0, textureless=0.9, kind=1.0, own_colour=1.0, part=None)


def row(prompt: str, colour: float | None, iou: float | None = 0.5) -> Row:
    known = colour is not None
    return Row(
        prompt=prompt,
        colour=colour,
        textureless=0.25 if known else None,
        second_colour=0.5 if known else None,
        second_textureless=0.0 if known else None,
        cielab=10.0 if known else None,
        chamfer=0.1 if known else None,
        iou=iou if known else None,
        components=1 if known else None,
        folds=0,
        folds_before=0,
        crossings=0,
        health="good" if known else "empty",
        seconds=60.0 if known else None,
        psnr=30.0 if known else None,
    )


def test_what_a_judge_says_of_what_it_taught_is_in_brackets() -> None:
    text = line_of("Dream Fields", [row("a", 1.0), row("b", 0.5)], (True, False), True, 2)
    assert text == "| Dream Fields | (75%) | (25%) | 50% | 0% | 10.0 | 0.50 | 60 |  |"
    assert "(" not in line_of("DreamFusion", [row("a", 1.0)], (False, False), True, 1)


def test_a_failed_run_counts_as_nothing_found_and_is_said() -> None:
    text = line_of("Dream Fields", [row("a", 1.0), row("b", None)], (False, False), False, 3)
    assert text == "| Dream Fields | 50% | 12% | 10.0 | 0.25 | 60 | 2 of 3, 1 failed |"


def test_every_line_of_the_table_has_as_many_cells() -> None:
    for second in (GRADE, None):
        truth = Truth(first=GRADE, second=second, cielab=4.0)
        lines = table({name: [] for name in METHODS}, truth, dict.fromkeys(METHODS, (True, False)), 2).splitlines()
        lines += table({"dreamfusion": [row("a", 1.0)]}, truth, {"dreamfusion": (False, False)}, 1).splitlines()
        assert len({line.count("|") for line in lines}) == 1, lines
        assert "*the corpus's own objects*" in lines[2]


def test_a_copy_of_the_teacher_is_the_teacher(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(WEIGHTS, copy)
    assert teaches(copy, WEIGHTS) and teaches(WEIGHTS, WEIGHTS)
    with (copy / "model.safetensors").open("ab") as file:
        file.write(b"0")
    assert not teaches(copy, WEIGHTS) and not teaches(None, WEIGHTS)


def test_the_baselines_are_taught_by_the_clip_and_ours_by_the_model() -> None:
    given = argparse.Namespace(teacher=WEIGHTS, model="starter", preset="draft")
    assert arguments_of(METHODS["dream-fields"], given).model == str(WEIGHTS)
    assert arguments_of(METHODS["dreamfusion"], given).model == "starter"


def test_runs_that_are_there_are_graded_and_no_more_than_allowed_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = full_list()[:2]
    there = tmp_path / "dreamfusion" / prompts[1].text.replace(" ", "-")
    there.mkdir(parents=True)
    (there / "failed.txt").write_text("empty", encoding="utf-8")
    asked: list[tuple[str, Path, object]] = []

    def measured(prompt: Prompt, folder: Path, *more: object) -> Row:
        asked.append((prompt.text, folder, more[-1]))
        return row(prompt.text, 1.0)

    monkeypatch.setattr(baselines, "measure", measured)
    given = argparse.Namespace(output=tmp_path, most=2, teacher=WEIGHTS, model="starter")
    rows = grade_all(prompts, list(METHODS), None, None, given)  # type: ignore[arg-type]
    assert [folder.parent.name for _, folder, _ in asked] == ["dream-fields", "clip-mesh", "dreamfusion"]
    assert [words for _, _, words in asked] == [(), ("--method", "clip-mesh"), ()]
    assert asked[2][1] == there, "the one that is there costs nothing"
    assert [len(made) for made in rows.values()] == [1, 1, 1]
