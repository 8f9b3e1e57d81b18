"""The import layers of the engine, as a table. An import upwards or sideways fails here, with its line.

Of: dreamfusion_engine.
"""

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
from reference.import_graph import check_no_circle

ROOT = Path(__file__).resolve().parents[1]
ENGINE = ROOT / "dreamfusion_engine"

# Part -> the parts it may import. A part is a folder of the engine, or one of its few loose modules; within itself all
# is allowed. From the ground up, as the picture in docs/architecture.md has it.
GROUND = {"inputs", "errors", "events", "config", "machine", "wire"}
METHOD = {"scene", "field", "render", "models", "memory", "guidance", "mesh", "optimize"}
TWINS = {
    "protocol.py",
    "bounded_json.py",
    "assignments.py",
}  # the add-on has them byte for byte, so they import each other relatively
TABLE: dict[str, set[str]] = {
    # The ground.
    "inputs": set(),
    "errors": {"inputs"},
    "events": set(),
    "config": {"errors", "inputs"},
    "machine": {"errors", "inputs"},
    "wire": {"errors", "events"},
    "failures": {"errors", "inputs", "machine"},
    # The teachers.
    "hub": GROUND - {"config"},
    "models": GROUND | {"hub"},
    "guidance": GROUND | {"models"},
    "memory": GROUND | {"models", "guidance"},
    "speed": GROUND | {"models", "memory", "guidance"},
    "starter": set(),
    # The object.
    "scene": GROUND,
    "field": GROUND | {"scene"},
    "render": GROUND | {"scene"},
    "mesh": GROUND | {"scene"},
    "pictures": GROUND | {"scene"},
    "judge": GROUND | {"models", "scene", "mesh"},
    # What brings them together.
    "optimize": GROUND | METHOD - {"optimize"},
    "paint": GROUND | METHOD,
    "refinement": GROUND | METHOD | {"paint"},
    "clip_mesh": GROUND | METHOD,
    "run": GROUND | METHOD | {"speed", "paint", "pictures", "refinement", "judge"},
    "tasks": GROUND | METHOD | {"speed", "run", "paint", "pictures", "refinement", "clip_mesh"},
    "contest": GROUND | METHOD | {"run", "judge", "tasks"},
    # What people and programs talk to.
    "request": GROUND | {"models", "pictures", "judge"},
    "batch": GROUND | {"models", "memory", "request", "commands"},
    "commands": GROUND | {"hub", "models", "memory", "speed"},
    "server": GROUND | {"failures", "hub", "models", "pictures", "request", "commands", "tasks", "contest"},
    "cli": GROUND
    | {"failures", "hub", "models", "pictures", "request", "commands", "batch"}
    | {"tasks", "contest", "server", "agents"},
    "agents": GROUND | {"batch", "commands", "failures", "hub", "pictures", "request"},
    "scripting": GROUND | {"failures", "pictures", "request", "server"},
    "__main__": {"cli"},
}
HEAVY = {"torch", "warp", "diffusers", "transformers", "skimage", "trimesh", "xatlas", "uvunwrap", "numpy", "PIL"}
# Loaded before a request has been found good, so that a typing mistake is answered at once. Room -> modules.
LIGHT_ROOMS = {
    "": {"", "__main__", "errors", "events", "failures", "scripting"},
    "batch": {
        "bundle",
        "carried",
        "command",
        "engine_process",
        "job_queue",
        "local",
        "needs",
        "news",
        "orders",
        "plan",
        "prompt_list",
        "ray_faults",
        "ray_node",
        "ray_place",
        "remote",
        "room",
        "run",
        "seed_list",
        "serve_node",
        "serve_place",
        "tally",
        "view",
    },
    "agents": {
        "arguments",
        "declared",
        "engine",
        "folder",
        "given",
        "results",
        "run_settings",
        "runs",
        "server",
        "stdio",
        "tools",
    },
    "cli": {"batch", "download", "early_end", "lists", "mcp", "options", "run"},
    "commands": {
        "advised_command",
        "argument_parser",
        "arguments",
        "console",
        "doctor",
        "given_models",
        "methods",
        "model_line",
        "model_list",
        "model_table",
        "settings_table",
        "typed_settings",
    },
    "config": {
        "method",
        "needs",
        "paint",
        "presets",
        "prompt_text",
        "refine",
        "scores",
        "seed_range",
        "setting",
        "texture_stage",
    },
    "config.recipes": {
        "clip",
        "large",
        "multi_view",
        "names",
        "recipe",
        "small",
        "table",
        "text_to_image",
        "zero123",
    },
    "config.stages": {
        "adapters",
        "camera",
        "clip",
        "field",
        "generate",
        "guidance",
        "memory",
        "mesh",
        "optimize",
        "pace",
        "prompts",
        "reference",
        "refine",
        "render",
        "score",
        "sphere",
        "start",
        "texture",
    },
    "guidance.denoiser": {"choice"},
    "hub": {"address", "api", "connection", "download", "lock", "repository_cache", "selection", "transfer"},
    "judge": {"folder"},
    "inputs": {"given_path", "outside_text", "visible_text"},
    "machine": {
        "backends",
        "cache_folder",
        "device",
        "device_trial",
        "disk",
        "file_lock",
        "main_memory",
        "place_names",
        "places",
        "run_folder",
        "stop_signals",
    },
    "memory": {"estimate"},
    "models.adapters": {"files", "fit", "learned_word", "lora_layout"},
    "models": {
        "card",
        "card_file",
        "catalogue",
        "clip_folder",
        "family",
        "few_step_models",
        "file_kinds",
        "hub_models",
        "part_configs",
        "part_weights",
        "pipeline_folder",
        "prompt_check",
        "safetensors_header",
        "sizes",
        "terms",
        "views",
    },
    "models.single_file": {"layouts", "read"},
    "pictures": {"asked", "given", "viewpoint"},
    "request": {
        "contest",
        "generate",
        "mesh",
        "mesh_run",
        "output",
        "refine",
        "run",
        "settings",
        "stages",
        "taken",
        "texture",
        "useless_settings",
    },
    "server": {"attachments", "cut_out_job", "download_job", "elsewhere", "job", "model_news", "server", "work"},
    "speed": {"device_speed", "model_costs", "run_time"},
    "wire": {"assignments", "bounded_json", "messages", "pipe_reader", "printed", "protocol", "schema"},
}
LIGHT = {f"{room}.{name}".lstrip(".") for room, names in LIGHT_ROOMS.items() for name in names}


