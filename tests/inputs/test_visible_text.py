"""What nobody sees is dropped from a text, and what only looks invisible but shapes letters and emoji stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamfusion_engine.inputs.visible_text import visible

ROOT = Path(__file__).resolve().parents[2]
DROPPED = {
    "a byte-order mark": ("\ufeffa mug", "a mug"),
    "zero-width spaces": ("a\u200b red\u200b mug\u200b", "a red mug"),
    "a soft hyphen": ("a ham\u00adbur\u00adger", "a hamburger"),
    "direction marks": ("\u200ea mug\u200f \u202ared\u202c \u2066x\u2069", "a mug red x"),
    "a word joiner": ("a\u2060 mug", "a mug"),
    "joiners between Latin letters": ("m\u200du\u200cg", "mug"),
    "joiners at the ends": ("\u200dmug\u200c", "mug"),
    "a variation selector after a letter": ("mug\ufe0f", "mug"),
    "tags without a flag": ("a mug\U000e0068\U000e0069", "a mug"),
    "Hangul fillers": ("a\u3164mug\u115f", "amug"),
    "the start of a comment in a file of Notepad": ("\ufeff# mugs", "# mugs"),
}
KEPT = {
    "Persian with a non-joiner": "می\u200cخواهم",
    "Hindi with a joiner after a virama": "क्\u200d",
    "Sinhala": "ශ්\u200dරී",
    "a family": "👩\u200d👩\u200d👧",
    "an astronaut of a skin colour": "👩🏽\u200d🚀",
    "a heart on fire": "❤\ufe0f\u200d🔥",
    "a keycap": "1\ufe0f\u20e3",
    "the flag of Wales": "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
    "an ideograph's variant": "葛\U000e0100",
    "letters with marks of their own": "e\u0301 ä ñ",
    "an Arabic number sign, which is seen": "\u0600١٢",
    "blanks and line ends": " a\tmug\n",
}


@pytest.mark.parametrize(("text", "left"), DROPPED.values(), ids=DROPPED)
def test_what_is_invisible_is_dropped(text: str, left: str) -> None:
    assert visible(text) == left


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_what_changes_how_a_text_is_written_stays(text: str) -> None:
    assert visible(text) == text


def test_dropping_twice_drops_nothing_more() -> None:
    for text, _ in DROPPED.values():
        assert visible(visible(text)) == visible(text)


def test_the_addon_carries_the_same_file() -> None:
    copy = ROOT / "blender_addon" / "core" / "visible_text.py"
    assert copy.read_text(encoding="utf-8") == (ROOT / "dreamfusion_engine" / "inputs" / "visible_text.py").read_text(
        encoding="utf-8"
    )
