"""What a run leaves for people to read: finite JSON that says of both kinds of run what made the result."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mesh.shapes import icosphere
from paint.surfaces import canvas
from reference.tiny_training import CPU, disc_teacher, tiny_config

from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.machine.places import Places
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.paint.canvas import DeviceCanvas
from dreamfusion_engine.paint.render import SurfaceRenderer
from dreamfusion_engine.paint.training import SurfaceTraining
from dreamfusion_engine.run.report import ignore, run_report, stopped_late
from dreamfusion_engine.run.stage_clock import StageClock


def painter() -> Any:
    vertices, triangles = icosphere(1)
    made = canvas((vertices, triangles, np.zeros((len(triangles), 3, 2), np.float32)), texture=8)
    return functools.partial(SurfaceTraining, SurfaceRenderer(DeviceCanvas.of(made, CPU), 1))


@pytest.mark.parametrize("paints", [False, True], ids=["an object", "colours"])
def test_the_report_is_finite_json_of_a_run_of_any_kind(tmp_path: Path, paints: bool) -> None:
    config = tiny_config(2)
    session = Session(
        config=config,
        distillation=ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance),
        device=CPU,
        folder=tmp_path,
        report=ignore,
        control=lambda: "continue",
        seconds_after=0.0,
        snapshot=ignore,
        model="digest",
        **({"new_training": painter(), "watched": ("non_finite",)} if paints else {}),
    )
    clock = StageClock(ignore)
    clock.enter("train", CPU)
    session.run()
    report = run_report(config, session, clock, Places.at(CPU))
    report = json.loads(json.dumps(report, allow_nan=False))
    assert (report["prompt"], report["seed"], report["steps"], report["weights"]) == ("a ball", 0, 2, "digest")
    assert report["steps_per_second"] > 0.0 and set(report["seconds"]) == {"train", "train_all_sessions"}
    assert report["config"]["optimize"]["steps"] == 2 and report["origins"]["optimize.steps"] == "yours"
    assert report["device"] == "cpu" and report["places"]["kind"] == "cpu"
    assert all(report["places"][role]["peak_memory_mib"] > 0 for role in ("teacher", "field"))
    assert "carried_bytes" not in report["places"]
    assert report["health"]["restarts"] == 0 and report["memory"]["changed"] is False


def test_a_stop_after_training_says_whether_the_mesh_is_there(tmp_path: Path) -> None:
    before, after = (stopped_late(tmp_path, whole) for whole in (False, True))
    assert str(tmp_path / "mesh.glb") in after.why and "mesh.glb" not in before.why + before.what
    for stopped in (before, after):
        assert stopped.exit_code == 130 and "--resume" in stopped.fix
