"""What Texture This reads of an artist's objects in real Blenders, and what it refuses.

Of: blender_addon/ui/scene/texture/surfaces.py, blender_addon/ui/scene/texture/paintable.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session

SCRIPTS = Path(__file__).with_name("scripts")


def test_objects_are_read_as_they_look_and_stay_as_they_are(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "reading.py", str(blender.folder)).facts
    error, triangles, layer = facts["posed"]
    assert error < 1e-5 and triangles > 12 and layer == "Second" and facts["untouched"]
    assert facts["mirrored"] < 1e-5 and facts["volume"] == pytest.approx(8.0, abs=1e-4)
    assert facts["two"][0] == [[0, 0], [1, 0]] and facts["two"][1] < 1e-5
    assert facts["tiles"] == [1001, 1002] and facts["tile uvs"] == [[0.0, 1.0], [0.0, 1.0]]
    assert facts["repeated"] == [[0, True]]
    assert facts["fresh"] == [True, True, True, True] and 0.2 < facts["area"] <= 1.0
    assert facts["bare"] == [True, 0]
    refused = facts["refused"]
    assert refused.pop("subdivided keeps") == []
    codes = {name: words[0] for name, words in refused.items()}
    assert codes == {
        "subdivided": "texture.modified",
        "no faces": "texture.no_faces",
        "not finite": "texture.not_finite",
        "far": "texture.far",
        "uv": "texture.uv_not_finite",
        "instances": "texture.instances",
        "many": "texture.too_many",
        "parts": "texture.parts",
    }
    assert all(all(words) for words in refused.values())
    assert "20 can be painted" in refused["many"][2]
    glance = facts["glance"]
    assert glance.pop("good") == ""
    words = {
        "nothing": "Select",
        "no faces": "no faces",
        "curve": "Convert",
        "instances": "Make Instances Real",
        "editing": "Object Mode",
        "linked": "Make Local",
        "override": "Make Local",
    }
    assert {name: word in glance[name] for name, word in words.items()} == dict.fromkeys(words, True)
