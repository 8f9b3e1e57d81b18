"""A text of the interface that can be translated: English, with its template and values kept beside it.

`core` and the journal use it as the English string that it is. `ui/translation.py` shows it in Blender's language.
`python docs/translations.py` finds every call of `phrase` and `phrases`, so their texts are written out, not computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

Key = TypeVar("Key")


class Phrase(str):
    """An English text, and what it was made of.

    template: str, the text with names of values in braces; a translation has the same names.
    values: what stands at those names; a Phrase among them is translated too.
    """

    template: str
    values: Mapping[str, object]


def phrase(template: str, /, **values: object) -> Phrase:
    """A text that can be translated.

    template: str, English; with values it is a format string.
    values: what stands in its braces.
    """
    made = Phrase(template.format(**values) if values else template)
    made.template, made.values = template, values
    return made


def phrases(texts: Mapping[Key, str]) -> dict[Key, Phrase]:
    """A table of texts without values.

    texts: English texts by any key.
    """
    return {key: phrase(text) for key, text in texts.items()}


def joined(texts: Iterable[str], between: str = " ") -> Phrase:
    """Several texts as one; each is translated by itself.

    between: str, what stands between two of them.
    """
    values = {f"part_{number}": text for number, text in enumerate(texts)}
    return phrase(between.join(f"{{{name}}}" for name in values), **values)
