"""The table of ablations: each leaves one thing out, means and spreads are right, what is there is not made again."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import ablations
from benchmarks.ablations import ABLATIONS, cell, figures, folder_of, grade_all, spread, table, without_exact_cameras
from benchmarks.shared.graded_run import Row
from benchmarks.shared.prompt_list import Prompt, full_list
from dreamfusion_engine.commands.typed_settings import parse_settings
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.models.card_file import CARD_NAME, read_card
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER

ROW = Row(
    prompt="a",
    colour=1.0,
    textureless=0.5,
    cielab=10.0,
    chamfer=0.1,
    iou=0.6,
    components=1,
    folds=0,
    folds_before=0,
    crossings=0,
    health="good",
    seconds=50.0,
    psnr=30.0,
)
FAILED = Row(prompt="b", **dict.fromkeys(set(vars(ROW)) - {"prompt", "health"}), health="empty")  # type: ignore[arg-type]


def flat(config: GenerateConfig) -> dict[str, object]:
    stages = {name: value for name, value in vars(config).items() if hasattr(value, "__dataclass_fields__")}
    return {f"{stage}.{key}": value for stage, values in stages.items() for key, value in vars(values).items()}


def test_each_ablation_changes_what_it_names_and_nothing_else() -> None:
    plain = flat(preset("draft", "a mug"))
    for name, ablation in ABLATIONS.items():
        changed = flat(preset("draft", "a mug", parse_settings(ablation.settings)))
        different = {key for key in plain if plain[key] != changed[key]}
        assert different == {setting.partition("=")[0] for setting in ablation.settings}, name
    assert [name for name, ablation in ABLATIONS.items() if not ablation.settings] == ["nothing", "exact-cameras"]


def test_a_model_without_exact_cameras_is_asked_in_headings(tmp_path: Path) -> None:
    before, after = read_card(STARTER_FOLDER), read_card(without_exact_cameras(STARTER_FOLDER, tmp_path / "model"))
    assert before.azimuths and not after.azimuths and not after.elevations
    assert after.headings == before.headings and after.words == before.words and after.files == before.files
    (tmp_path / "model" / "kept").touch()
    without_exact_cameras(STARTER_FOLDER, tmp_path / "model")
    assert (tmp_path / "model" / "kept").exists(), "a copy that is there stays"


def test_a_model_that_knows_no_exact_cameras_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="fix:"):
        without_exact_cameras(tmp_path, tmp_path / "copy")
    (tmp_path / CARD_NAME).write_text(json.dumps({"headings": {"front": "front view"}}), encoding="utf-8")
    with pytest.raises(SystemExit, match="not taught"):
        without_exact_cameras(tmp_path, tmp_path / "copy")


def test_the_spread_is_that_of_the_seeds_means() -> None:
    seeds = {0: [ROW, replace(ROW, iou=0.8)], 1: [replace(ROW, iou=0.5), replace(ROW, iou=0.5)]}
    middle, deviation = figures(seeds, "iou")
    assert middle == pytest.approx(0.6) and deviation == pytest.approx(0.1414, abs=1e-4)
    assert spread([0.5]) is None and spread([]) is None
    assert cell(0.94, 0.031, None) == "94 ± 3 %" and cell(0.0612, 0.004, 3) == "0.061 ± 0.004"
    assert cell(0.5, None, None) == "50 %" and cell(None, None, 2) == ""


def test_a_failed_run_counts_as_nothing_found_and_in_no_distance() -> None:
    assert figures({0: [ROW, FAILED]}, "iou")[0] == pytest.approx(0.3)
    assert figures({0: [ROW, FAILED]}, "chamfer")[0] == pytest.approx(0.1)
    assert figures({0: []}, "iou") == (None, None)


def test_the_table_says_what_is_missing_failed_or_began_anew() -> None:
    rows = {
        "nothing": {0: [ROW], 1: []},
        "entropy": {0: [replace(ROW, components=2, health="good after 1 restart"), FAILED]},
    }
    head, _, nothing, entropy = table(rows, True, 2).splitlines()
    assert head.count("|") == nothing.count("|") == entropy.count("|")
    assert "1 of 2" in nothing and "`" not in nothing
    assert "`optimize.entropy=0`" in entropy and "1 failed, 1 of several parts, 1 began anew" in entropy


def test_runs_that_are_there_are_graded_and_no_more_than_allowed_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = full_list()[:2]
    there = folder_of(tmp_path, "entropy", 1, prompts[1])
    there.mkdir(parents=True)
    (there / "result.json").write_text("{}", encoding="utf-8")
    asked: list[tuple[Path, argparse.Namespace]] = []

    def measured(prompt: Prompt, folder: Path, grader: object, arguments: argparse.Namespace, second: object) -> Row:
        asked.append((folder, arguments))
        return ROW

    monkeypatch.setattr(ablations, "measure", measured)
    given = argparse.Namespace(
        only=["nothing", "entropy"], output=tmp_path, most=2, seeds=2, model="starter", set=["optimize.steps=4"]
    )
    rows = grade_all(prompts, None, None, given)  # type: ignore[arg-type]
    assert [folder for folder, _ in asked] == [
        *(folder_of(tmp_path, name, 0, prompts[0]) for name in given.only),
        there,
    ]
    assert [(each.seed, each.set) for _, each in asked[1:]] == [
        (0, ["optimize.steps=4", "optimize.entropy=0"]),
        (1, ["optimize.steps=4", "optimize.entropy=0"]),
    ]
    assert {name: [len(made) for made in by_seed.values()] for name, by_seed in rows.items()} == {
        "nothing": [1, 0],
        "entropy": [1, 1],
    }
