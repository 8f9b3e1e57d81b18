"""Blender's search finds every operator that an artist could want, because it is in a menu.

Of: blender_addon/ui/tools/main_menu.py.
"""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

SCRIPT = Path(__file__).with_name("scripts") / "search_found.py"


def test_every_operator_is_in_a_menu_or_for_the_panels_alone(blender: Session) -> None:
    facts = blender.run(SCRIPT).facts
    hidden = set(facts["everything"]) - set(facts["found"]) - set(facts["internal"])
    assert hidden == set()
    assert set(facts["found"]) & set(facts["internal"]) == set()
    assert {"dreamfusion.generate", "dreamfusion.turntable", "dreamfusion.test_connection"} <= set(facts["found"])
    assert facts["places"] == ["VIEW3D_MT_add", "VIEW3D_MT_edit_mesh"]
