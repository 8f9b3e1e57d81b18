"""Adapters of a recipe go out as the engine takes them, and come back from any recipe."""

from __future__ import annotations

import pytest

from blender_addon.core.adapters import HEAVIEST, MOST, Adapters, of_settings, short_name
from dreamfusion_engine.config import presets
from dreamfusion_engine.config.stages import AdaptersConfig
from dreamfusion_engine.errors import InputError

SOME = Adapters(lora=(("/a/clay.safetensors", 0.5), ("/a/gold.safetensors", -1.0)), embeddings=("/a/jug.safetensors",))


def test_they_are_the_engines_settings_and_come_back() -> None:
    made = presets.preset("draft", "a mug", {"adapters": SOME.to_json()}).adapters
    assert (made.lora, made.embeddings) == (SOME.lora, SOME.embeddings)
    assert of_settings({"adapters": SOME.to_json()}) == SOME
    assert Adapters().to_json() == {} and of_settings({}) == Adapters()
    assert SOME.files == ("/a/clay.safetensors", "/a/gold.safetensors", "/a/jug.safetensors")


def test_the_heaviest_weight_is_the_engines() -> None:
    AdaptersConfig(lora=(("a", HEAVIEST), ("a", -HEAVIEST)))
    with pytest.raises(InputError):
        AdaptersConfig(lora=(("a", HEAVIEST * 1.01),))


@pytest.mark.parametrize(
    "stage",
    [
        None,
        [],
        "x",
        {"lora": 3, "embeddings": {}},
        {"lora": [[], ["a"], ["a", "b"], ["a", True], [3, 1.0], ["a", 1e9], ["a", float("nan")], ["a", float("inf")]]},
        {"lora": [["a", 10**400], [" ", 1.0], ["x" * 5000, 1.0]], "embeddings": [3, None, "", "x" * 5000]},
    ],
)
def test_what_is_none_is_left_out(stage: object) -> None:
    assert of_settings({"adapters": stage}) == Adapters()


def test_no_more_are_read_than_a_list_has_room_for() -> None:
    many = {"lora": [["a", 1.0]] * 100_000, "embeddings": ["a"] * 100_000}
    found = of_settings({"adapters": many})
    assert (len(found.lora), len(found.embeddings)) == (MOST, MOST)


@pytest.mark.parametrize(
    "file", ["/a b/clay.safetensors", "C:\\loras\\clay.safetensors", "//clay.safetensors", "clay.safetensors", "clay"]
)
def test_a_name_is_short_whichever_system_it_is_of(file: str) -> None:
    assert short_name(file) == "clay"
