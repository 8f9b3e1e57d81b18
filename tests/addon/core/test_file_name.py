"""Names of files from any text: inside their folder, and taken by every file system."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path, PureWindowsPath

import pytest

from blender_addon.core.file_name import LIMIT, file_name, within


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a red/blue mug", "a red-blue mug"),
        ("../../../evil mug", "evil mug"),
        ("C:\\Windows\\mug", "C-Windows-mug"),
        ('mug: "x" ? < > | *', "mug-x"),
        ("50% off #1 [a] {b} $c", "50-off-1-a-b-c"),  # numbers of frames, addresses, parts of a USDZ, templates
        ("CON", "CON_"),
        ("nul .txt", "nul_.txt"),
        ("com¹.a", "com¹_.a"),
        ("console", "console"),
        ("mug...  ", "mug"),
        (" .-~hidden", "hidden"),
        ("-o mug", "o mug"),
        ("a\nb\tc", "a b c"),
        ("\ufeffa\x00b\u202ec\ud800", "abc"),
        ("e\u0301", "é"),
        ("кружка", "кружка"),
        ("", "Object"),
        ("../..", "Object"),
        ("\u200b", "Object"),
    ],
)
def test_what_becomes_of_a_text(text: str, name: str) -> None:
    assert file_name(text) == name
    assert file_name(name) == name


def test_any_text_becomes_a_name_that_can_be_written_and_stays_in_its_folder(tmp_path: Path) -> None:
    letters = 'ab /\\:*?"<>|.-~ \0\x07\n\u200d\u202e\ud800#%[]{}$é一😀conCON1'
    chance = random.Random(0)
    for _ in range(500):
        name = file_name("".join(chance.choices(letters, k=chance.randrange(80))))
        assert 0 < len(name.encode()) <= LIMIT and name == name.strip()
        assert PureWindowsPath(name).name == name and name.partition(".")[0].rstrip().upper() not in ("CON", "NUL")
        (tmp_path / f"{name}.png").write_bytes(b"")
        assert (tmp_path / f"{name}.png").resolve().parent == tmp_path.resolve()


@pytest.mark.parametrize("letter", ["x", "é", "一", "😀"])
def test_the_limit_is_in_bytes_and_never_splits_a_letter(letter: str) -> None:
    assert len(file_name(letter * 300).encode()) == (LIMIT - 1) // len(letter.encode()) * len(letter.encode())
    assert within(letter * 20, 10) == letter * (10 // len(letter.encode()))
    assert unicodedata.is_normalized("NFC", file_name(letter * 300))
