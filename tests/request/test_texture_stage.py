"""`generate --texture-model`: what is asked of the engine, and what is refused before anything is loaded.

Of: dreamfusion_engine/request/texture_stage.py, dreamfusion_engine/config/texture_stage.py, dreamfusion_engine/cli.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reference.paper_model import write_paper_model
from reference.tiny_zero123 import write_zero123

from dreamfusion_engine import cli
from dreamfusion_engine.config.paint import painting
from dreamfusion_engine.config.presets import preset, to_json
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.config.texture_stage import texture_config
from dreamfusion_engine.errors import EngineError, InputError
from dreamfusion_engine.events import Result
from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.models.pipeline_folder import model_facts
from dreamfusion_engine.request.contest import checked_contest_request
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.refine import checked_refine_request
from dreamfusion_engine.request.settings import settings_for
from dreamfusion_engine.request.texture_stage import with_texture_stage


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A pixel model that knows every word."""
    return str(write_paper_model(tmp_path_factory.mktemp("paper") / "painter"))


@pytest.fixture(scope="module")
def told_picture(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny") / "zero"
    write_zero123(folder)
    return str(folder)


def stage(config: GenerateConfig) -> GenerateConfig:
    """The settings of the second stage."""
    return texture_config(config)


def asked(tmp_path: Path, prompt: str = "a red mug", **settings: Any) -> GenerateConfig:
    return checked_request(prompt, preset_name="draft", settings=settings, output=tmp_path / "out").config


def refused(tmp_path: Path, prompt: str = "a red mug", **settings: Any) -> EngineError:
    with pytest.raises(EngineError) as found:
        asked(tmp_path, prompt, **settings)
    assert not (tmp_path / "out").exists() and found.value.exit_code == 2
    return found.value


def test_the_stage_has_the_settings_of_the_command_texture_with_its_model(painter: str, tmp_path: Path) -> None:
    config = asked(tmp_path, texture={"model": painter}, guidance={"scale": 3.0}, mesh={"texture": 512}, seed=4)
    assert config.texture.recipe == "IFPipeline" and config.recipe == "starter"
    second = stage(config)
    alike = painting(preset("draft", "a red mug", {"model": painter}, "IFPipeline"), {})
    for name in ("optimize", "guidance", "camera", "field", "score"):
        assert getattr(second, name) == getattr(alike, name), name
    assert (second.model, second.seed, second.mesh.texture, second.prompt) == (painter, 4, 512, "a red mug")
    assert second.guidance.scale == 20.0, "that of its own recipe: what was given is the first model's"
    own = stage(asked(tmp_path, texture={"model": painter, "steps": 7, "scale": 5.0}))
    assert (own.optimize.steps, own.guidance.scale) == (7, 5.0)


def test_both_models_have_the_artists_negative_prompt_and_each_its_own_recipes(painter: str, tmp_path: Path) -> None:
    assert stage(asked(tmp_path, texture={"model": painter}, negative="blue")).negative == "blue"
    words = preset("draft", "a", {"texture": {"model": painter, "recipe": "IFPipeline"}}, "MVDreamPipeline")
    assert words.negative and stage(words).negative == "", "the words of MVDream's recipe are for MVDream"


def test_the_same_model_may_do_both(tmp_path: Path) -> None:
    config = asked(tmp_path, texture={"model": "starter"})
    assert stage(config).model == "starter" and stage(config).guidance.scale == 2.5


@pytest.mark.slow
def test_a_model_that_is_told_a_picture_makes_shapes_and_no_textures(
    painter: str, told_picture: str, tmp_path: Path
) -> None:
    error = refused(tmp_path, texture={"model": told_picture})
    assert error.code == "input.texture_model" and "Zero123" in error.why and "--texture-model" in error.fix
    first = preset("draft", "", {"reference": {"pose": "zero123"}}, "Zero1to3StableDiffusionPipeline")
    with pytest.raises(InputError) as found:
        with_texture_stage(replace(first, texture=replace(first.texture, model=painter)), {})
    assert found.value.code == "input.prompt_missing" and "texture model" in found.value.what


@pytest.mark.slow
def test_the_negative_prompt_of_a_texture_model_does_something_beside_one_that_reads_no_words(
    painter: str, told_picture: str, tmp_path: Path
) -> None:
    given = {"negative": "blue", "reference": {"pose": "zero123"}}
    with pytest.raises(InputError, match="negative"):
        settings_for(model_facts(told_picture), "draft", "a mug", given)
    made = settings_for(model_facts(told_picture), "draft", "a mug", {**given, "texture": {"model": painter}})
    assert made.config.negative == "blue"


@pytest.mark.parametrize(
    ("texture", "code", "said"),
    [
        ({"model": "no/such-model"}, "model.not_downloaded", "texture model"),
        ({"model": "/nowhere/model"}, "model.missing", "--texture-model"),
        ({"model": "  "}, "model.missing", "--texture-model"),
        ({"model": "starter", "base": "x"}, "input.base", "--texture-base"),
        ({"model": "starter", "recipe": "FluxPipeline"}, "input.recipe", "texture.recipe"),
        ({"model": "starter", "recipe": "none"}, "input.recipe", "'none'"),
        ({"model": "starter", "steps": -1}, "input.setting", "texture.steps"),
        ({"model": 3}, "input.setting", "texture.model"),
        ({"steps": 5}, "input.setting", "--texture-model"),
        ({"modell": "starter"}, "input.unknown_setting", "texture.model"),
    ],
)
def test_a_texture_model_that_cannot_be_is_refused_with_the_way(
    texture: dict[str, Any], code: str, said: str, tmp_path: Path
) -> None:
    error = refused(tmp_path, texture=texture)
    assert error.code == code and said in f"{error.what} {error.why} {error.fix}"


def test_a_texture_model_of_few_words_is_asked_for_its_own(painter: str, tmp_path: Path) -> None:
    error = refused(tmp_path, "a xylophone", model=painter, texture={"model": "starter"})
    assert error.code == "input.unknown_words"
    assert "texture model" in error.why and "--texture-model FOLDER" in error.fix


def test_a_recipe_that_makes_new_objects_paints_none(tmp_path: Path) -> None:
    error = refused(tmp_path, texture={"model": str(WEIGHTS), "recipe": "small-clip-mesh"})
    assert error.code == "input.recipe" and "sphere" in error.why and "small-clip" in error.fix


def test_runs_on_a_mesh_have_one_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'texture' do nothing"):
        checked_refine_request("a mug", b"glTF", settings={"texture": {"model": "starter"}}, output=tmp_path)


def test_a_contest_takes_one(tmp_path: Path) -> None:
    settings = {"texture": {"model": "starter"}}
    seeds = SeedRange(first=0, count=2)
    found = checked_contest_request("a mug", seeds, preset_name="draft", settings=settings, output=tmp_path / "out")
    assert found.config.texture.recipe == "starter"


def test_a_run_is_not_resumed_with_another_texture_model(painter: str, tmp_path: Path) -> None:
    begun = asked(tmp_path, texture={"model": painter})
    folder = tmp_path / "out" / "checkpoint"
    folder.mkdir(parents=True)
    (folder / "checkpoint.json").write_text(json.dumps({"config": to_json(begun)}))

    def again(**settings: Any) -> GenerateConfig:
        made = checked_request(
            "a red mug", preset_name="draft", settings=settings, output=tmp_path / "out", resume=True
        )
        return made.config

    assert again(texture={"model": painter}).texture == begun.texture
    for other in ({"texture": {"model": "starter"}}, {}):
        with pytest.raises(InputError) as found:
            again(**other)
        assert found.value.code == "checkpoint.other_run" and painter in found.value.why
        assert "--resume" in found.value.fix
    (folder / "checkpoint.json").write_text(json.dumps({"config": to_json(asked(tmp_path / "plain"))}))
    assert again(texture={"model": painter}).texture.model == painter, "one that had none may be painted after all"


def test_a_contest_is_not_resumed_with_another_texture_model(painter: str, tmp_path: Path) -> None:
    seeds, folder = SeedRange(first=0, count=2), tmp_path / "out"

    def checked(texture: dict[str, str], resume: bool = True) -> GenerateConfig:
        settings = {"texture": texture} if texture else {}
        made = checked_contest_request(
            "a red mug", seeds, preset_name="draft", settings=settings, output=folder, resume=resume
        )
        return made.config

    begun = checked({"model": painter}, resume=False)
    draft = folder / "seeds" / "1" / "checkpoint"  # of the first seed there is none: its training failed
    draft.mkdir(parents=True)
    (draft / "checkpoint.json").write_text(json.dumps({"config": to_json(begun)}))
    (folder / "contest.json").write_text("{}")
    assert checked({"model": painter}).texture == begun.texture
    for other in ({"model": "starter"}, {}):
        with pytest.raises(InputError) as found:
            checked(other)
        assert found.value.code == "checkpoint.other_run" and painter in found.value.why


def test_the_command_line_names_it_and_refuses_to_say_it_twice(
    painter: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[GenerateConfig] = []

    def spy(config: GenerateConfig, output: Path, **more: Any) -> Result:
        found.append(config)
        return Result(folder=str(output), files={})

    words = ["generate", "a red mug", "--output", str(tmp_path / "out"), "--texture-model", painter]
    assert cli.main(words, generate=spy) == 0 and found[0].texture.model == painter
    assert cli.main([*words, "--set", "texture.model=starter"], generate=spy) == 2
    assert "--texture-model" in capsys.readouterr().err
    assert cli.main([*words[:-1], ""], generate=spy) == 2
    assert "nothing was given" in capsys.readouterr().err


def test_settings_prints_both_models(painter: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["settings", "--preset", "draft", "--texture-model", painter]) == 0
    first, second = capsys.readouterr().out.split("Then the texture")
    assert "recipe of Starter" in first and painter in second and "DeepFloyd" in second
    assert "optimize.steps" in second and "mesh.triangles" not in second
    assert cli.main(["settings", "--preset", "draft", "--texture-model", painter, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["recipe"]["name"] == "starter" and told["texture"]["recipe"]["name"] == "IFPipeline"
    assert told["texture"]["settings"]["guidance.scale"] == {"value": 20.0, "from": "recipe: TS, dreamfusion-if"}
