"""Folders that options name: an empty word, as of an empty variable, is none.

Of: dreamfusion_engine/commands/arguments.py, dreamfusion_engine/cli.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamfusion_engine import cli


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "a mug", "--output", ""],
        ["texture", "mesh.glb", "a mug", "--output", " "],
        ["batch", "list.txt", "--output", ""],
        ["serve", "--output-root", ""],
        ["models", "--cache", ""],
    ],
    ids=lambda words: words[0],
)
def test_a_folder_that_an_empty_variable_names_is_refused_and_is_not_the_one_that_one_is_in(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    assert "nothing was given" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
