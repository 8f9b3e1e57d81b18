"""Without a window: the pump loop, the command line, the picture; with a scripted engine, once with the real one.

Of: blender_addon/ui/run/headless.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from addon.blenders import Session

SCRIPTS = Path(__file__).with_name("scripts")


def test_a_script_gets_its_object_and_its_file(blender: Session, tmp_path: Path) -> None:
    target = tmp_path / "folder" / "a burger.blend"
    facts = blender.run(SCRIPTS / "headless_generate.py", str(target)).facts
    assert target.stat().st_size > 10_000 and facts["saved"] == str(target)
    assert facts["objects"] == ["Hamburger"]
    assert facts["size"] == pytest.approx(2.0, abs=1e-3) and facts["ground"] == pytest.approx(0.0, abs=1e-3)
    assert facts["lines"][0] == "queued" and "done" in facts["lines"]


def test_a_failure_is_an_exception_that_says_what_to_do_and_the_next_one_works(newest_blender: Session) -> None:
    first, second, third = newest_blender.run(SCRIPTS / "headless_fails.py").facts["troubles"]
    assert "fix:" in first[0] and "fix:" in second[0] and first[1] != second[1]
    assert third is None


def test_without_an_engine_a_script_is_told_to_install_it(newest_blender: Session) -> None:
    facts = newest_blender.run(SCRIPTS / "headless_no_engine.py").facts
    assert "nstall" in facts["text"]


def test_the_command_line_makes_the_file_and_says_by_its_code_how_it_went(blender: Session, tmp_path: Path) -> None:
    target = tmp_path / "x.blend"
    outcome = blender.run(SCRIPTS / "headless_command.py", str(target))
    assert outcome.facts["codes"] == [0, 2, 2, 3, 2, 0] and target.exists()
    assert outcome.facts["best"] == ["a mug", 1, 1], "the winner's recipe is that of a plain run"
    assert outcome.facts["seed"] == 3 and outcome.facts["settings"]["optimize"]["steps"] == 40
    assert outcome.facts["settings"]["texture"] == {"model": "owner/painter", "steps": 7}
    assert outcome.facts["registered"] == (1 if blender.blender.has_extensions else 0)
    assert "Traceback" not in outcome.output


def test_the_picture_shows_the_object_and_leaves_the_file_as_it_was(blender: Session, tmp_path: Path) -> None:
    facts = blender.run(SCRIPTS / "headless_picture.py", str(tmp_path / "still.png")).facts
    assert facts["before"] == facts["after"] and facts["size"] == [64, 64]
    assert 0.05 < facts["middle"] < 0.98 and facts["corner"] > 0.3
    assert abs(facts["middle"] - facts["corner"]) > 0.02


@pytest.mark.slow
def test_the_real_engine_makes_a_textured_hamburger_through_the_addon(newest_blender: Session, tmp_path: Path) -> None:
    target = tmp_path / "hamburger.blend"
    facts = newest_blender.run(SCRIPTS / "headless_real.py", str(target)).facts
    assert target.exists() and facts["packed"]
    assert 500 < facts["faces"] <= 3000 and facts["texture"] == [256, 256]
    red, green, blue = facts["colours"]
    assert red > blue + 0.05, f"a hamburger is not {json.dumps(facts['colours'])}"
    computing = sorted(facts["ticks"])
    # Five times the bar, as in ui/test_run.py.
    assert computing[int(0.99 * (len(computing) - 1))] <= 5 * 0.010
