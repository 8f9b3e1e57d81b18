"""Models that are told a picture, and what is refused of them before anything is loaded; words for all others.

ImageDream is told a picture and words, and can do without the words.

Of: dreamfusion_engine/request/told.py, dreamfusion_engine/request/settings.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures.painting import bytes_of, disc
from reference.glb_builder import square
from reference.tiny_image_dream import write_image_dream
from reference.tiny_zero123 import write_zero123

from dreamfusion_engine.config.recipes import IMAGE_DREAM, STABLE_ZERO123_RECIPE, ZERO123
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.models import told_picture
from dreamfusion_engine.pictures.given import GivenPicture
from dreamfusion_engine.pictures.viewpoint import Viewpoint
from dreamfusion_engine.request.contest import checked_contest_request
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.refine import checked_refine_request
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.request.texture import checked_texture_request

MASK = disc(96, 96)
ROUND = bytes_of(np.concatenate([np.full((96, 96, 3), (0.8, 0.1, 0.1), np.float32), MASK[..., None]], -1))
PICTURE = GivenPicture(data=ROUND, name="my car.png")
STABLE = {"reference": {"pose": "stable-zero123"}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zero123") / "model"
    write_zero123(folder)
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is told words and a picture."""
    folder = tmp_path_factory.mktemp("imagedream") / "model"
    write_image_dream(folder)
    return folder


def asked(
    model: Path | str,
    settings: dict[str, Any] | None = None,
    prompt: str = "",
    pictures: tuple[GivenPicture, ...] = (PICTURE,),
    output_root: Path = Path("outputs"),
    **more: Any,
) -> Request:
    given = {"model": str(model), **(settings or {})}
    return checked_request(prompt, settings=given, pictures=pictures, output_root=output_root, **more)


def refused(model: Path | str, *arguments: Any, **more: Any) -> InputError:
    with pytest.raises(InputError) as error:
        asked(model, *arguments, **more)
    assert error.value.why and error.value.fix
    return error.value


@pytest.mark.parametrize("pose", ["zero123", "stable-zero123"])
def test_a_picture_without_a_prompt_makes_a_run_by_the_recipe_of_its_poses(
    pose: str, model: Path, tmp_path: Path
) -> None:
    request = asked(model, {"reference": {"pose": pose}}, output_root=tmp_path)
    assert request.config.prompt == "" and request.config.reference.pose == pose
    assert request.config.recipe == {"zero123": ZERO123, "stable-zero123": STABLE_ZERO123_RECIPE}[pose]
    assert request.output == tmp_path / "my-car-0" and len(request.pictures) == 1
    assert request.config.field.background == "white" and request.config.guidance.scale == 3.0


def test_the_recipe_says_the_poses_too(model: Path, tmp_path: Path) -> None:
    request = asked(model, {"recipe": STABLE_ZERO123_RECIPE}, output_root=tmp_path)
    assert request.config.reference.pose == "stable-zero123"


def test_a_prompt_is_a_name_of_any_length(model: Path, tmp_path: Path) -> None:
    request = asked(model, STABLE, prompt="a car " * 100, output_root=tmp_path)
    assert request.config.prompt.startswith("a car a car")


def test_a_picture_without_a_name_makes_a_folder_all_the_same(model: Path, tmp_path: Path) -> None:
    assert asked(model, STABLE, pictures=(GivenPicture(data=ROUND),), output_root=tmp_path).output.name == "object-0"


def test_the_catalogue_knows_the_poses_and_others_are_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dreamfusion_engine.models.pipeline_folder.pose_of",
        lambda name: told_picture.pose_of("ashawkey/stable-zero123-diffusers"),
    )
    assert asked(model, output_root=tmp_path).config.recipe == STABLE_ZERO123_RECIPE
    for wrong in ({"reference": {"pose": "zero123"}}, {"recipe": ZERO123}):
        error = refused(model, wrong, output_root=tmp_path)
        assert error.code == "input.pose" and "stable-zero123" in error.why and "recipe" in error.fix


def test_poses_that_nobody_names_are_asked_for(model: Path, tmp_path: Path) -> None:
    for given in (None, {"reference": {"pose": "auto"}}):
        error = refused(model, given, output_root=tmp_path)
        assert error.code == "input.pose" and "reference.pose=stable-zero123" in error.fix


