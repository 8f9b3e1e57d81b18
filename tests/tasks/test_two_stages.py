"""A run whose texture is another model's: the shape is the first model's to the bit, the colours are the second's.

Both models are tiny and have random weights: what is looked at is which of them is called, when, and what stays.

Of: dreamfusion_engine/tasks/generate.py, dreamfusion_engine/run/texture_stage.py, dreamfusion_engine/run/kept_shape.py.
"""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.tiny_pipeline import tiny_pipeline, write_card

from dreamfusion_engine import cli
from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.events import Event, MeshPreview, Note, Progress
from dreamfusion_engine.mesh.export import read_glb
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.paint.training import SurfaceTraining
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.run import texture_stage
from dreamfusion_engine.run.kept_shape import CHECKPOINT as SHAPE
from dreamfusion_engine.run.teacher import RunTeacher, load_run_teacher
from dreamfusion_engine.tasks import generate as engine

STEPS, PAINTED = 6, 3
SETTINGS: dict[str, Any] = {
    "optimize": {"steps": STEPS, "views": 1, "resolution": [16, 16]},
    "field": {"levels": 2},
    "mesh": {"resolution": 24, "texture": 64, "triangles": 200},
    "judge": "off",
    "device": "cpu",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two pixel models of other weights."""
    folder = tmp_path_factory.mktemp("tiny")
    for seed, name in enumerate(("shaper", "painter")):
        tiny_pipeline("v_prediction", seed=seed).save_pretrained(folder / name)
        write_card(folder / name)
    return str(folder / "shaper"), str(folder / "painter")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("write_turntable", "write_views"):  # seconds of each run, whatever was made
        monkeypatch.setattr(engine, name, lambda scene, path, *more: path.write_bytes(b"picture"))


class Steps:
    """The steps of both trainings, and by which teacher each was judged."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, int]] = []
        self.teachers: list[str] = []
        self.loaded: list[weakref.ref[Any]] = []
        self.there: list[int] = []  # teachers that were still there when another one was loaded
        for name, kind in (("shape", VolumeTraining), ("texture", SurfaceTraining)):
            self._count(monkeypatch, name, kind)
        for module in (engine, texture_stage):
            monkeypatch.setattr(module, "load_run_teacher", self._load)

    def _count(self, monkeypatch: pytest.MonkeyPatch, name: str, kind: Any) -> None:
        step = kind.train_step

        def counted(training: Any, *given: Any, **more: Any) -> None:
            self.made.append((name, training.step))
            step(training, *given, **more)

        monkeypatch.setattr(kind, "train_step", counted)

    def _load(self, config: Any, *given: Any, **more: Any) -> RunTeacher:
        gc.collect()
        self.there.append(sum(found() is not None for found in self.loaded))
        self.teachers.append(Path(config.model).name)
        teacher = load_run_teacher(config, *given, **more)
        self.loaded.append(weakref.ref(teacher.teacher))
        return teacher

    def of(self, name: str) -> list[int]:
        return [step for kind, step in self.made if kind == name]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


class Run:
    """A run, and what it said."""

    def __init__(self, models: tuple[str, str], output: Path, *, painted: int = PAINTED, **more: Any) -> None:
        self.events: list[Event] = []
        given = {**SETTINGS, "model": models[0], **more.pop("settings", {})}
        if painted:
            given["texture"] = {"model": models[1], "steps": painted}
        resume = more.pop("resume", False)
        asked = checked_request("a red mug", preset_name="draft", settings=given, output=output, resume=resume)
        result = engine.generate(asked.config, output, report=self.events.append, resume=resume, **more)
        self.report: dict[str, Any] = json.loads(json.dumps(result.report))
        self.mesh = read_glb(output / "mesh.glb")

    @property
    def progress(self) -> list[Progress]:
        return [event for event in self.events if isinstance(event, Progress)]


def stop_at(steps: Steps, name: str, step: int) -> Callable[[], Any]:
    return lambda: "cancel" if len(steps.of(name)) > step else "continue"


@pytest.mark.slow
def test_the_shape_is_that_of_the_first_model_to_the_bit_and_the_texture_the_others(
    models: tuple[str, str], tmp_path: Path, steps: Steps
) -> None:
    plain = Run(models, tmp_path / "plain", painted=0)
    assert steps.teachers == ["shaper"] and "texture" not in plain.report
    steps.made.clear()
    both = Run(models, tmp_path / "both")
    assert steps.teachers == ["shaper", "shaper", "painter"]
    assert steps.there[-1] == 0, "the first model is let go before the second is loaded"
    assert steps.made == [("shape", n) for n in range(STEPS)] + [("texture", n) for n in range(PAINTED)]
    for name in ("positions", "normals", "triangles", "uv"):
        assert np.array_equal(getattr(plain.mesh, name), getattr(both.mesh, name)), name
    assert not np.array_equal(plain.mesh.texture, both.mesh.texture)
    facts = both.report["texture"]
    assert facts["model"] == models[1] and facts["steps"] == PAINTED and facts["weights"] != both.report["weights"]
    assert both.report["model"] == models[0] and both.report["steps"] == STEPS
    assert models[0] in both.report["terms"]["line"] and models[1] in both.report["terms"]["line"]
    assert any(isinstance(event, Note) and event.code == "run.texturing" for event in both.events)
    shown = [event for event in both.events if isinstance(event, MeshPreview)]
    assert len(shown[-1].vertices) == 12 * len(np.unique(both.mesh.positions, axis=0))


@pytest.mark.slow
def test_one_bar_leads_through_both_stages_and_never_goes_back(models: tuple[str, str], tmp_path: Path) -> None:
    run = Run(models, tmp_path / "out", settings={"refine": {"steps": 2}})
    total = STEPS + 2 + PAINTED
    assert run.report["mesh"]["refine"]["closed"], "the first model refines, before the second paints"
    trained = [event for event in run.progress if event.stage == "train"]
    counted = [event.step for event in trained]
    assert {event.total for event in trained} == {total} and counted == sorted(counted) and counted[-1] == total
    names = [event.stage for event in run.progress]
    assert list(dict.fromkeys(names)) == ["load", "train", "bake", "render"]
    assert "load" not in names[names.index("train") :]
    # Once a time is known, it is told to the end of training.
    first = next(at for at, event in enumerate(trained) if event.eta_s is not None)
    assert all(event.eta_s is not None for event in trained[first:])


@pytest.mark.slow
@pytest.mark.parametrize(("at", "step"), [("shape", 2), ("texture", 1)])
def test_a_run_that_is_stopped_in_either_stage_goes_on_there_to_the_same_object(
    at: str, step: int, models: tuple[str, str], tmp_path: Path, steps: Steps
) -> None:
    whole = Run(models, tmp_path / "whole")
    steps.made.clear()
    steps.teachers.clear()
    with pytest.raises(Cancelled):
        Run(models, tmp_path / "cut", control=stop_at(steps, at, step))
    assert not (tmp_path / "cut" / "mesh.glb").exists()
    before = len(steps.made)
    steps.teachers.clear()
    again = Run(models, tmp_path / "cut", resume=True)
    assert steps.teachers == (["shaper", "painter"] if at == "shape" else ["painter"]), "no model is loaded in vain"
    assert steps.made[before:] == (
        [("shape", n) for n in range(step + 1, STEPS)] + [("texture", n) for n in range(PAINTED)]
        if at == "shape"
        else [("texture", n) for n in range(step + 1, PAINTED)]
    )
    assert (tmp_path / "cut" / "mesh.glb").read_bytes() == (tmp_path / "whole" / "mesh.glb").read_bytes()
    assert again.report["steps"] == whole.report["steps"] and again.report["texture"]["steps"] == PAINTED


@pytest.mark.slow
def test_a_run_that_was_killed_between_the_stages_paints_the_shape_that_is_there(
    models: tuple[str, str], tmp_path: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*given: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(texture_stage.TextureStage, "paint", killed)
        with pytest.raises(KeyboardInterrupt):
            Run(models, tmp_path / "cut")
    assert (tmp_path / "cut" / SHAPE / "checkpoint.json").is_file()
    shutil.copytree(tmp_path / "cut", tmp_path / "other")
    steps.teachers.clear()
    Run(models, tmp_path / "cut", resume=True)
    assert steps.teachers == ["painter"]
    # What a checkpoint may be resumed with makes another mesh, so that the kept one is none of it.
    steps.teachers.clear()
    other = {"mesh": {**SETTINGS["mesh"], "triangles": 100}}
    assert len(Run(models, tmp_path / "other", resume=True, settings=other).mesh.triangles) <= 100
    assert steps.teachers == ["shaper", "painter"]


@pytest.mark.slow
def test_a_run_that_is_asked_to_finish_keeps_the_first_models_texture_and_is_told(
    models: tuple[str, str], tmp_path: Path, steps: Steps
) -> None:
    run = Run(models, tmp_path, control=lambda: "finish" if len(steps.made) >= 2 else "continue")
    assert steps.teachers == ["shaper"] and "texture" not in run.report
    assert any(isinstance(event, Note) and event.code == "run.not_texturing" for event in run.events)
    assert not (tmp_path / SHAPE).exists(), "a shape that was made early is not gone on from"


@pytest.mark.slow
def test_the_command_line_makes_an_object_of_two_models(
    models: tuple[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", "a red mug", "--model", models[0], "--texture-model", models[1], "--preset", "draft"]
    words += ["--output", str(tmp_path / "out"), "--device", "cpu", "--steps", "4", "--json"]
    for each in ("views=1", "resolution=[16,16]"):
        words += ["--set", f"optimize.{each}"]
    for each in ("mesh.resolution=24", "mesh.texture=64", "mesh.triangles=200", "texture.steps=2", "judge=off"):
        words += ["--set", each]
    assert cli.main(words) == 0
    said = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert said[-1]["type"] == "result" and said[-1]["report"]["texture"]["model"] == models[1]
    assert said[-1]["report"]["config"]["texture"]["recipe"] == "starter"
