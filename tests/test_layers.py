"""The import layers of the engine, as a table. An import upwards or sideways fails here, with its line."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ENGINE = Path(__file__).resolve().parents[1] / "dreamfusion_engine"

# Part -> the parts it may import. A part is a module or a subpackage of the engine; within itself all is allowed.
LEAVES = {"errors", "config", "events", "device", "protocol", "warp_runtime", "messages", "console", "failures"}
LEAVES |= {"config_json", "recipes", "atomic_file", "prompt_text", "ranks", "child_process", "stop_signals"}
GROUND = {"atomic_file", "errors", "given_path", "config", "config_json", "recipes", "events", "device"}
GROUND |= {"warp_runtime"}
LEAVES |= {"main_memory", "given_path", "visible_text", "bounded_json", "outside_text"}
GROUND |= {"bounded_json", "outside_text"}
TWINS = {"protocol.py", "bounded_json.py"}  # the add-on has them byte for byte, so they import each other relatively
TABLE: dict[str, set[str]] = {
    # Leaves.
    "errors": {"outside_text"},
    "given_path": set(),
    "visible_text": set(),
    "atomic_file": set(),
    "bounded_json": set(),
    "outside_text": set(),
    "file_lock": {"errors"},
    "child_process": set(),
    "stop_signals": set(),
    "run_folder": {"errors", "atomic_file", "file_lock"},
    "protocol": {"bounded_json"},
    "events": set(),
    "ranks": {"device"},
    "warp_runtime": {"errors", "device"},
    "prompt_text": {"errors", "visible_text"},
    "config": {"errors", "given_path", "prompt_text"},
    "recipes": {"errors"},
    "config_json": {"errors", "config", "recipes"},
    "device": {"errors", "main_memory"},
    "main_memory": {"errors"},
    "messages": {"errors", "events", "protocol"},
    "console": {"errors", "events", "outside_text"},
    "failures": {"errors", "device"},
    # The parts of the method: they see the ground, and scene; never each other.
    "hub": {"errors", "events", "file_lock", "given_path", "bounded_json", "outside_text"},
    "scene": GROUND,
    "field": GROUND | {"scene"},
    "render": GROUND | {"scene"},
    "guidance": GROUND | {"file_lock"} | {"scene", "hub"},
    # What brings them together.
    "mesh": GROUND | {"child_process"} | {"scene", "field", "render", "guidance"},
    "optimize": GROUND | {"ranks"} | {"scene", "field", "render", "guidance"},
    "starter": GROUND | {"scene", "guidance"},
    "judge": GROUND | {"scene", "guidance", "starter"},
    "previews": GROUND | {"scene", "mesh", "optimize"},
    "generate": LEAVES | {"previews", "run_folder"} | {"scene", "field", "render", "guidance", "mesh", "optimize"},
    # What people and programs talk to.
    "request": LEAVES | {"guidance", "hub"},
    "doctor": LEAVES | {"guidance", "hub"},
    "job": {"request"},
    "command_line": {"errors", "config_json"},
    "settings_table": {"config_json", "recipes"},
    "model_table": {"console", "outside_text"},
    "download_job": LEAVES | {"guidance", "hub"},
    "pipe_reader": set(),
    "model_news": {"errors", "doctor", "guidance", "messages"},
    "server": LEAVES | {"request", "job", "download_job", "generate", "model_news", "pipe_reader"},
    "cli": LEAVES
    | {"request", "doctor", "command_line", "model_table", "settings_table", "server", "generate", "guidance", "hub"},
    "__main__": {"cli"},
}
HEAVY = {"torch", "warp", "diffusers", "transformers", "skimage", "trimesh", "xatlas", "numpy", "PIL"}
# Loaded before a request has been found good, so that a typing mistake is answered at once.
LIGHT = {"", "errors", "events", "config", "device", "protocol", "messages", "console", "failures", "request", "doctor"}
LIGHT |= {"job", "command_line", "server", "cli", "__main__", "guidance.prompts", "guidance.pipeline_folder"}
LIGHT |= {"prompt_text", "visible_text", "given_path", "guidance.cache_folder"}
LIGHT |= {"prompt_text", "file_lock", "stop_signals", "main_memory", "bounded_json", "outside_text", "pipe_reader"}
LIGHT |= {"guidance.family", "guidance.distilled", "guidance.part_configs", "guidance.single_file_layout"}
LIGHT |= {"guidance.memory", "guidance.model_sizes"}
LIGHT |= {"config_json", "recipes", "settings_table", "model_table", "download_job", "model_news"}
LIGHT |= {f"guidance.{name}" for name in ("part_weights", "safetensors_header", "catalogue", "hub_models")}
LIGHT |= {
    "guidance.model_costs",
    "guidance.scores.work",
    "guidance.model_list",
    "guidance.given_models",
    "guidance.single_file",
}
LIGHT |= {"guidance.file_kinds"}
LIGHT |= {"guidance.adapter_files", "guidance.lora_layout", "guidance.learned_word"}
LIGHT |= {
    f"hub.{name}"
    for name in ("address", "api", "connection", "download", "lock", "repository_cache", "selection", "transfer")
}


def modules() -> list[Path]:
    return sorted(ENGINE.rglob("*.py"))


def part_of(path: Path) -> str:
    """'scene' for scene/cameras.py, 'config' for config.py, '' for the package itself."""
    inside = path.relative_to(ENGINE).with_suffix("")
    return "" if inside.name == "__init__" and len(inside.parts) == 1 else inside.parts[0]


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported; `from a import b` counts as a.b, and `.a` is of the engine itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = f"dreamfusion_engine.{node.module}" if node.level else node.module
            yield from ((node.lineno, f"{module}.{name.name}") for name in node.names)


def module_level(tree: ast.Module) -> ast.Module:
    """The tree without functions and without what only a type checker sees."""
    kept = []
    for node in tree.body:
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if not typing_only and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            kept.append(node)
    return ast.Module(body=kept, type_ignores=[])


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ENGINE)))
def test_imports_go_one_way(path: Path) -> None:
    part = part_of(path)
    if part == "":
        allowed: set[str] = set()
    else:
        assert part in TABLE, f"'{part}' is new: give it a place in the table of {Path(__file__).name}"
        allowed = TABLE[part] | {part}
    for line, name in imports(ast.parse(path.read_text(encoding="utf-8"))):
        words = name.split(".")
        if words[0] == "dreamfusion_engine" and len(words) > 1 and words[1] != "__version__":
            assert words[1] in allowed, f"{path.name}:{line}: {part} must not import {words[1]}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ENGINE)))
def test_imports_are_absolute_but_in_what_the_addon_carries(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert path.name in TWINS and node.level == 1, f"{path.name}:{node.lineno}: imports are absolute"


def test_the_table_has_no_circles() -> None:
    order: list[str] = []

    def visit(part: str, path: tuple[str, ...]) -> None:
        assert part not in path, f"circle: {' -> '.join((*path, part))}"
        if part not in order:
            for below in sorted(TABLE[part]):
                visit(below, (*path, part))
            order.append(part)

    for part in TABLE:
        visit(part, ())
    assert set(order) == set(TABLE)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ENGINE)))
def test_the_engine_never_imports_blender(path: Path) -> None:
    for line, name in imports(ast.parse(path.read_text(encoding="utf-8"))):
        assert name.split(".")[0] not in {"bpy", "bmesh", "mathutils", "bl_ext"}, f"{path.name}:{line} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ENGINE)))
def test_what_checks_a_request_imports_nothing_heavy(path: Path) -> None:
    name = ".".join(path.relative_to(ENGINE).with_suffix("").parts).removesuffix("__init__").rstrip(".")
    if name in LIGHT or path.name == "__init__.py":
        for line, imported in imports(module_level(ast.parse(path.read_text(encoding="utf-8")))):
            assert imported.split(".")[0] not in HEAVY, f"{path.name}:{line} imports {imported} on import"


@pytest.mark.parametrize("module", ["dreamfusion_engine", "dreamfusion_engine.cli", "dreamfusion_engine.server"])
def test_importing_the_engine_loads_no_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted({HEAVY!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, cwd=ENGINE.parent)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr


@pytest.mark.parametrize("name", sorted(TWINS))
def test_what_the_addon_carries_needs_the_standard_library_and_itself_only(name: str) -> None:
    for _, imported in imports(ast.parse((ENGINE / name).read_text(encoding="utf-8"))):
        first, second, *_ = [*imported.split("."), ""]
        assert first in sys.stdlib_module_names or f"{second}.py" in TWINS, f"{name} imports {imported}"


def test_the_engine_declares_what_it_imports_and_nothing_that_only_tests_use() -> None:
    declared = {line.name for line in declared_packages()}
    owners = importlib.metadata.packages_distributions()
    used = {}
    for path in modules():
        for _, name in imports(ast.parse(path.read_text(encoding="utf-8"))):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top != "dreamfusion_engine":
                used[top] = {owner.lower().replace("_", "-") for owner in owners.get(top, [top])}
    assert {top: owner for top, owner in used.items() if not owner & declared} == {}
    # Used by transformers and diffusers, where they load a model: nothing of ours imports them.
    beneath = {"protobuf", "sentencepiece"}
    by_name = {"openvino"}  # guidance/openvino_graph.py, where there is a wheel of it
    assert declared - beneath - by_name == {name for owner in used.values() for name in owner & declared}


def declared_packages() -> list[Requirement]:
    """The requirements of the engine itself in pyproject.toml."""
    text = (ENGINE.parent / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    return [Requirement(line) for line in re.findall(r'"(.+?)"', block[1])]
