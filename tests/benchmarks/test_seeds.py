"""The table of contests: what is there is not made again, and a limit of runs ends it without an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.seeds import Enough, Row, Runs, summary_of
from benchmarks.shared.prompt_list import full_list


def test_a_finished_run_is_not_made_again_and_the_limit_holds(tmp_path: Path) -> None:
    prompt = full_list()[0]
    runs = Runs(tmp_path, [], most=0)
    with pytest.raises(Enough):
        runs.made(prompt, "contest", [])
    folder = tmp_path / prompt.text.replace(" ", "-") / "contest"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{}", encoding="utf-8")
    assert runs.made(prompt, "contest", []) == folder


def test_the_summary_counts_who_beats_the_longer_run() -> None:
    rows = [
        Row(prompt="a", winner=0.6, mean=0.4, best=0.7, longer=0.5),
        Row(prompt="b", winner=0.2, mean=0.3, best=0.3, longer=0.2),
    ]
    summary = summary_of(rows)
    assert (summary["better_than_longer"], summary["winner"], summary["best"]) == (1, 0.4, 0.5)
    assert summary_of([])["prompts"] == 0
