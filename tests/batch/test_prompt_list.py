"""A list of prompts: bad lines are told with their numbers, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamfusion_engine.batch.prompt_list import Line, read_list, usable
from dreamfusion_engine.errors import InputError, SetupError


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    return path


def test_lines_are_prompts_without_their_ends_comments_and_marks(tmp_path: Path) -> None:
    lines, bad = read_list(written(tmp_path, b"\xef\xbb\xbfa red mug\r\n\n  # a note\n  a car \n"))
    assert lines == [Line(number=1, prompt="a red mug"), Line(number=4, prompt="a car")] and bad == []


def test_what_is_no_text_and_what_was_said_before_is_left_out_by_its_number(tmp_path: Path) -> None:
    lines, bad = read_list(written(tmp_path, b"a mug\n\xff\xfe\na car\na mug\n"))
    assert [line.prompt for line in lines] == ["a mug", "a car"]
    assert [(each.number, each.why) for each in bad] == [(2, "It is not UTF-8."), (4, "Line 1 says the same.")]
    assert all(each.fix for each in bad)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_list_that_powershell_wrote_is_read(tmp_path: Path, encoding: str) -> None:
    lines, bad = read_list(written(tmp_path, "\ufeffa red mug\r\na car\r\n".encode(encoding)))
    assert [(line.number, line.prompt) for line in lines] == [(1, "a red mug"), (2, "a car")] and bad == []


def test_a_list_that_only_says_that_it_is_utf_16_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_list(written(tmp_path, b"\xff\xfea"))
    assert caught.value.code == "input.list" and "UTF-8" in caught.value.fix


def test_a_line_may_end_as_old_macs_end_it(tmp_path: Path) -> None:
    """Taken for one line, two prompts would be one: the end between them is a control character that nobody sees."""
    lines, _ = read_list(written(tmp_path, b"a red mug\ra car\r"))
    assert lines == [Line(number=1, prompt="a red mug"), Line(number=2, prompt="a car")]


def test_a_list_of_which_no_line_is_text_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_list(written(tmp_path, "# Möbel\nein rosé Stuhl\n".encode("latin-1")))
    assert "Line 1: It is not UTF-8." in caught.value.why and caught.value.fix == "Save the list as UTF-8."


@pytest.mark.parametrize("content", [b"", b"\n# nothing\n", b"\xef\xbb\xbf\r\n"])
def test_a_list_without_a_prompt_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_list(written(tmp_path, content))
    assert caught.value.code == "input.list" and "no line" in caught.value.why


def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing", Path("a\0b")):
        with pytest.raises(InputError, match="list of prompts"):
            read_list(path)


def test_a_huge_list_is_refused_before_it_is_read_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dreamfusion_engine.batch.prompt_list.LIST_LIMIT", 10)
    with pytest.raises(InputError, match="list of prompts") as caught:
        read_list(written(tmp_path, b"a mug\n" * 3))
    assert "larger" in caught.value.why


def refuse(prompt: str) -> str:
    if prompt == "bad":
        raise InputError("input.unknown_words", what="The model does not know it.", why="It is bad.", fix="Another.")
    if prompt == "broken":
        raise SetupError("model.missing", what="There is no model.", why="It is gone.", fix="Get it.")
    return prompt.lower()


def test_lines_that_the_model_cannot_take_are_left_out_and_the_others_are_as_a_run_has_them() -> None:
    lines = [Line(number=1, prompt="A Mug"), Line(number=2, prompt="bad")]
    good, bad = usable(lines, refuse)
    assert good == [Line(number=1, prompt="a mug")]
    assert [(each.number, each.text, each.fix) for each in bad] == [(2, "bad", "Another.")]


def test_where_no_line_is_left_the_first_says_why_and_what_is_not_about_a_prompt_is_raised() -> None:
    with pytest.raises(InputError) as caught:
        usable([Line(number=7, prompt="bad")], refuse)
    assert "Line 7" in caught.value.why and caught.value.fix == "Another."
    with pytest.raises(SetupError, match="no model"):
        usable([Line(number=1, prompt="broken")], refuse)
