"""The command that a person is advised to type is the same run, by the program that was called."""

from __future__ import annotations

import re
import shlex
import sys

import pytest

from dreamfusion_engine.commands.advised_command import CALLED_AS, resume_command
from dreamfusion_engine.commands.arguments import parser


@pytest.mark.parametrize(
    ("typed", "advised"),
    [
        (["generate", "a mug"], ["generate", "a mug", "--resume"]),
        (["generate", "--seed", "3", "--", "-a mug"], ["generate", "--seed", "3", "--resume", "--", "-a mug"]),
        (["generate", "-a mug"], ["generate", "-a mug", "--resume"]),
        (["generate", "--resume", "--", "-a mug"], ["generate", "--resume", "--", "-a mug"]),
        (["generate", "--", "--resume"], ["generate", "--resume", "--", "--resume"]),
    ],
)
def test_the_advice_to_resume_is_read_as_the_same_run(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], advised: list[str]
) -> None:
    monkeypatch.delenv(CALLED_AS, raising=False)
    words = shlex.split(resume_command(typed))
    assert words == [sys.executable, "-m", "dreamfusion_engine", *advised]
    before, after = parser().parse_args(typed), parser().parse_args(words[3:])
    assert after.resume and vars(after) | {"resume": before.resume} == vars(before)


def test_the_advice_names_the_program_that_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CALLED_AS, "python3 install.py demo")
    text = resume_command(["generate", "a mug", "--seed", "2"])
    assert re.fullmatch(r"""python3 install\.py demo ['"]a mug['"] --seed 2 --resume""", text)
    assert resume_command(["generate", "mug", "--resume"]).count("--resume") == 1
