"""The benchmark of a batch: what its own process costs."""

from __future__ import annotations

import re
import sys

import pytest

from benchmarks import batch
from dreamfusion_engine.batch import engine_process


def test_the_cost_of_a_batch_beside_its_runs_is_told_by_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine_process, "PROGRAM", engine_process.PROGRAM)  # put back what the benchmark sets
    monkeypatch.setattr(sys, "argv", ["batch", "--idle", "2"])
    batch.main()
    said = capsys.readouterr().out
    assert re.search(r"one object \d+\.\d+ s, 3 \d+\.\d+ s", said) and said.endswith(" ms an object\n")
