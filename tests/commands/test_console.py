"""What a terminal shows."""

from __future__ import annotations

import io

import pytest

from dreamfusion_engine.commands import console
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.events import Progress, Stage


def progress(step: int, stage: Stage = "train", total: int = 500) -> Progress:
    return Progress(stage=stage, step=step, total=total, eta_s=75.4, rate=9.87, memory_mib=1204.4)


def test_a_line_has_stage_step_rate_eta_and_memory() -> None:
    text = console.progress_text(progress(250), width=10)
    assert text.split("  ")[-4:] == ["250/500", "9.9 it/s", "ETA 1:15", "peak 1,204 MiB"]
    assert "[#####-----]" in text


def test_what_is_not_known_is_left_out() -> None:
    text = console.progress_text(Progress(stage="bake", step=30, total=100, eta_s=None, rate=None, memory_mib=0.0))
    assert text.endswith("30%") and "ETA" not in text and "it/s" not in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (192, "3:12"), (3723, "1:02:03"), (-1, "0:00")]
)
def test_durations_read_like_a_clock(seconds: float, text: str) -> None:
    assert console.duration_text(seconds) == text


def test_a_file_gets_sparse_lines_and_every_stage_and_end() -> None:
    stream = io.StringIO()
    display = console.ProgressDisplay(stream)
    for step in range(1, 501):
        display.show(progress(step))
    for step in range(101):
        display.show(progress(step, "bake", 100))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4 and "500/500" in lines[1] and "100/100" in lines[3]
    assert "\r" not in stream.getvalue() and stream.getvalue().isascii()


def test_a_terminal_gets_one_line_that_is_wiped_before_anything_else() -> None:
    stream = io.StringIO()
    display = console.ProgressDisplay(stream, terminal=True)
    display.show(progress(1))
    display.line("note: hello")
    drawn, after = stream.getvalue().split("note: hello\n")
    assert "\n" not in drawn and drawn.endswith("\r") and after == ""
    assert drawn.split("\r")[-2].isspace()


def test_a_bar_of_something_else_is_redrawn_on_a_terminal_and_sparse_in_a_file() -> None:
    screen, file = io.StringIO(), io.StringIO()
    terminal, plain = console.ProgressDisplay(screen, terminal=True), console.ProgressDisplay(file)
    for display in (terminal, plain):
        for share in (-0.5, 0.5, 2.0):
            display.bar(share, "3/6 done", now=display is terminal)
    drawn = [line for line in screen.getvalue().split("\r") if line]
    assert [line.count(drawn[2][1]) for line in drawn] == [0, console.BAR // 2, console.BAR]
    assert file.getvalue().count("3/6 done") == 1 and plain.sparse and not terminal.sparse


def test_an_error_folds_and_keeps_commands_whole() -> None:
    command = "--model /a/very/long/folder/" + "x" * 100
    text = console.error_text(RunError("a.b", what="It failed.", why="w " * 200, fix=f"Use {command} please."), 80)
    assert text.startswith("error: It failed.\n  why: w w") and "x" * 100 in text
    assert max(len(line) for line in text.splitlines() if "xxx" not in line) <= 80
