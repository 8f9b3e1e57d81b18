"""Images of every kind in real Blenders: what of them goes to the engine, and which are refused.

Of: blender_addon/ui/scene/given_image.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from addon.blenders import Session

SCRIPT = Path(__file__).with_name("scripts") / "given_images.py"
SIZE, WHITE, RED = [32, 24], [255, 255, 255, 255], [255, 0, 0, 255]
LOWER = [0, 0, 128, 128]  # blue of a half, alpha of a half


def near(found: list[list[int]], *wanted: list[int]) -> Any:
    return found == [pytest.approx(each, abs=2) for each in wanted]


def test_what_an_image_shows_is_what_is_sent_and_the_rest_is_refused_in_words(blender: Session) -> None:
    facts = blender.run(SCRIPT, FOLDER=str(blender.folder)).facts
    assert near(facts["generated"], SIZE, WHITE, RED, LOWER)
    assert facts["packed"][0] and near(facts["packed"][1], SIZE, WHITE, RED, LOWER)
    assert facts["painted after packing"] == [True, False]
    assert facts["saved"] == [False, True]
    assert facts["not loaded yet"] == [False, True]
    assert facts["painted"][:2] == [True, True] and facts["painted"][2] == WHITE
    assert near(facts["no alpha"], SIZE, WHITE, RED, [*facts["no alpha"][3][:3], 255])
    assert facts["gone, loaded before"] == SIZE
    half = 188  # light of 0.5 in sRGB
    assert near(facts["floats"], SIZE, WHITE, RED, [0, 0, half, 128])
    assert facts["wild floats"] == [0, 255, 0, 255]
    light = facts["its light"] / 0.5  # which is kept times alpha
    assert 0.09 < light < 0.6
    assert near(facts["exr"], SIZE, WHITE, RED, [0, 0, 255 * (1.055 * light ** (1 / 2.4) - 0.055), 128])
    assert facts["large"][0] == [1024, 512] and len({tuple(corner) for corner in facts["large"][1:]}) == 1
    for name, word in {
        "gone": "nowhere.png",
        "enormous": "8,192 x 4,096",
        "tiled": "UDIM",
        "viewer": "a render",
        "movie": "a movie",
        "sequence": "a sequence",
        "no picture": "no pixels",
        "heavy": "64 MiB",
        "wide": "40,000 x 40,000",
    }.items():
        code, what, why, fix, _ = facts[name]
        assert code == "pictures.image" and what and fix and word in why, (name, facts[name])
    assert all(facts[name][4] for name in ("tiled", "movie", "sequence"))
    assert facts["left behind"] == [] and facts["same twice"]
