"""Facts about recipes: every value is a setting, has a source, and pulls as the public recipes do."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine.commands.settings_table import settings_text
from dreamfusion_engine.config.presets import (
    PRESET_NAMES,
    dotted,
    from_json,
    origins_of,
    preset,
    recipe_differences,
    resolve,
    to_json,
)
from dreamfusion_engine.config.recipes import (
    CLIP_MESH_RECIPE,
    CLIP_MESH_RECIPES,
    IMAGE_DREAM,
    LATENT_RECIPE,
    MULTI_VIEW_RECIPE,
    RECIPES,
    STARTER_RECIPE,
    ZERO123,
    recipe_family,
    recipe_for,
)
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.pipeline_folder import ModelFacts
from dreamfusion_engine.request.settings import settings_for

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMPARING = [name for name, recipe in RECIPES.items() if FAMILIES[recipe.family].compares]
DREAM_FIELDS = [name for name in COMPARING if name in CLIP_MESH_RECIPES]
TOLD_POSES = [name for name, recipe in RECIPES.items() if FAMILIES[recipe.family].told_poses]
OTHERS = (STARTER_RECIPE, LATENT_RECIPE, MULTI_VIEW_RECIPE, IMAGE_DREAM, *COMPARING, *TOLD_POSES)
LARGE = [name for name in RECIPES if name not in OTHERS]
LATENT = [name for name in LARGE if FAMILIES[name].vae]


def test_every_family_has_a_recipe_of_its_own_name() -> None:
    """But one, whose folders alone differ from another's."""
    assert {recipe_family(name) for name in FAMILIES} <= set(RECIPES)
    assert all(RECIPES[recipe_family(name)].family == recipe_family(name) for name in FAMILIES)
    assert [name for name in FAMILIES if recipe_family(name) != name] == ["Zero123Pipeline"]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("level", PRESET_NAMES)
@pytest.mark.parametrize("score", ["sds", "csd", "nfsd", "sdi", "vsd", "sampled"])
def test_every_value_is_a_possible_setting_and_has_a_source(name: str, level: str, score: str) -> None:
    given = RECIPES[name].values(level, score)
    made = dotted(preset(level, "a mug", {"guidance": {"score": score}}, name))
    for key, (value, source) in given.items():
        assert made[key] == (list(value) if isinstance(value, tuple) else value)
        assert source.startswith(("SDF", "TS", "MVD", "IMD", "ours", "arXiv", "RFDS", "between")), (key, source)


@pytest.mark.parametrize("name", DREAM_FIELDS)
@pytest.mark.parametrize("level", PRESET_NAMES)
def test_a_clips_recipe_is_that_of_dream_fields(name: str, level: str) -> None:
    """The cameras, crops, reward and target of arXiv 2112.01455; no light, no view words, no other regulariser."""
    made = preset(level, "a mug", recipe=name)
    assert (made.camera.distance, made.camera.fov_deg) == ((4.0, 4.0), (33.4, 33.4))
    assert made.camera.elevation_deg == (30.0, 30.0) and made.camera.target_jitter == 0.0
    assert made.optimize.views * made.clip.crops == 8 or level == "high"
    assert (made.clip.transmittance, made.clip.target, made.clip.target_until) == (0.5, (0.4, 0.88), 0.05)
    assert made.clip.crop * 168 == pytest.approx(154) and made.clip.blur * 168 == pytest.approx(10)
    weights = made.optimize
    assert weights.opacity == weights.entropy == weights.orientation == weights.smoothness == 0.0
    assert weights.albedo_until == 1.0 and made.guidance.view_prompts == "off"


def test_a_clips_other_recipe_is_that_of_clip_mesh() -> None:
    """The published values of arXiv 2203.13333, but for the prior's term, which needs a model of its own."""
    made = preset("standard", "a mug", recipe=CLIP_MESH_RECIPE)
    assert (made.method, made.refine.steps, made.guidance.view_prompts) == ("clip-mesh", 0, "off")
    assert (made.camera.distance, made.camera.fov_deg) == ((5.0, 12.0), (30.0, 90.0))
    assert made.camera.elevation_deg == (0.0, 90.0) and made.sphere.low_views == 5.0 and made.sphere.offset == 2.0
    assert (made.optimize.views, made.optimize.resolution, made.optimize.steps) == (25, (512, 512), 5000)
    assert made.optimize.learning_rate == 0.01 and made.sphere.laplacian == (30.0, 0.6) and made.sphere.plain == 0.5
    assert (made.sphere.level, made.sphere.maps, made.sphere.blur) == (3, 512, 3.0)
    assert (made.clip.crops, made.clip.crop, made.clip.third) == (1, 1.0, "plain")
    assert preset("draft", "a mug", recipe=CLIP_MESH_RECIPE).optimize.steps == 1000
    for name, other in CLIP_MESH_RECIPES.items():
        assert RECIPES[name].family == RECIPES[other].family and preset("high", "a", recipe=name).method == "field"


