"""What the engine says of a model's recipe and cost is checked before anything is done with it."""

from __future__ import annotations

from typing import Any

import pytest

from blender_addon.core.engine_preset import PRESETS
from blender_addon.core.model_card import (
    FIELD,
    POSES,
    CardEstimate,
    card_of,
    estimate,
    has_recipe,
    idle,
    is_experimental,
    is_told_picture,
    is_told_poses,
    known_poses,
    methods,
    of_method,
    recipe_settings,
    takes,
    tells_scores,
    views_together,
)
from dreamfusion_engine.commands.model_line import recipe_json
from dreamfusion_engine.config.stages.reference import KNOWN_POSES

GOOD = {"guidance.scale": 100.0, "optimize.resolution": [64, 64], "guidance.score": "sds", "memory.fit": False}
CARD: dict[str, Any] = {
    "name": "owner/painter",
    "recipe": {"name": "Painter", "experimental": True, "settings": {"draft": GOOD, "standard": {}, "high": {}}},
    "estimates": {"draft": {"seconds": 120.0, "memory_mib": 900}, "standard": {"seconds": 0, "memory_mib": 1000}},
}


def test_a_line_that_is_in_order_is_taken_as_it_is() -> None:
    assert card_of([{"name": "starter"}, CARD], "owner/painter") is CARD and card_of(None, "starter") is None
    assert has_recipe(CARD) and is_experimental(CARD)
    assert recipe_settings(CARD, "draft") == GOOD and recipe_settings(CARD, "high") == {}
    assert estimate(CARD, "draft") == CardEstimate(120.0, 900)
    assert estimate(CARD, "standard") == CardEstimate(0.0, 1000) and estimate(CARD, "high") is None


@pytest.mark.parametrize(
    "card",
    [
        None,
        {},
        {"recipe": None, "estimates": None},
        {"recipe": [], "estimates": 3},
        {"recipe": {"settings": 3, "experimental": 1}, "estimates": {"draft": None}},
        {"recipe": {"settings": {"draft": []}, "experimental": "yes"}, "estimates": {"draft": []}},
    ],
)
def test_an_older_engine_and_a_damaged_line_say_nothing(card: dict[str, Any] | None) -> None:
    assert not is_experimental(card)
    for preset in (*PRESETS, "of_the_future"):
        assert recipe_settings(card, preset) == {} and estimate(card, preset) is None


@pytest.mark.parametrize(
    "value",
    [None, {}, [], [1.0], [1.0, 2.0, 3.0], ["a", "b"], [True, 1], 1e300, float("nan"), float("inf"), 10**400, "x" * 81],
)
def test_a_value_of_no_kind_that_settings_have_is_left_out(value: object) -> None:
    card = {"recipe": {"settings": {"draft": {"guidance.scale": value, "guidance.rescale": 0.5}}}}
    assert recipe_settings(card, "draft") == {"guidance.rescale": 0.5}


def test_names_are_dotted_once_and_few() -> None:
    changes: dict[Any, Any] = {"scale": 1, "a.b.c": 1, "x" * 80 + ".y": 1, 5: 1, "guidance.scale": 1}
    assert recipe_settings({"recipe": {"settings": {"draft": changes}}}, "draft") == {"guidance.scale": 1}
    many = {f"guidance.a{number}": 1 for number in range(5000)}
    assert len(recipe_settings({"recipe": {"settings": {"draft": many}}}, "draft")) == 200


@pytest.mark.parametrize("value", ["soon", None, True, -1.0, 1e300, float("nan"), float("inf"), 10**400, []])
def test_a_cost_out_of_range_is_not_known(value: object) -> None:
    card = {"estimates": {"draft": {"seconds": value, "memory_mib": value}}}
    assert estimate(card, "draft") == CardEstimate(0.0, 0)


def test_a_score_lies_over_the_preset_and_is_checked_as_that_is() -> None:
    scores: dict[str, Any] = {"vsd": {"guidance.scale": 7.5, "guidance.rescale": None, "a.b.c": 1}, "sdi": []}
    card = {"recipe": {"settings": {"draft": GOOD}, "scores": scores}}
    assert recipe_settings(card, "draft", "vsd") == {**GOOD, "guidance.scale": 7.5} and tells_scores(card)
    assert recipe_settings(card, "draft", "sdi") == recipe_settings(card, "draft") == GOOD
    assert not tells_scores(CARD) and recipe_settings(CARD, "draft", "vsd") == GOOD


