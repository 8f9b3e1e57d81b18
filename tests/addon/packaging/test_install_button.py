"""The button Install Engine: what it shows, and that nothing is downloaded where Blender may not go online.

Of: blender_addon/ui/operators/install.py.
"""

from __future__ import annotations

from addon.blenders import Session

LOOK = """
import bpy, addon, time
addon.enable()
session, pump = addon.part("ui.run.session"), addon.part("ui.run.timer")
setup = session.current().setup
end = time.monotonic() + 600
while setup.state in ("idle", "examining") and time.monotonic() < end:
    setup.examine() if setup.state == "idle" else None
    pump.tick()
    time.sleep(0.05)
"""

OFFLINE = (
    LOOK
    + """
assert not bpy.app.online_access, "Blender is offline unless its user says otherwise"
try:
    bpy.ops.dreamfusion.install_engine()
    told = ""
except RuntimeError as error:
    told = str(error)
addon.tell(told=told, state=setup.state, place=setup.place.exists(), plan=setup.plan.lines())
addon.tell(cancel=bpy.ops.dreamfusion.cancel_install.poll(), log=bpy.ops.dreamfusion.open_install_log.poll())
addon.disable()
"""
)


def test_where_blender_is_offline_the_button_says_so_and_downloads_nothing(newest_blender: Session) -> None:
    facts = newest_blender.run(OFFLINE).facts
    assert "not allowed to go online" in facts["told"] and "Network" in facts["told"]
    assert facts["state"] == "ready" and not facts["place"]
    assert any("GB" in line for line in facts["plan"])
    assert not facts["cancel"] and not facts["log"]


PROCESSOR = (
    LOOK
    + """
preferences = addon.part("ui.settings.preferences")
operators = addon.part("ui.operators.install")
before = (setup.torch, setup.plan is None)
preferences.of().setup_processor = True
operators._setup()
addon.tell(before=before, after=(setup.torch, setup.plan is None))
addon.disable()
"""
)


def test_processor_only_drops_the_plan_for_the_card(newest_blender: Session) -> None:
    facts = newest_blender.run(PROCESSOR).facts
    assert facts["before"] == ["auto", False] and facts["after"] == ["cpu", True]


PLACE = (
    LOOK
    + """
source = addon.part("core.setup.installation").package_source()
addon.tell(state=setup.state, place=str(setup.place), source=str(source))
addon.disable()
"""
)


def test_every_blender_finds_a_python_and_a_place_for_the_engine(blender: Session) -> None:
    facts = blender.run(PLACE).facts
    assert facts["state"] == "ready"
    assert facts["place"].startswith(str(blender.resources)), "in the add-on's own folder, which updates keep"
