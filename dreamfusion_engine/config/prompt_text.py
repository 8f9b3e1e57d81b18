"""Clean the text that an artist types to one line."""

from __future__ import annotations

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.visible_text import visible

PROMPT_LIMIT = 1000  # characters; a text encoder reads some 77 tokens, about 300 characters


def checked_prompt(text: str, name: str, *, empty_ok: bool) -> str:
    """Return `text` with white space folded and without invisible characters.

    text: str, as typed.
    name: str, what the text is, for errors.
    empty_ok: bool, whether it may be empty.
    Raises InputError input.prompt_empty, input.prompt_long, input.prompt_control.
    """
    shown = text if len(text) <= 60 else text[:60] + "..."
    control = sorted({f"U+{ord(c):04X}" for c in text if (ord(c) < 32 and c not in "\t\n\r") or 127 <= ord(c) < 160})
    if control:
        raise InputError(
            "input.prompt_control",
            what=f"The {name} contains control characters.",
            why=f"It holds {', '.join(control[:5])}, which no model can read.",
            fix="Type the words again, or paste them as plain text.",
        )
    folded = " ".join(visible(text).split())
    if not folded and not empty_ok:
        raise InputError(
            "input.prompt_empty",
            what=f"The {name} is empty.",
            why="There is nothing to generate from.",
            fix='Say what the object is, for example "a hamburger".',
        )
    if len(folded) > PROMPT_LIMIT:
        raise InputError(
            "input.prompt_long",
            what=f"The {name} is too long: {len(folded):,} characters.",
            why=f"Text encoders read a few dozen words; the limit is {PROMPT_LIMIT:,} characters. It begins: {shown!r}",
            fix="Describe one object in a sentence.",
        )
    return folded
