"""A model that is a folder or a file has a line as a downloaded one has, and nothing is written for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from reference.stable_diffusion_2 import write_stable_diffusion_2
from reference.tiny_clip import write_tiny_clip
from reference.tiny_families import Case
from reference.tiny_image_dream import write_image_dream
from reference.tiny_zero123 import write_zero123

from dreamfusion_engine.commands.given_models import LARGEST, bounded_json, given_model
from dreamfusion_engine.commands.model_line import Machine
from dreamfusion_engine.commands.model_list import models_here, models_to_get
from dreamfusion_engine.hub.address import HubAddress

MACHINE = Machine(device_type="cpu", free_bytes=8 << 30)


@pytest.mark.slow
def test_a_folder_has_the_line_of_the_same_model_in_the_hubs_cache(
    cases: Callable[[str], Case], tmp_path: Path
) -> None:
    folder = cases("sd").folder
    cached = tmp_path / "models--someone--tiny"
    shutil.copytree(folder, cached / "snapshots" / ("a" * 40))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("a" * 40)
    downloaded = models_here(HubAddress(cache=tmp_path), MACHINE)[1].to_json()
    line = given_model(str(folder), MACHINE)
    assert line.usable and (line.name, line.state, line.title) == (str(folder), "given", "model")
    same = {"family", "size_mb", "memory_mib", "fit", "recipe", "estimates", "adapters", "closed_vocabulary"}
    assert {name: line.to_json()[name] for name in same} == {name: downloaded[name] for name in same}
    assert line.to_json()["adapters"] == ["lora", "embeddings"]


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "takes"), [("sd3", ["lora"]), ("pixart", []), ("if", [])])
def test_a_line_says_which_adapters_its_family_takes(
    cases: Callable[[str], Case], variant: str, takes: list[str]
) -> None:
    assert given_model(str(cases(variant).folder), MACHINE).to_json()["adapters"] == takes


def test_a_clips_folder_has_a_line_with_its_own_recipe_and_takes_no_adapters(tmp_path: Path) -> None:
    line = given_model(str(write_tiny_clip(tmp_path / "clip")), MACHINE).to_json()
    assert (line["family"], line["state"], line["fit"], line["adapters"]) == ("CLIPModel", "given", "fits", [])
    assert line["recipe"]["settings"]["draft"]["clip.transmittance"] == 0.5
    assert list(line["methods"]) == ["clip-mesh"] and len(json.dumps(line)) < LARGEST
    (tmp_path / "clip" / "preprocessor_config.json").unlink()
    broken = given_model(str(tmp_path / "clip"), MACHINE)
    assert broken.state == "broken" and "preprocessor_config.json" in broken.trouble["why"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "told"), [(write_zero123, ["picture", "poses"]), (write_image_dream, ["words", "picture"])]
)
def test_a_line_says_what_the_model_is_told_and_no_poses_that_nobody_knows(
    write: Callable[[Path], object], told: list[str], tmp_path: Path
) -> None:
    write(tmp_path / "model")
    line = given_model(str(tmp_path / "model"), MACHINE).to_json()
    assert line["state"] == "given" and line["told"] == told and line["pose"] == ""


def test_the_catalogue_tells_the_poses_of_a_model_that_is_not_here_yet(tmp_path: Path) -> None:
    lines = {line.name: line.to_json() for line in models_to_get(HubAddress(cache=tmp_path), MACHINE, [])}
    stable, both = lines["ashawkey/stable-zero123-diffusers"], lines["ashawkey/imagedream-ipmv-diffusers"]
    assert (stable["told"], stable["pose"]) == (["picture", "poses"], "stable-zero123")
    assert (both["told"], both["pose"]) == (["words", "picture"], "") and both["memory_mib"] > 0
    assert lines["stable-diffusion-v1-5/stable-diffusion-v1-5"]["told"] == ["words"]


def test_the_starters_line_takes_none(tmp_path: Path) -> None:
    starter = models_here(HubAddress(cache=tmp_path), MACHINE)[0].to_json()
    assert starter["adapters"] == [] and starter["recipe"]["scores"] == {}


@pytest.mark.slow
def test_a_file_that_was_never_used_is_told_by_its_architecture_and_stays_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "peacock.safetensors"
    write_stable_diffusion_2(file, tmp_path / "base")
    unknown = given_model(str(file), MACHINE)
    assert unknown.state == "broken" and unknown.trouble["code"] == "model.prediction"
    line = given_model(str(file), MACHINE, str(tmp_path / "base"))
    assert line.state == "given" and line.family == "StableDiffusionPipeline", line.trouble
    assert line.memory_mib > 1024, "what a Stable Diffusion 2 of real size takes"
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["/no/such/folder", "owner/absent", "x" * 5000, "a\0b", ""])
def test_what_is_no_model_has_a_line_that_says_why(name: str) -> None:
    line = given_model(name, MACHINE)
    assert line.state == "broken" and not line.usable and line.trouble["what"] and line.trouble["why"]
    assert json.dumps(line.to_json())


def test_a_card_with_very_many_words_does_not_fill_the_message(saved_pipeline: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved_pipeline, folder)
    card = json.loads((folder / "dreamfusion.json").read_text())
    (folder / "dreamfusion.json").write_text(json.dumps({**card, "colours": ["\u00fc" * 190] * 90}))
    line = given_model(str(folder), MACHINE)
    assert len(json.dumps(line.to_json())) > LARGEST > len(json.dumps(bounded_json(line)))
    assert bounded_json(line)["closed_vocabulary"] is True
