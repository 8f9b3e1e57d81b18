"""The commands that tell: models and settings, and that a run gets what they say.

Of: dreamfusion_engine/cli.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dreamfusion_engine import cli
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.output import disk_needed


@pytest.mark.slow
def test_models_lists_what_the_starter_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--json"]) == 0
    starter = json.loads(capsys.readouterr().out)[0]
    assert starter["name"] == "starter" and len(starter["kinds"]) >= 12 and "hamburger" in starter["kinds"]
    assert starter["colours"] and starter["examples"]
    assert cli.main(["models"]) == 0
    shown = capsys.readouterr().out
    assert all(kind in " ".join(shown.split()) for kind in starter["kinds"]) and "--model NAME" in shown
    assert "To download" in shown and "GiB of memory" in shown and "withdrawn" in shown


def test_the_starter_refuses_an_unknown_word_and_offers_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["generate", "a hamburgr"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'hamburgr'" in said and "'hamburger'" in said and "--model" in said


def test_settings_tell_what_is_set_and_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["settings", "--preset", "draft", "--set", "guidance.scale=5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["recipe"] == {"name": "starter", "experimental": False} and told["preset"] == "draft"
    assert told["settings"]["guidance.scale"] == {"value": 5.0, "from": "yours"}
    assert told["settings"]["optimize.steps"] == {"value": 500, "from": "preset"}
    assert cli.main(["settings", "--steps", "7"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^  optimize.steps +7 +yours$", shown, re.MULTILINE) and "recipe of Starter" in shown


def test_settings_of_a_large_model_are_its_familys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from reference.tiny_families import stable_diffusion, stable_diffusion_xl

    stable_diffusion().save_pretrained(tmp_path / "sd")
    assert cli.main(["settings", "--model", str(tmp_path / "sd")]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^  guidance.scale +100.0 +recipe: SDF, TS", shown, re.MULTILINE)
    stable_diffusion_xl().save_pretrained(tmp_path / "xl")
    assert cli.main(["settings", "--model", str(tmp_path / "xl")]) == 0
    assert "experimental" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize("wrong", [["--set", "recipe=Nobody"], ["--preset", "best"], ["--model", "nowhere/at-all"]])
def test_settings_refuse_what_generate_refuses(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["settings", *wrong]) == 2
    told = capsys.readouterr().err
    assert "why:" in told and "fix:" in told


def test_a_run_with_a_large_model_gets_its_recipe(tmp_path: Path) -> None:
    from reference.tiny_families import stable_diffusion

    stable_diffusion().save_pretrained(tmp_path / "sd")
    asked = checked_request(
        "a mug", settings={"model": str(tmp_path / "sd"), "optimize": {"views": 1}}, output=tmp_path / "out"
    )
    assert asked.config.recipe == "StableDiffusionPipeline"
    assert asked.config.guidance.scale == 100.0 and asked.config.optimize.resolution == (64, 128)
    assert asked.config.optimize.views == 1 and asked.config.optimize.steps == 5000
    assert disk_needed(asked.config) > 384 << 20, "two checkpoints of 16 levels of 2^19"


def test_settings_are_explained_with_range_and_unit(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["settings", "--about", "mesh"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "mesh.texture  default 1024  in [64, 8192] (pixels)" in lines
    assert lines[lines.index("mesh.texture  default 1024  in [64, 8192] (pixels)") + 1].strip().startswith("Side of")
    assert not any(line.startswith("optimize.") for line in lines)
    assert cli.main(["settings", "--about", "--json"]) == 0
    told = {line["name"]: line for line in json.loads(capsys.readouterr().out)}
    assert told["guidance.score"]["choices"][0] == "sds" and told["memory.fit"]["default"] is True
    assert cli.main(["settings", "--about", "textur"]) == 0
    assert cli.main(["settings", "--about", "mesh.txture"]) == 2
    assert "mesh.texture" in capsys.readouterr().err
