"""The documentation against the code: what it names exists, what it quotes is so. Nothing of the engine is imported.

Of: docs, README.md, CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENGINE = ROOT / "dreamfusion_engine"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
NAMING = [*PAGES, *sorted(p for name in ("dreamfusion_engine", "training") for p in (ROOT / name).rglob("*.md"))]
CODE_FOLDERS = ("benchmarks", "blender_addon", "docs", "dreamfusion_engine", "installer", "tests", "training")
MADE = {
    "outputs",
    "previews",
    "checkpoint",
    "checkpoint-refine",
    "checkpoint-shape",
    "checkpoint-texture",
    "previews-texture",
    "textures",
    "seeds",
    "logs",
    "extensions",
}  # folders, by runs
EXAMPLE = re.compile(
    r"[A-Z]{4}|test_Y|^(make|into_blender)\.py$"
)  # in the name of a file that a reader might write: NAME, STAGE
MATHS = ROOT / "docs" / "maths.md"
TROUBLE = ROOT / "docs" / "troubleshooting.md"

COLUMNS = 124  # of a line of a page, so that two pages fit on a screen
REFERENCE = re.compile(r"`([\w/]+\.py)::([A-Za-z_][\w.]*)(?: = ([^`]+))?`")
STAGES = "camera|field|render|guidance|prompts|adapters|score|optimize|mesh"
FAMILIES = "input|model|setup|run|checkpoint|protocol|internal|health|paint|contest|batch"
CODE = re.compile(rf"(?:{FAMILIES})\.[a-z_]+|cancelled")


@cache
def names_of(path: Path) -> dict[str, ast.AST]:
    """What a module defines: functions, classes, 'Class.member' and constants, by name."""
    found: dict[str, ast.AST] = {}

    def take(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[prefix + node.name] = node
                if isinstance(node, ast.ClassDef):
                    take(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        found[prefix + target.id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[prefix + node.target.id] = node.value or node

    take(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found


def problem_of(path: str, name: str, value: str | None) -> str | None:
    """What is wrong with a reference `path::name = value`, or None."""
    file = ROOT / path if path.startswith("training/") else ENGINE / path
    if not file.is_file():
        return f"there is no {file.relative_to(ROOT).as_posix()}"
    names = names_of(file)
    if name not in names:
        return f"{path} defines no {name}"
    if value is None:
        return None
    try:
        actual = ast.literal_eval(names[name])  # type: ignore[arg-type]
    except ValueError:
        return f"{path}::{name} is not a plain value; leave out the '= {value}'"
    return None if actual == ast.literal_eval(value) else f"{path}::{name} is {actual!r}, not {value}"


def prose(path: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def references() -> list[tuple[str, str, str | None]]:
    found = REFERENCE.findall(prose(MATHS))
    return sorted({(path, name, value or None) for path, name, value in found}, key=str)


@pytest.mark.parametrize(("path", "name", "value"), references(), ids=lambda part: str(part))
def test_every_function_that_the_maths_names_exists(path: str, name: str, value: str | None) -> None:
    assert problem_of(path, name, value) is None


def test_the_maths_names_something_in_every_part_of_the_method() -> None:
    parts = {path.split("/")[0] for path, _, _ in references()}
    assert parts >= {"scene", "field", "render", "guidance", "optimize", "mesh", "training"}


def test_a_reference_in_another_form_is_not_overlooked() -> None:
    spans = re.findall(r"`([^`]*::[^`]*)`", prose(MATHS))
    odd = [span for span in spans if not REFERENCE.fullmatch(f"`{span}`") and not span.startswith("PATH::")]
    assert odd == []


@pytest.mark.parametrize(
    ("path", "name", "value", "problem"),
    [
        ("scene/nowhere.py", "look_at", None, "there is no"),
        ("scene/cameras.py", "look_away", None, "defines no"),
        ("scene/cameras.py", "Cameras.look_at", None, "defines no"),
        ("render/composite.py", "OPAQUE", "0.5", "not 0.5"),
        ("render/composite.py", "composite", "1", "not a plain value"),
    ],
)
def test_a_wrong_reference_is_found(path: str, name: str, value: str | None, problem: str) -> None:
    assert problem in (problem_of(path, name, value) or "")


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    config = {name for file in (ENGINE / "config" / "stages").glob("*.py") for name in names_of(file)}
    text = page.read_text(encoding="utf-8")
    spans = re.findall(rf"(?:`|--set '?)((?:{STAGES})\.(?!glb|py)[a-z_0-9]+)(?=[`=\[' ])", text)
    missing = [span for span in spans if f"{span.split('.')[0].title()}Config.{span.split('.')[1]}" not in config]
    assert missing == []


def error_codes() -> tuple[set[str], set[str]]:
    """Codes that the engine writes out, and those that it makes of a verdict's name."""
    verdicts = {text_of(node) for node in ast.walk(names_of(ENGINE / "optimize" / "health.py")["Verdict"])} - {None}
    written: set[str] = set()
    made: set[str] = set()
    for path in ENGINE.rglob("*.py"):
        for given in first_arguments(ast.parse(path.read_text(encoding="utf-8"))):
            text = text_of(given) or ""
            if CODE.fullmatch(text):
                written.add(text)
            elif isinstance(given, ast.JoinedStr):
                stem = text_of(given.values[0]) or ""
                if re.fullmatch(rf"(?:{FAMILIES})\.", stem):
                    made |= {f"{stem}{verdict}" for verdict in verdicts}
    return written, made


