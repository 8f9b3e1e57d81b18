"""Text from outside is shown in one line, cut, and cannot command a terminal or turn the direction of writing."""

from __future__ import annotations

import pytest

from dreamfusion_engine.inputs.outside_text import shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a mug", "a mug"),
        ("Bücher/赤い/🍔", "Bücher/赤い/🍔"),
        (
            "family 👨\u200d👩\u200d👧 and \u0915\u094d\u200d\u0937",
            "family 👨\u200d👩\u200d👧 and \u0915\u094d\u200d\u0937",
        ),
        (r"C:\models\new", r"C:\models\new"),
        ("two\nlines\tand tabs\r", "two lines and tabs "),
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("a\u200bb\ufeff\u00ad", "a\\u200bb\\ufeff\\xad"),
        ("half \udc80", "half \\udc80"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_a_long_text_is_cut() -> None:
    assert shown("x" * 10_000_000) == "x" * 200 + "..."
    assert shown("abc", 3) == "abc" and shown("abcd", 3) == "abc..."