def test_a_recipe_says_whether_its_models_read_words_and_which_poses_others_were_taught() -> None:
    for name, recipe in RECIPES.items():
        assert recipe.words == FAMILIES[recipe.family].needs_words
        pose = preset("standard", "a", recipe=name).reference.pose
        assert pose == {"stable-zero123": "stable-zero123", ZERO123: "zero123"}.get(name, "auto")
        if recipe.words:
            with pytest.raises(InputError, match="prompt is empty"):
                preset("standard", " ", recipe=name)
        else:
            assert preset("standard", " ", recipe=name).prompt == ""
    for family in (ZERO123, "Zero123Pipeline"):
        assert recipe_for(family, closed_vocabulary=False) == ZERO123
        assert recipe_for(family, closed_vocabulary=False, pose="stable-zero123") == "stable-zero123"
    assert recipe_for("FluxPipeline", closed_vocabulary=False, pose="stable-zero123") == "FluxPipeline"


@pytest.mark.parametrize("level", PRESET_NAMES)
def test_imagedreams_recipe_is_the_public_one(level: str) -> None:
    """imagedream-sd21-shading.yaml; the lens frames the box as the other large recipes do."""
    made, other = preset(level, "", recipe=IMAGE_DREAM), preset(level, "a mug", recipe="MVDreamPipeline")
    guidance, camera = made.guidance, made.camera
    assert (guidance.scale, guidance.rescale, guidance.weighting) == (5.0, 0.2, "reconstruction")
    assert guidance.t_max == other.guidance.t_max == (0.98, 0.5) and guidance.t_min == other.guidance.t_min
    assert guidance.anneal_until * 12_500 == 8_000 and made.optimize.albedo_until * 12_500 == 5_000
    assert camera.group == 4 and camera.elevation_deg == (0.0, 5.0) and camera.fov_deg == (45.0, 50.0)
    assert made.field.background == "white" and made.reference.begin == 0.0 and made.negative == other.negative
    half = [
        0.5 * sum(each.camera.distance) * math.tan(math.radians(0.25 * sum(each.camera.fov_deg)))
        for each in (made, other)
    ]
    assert half[0] == pytest.approx(half[1], rel=0.02)
    assert made.optimize.steps == {"draft": 3000, "standard": 6000, "high": 12_500}[level]


@pytest.mark.parametrize("name", TOLD_POSES)
def test_a_model_that_is_told_a_picture_has_the_public_cameras_and_number_of_views(name: str) -> None:
    """threestudio's zero123.yaml: 10,000 steps of 2 views; stable-zero123.yaml: 200 of 12, 100 of 8, 300 of 4."""
    made, high = (preset(level, "", recipe=name) for level in ("standard", "high"))
    assert made.camera.fov_deg == (20.0, 20.0) and made.camera.distance[0] == made.camera.distance[1]
    assert made.field.background == "white" and made.reference.begin == 0.0 and made.guidance.scale == 3.0
    public = 200 * 12 + 100 * 8 + 300 * 4 if name == "stable-zero123" else 20_000
    views = (high if name == ZERO123 else made).optimize
    assert public <= views.steps * views.views <= 1.1 * public


@pytest.mark.parametrize("level", PRESET_NAMES)
def test_the_starters_recipe_is_the_preset_itself(level: str) -> None:
    assert RECIPES[STARTER_RECIPE].values(level, "sds") == {}
    assert recipe_differences(STARTER_RECIPE)[level] == {}
    origins = origins_of(preset(level, "a mug"))
    assert origins.pop("recipe") == "model" and set(origins.values()) == {"preset"}


@pytest.mark.parametrize("name", LATENT)
def test_a_latent_teacher_never_sees_fewer_than_64_pixels_and_gets_the_public_number_of_views(name: str) -> None:
    for level, views in (("draft", 5_000), ("standard", 10_000), ("high", 20_000)):
        made = preset(level, "a mug", recipe=name)
        assert made.optimize.resolution[0] >= 64 and made.optimize.resolution[1] >= 128
        assert made.optimize.steps * made.optimize.views >= views
        assert (made.field.levels, made.field.log2_table) == (16, 19)
        assert 50.0 <= made.guidance.scale <= 100.0


def test_scores_that_want_weak_guidance_get_it() -> None:
    for score in ("vsd", "sdi", "nfsd"):
        assert preset("standard", "a", {"guidance": {"score": score}}, "StableDiffusionPipeline").guidance.scale == 7.5


def test_yours_win_over_the_recipe_and_the_recipe_over_the_preset() -> None:
    made = resolve("draft", "a mug", {"guidance": {"scale": 30.0}, "seed": 4}, "StableDiffusionPipeline")
    assert made.config.guidance.scale == 30.0 and made.origins["guidance.scale"] == "yours"
    assert made.config.optimize.steps == 2500 and made.origins["optimize.steps"].startswith("recipe: ")
    assert made.config.mesh.triangles == 10_000 and made.origins["mesh.triangles"] == "preset"
    assert made.origins["seed"] == "yours" and set(made.origins) == set(dotted(made.config))
    assert json.loads(json.dumps(made.to_json()))["guidance.scale"] == {"value": 30.0, "from": "yours"}


