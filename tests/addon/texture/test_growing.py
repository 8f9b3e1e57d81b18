"""Texture This with the scripted engine, in real Blenders: from the button to the result, whatever happens between.

Of: blender_addon/ui/scene/texture/texture_preview.py, blender_addon/ui/run/painting.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session

SCRIPTS = Path(__file__).with_name("scripts")
SAME = [True, True]


def test_the_texture_grows_and_the_artists_objects_stay_as_they_are(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "growing.py", str(blender.folder)).facts
    assert facts["grey"] is False and facts["no prompt"] is False
    settings, task, parts = facts["sent"]
    assert settings["paint"] == {"uv": "keep", "front_deg": 90.0} and settings["mesh"] == {"texture": 1024}
    assert task == "texture" and parts == 3
    assert facts["skin"] == [True, True, 8, 2] and facts["skin parts"] == [0, 1]
    assert facts["growing"] == SAME
    before, after = facts["followed"]
    assert after - before == pytest.approx(3.0, abs=1e-5)
    assert facts["hidden"] and facts["edited"] and facts["back"] == [False, SAME]
    assert facts["saved"] == [0, [], SAME]
    assert sorted(facts["in file"]) == sorted(["Cube", "Grid", "Cube", "Grid", "Cube", "Second"])
    assert facts["images in file"] == []
    assert facts["undo"] == [2, SAME]
    assert facts["recovered"] == [[], SAME]
    assert facts["elsewhere"] == [[], "running"] and facts["reopened"] == SAME
    assert facts["cancelled"] == [[], SAME]
    left, painted, names, objects, state = facts["done"]
    assert left == [] and painted == [0, 1, 2] and names == ["Cube", "Second"] and (objects, state) == (2, "done")
    assert facts["undone"] == SAME and facts["redone"] == 1
    assert facts["died"] == [[], SAME]
    assert facts["gone"][0] == "texture.nowhere" and "'Grid'" in facts["gone"][1]
    assert facts["gone"][2:] == [False, 1, "texture"]
    assert facts["insert"] and facts["copies"][0] == 1 and facts["copies"][1].startswith("Grid")
    assert facts["waits"] == [False, True] and facts["again"]
    assert facts["settings"] == ["TEXTURE", "1024", "RIGHT", "a green mug"]
    assert facts["disabled"] == [[], []]
