"""Start from a mesh in real Blenders with the scripted engine: from Placement to the object in its place.

Of: blender_addon/ui/run/enqueue.py, blender_addon/ui/run/insertion.py, blender_addon/ui/tools/regeneration.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session

SCRIPT = Path(__file__).with_name("scripts") / "start_flow.py"
BLOCK = [9.0, 18.0, 27.0, 11.0, 22.0, 33.0]
SEEN, HIDDEN = [False, False], [True, True]


def test_an_object_begins_from_a_mesh_and_takes_its_place(blender: Session) -> None:
    facts = blender.run(SCRIPT).facts
    assert facts["nothing"] == ["start_from", "placeholder", "size", "where", "on_ground"]
    assert facts["object"] == ["start_from", "blockout", "lock", "fade", "front", "hide_blockout"]
    assert facts["recipe of nothing"] is False and facts["no object"] == [False, True] and facts["editing"] is False
    led, task, where, kept = facts["sent"]
    assert led == {"lock": 0.8, "front_deg": 90.0} and (task, where, kept) == ("generate", "BLOCKOUT", True)
    assert facts["growing"] == [pytest.approx(BLOCK, abs=1e-3), SEEN]
    assert facts["in front"] == [True, False, "TEXTURED", False] and facts["not in front"] is False
    assert facts["done"] == [pytest.approx(BLOCK, abs=1e-3), pytest.approx([10.0, 20.0, 27.0]), [1.0] * 3, HIDDEN]
    assert facts["undone"] == [0, SEEN] and facts["redone"] == [1, HIDDEN]
    assert facts["kept"] == led
    assert facts["again"] == [True, HIDDEN]
    boxes, seeds, same = facts["beside"]
    assert boxes[0] == pytest.approx([11.5, 18.0, 28.0, 13.5, 22.0, 34.0], abs=1e-3)
    assert boxes[1] == pytest.approx([14.0, 18.0, 28.0, 16.0, 22.0, 34.0], abs=1e-3)
    assert seeds == [1, 0] and same
    assert facts["settings"] == ["OBJECT", "RIGHT", 0.8, True]
    assert "Placement" in facts["lost"][0] and facts["lost"][1] == 2
    assert facts["cancelled"] == [True, SEEN]
    assert facts["tower"] == ["Tower", pytest.approx([-1, -1, 0, 1, 1, 4], abs=1e-3), HIDDEN]
    assert facts["lines"] == [SEEN, [True, True]] and facts["texture"] is False
    words, queued, code = facts["bad"]
    assert "nowhere" in words and queued == 0 and code == "start.not_finite"
    assert facts["elsewhere"] == [pytest.approx([-1, -1, 0, 1, 1, 4], abs=1e-3), SEEN]
    assert facts["bug"] == "None"
