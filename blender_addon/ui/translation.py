"""The interface in Blender's language: registers the add-on's translations, and translates what panels put together.

Labels and descriptions of properties, operators, menus and panels Blender looks up itself. What is drawn line by line,
reported, or made from values goes through `translated`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_type_hints

import bpy
from bpy.types import Menu, Operator, Panel

from .. import ADDON
from ..core.job import Trouble
from ..core.phrase import Phrase, phrase

FOLDER = Path(__file__).resolve().parents[1] / "translations"  # a file a language, named as Blender names the language
CONTEXT = "DreamFusion"  # of words that Blender has too, in another sense: its own German for a mesh is "Masche"
_FIELD = re.compile(r"\{[^{}]*\}")  # a value's place in a text
_CONTEXTS = ("*", CONTEXT)  # Blender looks for descriptions in the first, and for names in what `own_words` says
_HAS_CONTEXTS = "translation_context" in str(bpy.props.BoolProperty.__doc__)  # of properties: not in Blender 3.4

_fixed: list[Phrase] = []  # what `fixed` has made


def translated(text: str, /, **values: object) -> str:
    """A text in Blender's language; English where there is no translation.

    text: str, a phrase of the add-on, or a template where there are values; any other text is looked up as it is.
    values: what stands in the template's braces.
    """
    if values:
        text = phrase(text, **values)
    if not isinstance(text, Phrase):
        return _look_up(text)
    shown = {name: translated(value) if isinstance(value, Phrase) else value for name, value in text.values.items()}
    found = _look_up(text.template)
    return found.format(**shown) if shown else found


def _look_up(text: str) -> str:
    return str(bpy.app.translations.pgettext_iface(text, CONTEXT)) if text else text


def sentences(*texts: str) -> str:
    """Several texts in Blender's language, one after the other. Empty ones are left out."""
    return " ".join(translated(text) for text in texts if text)


def told(trouble: Trouble) -> str:
    """A trouble in Blender's language: what, why and fix in a row."""
    return sentences(trouble.what, trouble.why, trouble.fix)


def is_foreign() -> bool:
    """Whether Blender's interface is in another language than English."""
    language = str(bpy.app.translations.locale).partition("_")[0]
    return language not in ("", "en") and bool(bpy.context.preferences.view.use_translate_interface)


def fixed(template: str, /, **values: object) -> Phrase:
    """A text with values that never change, for a property or a line of a menu, which Blender itself looks up.

    template, values: as for `phrase`.
    """
    made = phrase(template, **values)
    _fixed.append(made)
    return made


def own_words(classes: Iterable[Any]) -> None:
    """Have Blender look for the names of classes and their properties among the add-on's words, and not its own.

    classes: before they are registered.
    """
    for cls in classes:
        if issubclass(cls, (Operator, Panel, Menu)):
            cls.bl_translation_context = CONTEXT
        if _HAS_CONTEXTS:
            cls.__annotations__ = get_type_hints(cls)
            for made in cls.__annotations__.values():
                getattr(made, "keywords", {}).setdefault("translation_context", CONTEXT)


def register() -> None:
    """Hand the add-on's translations to Blender. A language whose file is damaged is left out, as is a wrong entry."""
    found = {}
    for path in sorted(FOLDER.glob("*.json")):
        try:
            read = json.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editor may put a mark before the text
            texts = {text: shown for text, shown in read.items() if _can_be_shown(text, shown)}
            texts |= {each: texts[each.template].format(**each.values) for each in _fixed if each.template in texts}
        except (OSError, ValueError, AttributeError, LookupError, RecursionError):
            continue
        found[path.stem] = {(context, str(text)): shown for text, shown in texts.items() for context in _CONTEXTS}
    bpy.app.translations.register(ADDON, found)


def _can_be_shown(text: str, shown: object) -> bool:
    """Whether an entry is translated, and nothing ends at it.

    Blender crashes at half a surrogate pair, and a panel at a value that nobody gives.
    """
    if not isinstance(shown, str) or not shown:
        return False
    paired = not re.search("[\ud800-\udfff]", text + shown)
    return (
        paired
        and set(_FIELD.findall(shown)) <= set(_FIELD.findall(text))
        and not re.search("[{}]", _FIELD.sub("", shown))
    )


def unregister() -> None:
    """Take them back."""
    bpy.app.translations.unregister(ADDON)