def text_of(node: ast.AST) -> str | None:
    """The value of a string literal."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def first_arguments(tree: ast.AST) -> Iterator[ast.expr]:
    """The first argument of every call, and every argument named `code`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from node.args[:1]
            yield from (word.value for word in node.keywords if word.arg == "code")


def explained_codes() -> set[str]:
    return {span for span in re.findall(r"`([^`]+)`", prose(TROUBLE)) if CODE.fullmatch(span)}


@pytest.mark.slow
def test_every_error_code_is_explained() -> None:
    written, _ = error_codes()
    assert len(written) > 30, "the search finds the codes"
    assert sorted(written - explained_codes()) == []


@pytest.mark.slow
def test_no_error_code_is_explained_that_does_not_exist() -> None:
    written, made = error_codes()
    assert sorted(explained_codes() - written - made) == []


def test_messages_of_the_set_up_are_quoted_as_they_are() -> None:
    listed = prose(TROUBLE).partition("## Messages of the set-up")[2].partition("\n## ")[0]
    quoted = [" ".join(found.split()) for found in re.findall(r"^- \*\*([^*]+)\*\*", listed, flags=re.MULTILINE)]
    quoted.remove("This needs Python 3.10 or newer.")  # the version is filled in
    sources = [ROOT / "install.py", *sorted((ROOT / "installer").glob("*.py"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert len(quoted) > 8
    assert [message for message in quoted if f'"{message}' not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_are_short(page: Path) -> None:
    assert [line for line in page.read_text(encoding="utf-8").splitlines() if len(line) > COLUMNS] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        goal = page.parent / file if file else page
        assert goal.exists(), f"{page.name} links to {file}"
        if anchor:
            assert anchor in anchors_of(goal), f"{goal.name} has no heading {anchor}"


@cache
def paths_here() -> tuple[set[str], set[str]]:
    """Files and folders of the code, from the root, with "/"."""
    inside = [path for path in ROOT.iterdir() if path.is_file()]
    for name in CODE_FOLDERS:
        inside += [ROOT / name, *(path for path in (ROOT / name).rglob("*") if "__pycache__" not in path.parts)]
    named = [(path.relative_to(ROOT).as_posix(), path.is_dir()) for path in inside]
    return {name for name, folder in named if not folder}, {name for name, folder in named if folder}


def names_nothing(name: str) -> bool:
    """Whether no path of the code is, or ends in, what a page names: 'load.py', 'models/load.py' or 'models/'."""
    files, folders = paths_here()
    wanted = name.rstrip("/")
    return not any(f"/{path}".endswith(f"/{wanted}") for path in (folders if name.endswith("/") else files))


@pytest.mark.parametrize("page", NAMING, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_and_folder_of_the_code_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w/.$<>-])((?:[\w-]+/)*[\w-]+\.py)\b", text) + re.findall(r"`((?:[\w.-]+/)+)`", text)
    named = [name for name in named if not EXAMPLE.search(name) and name.split("/")[0] not in MADE]
    assert [name for name in named if names_nothing(name)] == []


def test_a_path_that_does_not_exist_is_found() -> None:
    assert not names_nothing("models/load.py") and not names_nothing("load.py") and not names_nothing("models/")
    assert names_nothing("models/unload.py") and names_nothing("oad.py") and names_nothing("load.py/")


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_picture_of_the_docs_is_shown() -> None:
    shown = {target.rpartition("/")[2] for page in PAGES for target in re.findall(r"\]\(([^)\s]+)\)", prose(page))}
    pictures = {path.name for path in (ROOT / "docs" / "images").iterdir()}
    assert sorted(pictures - shown) == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_equations_hold_only_what_github_renders(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    # GitHub refuses some macros. In the middle of a line Markdown comes first: it eats a backslash before punctuation,
    # reads an underscore after punctuation as emphasis and "<" as a tag.
    assert not re.search(r"\\(operatorname|mbox|phantom|newcommand|DeclareMathOperator)\b", text)
    lines = re.sub(r"`[^`]*`", "", prose(page))
    for formula in re.findall(r"\$([^$]+)\$", lines):
        assert "\n" not in formula, f"{page.name}: a formula is broken over two lines: {formula!r}"
        assert not re.search(r"\\[^a-zA-Z]|[^\w\s]_|[<*]", formula), f"{page.name}: Markdown changes ${formula}$"
