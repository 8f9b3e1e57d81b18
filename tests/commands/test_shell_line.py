"""A printed command, pasted into cmd, PowerShell or a POSIX shell, is read as the same words."""

from __future__ import annotations

import re
import shlex

import pytest

from blender_addon.core.engine.command_line import split_command
from dreamfusion_engine.commands.shell_line import shell_line

WORDS = [
    [r"C:\Python\python.exe", "-m", "dreamfusion_engine", "generate", "a mug"],
    [r"C:\Program Files\Käse\python.exe", "-m", "dreamfusion_engine", "generate", "マグカップ", "--resume"],
    ["python.exe", "generate", "salt & pepper", "--set", "optimize.resolution=[32, 32]"],
    ["python.exe", "generate", "a|b<c>d^e", "--output", "D:\\my objects\\"],
    ["python.exe", "generate", "", "--output", r"\\server\share\out"],
    ["python.exe", "generate", "50% off", "--lora", "style.safetensors:0.8"],
    ["python.exe", "generate", "it's a mug", "--seeds", "0,2,7"],
    ["python.exe", "generate", "a $5 mug", "--output=C:\\x.y"],
    ["python.exe", "generate", "a `mug`", "@file"],
    ["python.exe", "generate", 'a mug that says "hi"', "--resume"],
    ["python.exe", "generate", "„a“ ‘b’ mug", "--resume"],
]


def power_shell(line: str) -> list[str]:
    """The words of a PowerShell command: single quotes expand nothing, '' is one quote, & calls what follows."""
    token = r"""'((?:[^'‘’‚‛]|['‘’‚‛]{2})*)'|"([^"`$]*)"|([^\s'"&|<>;,@`$(){}]+)"""
    words = []
    for found in re.finditer(rf"(?:{token})(?=\s|$)|&\s", line):
        if found[0].startswith("&"):
            continue
        single = found[1]
        words.append(re.sub("(['‘’‚‛])['‘’‚‛]", r"\1", single) if single is not None else found[2] or found[3] or "")
    return words


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[3] if len(words) > 5 else words[2] or "empty")
def test_both_shells_of_windows_read_the_words_that_were_meant(words: list[str]) -> None:
    cmd, _, power = shell_line(words, windows=True).partition("\n  in PowerShell: ")
    assert split_command(cmd, windows=True) == words
    read = power_shell(power or cmd)
    # In double quotes PowerShell takes backslashes as they are, and the program gets a path that ends in two of them.
    assert [word.rstrip("\\") for word in read] == [word.rstrip("\\") for word in words]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[3] if len(words) > 5 else words[2] or "empty")
def test_nothing_that_cmd_takes_as_its_own_stands_outside_quotes(words: list[str]) -> None:
    cmd = shell_line(words, windows=True).partition("\n")[0]
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", cmd)
    assert not re.search(r"[&|<>^%]", outside)


def test_one_line_does_where_both_shells_agree() -> None:
    assert shell_line(["python.exe", "-m", "x", "a mug"], windows=True) == 'python.exe -m x "a mug"'
    assert "\n" not in shell_line(["generate", "a mug"], before="python.exe install.py demo", windows=True)


def test_a_program_with_a_blank_is_called_by_an_ampersand_in_powershell() -> None:
    line = shell_line([r"C:\Program Files\python.exe", "-m", "x"], windows=True)
    assert line == "\"C:\\Program Files\\python.exe\" -m x\n  in PowerShell: & 'C:\\Program Files\\python.exe' -m x"


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[3] if len(words) > 5 else words[2] or "empty")
def test_elsewhere_a_posix_shell_reads_the_same_words(words: list[str]) -> None:
    assert shlex.split(shell_line(words, windows=False)) == words
    assert shlex.split(shell_line(words[1:], before="python3 install.py", windows=False)) == [
        *("python3", "install.py"),
        *words[1:],
    ]
