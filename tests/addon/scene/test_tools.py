"""The tools for finished objects, in real Blenders, each with its undo.

Of: blender_addon/ui/tools.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from addon.blenders import Session
from addon.scene.shapes import write_body
from PIL import Image

SCRIPT = Path(__file__).with_name("scripts") / "tools.py"


def test_every_tool_does_what_it_says_and_can_be_undone(blender: Session, tmp_path: Path) -> None:
    glb = write_body(tmp_path / "mesh.glb", 32, 48)
    picture = tmp_path / "thumbnail.png"
    image = Image.new("RGB", (128, 128), (0, 0, 255))
    image.paste((255, 0, 0), (0, 127, 128, 128))  # the lowest row is red
    image.save(picture)
    facts = blender.run(SCRIPT, str(glb), str(blender.folder), str(picture)).facts

    assert facts["grey"] == [False] * 5 and facts["ready"] == [True] * 5
    assert facts["editing"] == [False, False, False, True, True]

    decimate = facts["decimate"]
    assert decimate["share"] == pytest.approx(0.5, abs=0.02) and decimate["open"] == 0 and decimate["smooth"]
    assert decimate["colour"] < 0.15  # collapsing an edge moves a corner in the texture
    assert decimate["same"] and decimate["modifiers"] == [["Mine", True]] and decimate["recipe"]
    assert decimate["box"][1][2] == pytest.approx(2.0, abs=0.02) and decimate["box"][0][2] == pytest.approx(
        0.0, abs=0.02
    )
    assert decimate["undone"] and decimate["back"]

    quads = facts["quads"]
    assert 1000 < quads["faces"] < 2200 and quads["quads"] and quads["open"] == 0 and quads["smooth"]
    assert quads["colour"] < 0.03 and quads["twin_colour"] < 0.05
    assert quads["image"][:2] == [True, True] and quads["image"][2].startswith(
        "//textures/Red mug with a blue handle.001-"
    )
    assert quads["twin"] == [True, True]
    assert all(low >= -1e-4 and high <= 1.0001 and high - low > 0.7 for low, high in quads["uvs"])
    assert quads["added"] == {"objects": 1, "meshes": 1, "materials": 1, "images": 1}
    assert (
        quads["recipe"] and quads["active"] and quads["engine"] and quads["selected"] == 1 and quads["mode"] == "OBJECT"
    )
    assert quads["undone"]
    assert facts["bare quads"][:2] == [True, 0] and facts["bare quads"][2] > 200
    message, same, untouched = facts["hole"]
    assert untouched and (not message or ("holes" in message and same))

    turntable = facts["turntable"]
    for left, right, bottom, top in turntable["views"]:
        assert left > 0.0 and right < 1.0 and bottom > 0.0 and top < 1.0
        assert max(right - left, top - bottom) > 0.4
    assert turntable["sides"][0][1] < -1.0 and abs(turntable["sides"][0][0]) < 1e-3  # begins in front
    assert turntable["sides"][1][0] > 1.0 and turntable["sides"][2][1] > 1.0 and turntable["sides"][3][0] < -1.0
    assert turntable["sides"][4] == pytest.approx(turntable["sides"][0], abs=1e-3)  # the turn closes
    assert turntable["frames"] == [1, 40] and turntable["engine"] and turntable["depth"]
    assert turntable["types"] == ["CAMERA", "EMPTY", "LIGHT", "LIGHT", "LIGHT"]
    assert turntable["collection"] == ["Red mug with a blue handle Turntable"] and turntable["undone"]

    assert facts["unsaved asset"] == [True, []]
    asset = facts["asset"]
    assert asset["tags"] == ["dreamfusion", "red", "mug", "blue", "handle"] and asset["kept"]
    assert (asset["author"], asset["license"]) == ("Me", "CC0-1.0" if blender.blender.has_extensions else None)
    assert asset["description"] == "a red mug with a blue handle (model starter, preset standard, seed 3, engine 0.2.0)"
    lines = asset["file"].splitlines()
    assert lines[:4] == ["# mine", "VERSION 1", "", "11111111-2222-3333-4444-555555555555:Props/Food:Props-Food"]
    assert lines[4:] == [f"{asset['catalog']}:DreamFusion:DreamFusion"]
    assert asset["picture"][:2] == [128, 128]
    assert asset["picture"][2] == pytest.approx([1, 0, 0, 1], abs=0.01)  # rows go up
    assert asset["picture"][3] == pytest.approx([0, 0, 1, 1], abs=0.01)

    text = json.loads(facts["text"])
    assert list(text)[0] == "prompt" and text["seed"] == 3 and "negative" not in text
    assert facts["damaged"] and "damaged" in facts["damaged message"]
    assert facts["menus"] == [0, 0]
