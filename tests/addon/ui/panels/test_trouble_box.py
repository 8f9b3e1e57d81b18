"""Messages for the artist: a button for every kind of trouble, lines that fit, and nothing of the command line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from addon.blenders import ROOT, Session

# Everything that ends in a Trouble: the engine's errors, and the add-on's own.
SOURCES = [*(ROOT / "dreamfusion_engine").rglob("*.py"), *(ROOT / "blender_addon").rglob("*.py")]
_CODE = re.compile(r'"((?:input|run|setup|model|checkpoint|protocol|internal|engine|job|mesh)\.[a-z_]+)"')
_NOT_CODES = {"checkpoint.json", "checkpoint.safetensors", "model.py", "mesh.glb", "engine.log", "setup.py"}

DUMP = """
import addon, sys, bpy
addon.enable()
messages = addon.part("ui.panels.trouble_box")
codes = sys.argv[1].split(",")
told = {}
for code in codes:
    told[code] = [[button[0] for button in messages.buttons(code, has_job)] for has_job in (False, True)]
operators = {name for pair in told.values() for names in pair for name in names}
missing = [name for name in operators if not hasattr(bpy.types, "DREAMFUSION_OT_" + name.partition(".")[2])]
text = "The engine stopped in the middle of its work, and averyveryverylongwordthatfitsnowhereatall follows it"
lines = messages.wrapped(text, 120, 11.0)
import blf
blf.size(0, 11.0)
addon.tell(told=told, missing=missing, lines=lines, widest=max(blf.dimensions(0, line)[0] for line in lines))
"""


def codes(sources: list[Path]) -> list[str]:
    found = {code for source in sources for code in _CODE.findall(source.read_text(encoding="utf-8"))}
    return sorted(found - _NOT_CODES)


def command_line_fixes() -> set[str]:
    """Codes of the engine's errors whose fix speaks of its command line."""
    found = set()
    for source in (ROOT / "dreamfusion_engine").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            code, fix = node.args[0].value, [keyword for keyword in node.keywords if keyword.arg == "fix"]
            if isinstance(code, str) and fix and re.search(r" --[a-z]|install\.py", ast.unparse(fix[0].value)):
                found.add(code)
    return found - {"input.command", "input.set"}  # of the command line itself


FIXES = """
import addon, sys
messages = addon.part("ui.panels.trouble_box")
job = addon.part("core.job")
fix = "Try something. Use --this or that."
said = {code: messages.in_blender(job.Trouble(code, "", "", fix)) for code in sys.argv[1].split(",")}
addon.tell(said=said)
"""


def test_no_fix_speaks_of_the_command_line(newest_blender: Session) -> None:
    codes = command_line_fixes() | {"input.unknown_words", "input.adapter_file"}
    assert len(codes) > 10
    said = newest_blender.run(FIXES, ",".join(sorted(codes))).facts["said"]
    assert [code for code, text in said.items() if "--" in text or not text] == []
    assert said["input.unknown_words"] == "Try something."
    assert "switch it off" in said["input.adapter_file"] and "remove it" in said["input.lora"]


def test_every_trouble_has_buttons_and_every_button_an_operator(blender: Session) -> None:
    known = codes(SOURCES)
    assert len(known) > 40
    facts = blender.run(DUMP, ",".join(known)).facts
    assert facts["missing"] == []
    for code, (alone, with_job) in facts["told"].items():
        assert alone[-1] == with_job[-1] == "dreamfusion.copy_report", code
    told = facts["told"]
    assert "dreamfusion.install_engine" in told["engine.not_installed"][0]
    assert told["run.out_of_memory"][1][0] == "dreamfusion.lower_quality"
    assert "dreamfusion.choose_folder" in told["input.disk_full"][1]
    assert "dreamfusion.open_log" in told["internal.bug"][1]


def test_text_is_wrapped_to_the_width_and_nothing_is_lost(blender: Session) -> None:
    facts = blender.run(DUMP, "run.empty").facts
    assert facts["widest"] <= 120.0
    joined = "".join(facts["lines"]).replace(" ", "")
    assert joined == ("Theenginestoppedinthemiddleofitswork,andaveryveryverylongwordthatfitsnowhereatallfollowsit")


PRESETS = """
import addon, bpy, os
addon.enable()
settings = bpy.context.scene.dreamfusion
settings.preset, settings.prompt = "high", "a hamburger"
settings.guidance.scale, settings.mesh.iso_auto, settings.mesh.iso = 33.0, False, 4.0
settings.optimize.steps, settings.optimize.resolution = 777, (16, 32)
settings.placement.size = 3.0
bpy.ops.dreamfusion.add_preset(name="My Way")
path = bpy.utils.preset_paths("dreamfusion")
files = [name for folder in path for name in os.listdir(folder)]
settings.preset = "draft"
addon.part("ui.settings.artist_settings").reset(settings)
settings.prompt, settings.placement.size = "a mug", 1.0
filename = os.path.join(path[-1], "My_Way.py") if os.path.exists(os.path.join(path[-1], "My_Way.py")) else ""
filename = filename or next(os.path.join(f, n) for f in path for n in os.listdir(f) if n.lower() == "my_way.py")
bpy.ops.script.execute_preset(filepath=filename, menu_idname="DREAMFUSION_PT_presets")
addon.tell(files=files, preset=settings.preset, scale=settings.guidance.scale, auto=settings.mesh.iso_auto,
           iso=settings.mesh.iso, steps=settings.optimize.steps, resolution=list(settings.optimize.resolution),
           size=settings.placement.size, prompt=settings.prompt)
"""


def test_a_saved_preset_brings_its_settings_back_and_leaves_the_prompt(blender: Session) -> None:
    facts = blender.run(PRESETS).facts
    assert [name.lower() for name in facts["files"]] == ["my_way.py"]
    assert (facts["preset"], facts["scale"], facts["auto"], facts["iso"]) == ("high", 33.0, False, 4.0)
    assert facts["steps"] == 777 and facts["resolution"] == [16, 32] and facts["size"] == 3.0
    assert facts["prompt"] == "a mug"
