"""The meshes that an object begins from, read in real Blenders: what is sent, and what is refused.

Of: blender_addon/ui/scene/blockout.py, blender_addon/core/engine/mesh_file.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session

SCRIPT = Path(__file__).with_name("scripts") / "blockout_reading.py"


def test_what_is_seen_is_sent_and_what_cannot_be_used_is_told(blender: Session) -> None:
    facts = blender.run(SCRIPT, str(blender.folder)).facts
    assert facts["magic"] == "glTF"
    # The turned and stretched cube, around the middle of its floor.
    box, base, size, same = facts["block"]
    assert box == pytest.approx([-2.0, -1.0, 0.0, 2.0, 1.0, 6.0], abs=1e-3) and same
    assert base == pytest.approx([10.0, 20.0, 27.0], abs=1e-3) and size == pytest.approx(6.0, abs=1e-3)
    assert facts["volume"] == pytest.approx(48.0, rel=1e-4) and facts["vertices"] == 26
    assert facts["mirrored"] == pytest.approx(8.0, rel=1e-4)
    assert facts["far"] == [[-1.0, -1.0, 0.0, 1.0, 1.0, 2.0], [2e6, 0.0, -1.0]]
    box, base, names, faces = facts["two"]
    assert box == pytest.approx([-1, -1, 0, 1, 1, 4]) and base == [0.0, 0.0, 0.0]
    assert names == ["Box", "Roof"] and not faces
    assert facts["hidden"] == [26, True]
    assert facts["open"] == []
    codes = {name: told[0] for name, told in facts["refused"].items()}
    assert codes == {
        "no faces": "start.not_now",
        "masked": "start.no_faces",
        "nan": "start.not_finite",
        "infinite": "start.far",  # Blender makes the largest number of it
        "huge": "start.far",
        "instances": "start.instances",
        "elsewhere": "start.not_now",
        "many": "start.too_many",
        "long": "start.too_many",
    }
    assert all(len(told) == 4 and all(told) for told in facts["refused"].values())
    assert facts["as it was"]
    glance = facts["glance"]
    assert [glance[name] for name in ("nothing", "good", "beside EDIT", "beside SCULPT")] == [""] * 4
    assert "Start From" in glance["no object"] and "Select" in glance["no selection"]
    assert "no faces" in glance["no faces"] and "view layer" in glance["elsewhere"] and "Convert" in glance["curve"]
    assert "Object Mode" in glance["EDIT"] and "Object Mode" in glance["SCULPT"]
    assert facts["linked"] == ["", [-1.0, -1.0, 0.0, 1.0, 1.0, 2.0]]
