"""Whole runs with two places, both the processor: the plain run's files bit for bit, through the code that crosses.

Of: dreamfusion_engine/tasks/generate.py, dreamfusion_engine/tasks/texture.py, dreamfusion_engine/run/teacher.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine import cli
from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.presets import preset

SETTINGS: dict[str, Any] = {
    "optimize": {"steps": 4, "views": 2, "resolution": [16, 16]},
    "field": {"levels": 2},
    "mesh": {"resolution": 24, "texture": 64, "triangles": 200},
    "refine": {"steps": 2},
}
PLACES = ("cpu", "teacher=cpu,field=cpu")


@pytest.mark.slow
def test_objects_and_textures_are_the_plain_runs_bit_for_bit(
    saved_pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dreamfusion_engine.tasks import generate as engine
    from dreamfusion_engine.tasks import texture as painter

    for module in (engine, painter):
        for name in ("write_turntable", "write_views"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda mesh, path, *more: path.touch())
    reports = []
    for number, device in enumerate(PLACES):
        given = {**SETTINGS, "model": str(saved_pipeline), "device": device}
        engine.generate(preset("draft", "a red mug", given), tmp_path / f"object-{number}")
        reports.append(json.loads((tmp_path / f"object-{number}" / "result.json").read_text(encoding="utf-8")))
    plain, apart = ((tmp_path / f"object-{number}" / "mesh.glb").read_bytes() for number in (0, 1))
    assert plain == apart
    assert [report["places"]["kind"] for report in reports] == ["cpu", "cpu"]
    assert [report["device"] for report in reports] == ["cpu", "cpu"]
    carried = reports[1]["places"]["carried_bytes"]
    a_step = 2 * 4 * 3 * 16 * 16
    assert "carried_bytes" not in reports[0]["places"]
    assert 4 * a_step <= carried["to_teacher"] <= 10 * (a_step + 100), "4 steps, 2 of refining, and looks at its health"
    painted = []
    for number, device in enumerate(PLACES):
        given = {**SETTINGS, "model": str(saved_pipeline), "device": device, "refine": {}}
        config = preset("draft", "a red mug", given)
        painter.texture(config, PaintConfig(), plain, tmp_path / f"texture-{number}")
        painted.append((tmp_path / f"texture-{number}" / "mesh.glb").read_bytes())
    assert painted[0] == painted[1] != plain


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("cuda:x", "There is no device"),
        ("an old card", "No device of this machine is called so"),
        ("teacher=mps,field=cuda", "not available"),
        ("field=mps", "not available"),
    ],
)
def test_places_that_cannot_be_are_refused_in_three_parts_and_nothing_is_written(
    device: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.main(["generate", "a mug", "--device", device, "--output", str(out)]) == 2
    told = capsys.readouterr().err
    assert says in " ".join(told.split()) and "why:" in told and "fix:" in told and "Traceback" not in told
    assert not out.exists()
