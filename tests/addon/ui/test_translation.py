"""The add-on in other languages: nothing is missing or stale, and Blender shows it.

Of: blender_addon/ui/translation.py, docs/translations.py.
"""

from __future__ import annotations

import ast
import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from addon.blenders import ROOT, Session, windowed

ADDON = ROOT / "blender_addon"
DOCS = runpy.run_path(str(ROOT / "docs" / "translations.py"), run_name="translations")
FILES = sorted((ADDON / "translations").glob("*.json"))
COMPLETE = ("de", "fr")  # languages in which every text is translated
SHOWN = Path(__file__).with_name("scripts") / "translation_shown.py"


def read(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((ADDON / "translations" / f"{language}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_language_has_an_entry_for_each_text_and_no_other(path: Path) -> None:
    found, wanted = read(path.stem), DOCS["texts"]()
    assert sorted(set(wanted) - set(found)) == [], "fix: python docs/translations.py"
    assert sorted(set(found) - set(wanted)) == [], "fix: python docs/translations.py"
    assert path.read_text(encoding="utf-8").count("\n") == len(wanted) + 2


@pytest.mark.parametrize("language", COMPLETE)
def test_every_text_is_translated(language: str) -> None:
    assert [text for text, shown in read(language).items() if not shown.strip()] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_translation_names_the_same_values_and_ends_alike(path: Path) -> None:
    for text, shown in read(path.stem).items():
        if shown:
            assert DOCS["fields"](shown) == DOCS["fields"](text), text
            assert shown.endswith("...") == text.endswith("..."), text
            assert shown == shown.strip() and "\n" not in shown, text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_translation_formats_numbers_as_its_text_does(path: Path) -> None:
    pattern = DOCS["_FIELD"]
    for text, shown in read(path.stem).items():
        if shown:
            wanted = {found.group() for found in pattern.finditer(text)}
            assert {found.group() for found in pattern.finditer(shown)} == wanted, text


def test_texts_are_found_where_they_are_written(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "class X_OT_a(Operator):\n"
        "    '''Do it'''\n"
        "    bl_label = 'A Label'\n"
        "    size: IntProperty(name='Size', description='How large')\n"
        "    gone: IntProperty(name='Gone', options={'HIDDEN'})\n"
        "    kind: EnumProperty(items=(('A', 'First', 'The first'), ('B', 'Second', '')))\n"
        "    def draw(self, context):\n"
        "        self.layout.label(text='Left' if self.size else 'Right')\n"
        "        self.report({'INFO'}, translated('Made {count}', count=1))\n"
        "        raise EngineTrouble(Trouble('a.code', 'What.', phrase('Why {x}.', x=1), 'Fix.'))\n"
        "TABLE = phrases({'a': 'In a table'})\n",
        encoding="utf-8",
    )
    found = set(DOCS["of_module"](module)) - {""}
    assert found == {
        *("Do it", "A Label", "Size", "How large", "First", "The first", "Second", "Left", "Right"),
        *("Made {count}", "What.", "Why {x}.", "Fix.", "In a table"),
    }


def test_no_shown_text_is_an_f_string() -> None:
    """A text with values that is made before it is translated cannot be found in any dictionary."""
    wrong = []
    for path in sorted(ADDON.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            places = DOCS["_SHOWN"].get(name, ())
            shown = [call.args[place] for place in places if place < len(call.args)]
            for node in shown:
                if isinstance(node, ast.JoinedStr):
                    said = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
                    if any(letter.isalpha() for letter in said):
                        wrong.append(f"{path.name}:{node.lineno}")
    assert wrong == [], "use phrase('... {name} ...', name=...)"


def test_what_is_translated_is_not_translated_once_more() -> None:
    """French for a prompt is "Prompt", which Blender would then take for the prompt of a terminal."""
    wrong = []
    for path in sorted((ADDON / "ui").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
                if call.func.attr in DOCS["_LAYOUT"] and "translated(" in given.get("text", ""):
                    wrong += [] if given.get("translate") == "False" else [f"{path.name}:{call.lineno}"]
    assert wrong == [], "translate=False"


def test_blender_knows_no_text_that_is_not_listed(blender: Session) -> None:
    facts = blender.run(SHOWN).facts
    listed = read("de")
    missing = [text for text in facts["known"] if DOCS["is_wording"](text) and text not in listed]
    assert [text for text in missing if not _is_made(text, listed) and not text.endswith(" px")] == []
    assert facts["english"] == "Seed 3 won of 8"
    assert facts["after"] == "Try the Next Seed"


def _is_made(text: str, listed: dict[str, str]) -> bool:
    """Whether a text comes from a template with values."""
    return any(_fits(template, text) for template in listed if "{" in template)


def _fits(template: str, text: str) -> bool:
    parts = DOCS["_FIELD"].sub("\0", template).split("\0")
    return all(part in text for part in parts) and text.startswith(parts[0]) and text.endswith(parts[-1])


@pytest.fixture(scope="module")
def in_languages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Blender's own look-up gives; the bpy wheels are built without translations, so that only 3.4 can tell."""
    found = windowed()
    if found is None:
        pytest.fail("There is no Blender with translations here. fix: apt install blender xvfb xauth imagemagick")
    return Session(found, tmp_path_factory.mktemp("languages")).run(SHOWN).facts


@pytest.mark.slow
@pytest.mark.parametrize("language", COMPLETE)
def test_blender_shows_every_translation(in_languages: dict[str, Any], language: str) -> None:
    assert in_languages["international"]
    assert in_languages["shown"][language] == read(language)
    wanted = read(language)
    assert {label: wanted.get(label, label) for label in in_languages["names"][language]} == in_languages["names"][
        language
    ]


@pytest.mark.slow
@pytest.mark.parametrize("language", COMPLETE)
def test_panels_draw_no_english_text(in_languages: dict[str, Any], language: str) -> None:
    english = {text for text, shown in read(language).items() if shown != text}
    shown = set(read(language).values())
    assert [text for text in in_languages["drawn"][language] if text in english - shown] == []
    assert len(in_languages["drawn"][language]) > 20


def test_values_are_put_into_the_translated_template(in_languages: dict[str, Any]) -> None:
    seed, trouble = in_languages["formatted_de"]
    assert seed == "Startwert 3 hat unter 8 gewonnen"
    assert trouble.startswith("Die Engine hielt mitten in ihrer Arbeit an. Das System oder")


DAMAGED = Path(__file__).with_name("scripts") / "translation_damaged.py"


def test_a_damaged_file_leaves_its_language_out_and_an_empty_entry_shows_english(
    window_blender: Session, tmp_path: Path
) -> None:
    whole = {"Try Again...": "Otra vez...", "Seed {seed}": ""}
    wrong = {
        "Try Again...": "\ud800",
        "Seed {seed}": "Zaad {zaad}",
        "{size} pixels": "{other",
        "Seed": 5,
        "\ud800": "x",
    }
    files = {
        "de": "{",
        "fr": "[1]",
        "it": '{"{size} pixels": "{other}"}',
        "ru": "[" * 100_000,
        "es": "\ufeff" + json.dumps(whole),
        "nl": json.dumps({**wrong, "Mask": "Masker"}),
    }
    for name, text in files.items():
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    facts = window_blender.run(DAMAGED, DREAMFUSION_TEST_LANGUAGES=str(tmp_path)).facts
    english = ["Try Again...", "Seed 3"]
    assert facts["shown"] == {
        **{name: [*english, "Mask"] for name in ("de_DE", "fr_FR", "it_IT", "ru_RU")},
        "es": ["Otra vez...", "Seed 3", "Mask"],
        "nl_NL": [*english, "Masker"],
    }
    assert facts["operators"] > 40
