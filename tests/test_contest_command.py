"""A contest of seeds from the command line: it reaches the method with its seeds, and bad seeds are refused at once.

Of: dreamfusion_engine/cli, dreamfusion_engine/request/contest.py, dreamfusion_engine/commands/arguments.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_engine import counting_generate
from reference.paper_model import write_paper_model

from dreamfusion_engine import cli
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.events import Result
from dreamfusion_engine.machine.run_folder import CONTEST


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_paper_model(tmp_path / "model")


def ask(model: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code of `generate`, and what reached the contest."""
    seen: dict[str, Any] = {}

    def spy(config: Any, seeds: SeedRange, output: Path, **rest: Any) -> Result:
        assert rest.pop("chosen")() is None, "nobody can choose on a command line"
        seen.update(config=config, seeds=seeds, output=output, resume=rest["resume"])
        return counting_generate(config, output, **rest)

    asked = ["generate", "a mug", "--model", str(model), "--steps", "3", *words]
    return cli.main(asked, generate=counting_generate, contest=spy), seen


def test_the_seeds_reach_the_contest_and_name_its_folder(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, seen = ask(model, "--seeds", "3-10")
    assert code == 0 and seen["seeds"] == SeedRange(first=3, count=8) and seen["config"].seed == 3
    assert seen["output"] == tmp_path / "outputs" / "a-mug-3-to-10"
    assert ask(model, "--seed", "3")[1] == {}, "a plain run is no contest"


@pytest.mark.parametrize(
    "words",
    [
        ["--seeds", "5-3"],
        ["--seeds", "0"],
        ["--seeds", ""],
        ["--seeds", "0-1000000000"],
        ["--seeds", "8", "--seed", "0"],
        ["--seeds", "8", "--resume"],
    ],
    ids=" ".join,
)
def test_bad_seeds_are_refused_with_what_to_type(
    model: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, seen = ask(model, "--output", str(tmp_path / "o"), *words)
    said = capsys.readouterr().err
    assert code == 2 and not seen and not (tmp_path / "o").exists()
    assert "why:" in said and "fix:" in said and "Traceback" not in said


def test_each_kind_of_run_resumes_its_own_folder_only(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, contest = tmp_path / "plain", tmp_path / "contest"
    (plain / "checkpoint").mkdir(parents=True)
    contest.mkdir()
    (contest / CONTEST).write_text("{}", encoding="utf-8")
    assert ask(model, "--output", str(plain), "--seeds", "4", "--resume")[0] == 2
    assert "Leave out --seeds" in " ".join(capsys.readouterr().err.split())
    assert ask(model, "--output", str(contest), "--resume")[0] == 2
    assert "Add the --seeds" in " ".join(capsys.readouterr().err.split())
    code, seen = ask(model, "--output", str(contest), "--seeds", "4", "--resume")
    assert code == 0 and seen["resume"] is True


def test_a_plain_run_in_the_folder_of_an_unfinished_contest_is_resumed_and_so_is_the_contest(
    model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "both"
    (folder / "checkpoint").mkdir(parents=True)
    (folder / CONTEST).write_text("{}", encoding="utf-8")
    assert ask(model, "--output", str(folder), "--resume") == (0, {}), "the plain run went on"
    (folder / "result.json").unlink()
    code, seen = ask(model, "--output", str(folder), "--seeds", "4", "--resume")
    assert code == 0 and seen["resume"] is True


def test_a_finished_contest_is_replaced_by_no_other_run(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "o"
    folder.mkdir()
    made = {"prompt": "a mug", "seed": 1, "contest": {"seeds": [0, 1, 2]}}
    (folder / "result.json").write_text(json.dumps(made), encoding="utf-8")
    for words in (["--seed", "1"], ["--seeds", "4"]):
        assert ask(model, "--output", str(folder), *words)[0] == 2
        assert "taken" in capsys.readouterr().err
    assert ask(model, "--output", str(folder), "--seeds", "3")[0] == 0