def test_origins_are_told_from_a_finished_configuration_too() -> None:
    given = {"guidance": {"score": "vsd", "scale": 9.0}, "optimize": {"views": 3}}
    made = resolve("high", "a mug", given, "StableDiffusionPipeline")
    read = from_json(GenerateConfig, json.loads(json.dumps(to_json(made.config))))
    assert origins_of(read) == dict(made.origins)


def test_what_a_recipe_changes_leads_to_the_same_settings() -> None:
    for name in RECIPES:
        for level, changes in recipe_differences(name).items():
            made = dotted(preset(level, "a"))
            assert {**made, **changes, "recipe": name} == dotted(preset(level, "a", recipe=name))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_the_views_together_that_its_family_judges_together(name: str) -> None:
    for level in PRESET_NAMES:
        made = preset(level, "a mug", recipe=name)
        assert made.camera.group == FAMILIES[RECIPES[name].family].views_together


def test_a_multi_view_recipe_asks_for_whole_groups_and_says_how_many_fit() -> None:
    made = preset("standard", "a mug", {"optimize": {"views": 8}, "memory": {"views_at_once": 4}}, "MVDreamPipeline")
    assert made.camera.group == 4 and made.optimize.views == 8
    for given, named in (
        ({"optimize": {"views": 6}}, "optimize.views"),
        ({"optimize": {"views": 2}}, "optimize.views"),
        ({"memory": {"views_at_once": 1}}, "memory.views_at_once"),
    ):
        with pytest.raises(InputError) as caught:
            preset("standard", "a mug", given, "MVDreamPipeline")
        assert caught.value.code == "input.setting" and named in caught.value.what
        assert "4 views are judged together" in caught.value.why and "multiple of 4" in caught.value.fix


def test_what_an_artist_does_not_want_takes_the_place_of_the_recipes_words_and_nothing_does_not() -> None:
    recipe = "MVDreamPipeline"
    own = preset("standard", "a mug", recipe=recipe).negative
    assert "blurry" in own
    for given, negative, origin in (
        ({"negative": ""}, own, "recipe: ours, after MVD's longer list"),
        ({"negative": "handles"}, "handles", "yours"),
    ):
        made = resolve("standard", "a mug", given, recipe)
        assert made.config.negative == negative and made.origins["negative"] == origin
        assert origins_of(made.config)["negative"] == origin
    others = resolve("standard", "a mug", {"negative": ""}, "FluxPipeline")
    assert others.origins["negative"] == "yours"
    assert own in settings_text(resolve("standard", "a mug", recipe=recipe))
    assert "negative" not in settings_text(others)


def test_a_small_model_of_our_own_is_not_taken_for_a_large_one() -> None:
    assert recipe_for("IFPipeline", closed_vocabulary=True) == STARTER_RECIPE
    assert recipe_for("IFPipeline", closed_vocabulary=False) == "IFPipeline"
    assert recipe_for("StableDiffusionPipeline", closed_vocabulary=True) == LATENT_RECIPE
    assert recipe_for("StableDiffusionPipeline", closed_vocabulary=False) == "StableDiffusionPipeline"
    assert recipe_for("FluxPipeline", closed_vocabulary=True) == "FluxPipeline"


def facts(family: str, closed: bool = False) -> ModelFacts:
    return ModelFacts(family=family, card=dataclasses.replace(PromptCard(), closed_vocabulary=closed))


@pytest.mark.parametrize(
    ("family", "settings", "code", "word"),
    [
        ("StableDiffusionPipeline", {"recipe": "KandinskyPipeline"}, "input.recipe", "KandinskyPipeline"),
        ("StableDiffusionPipeline", {"recipe": "FluxPipeline"}, "input.recipe", "Flux"),
        ("StableDiffusionPipeline", {"recipe": 7}, "input.recipe", "7"),
        ("IFPipeline", {"memory": {"tiling": True}}, "input.setting", "memory.tiling"),
        ("MVDreamPipeline", {"camera": {"group": 2}}, "input.setting", "camera.group"),
        ("MultiViewPixelPipeline", {"camera": {"group": 1}}, "input.setting", "4 views of one object together"),
        ("MVDreamPipeline", {"camera": {"group": 1}}, "input.setting", "4 views of one object together"),
        ("StableDiffusionPipeline", {"camera": {"group": 2}}, "input.setting", "every view alone"),
        ("IFPipeline", {"memory": {"tiny_vae": "a/b"}}, "input.setting", "memory.tiny_vae"),
    ],
)
def test_what_a_family_cannot_have_is_refused(family: str, settings: dict[str, Any], code: str, word: str) -> None:
    with pytest.raises(InputError) as caught:
        settings_for(facts(family), "standard", "a mug", settings)
    assert caught.value.code == code and word in caught.value.what + caught.value.why


def test_the_page_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("recipes_table", DOCS / "recipes_table.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    assert module.renewed(page) == page, "run: python docs/recipes_table.py"