@pytest.mark.parametrize(
    ("pictures", "prompt", "code"),
    [
        ((), "a car", "input.picture_missing"),
        ((), "", "input.picture_missing"),
        ((PICTURE, GivenPicture(data=ROUND, viewpoint=Viewpoint(90.0))), "a car", "input.picture"),
        ((GivenPicture(data=bytes_of(np.full((96, 96, 3), 0.5, np.float32))),), "", "input.picture_no_object"),
        ((GivenPicture(data=bytes_of(np.zeros((96, 96, 4), np.float32))),), "", "input.picture_empty"),
    ],
    ids=["none", "nothing", "two", "flat", "transparent"],
)
def test_pictures_that_do_not_make_a_run_are_refused(
    pictures: tuple[GivenPicture, ...], prompt: str, code: str, model: Path, tmp_path: Path
) -> None:
    assert refused(model, STABLE, prompt=prompt, pictures=pictures, output_root=tmp_path).code == code
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("prompt", ["", " \n", "\u200b"])
def test_a_model_that_reads_words_asks_for_them(prompt: str, tmp_path: Path) -> None:
    error = refused("starter", prompt=prompt, output_root=tmp_path)
    assert error.code == "input.prompt_missing" and "in words" in error.why and "Zero123" in error.fix
    assert refused("starter", prompt=prompt, pictures=(), output_root=tmp_path).code == "input.prompt_empty"


@pytest.mark.parametrize("prompt", ["", "a red car"])
def test_a_model_that_is_told_both_takes_a_picture_with_or_without_words(
    prompt: str, both: Path, tmp_path: Path
) -> None:
    request = asked(both, {"negative": "blue"}, prompt, output_root=tmp_path)
    assert request.config.recipe == IMAGE_DREAM and request.config.prompt == prompt and len(request.pictures) == 1
    assert request.config.negative == "blue" and request.config.reference.pose == "auto"
    assert request.config.camera.group == 4 and request.config.guidance.scale == 5.0


@pytest.mark.parametrize(
    ("given", "prompt", "pictures", "code", "said"),
    [
        (None, "a car", (), "input.picture_missing", "beside the words"),
        (None, "", (), "input.picture_missing", "beside the words"),
        (None, "a car", (PICTURE, GivenPicture(data=ROUND, viewpoint=Viewpoint(90.0))), "input.picture", "told one"),
        (None, "a car " * 40, (PICTURE,), "input.prompt_tokens", "77 tokens"),
        ({"camera": {"group": 1}}, "a car", (PICTURE,), "input.setting", "4 views"),
        ({"optimize": {"views": 6}}, "a car", (PICTURE,), "input.setting", "multiple of 4"),
        (STABLE, "a car", (PICTURE,), "input.setting", "picture alone"),
        ({"recipe": "MVDreamPipeline"}, "a car", (PICTURE,), "input.recipe", "ImageDream"),
    ],
    ids=["none", "nothing", "two", "long", "alone", "six", "poses", "recipe"],
)
def test_what_does_not_fit_a_model_that_is_told_both_is_refused(
    given: dict[str, Any] | None,
    prompt: str,
    pictures: tuple[GivenPicture, ...],
    code: str,
    said: str,
    both: Path,
    tmp_path: Path,
) -> None:
    error = refused(both, given, prompt, pictures, output_root=tmp_path)
    assert error.code == code and said in error.why and not any(tmp_path.iterdir())


@pytest.mark.parametrize("told", ["alone", "both"])
def test_runs_that_take_no_picture_refuse_the_model(told: str, model: Path, both: Path, tmp_path: Path) -> None:
    settings = {"model": str(model if told == "alone" else both)}
    for check in (checked_texture_request, checked_refine_request):
        with pytest.raises(InputError, match="needs a picture") as error:
            check("a car", square().data(), settings=settings, output_root=tmp_path)
        assert error.value.code == "input.picture_missing" and "takes none" in error.value.why
    with pytest.raises(InputError, match="needs a picture"):
        checked_contest_request("a car", SeedRange(first=0, count=2), settings=settings, output_root=tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        {"negative": "ugly"},
        {"prompts": {"back": "the back of {}"}},
        {"guidance": {"perp_neg": "on"}},
        {"guidance": {"view_prompts": "nearest"}},
        {"guidance": {"score": "nfsd"}},
        {"adapters": {"lora": [["clay.safetensors", 1.0]]}},
    ],
    ids=str,
)
def test_settings_about_words_are_refused_by_name(given: dict[str, Any], model: Path, tmp_path: Path) -> None:
    error = refused(model, {**STABLE, **given}, output_root=tmp_path)
    assert error.code == "input.setting" and "Zero123" in f"{error.what} {error.why}"


def test_poses_are_refused_to_a_model_that_reads_words(tmp_path: Path) -> None:
    error = refused("starter", STABLE, prompt="a car", output_root=tmp_path)
    assert error.code == "input.setting" and "reference.pose" in error.what and "reads words" in error.why
