"""What the add-on knows of the engine's settings is what the engine declares; a damaged file is told, not raised."""

from __future__ import annotations

import ast
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeGuard

import pytest

from blender_addon.core import adapters, engine_preset
from blender_addon.core.declared_settings import ENGINE, FILE, read
from dreamfusion_engine.config.presets import PRESET_NAMES, dotted, preset
from dreamfusion_engine.config.prompt_text import PROMPT_LIMIT
from dreamfusion_engine.config.setting import Shown, Stage, every_setting, setting
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.pictures.decode import PIXEL_LIMIT
from dreamfusion_engine.pictures.given import FILE_LIMIT, MOST
from dreamfusion_engine.pictures.viewpoint import APART_DEG

ROOT = Path(__file__).resolve().parents[3]
EVERY = every_setting(GenerateConfig)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """docs/settings_table.py."""
    spec = importlib.util.spec_from_file_location("settings_table", ROOT / "docs" / "settings_table.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_what_the_engine_makes(script: ModuleType) -> None:
    assert script.addon_text() == FILE.read_text(encoding="utf-8"), "run: python docs/settings_table.py"
    assert script.ADDON == FILE


def test_the_addon_has_the_settings_that_are_shown_and_no_others() -> None:
    found = {f"{stage}.{key}".lstrip(".") for stage, settings in ENGINE.stages.items() for key in settings}
    assert found == {name for name, about in EVERY.items() if about.shown}


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_a_preset_has_the_engines_values(name: str) -> None:
    made = dotted(preset(name, "a mug"))
    for stage, key in engine_preset.ALL:
        value = engine_preset.preset_value(name, stage, key)
        assert (list(value) if isinstance(value, tuple) else value) == made[f"{stage}.{key}"], (stage, key)
    assert engine_preset.PRESETS == PRESET_NAMES


def test_the_limits_are_the_engines() -> None:
    pictures = {"pictures": MOST, "picture_bytes": FILE_LIMIT, "picture_pixels": PIXEL_LIMIT}
    assert ENGINE.limits == {
        "prompt": PROMPT_LIMIT,
        "lora_weight": EVERY["adapters.lora"].high,
        **pictures,
        "pictures_apart_deg": APART_DEG,
    }
    assert adapters.HEAVIEST == 10.0
    assert ENGINE.stages[""]["seed"].range == (EVERY["seed"].low, EVERY["seed"].high)


def test_no_value_is_written_a_second_time_in_the_addon() -> None:
    """Numbers that only a preset or a default has stand in no source of the add-on."""
    odd = {0.98, 0.015, 0.012, 1200, 2500, 20_000, 50_000}
    assert odd <= {number for row in map(plain, PRESET_NAMES) for number in row}
    for path in (ROOT / "blender_addon").rglob("*.py"):
        found = {node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if is_number(node)}
        assert not found & odd or path.parent.name == "tools", path  # tools make meshes of a size of their own


def plain(name: str) -> list[float]:
    """Every number of a preset."""
    values = dotted(preset(name, "a mug")).values()
    each = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in each if isinstance(item, int | float)]


def is_number(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"stages": 5}', '{"stages": {"mesh": {"iso": {"no": 1}}}}'])
def test_a_missing_or_damaged_file_is_told_and_gives_nothing(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "engine_settings.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    told = read(path)
    assert "engine_settings.json" in told.trouble and told.stages == {} and told.presets == {}


@dataclass(frozen=True, kw_only=True)
class Paint(Stage, stage="paint"):
    """A stage that only this test has."""

    thickness: float = setting(
        2.0,
        above=0.0,
        high=5.0,
        unit="share of a brush",
        says="How thick the paint is",
        shown=Shown(label="Thickness", digits=1, usual=(None, 3.0)),
    )
    coat: Literal["matt", "glossy"] = setting(
        "matt",
        says="What the last coat is",
        shown=Shown(label="Coat", words={"matt": ("Matt", "Dull"), "glossy": ("Glossy", "Bright")}),
    )
    hidden: int = setting(1, low=0, says="What nobody sees")


def test_a_new_setting_reaches_the_addon_by_its_declaration_alone(script: ModuleType, tmp_path: Path) -> None:
    shown: dict[str, Any] = script.addon_settings(Paint)
    path = tmp_path / "engine_settings.json"
    path.write_text(json.dumps({"stages": shown, "presets": {}, "limits": {}}), encoding="utf-8")
    found = read(path)
    assert found.trouble == "" and set(found.stages["paint"]) == {"thickness", "coat"}
    thickness, coat = found.stages["paint"]["thickness"], found.stages["paint"]["coat"]
    assert (thickness.label, thickness.says, thickness.value_type) == ("Thickness", "How thick the paint is", "float")
    assert (thickness.default, thickness.range, thickness.usual) == (2.0, (0.1, 5.0), (None, 3.0))
    assert coat.value_type == "choice" and coat.words == {"matt": ["Matt", "Dull"], "glossy": ["Glossy", "Bright"]}
