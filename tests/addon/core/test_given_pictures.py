"""What a recipe says of pictures, the files that go with it, and which pictures are of one view."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from blender_addon.core import given_pictures
from blender_addon.core.given_pictures import GivenPicture
from blender_addon.core.job import Recipe, RecipeError
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.pictures.given import read_given, split_word
from dreamfusion_engine.pictures.viewpoint import AZIMUTHS, Viewpoint, check_apart, viewpoint_of
from dreamfusion_engine.server.attachments import attached

THREE = [GivenPicture(b"front"), GivenPicture(b"side", "left", b"mask"), GivenPicture(b"above", (30.0, 60.5))]


def test_what_is_joined_is_what_the_engine_takes_apart() -> None:
    said, data = [each.said() for each in THREE], given_pictures.joined(THREE)
    assert given_pictures.size_of(said) == len(data) and given_pictures.split(said, data) == THREE
    blockout, found = attached({"pictures": said}, b"glTF" + data)
    assert blockout == b"glTF"
    assert [(each.data, each.mask) for each in found] == [(each.data, each.mask) for each in THREE]
    assert [each.viewpoint for each in found] == [Viewpoint(), viewpoint_of("left"), Viewpoint(30.0, 60.5)]


@pytest.mark.parametrize("data", [b"", b"short", given_pictures.joined(THREE) + b"x"])
def test_files_of_another_length_are_no_pictures(data: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        given_pictures.split([each.said() for each in THREE], data)


def test_two_pictures_of_one_view_are_found_as_the_engine_finds_them() -> None:
    chance = random.Random(3)
    assert given_pictures.SIDES == AZIMUTHS
    found = 0
    for _ in range(2000):
        first = chance.uniform(-360, 360), chance.uniform(-90, 90)
        other = first[0] + chance.gauss(0, 4), max(-90.0, min(90.0, first[1] + chance.gauss(0, 4)))
        views: list[Any] = [chance.choice(list(AZIMUTHS)), first, (max(-360.0, min(360.0, other[0])), other[1])]
        points = [viewpoint_of(view) if isinstance(view, str) else Viewpoint(*view) for view in views]
        try:
            check_apart(points)
        except InputError:
            assert given_pictures.twice(views) is not None
            found += 1
        else:
            assert given_pictures.twice(views) is None
    assert 500 < found < 1900
    assert given_pictures.twice(["front", "back", (180.0, 0.0)]) == (1, 2)
    assert [given_pictures.view_text(view) for view in ("left", (30.0, 60.5))] == ["left", "30, 60.5 degrees"]


def test_a_recipe_keeps_what_is_said_of_its_pictures_and_an_old_one_has_none() -> None:
    said = [each.said() for each in THREE]
    recipe = Recipe.from_json(Recipe("a car", pictures=said).to_json())
    assert recipe.pictures == said
    old = {key: value for key, value in recipe.to_json().items() if key != "pictures"}
    assert Recipe.from_json(old).pictures == []
    assert "pictures" not in recipe.settings_message()


@pytest.mark.parametrize(
    "pictures",
    [
        None,
        {},
        "front",
        [None],
        [{}],
        [{"bytes": 3}],
        [{"view": "front"}],
        [{"bytes": 0, "view": "front"}],
        [{"bytes": True, "view": "front"}],
        [{"bytes": 3.0, "view": "front"}],
        [{"bytes": given_pictures.FILE_LIMIT + 1, "view": "front"}],
        [{"bytes": 3, "view": "front", "mask": -1}],
        [{"bytes": 3, "view": "front", "mask": None}],
        [{"bytes": 3, "view": "front", "file": "/etc/passwd"}],
        [{"bytes": 3, "view": "top"}],
        [{"bytes": 3, "view": 30}],
        [{"bytes": 3, "view": [30]}],
        [{"bytes": 3, "view": [30, 91]}],
        [{"bytes": 3, "view": [float("nan"), 0]}],
        [{"bytes": 3, "view": [True, 0]}],
        [{"bytes": 3, "view": "front"}] * (given_pictures.MOST + 1),
    ],
)
def test_what_says_something_else_is_no_recipe(pictures: Any) -> None:
    with pytest.raises(RecipeError, match="pictures"):
        Recipe.from_json({"prompt": "a car", "pictures": pictures})


def test_words_of_a_script_mean_files_and_views_as_those_of_the_engines_command_do(tmp_path: Path) -> None:
    for name in ("car.png", "me@home.png", "a@left"):
        (tmp_path / name).write_bytes(name.encode())
    words = [f"{tmp_path}/{word}" for word in ("car.png", "car.png@left", "car.png@30,-20", "me@home.png", "a@left")]
    found = given_pictures.from_words(words)
    assert [each.view for each in found] == ["front", "left", (30.0, -20.0), "front", "front"]
    theirs = read_given([(word, "") for word in words])
    assert [each.data for each in found] == [each.data for each in theirs]
    for word in ("car.png@above", "car.png@30", "car.png@30,100", "car.png@nan,0"):
        with pytest.raises(ValueError, match="no view"):
            given_pictures.from_words([f"{tmp_path}/{word}"])
    with pytest.raises(OSError, match="nowhere"):
        given_pictures.from_words([f"{tmp_path}/nowhere.png"])
    with pytest.raises(ValueError, match="17 pictures"):
        given_pictures.from_words(words[:1] * 17)


def test_a_side_may_have_an_elevation_as_in_the_engines_command(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    for said in ("left,20", "Left, 20", "270,20"):
        (found,) = given_pictures.from_words([f"{tmp_path}/a.png@{said}"])
        assert found.view == (270.0, 20.0) == (split_word(f"x@{said}")[1].azimuth_deg, 20.0)
    assert given_pictures.from_words([f"{tmp_path}/a.png@Back"])[0].view == "back"


@pytest.mark.parametrize("words", ["car.png", [5], [None], ["@front"], [""], ["~nobody-by-that-name/car.png"]])
def test_what_is_no_list_of_files_is_refused_in_words(words: Any) -> None:
    with pytest.raises((ValueError, OSError)):
        given_pictures.from_words(words)


def test_what_no_picture_can_be_read_from_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    for name, said in (("empty.png", "empty.png is an empty file"), ("folder.png", "is no file")):
        with pytest.raises(ValueError, match=said):
            given_pictures.from_words([f"{tmp_path}/{name}@left"])
    with pytest.raises(FileNotFoundError, match="photo@2x.png"):
        given_pictures.from_words([f"{tmp_path}/photo@2x.png"])
    with pytest.raises(ValueError, match="'fornt' is no view"):
        given_pictures.from_words([f"{tmp_path}/photo.png@fornt"])
