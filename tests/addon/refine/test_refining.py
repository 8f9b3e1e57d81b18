"""Refine with the scripted engine, in real Blenders: from the button to the new mesh, whatever happens between.

Of: blender_addon/ui/scene/refine_source.py, blender_addon/ui/scene/refine_result.py, blender_addon/ui/run/refining.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session

SCRIPT = Path(__file__).with_name("scripts") / "refining.py"
PNG = "89504e47"


def test_a_finished_object_gets_its_refined_mesh_and_nothing_else_changes(blender: Session) -> None:
    facts = blender.run(SCRIPT).facts
    assert facts["grey"] is False and facts["poll"] is True
    assert facts["recipe"] == ["a red mug", 0, {"refine": {"front_deg": 0.0}}]
    # In its own axes, at the size that it has in the scene.
    task, parts, box = facts["sent"]
    assert task == "refine" and parts == [[840, True, PNG, [1.0, 1.0, 1.0, 1.0]]]
    assert box == pytest.approx([-0.497, -0.989, 0.0, 0.497, 0.989, 3.0], abs=2e-3)
    now, stood, fresh, old_kept, picture, roughness, transform, prompt, results, notice = facts["replaced"]
    assert now == pytest.approx(stood, abs=0.01) and fresh and old_kept and picture
    assert roughness == pytest.approx(0.25) and transform == [[5.0, 6.0, 7.0], [1.0, 2.0, 3.0]]
    assert (prompt, results, notice) == ("a red mug", 1, "")
    assert facts["undone"] and facts["redone"]
    assert facts["dirty"] and facts["decimated"] == [True, [True, PNG]]
    assert facts["painted"] <= 1.5 / 255.0 and facts["bug"] == "None"
    assert facts["growing"] == [True, True] and facts["cancelled"] and facts["resumed"]
    for what in ("modifiers", "shape keys"):
        count, name, same, notice = facts[what]
        assert count == 1 and name.startswith("Red mug Refined") and same and what in notice
    assert facts["as large"] == pytest.approx([0.0, 0.0, 0.0], abs=0.1)
    assert facts["changed"][0] == 1 and "changed" in facts["changed"][1]
    assert facts["twin"] == [True, True]
    assert facts["gone"] == [0, True]  # one less, and one more
    assert facts["two"] == [[[True, PNG], [True, ""]], 1]
    assert facts["many"][0] is False and "Decimate" in facts["many"][1]
