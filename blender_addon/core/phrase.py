"""A text of the interface that can be translated: English, with its template and values kept beside it.

`core` uses it as the English string that it is. `ui/translation.py` shows it in Blender's language. Where texts are
written down, what they are made of is kept beside them (`kept`, `again`), so that they can be translated later too.
`python docs/translations.py` finds every call of `phrase` and `phrases`, so their texts are written out, not computed.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

Key = TypeVar("Key")
LONGEST = 2000  # characters of a template or a value that is read back
MOST_VALUES = 20
_DEPTH = 4  # phrases in phrases that are read back
_LARGEST = 1 << 53  # of whole numbers; a larger one is not exact as float
_FORMATS = re.compile(r"#x|0?2d|,?(\.\d)?[dfgs%]?")  # a width without bounds would take all memory


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


def kept(texts: Iterable[str]) -> dict[str, Any]:
    """What those of the texts that are phrases with values are made of, by their English, as plain JSON.

    texts: which are written down themselves.
    """
    return {str(text): _record(text) for text in texts if isinstance(text, Phrase) and text.values}


def again(text: str, known: Any) -> str:
    """A text that was written down, as the phrase that it was; as it is where nothing fitting is known of it.

    text: str, English.
    known: what `kept` gave, from a file that anybody may have changed.
    """
    if not isinstance(known, dict) or text not in known:
        return text
    try:
        made = _from_record(known[text])
    except (ValueError, LookupError, TypeError):
        return text
    return made if made == text else text


def _record(made: Phrase) -> dict[str, Any]:
    return {"template": made.template, "values": {name: _plain(value) for name, value in made.values.items()}}


def _plain(value: object) -> Any:
    if isinstance(value, Phrase):
        return _record(value)
    whole = isinstance(value, int) and abs(value) <= _LARGEST
    return value if whole or (isinstance(value, float) and math.isfinite(value)) else str(value)


def _from_record(record: Any, depth: int = 0) -> Phrase:
    """Raises ValueError, LookupError or TypeError for what no phrase of the add-on gave."""
    template, values = record["template"], record["values"]
    if not isinstance(template, str) or not isinstance(values, dict) or depth > _DEPTH:
        raise TypeError
    if len(template) > LONGEST or len(values) > MOST_VALUES:
        raise ValueError
    for _, name, wanted, conversion in string.Formatter().parse(template) if values else ():
        if name is not None and (name not in values or conversion or not _FORMATS.fullmatch(wanted or "")):
            raise ValueError
    return phrase(template, **{name: _value(value, depth) for name, value in values.items()})


def _value(value: Any, depth: int) -> object:
    if isinstance(value, dict):
        return _from_record(value, depth + 1)
    if not isinstance(value, (str, int, float)) or len(str(value)) > LONGEST:
        raise TypeError
    return value
