from __future__ import annotations

import json
import sys

import pytest

from benchmarks import step


def test_the_benchmark_times_both_sides_on_the_same_picture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["step.py", "--json", "--resolution", "16", "--repeats", "1"])
    step.main()
    report = json.loads(capsys.readouterr().out)
    assert set(report["ratio_to_torch"]) == set(report["scenes"]) == {"blob", "solid"}
    for scene in report["scenes"].values():
        assert scene["samples"] > 500
        assert scene["picture_difference"] < 1e-3
        for side in ("milliseconds", "torch_milliseconds"):
            assert set(scene[side]) == {*step.STAGES, "total"}
            assert all(value > 0.0 for value in scene[side].values())