@pytest.mark.parametrize(
    ("said", "known"), [(["lora"], True), ([], False), (["embeddings", 3], False), (None, None), ("lora", None)]
)
def test_what_a_model_takes_is_known_only_where_it_is_said(said: object, known: bool | None) -> None:
    assert takes({"adapters": said}, "lora") is known
    assert takes(None, "lora") is None


@pytest.mark.parametrize(
    ("said", "views"), [(4, 4), (1, 1), (0, 1), (-4, 1), (65, 1), (4.0, 1), (True, 1), ("4", 1), (None, 1), ([4, 4], 1)]
)
def test_views_that_are_judged_together_are_a_small_whole_number(said: object, views: int) -> None:
    assert views_together({"recipe": {"settings": {"draft": {"camera.group": said}}}}) == views
    assert views_together(None) == 1


def test_a_model_is_told_a_picture_where_its_recipe_names_poses() -> None:
    for pose, told in (("zero123", True), ("stable-zero123", True), (None, False), (4, False)):
        assert is_told_picture({"recipe": {"settings": {"draft": {"reference.pose": pose}}}}) is told
    assert not is_told_picture(None) and not is_told_picture({"recipe": {"settings": {"draft": {}}}})
    assert is_told_picture({"recipe": recipe_json("stable-zero123")}) and not is_told_picture(
        {"recipe": recipe_json("FluxPipeline")}
    )


@pytest.mark.parametrize(
    ("told", "picture", "poses"),
    [
        (["picture", "poses"], True, True),
        (["words", "picture"], True, False),
        (["words"], False, False),
        ([3], False, False),
    ],
)
def test_what_a_model_is_told_goes_before_what_its_recipe_lets_one_guess(
    told: list[Any], picture: bool, poses: bool
) -> None:
    card = {"told": told, "recipe": {"settings": {"draft": {"reference.pose": "zero123"}}}}
    assert (is_told_picture(card), is_told_poses(card)) == (picture, poses)
    older = {**card, "told": None}
    assert is_told_picture(older) and not is_told_poses(older), "an older engine is not asked"


@pytest.mark.parametrize(
    ("said", "known"),
    [("zero123", "zero123"), ("stable-zero123", "stable-zero123"), ("", ""), (None, ""), ("mine", "")],
)
def test_poses_are_known_where_the_engine_names_some(said: object, known: str) -> None:
    assert known_poses({"pose": said}) == known
    assert known_poses(None) == ""


def test_the_poses_are_the_engines() -> None:
    assert POSES == KNOWN_POSES


def test_a_method_has_its_own_recipe_and_estimates_and_says_what_does_nothing() -> None:
    bent = {"recipe": {"settings": {"draft": {"optimize.views": 8}}}, "estimates": {"draft": {"seconds": 9.0}}}
    card = {**CARD, "methods": {"clip-mesh": {**bent, "idle": ["field", "mesh.iso"]}}}
    assert methods(card) == (FIELD, "clip-mesh") and methods(CARD) == methods(None) == (FIELD,)
    own = of_method(card, "clip-mesh")
    assert recipe_settings(own, "draft") == {"optimize.views": 8} and estimate(own, "draft") == CardEstimate(9.0, 0)
    assert of_method(card, FIELD) is card and of_method(card, "of_the_future") is card and of_method(None, "x") is None
    assert idle(card, "clip-mesh") == {"field", "mesh.iso"} and idle(card, FIELD) == idle(CARD, "clip-mesh") == set()


@pytest.mark.parametrize("said", [3, [], {"clip-mesh": 3}, {"m" * 999: {}}, {"clip-mesh": []}])
def test_damaged_methods_are_none(said: Any) -> None:
    assert methods({"methods": said}) == (FIELD,)


def test_damaged_parts_of_a_method_say_nothing_and_many_of_them_are_cut() -> None:
    card = {"methods": {"clip-mesh": {"recipe": 3, "estimates": [], "idle": {"field": 1}}}}
    own = of_method(card, "clip-mesh")
    assert recipe_settings(own, "draft") == {} and estimate(own, "draft") is None and not idle(card, "clip-mesh")
    assert idle({"methods": {"m": {"idle": ["field", 3, None, "x" * 999]}}}, "m") == {"field"}
    assert len(methods({"methods": {f"m{number}": {} for number in range(99)}})) == 17