def modules() -> list[Path]:
    return sorted(ENGINE.rglob("*.py"))


def part_of(path: Path) -> str:
    """'scene' for scene/cameras.py, 'config' for config.py, '' for the package itself."""
    inside = path.relative_to(ENGINE).with_suffix("")
    return "" if inside.name == "__init__" and len(inside.parts) == 1 else inside.parts[0]


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported; `from a import b` counts as a.b.

    Relative imports are of the twins that the add-on has, all in the engine's room `wire`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = f"dreamfusion_engine.wire.{node.module}" if node.level else node.module
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
        allowed = {"scripting"}  # whose functions it gives, once they are asked for
    else:
        assert part in TABLE, f"'{part}' is new: give it a place in the table of {Path(__file__).name}"
        allowed = TABLE[part] | {part}
    for line, name in imports(ast.parse(path.read_text(encoding="utf-8"))):
        words = name.split(".")
        if words[0] == "dreamfusion_engine" and len(words) > 1 and words[1] != "__version__":
            assert words[1] in allowed, f"{path.name}:{line}: {part} must not import {words[1]}"


@pytest.mark.parametrize("path", sorted((ENGINE / "render").rglob("*.py")), ids=lambda path: path.name)
def test_the_volume_renderer_and_the_surface_renderer_do_not_know_each_other(path: Path) -> None:
    on_surface = path.parent.name == "surface"
    for line, name in imports(ast.parse(path.read_text(encoding="utf-8"))):
        if name.startswith("dreamfusion_engine.render."):
            assert name.startswith("dreamfusion_engine.render.surface.") == on_surface, f"{path.name}:{line} has {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ENGINE)))
def test_imports_are_absolute_but_in_what_the_addon_carries(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert path.name in TWINS and node.level == 1, f"{path.name}:{node.lineno}: imports are absolute"


def test_the_table_has_no_circles() -> None:
    check_no_circle(TABLE)


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


@pytest.mark.parametrize("module", ["dreamfusion_engine", "dreamfusion_engine.cli", "dreamfusion_engine.server.server"])
def test_importing_the_engine_loads_no_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted({HEAVY!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, cwd=ENGINE.parent)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr


@pytest.mark.parametrize("name", sorted(TWINS))
def test_what_the_addon_carries_needs_the_standard_library_and_itself_only(name: str) -> None:
    for _, imported in imports(ast.parse((ENGINE / "wire" / name).read_text(encoding="utf-8"))):
        first, _, third, *_ = [*imported.split("."), "", ""]
        assert first in sys.stdlib_module_names or f"{third}.py" in TWINS, f"{name} imports {imported}"


@pytest.mark.slow
def test_the_engine_declares_what_it_imports_and_nothing_that_only_tests_use() -> None:
    declared = {line.name for line in declared_packages()}
    owners = importlib.metadata.packages_distributions()
    used = {}
    for path in modules():
        for _, name in imports(ast.parse(path.read_text(encoding="utf-8"))):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top != "dreamfusion_engine":
                used[top] = {owner.lower().replace("_", "-") for owner in owners.get(top, [top])}
    # The extras of these names. batch/ray_driver.py is a process of its own, begun where Ray is there. The command
    # `mcp` alone loads agents/; with its SDK come anyio and pydantic.
    optional = {"ray", "mcp", "mcp-types", "anyio", "pydantic"}
    assert {top: owner for top, owner in used.items() if not owner & (declared | optional)} == {}
    # Used by transformers and diffusers, where they load a model: nothing of ours imports them.
    beneath = {"protobuf", "sentencepiece"}
    by_name = {"openvino"}  # guidance/denoiser/openvino_graph.py, where there is a wheel of it
    assert declared - beneath - by_name == {name for owner in used.values() for name in owner & declared}


def declared_packages() -> list[Requirement]:
    """The requirements of the engine itself in pyproject.toml."""
    text = (ENGINE.parent / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    return [Requirement(line) for line in re.findall(r'"(.+?)"', block[1])]
