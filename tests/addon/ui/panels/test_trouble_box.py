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

DUMP = Path(__file__).parents[1] / "scripts" / "trouble_box_dump.py"


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


def test_a_number_stays_with_its_unit(blender: Session) -> None:
    tied = blender.run(DUMP, "run.empty").facts["tied"]
    for lines in tied.values():
        told = [fact for line in lines for fact in line.removesuffix(",").split(", ")]
        assert told == ["12.3 steps/s", "2 h 50 min left", "1.2 GiB"]
    assert len(tied["120"]) > 1 and len(tied["395"]) == 1


PRESETS = Path(__file__).parents[1] / "scripts" / "trouble_box_presets.py"


def test_a_saved_preset_brings_its_settings_back_and_leaves_the_prompt(blender: Session) -> None:
    facts = blender.run(PRESETS).facts
    assert [name.lower() for name in facts["files"]] == ["my_way.py"]
    assert (facts["preset"], facts["scale"], facts["auto"], facts["iso"]) == ("high", 33.0, False, 4.0)
    assert facts["steps"] == 777 and facts["resolution"] == [16, 32] and facts["size"] == 3.0
    assert facts["prompt"] == "a mug"
