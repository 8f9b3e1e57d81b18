"""Enabling and disabling leave Blender as it was, a hundred times over."""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

CYCLES = Path(__file__).with_name("scripts") / "registration_cycles.py"


def test_a_hundred_times_enabled_and_disabled_leaves_nothing_behind(blender: Session) -> None:
    facts = blender.run(CYCLES).facts
    assert facts["after"] == facts["before"]
    assert facts["before"]["classes"] == [] and facts["before"]["groups"] == [] and facts["before"]["properties"] == []
    assert facts["children"] == [] and facts["threads"] == []


PACKAGES = """
import addon, sys, importlib
name = addon.NAME
package = importlib.import_module(name)
addon.tell(ui=[m for m in sys.modules if m.startswith(name + ".ui")], info=package.bl_info["blender"])
"""


def test_importing_the_package_imports_nothing_of_blender_yet(blender: Session) -> None:
    facts = blender.run(PACKAGES).facts
    assert facts["ui"] == [] and facts["info"] == [3, 4, 0]
