"""What a batch tells each of its runs, and which lines a second model leaves out.

Of: dreamfusion_engine/batch/command.py, dreamfusion_engine/batch/run.py.
"""

from __future__ import annotations

from pathlib import Path

from reference.paper_model import write_paper_model

from dreamfusion_engine.batch.command import run_words
from dreamfusion_engine.batch.run import checked_batch
from dreamfusion_engine.cli.options import given_settings
from dreamfusion_engine.commands.arguments import parser


def test_a_run_is_told_of_the_texture_model_where_there_is_one(tmp_path: Path) -> None:
    words = ["batch", "list.txt", "--output", str(tmp_path), "--preset", "draft", "--set", "texture.steps=5"]
    assert run_words(parser().parse_args(words)) == ["--preset=draft", "--set=texture.steps=5"]
    told = run_words(parser().parse_args([*words, "--texture-model", "a/b", "--texture-base", "c/d"]))
    assert told == ["--texture-model=a/b", "--texture-base=c/d", "--preset=draft", "--set=texture.steps=5"]


def test_a_line_that_the_texture_model_does_not_know_is_left_out(tmp_path: Path) -> None:
    first = write_paper_model(tmp_path / "first")
    second = write_paper_model(tmp_path / "second", words=("a", "red", "mug"))
    (tmp_path / "list.txt").write_text("a red mug\na hamburger\na mug\n", encoding="utf-8")
    words = ["batch", "list.txt", "--output", "o", "--model", str(first), "--texture-model", str(second)]
    asked = checked_batch(
        tmp_path / "list.txt",
        "0",
        preset_name="draft",
        settings=given_settings(parser().parse_args(words)),
        options=[],
        folder=tmp_path / "o",
    )
    assert [job.prompt for job in asked.plan.jobs] == ["a red mug", "a mug"]
    assert [line.number for line in asked.bad] == [2]
