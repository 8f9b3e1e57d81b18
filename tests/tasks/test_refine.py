"""Refining as a whole, on a tiny diffusion model with random weights: all that comes out, and what may not change.

Shapes worth a look do not come of it; those are in refinement/test_training.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reference.glb_builder import Glb, square, square_primitive
from reference.tiny_pipeline import tiny_pipeline, write_card
from refinement.surfaces import ball
from scipy import ndimage

from dreamfusion_engine import cli
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.refine import refining
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import Cancelled, InputError
from dreamfusion_engine.events import Event, MeshPreview, Note, Preview, Progress, Report, Result
from dreamfusion_engine.mesh.export import glb_bytes, read_glb
from dreamfusion_engine.mesh.gltf.read import read_gltf
from dreamfusion_engine.mesh.surface.topology import is_closed
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.refinement.surface import surface_of, textured_as_is
from dreamfusion_engine.refinement.training import RefineTraining
from dreamfusion_engine.run.judgement import judgement
from dreamfusion_engine.tasks import generate as generation
from dreamfusion_engine.tasks import refine as engine

STEPS, TEXTURE = 3, 64
SETTINGS: dict[str, Any] = {
    "optimize": {"steps": STEPS, "views": 1, "resolution": [16, 16]},
    "field": {"levels": 2},
    "mesh": {"texture": TEXTURE},
    "device": "cpu",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny_pipeline("v_prediction").save_pretrained(folder)
    write_card(folder)
    return folder


@pytest.fixture(autouse=True)
def small_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turntable, pictures and a judge take seconds of each run, whatever was refined."""

    def touch(scene: Any, path: Path, config: Any, advance: Callable[[float], None] = lambda share: None) -> None:
        advance(0.5)
        path.write_bytes(b"film")

    monkeypatch.setattr(engine, "write_turntable", touch)
    if "pictures" not in request.node.name:
        monkeypatch.setattr(engine, "write_views", touch)
    if "judge" not in request.node.name:
        monkeypatch.setattr(engine, "judgement", lambda config, mesh, report: {"judge": None, "terms": None})


def config(model: Path, **more: Any) -> GenerateConfig:
    given = {**SETTINGS, "model": str(model), **more}
    return refining(preset("draft", "a red mug", given), given)


def own() -> bytes:
    """A ball as the engine exports it, but where an artist has put it."""
    return glb_bytes(ball(), name="ball", stand=False)


class Refining:
    """A run, and what it said."""

    def __init__(self, model: Path, mesh: bytes, output: Path, **more: Any) -> None:
        self.events: list[Event] = []
        more.setdefault("report", self.events.append)
        settings = more.pop("settings", {})
        self.result: Result = engine.refine(config(model, **settings), mesh, output, **more)

    def notes(self) -> set[str]:
        return {event.code for event in self.events if isinstance(event, Note)}


def welded(folder: Path) -> tuple[Any, Any]:
    content = read_glb(folder / "mesh.glb")
    places, corners = np.unique(content.positions, axis=0, return_inverse=True)
    return places, corners.reshape(-1)[content.triangles]


@pytest.mark.slow
def test_all_files_come_out_and_the_mesh_stays_closed_in_its_place(model: Path, tmp_path: Path) -> None:
    run = Refining(model, own(), tmp_path / "out")
    for name, path in run.result.files.items():
        assert Path(path).stat().st_size > 0, name
    assert set(run.result.files) == {"mesh.glb", "turntable.mp4", "views.png", "before.png", "result.json"}
    report = json.loads((tmp_path / "out" / "result.json").read_text())
    assert report == json.loads(json.dumps(run.result.report)) and report["steps"] == STEPS
    facts = report["refine"]
    assert facts["closed"] and facts["crossings"] == [0, 0] and facts["folds"] == [0, 0]
    assert 0.0 < facts["moved_mean"] <= facts["moved_most"] <= report["config"]["refine"]["reach"] + 1e-6
    places, triangles = welded(tmp_path / "out")
    assert is_closed(triangles) and len(triangles) == len(ball().triangles)
    assert np.abs(places.mean(0) - ball().vertices.mean(0)).max() < 0.05
    assert (tmp_path / "out" / "source.glb").read_bytes() == own()
    stages = [event.stage for event in run.events if isinstance(event, Progress)]
    assert list(dict.fromkeys(stages)) == ["unwrap", "load", "train", "bake", "render"]
    assert any(isinstance(event, Preview) for event in run.events)


@pytest.mark.slow
def test_the_judge_grades_the_refined_mesh(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graded: list[TexturedMesh] = []

    def seen(config: GenerateConfig, mesh: TexturedMesh, report: Report) -> dict[str, Any]:
        graded.append(mesh)
        return judgement(config, mesh, report)

    monkeypatch.setattr(engine, "judgement", seen)
    run = Refining(model, own(), tmp_path)
    grade = run.result.report["judge"]
    assert grade["by"] == "the built-in judge" and 0.0 <= grade["score"] <= 1.0 and grade["views"] > 0
    assert "line" in run.result.report["terms"]
    assert np.array_equal(np.unique(graded[0].vertices, axis=0), welded(tmp_path)[0])


@pytest.mark.slow
def test_the_pictures_show_the_mesh_before_and_after(model: Path, tmp_path: Path) -> None:
    settings = {"optimize": {**SETTINGS["optimize"], "learning_rate": 0.2}}
    Refining(model, own(), tmp_path, settings=settings)
    before, after = (np.asarray(Image.open(tmp_path / f"{name}.png")).astype(int) for name in ("before", "views"))
    assert before.shape == after.shape
    assert 1.0 < np.abs(before - after).mean() < 60.0, "the same ball in other colours"


@pytest.mark.slow
def test_a_mesh_keeps_its_uvs_and_its_size_of_texture_unless_new_ones_are_asked_for(
    model: Path, tmp_path: Path
) -> None:
    Refining(model, own(), tmp_path / "keep", settings={"mesh": {"texture": 64}})
    kept = read_glb(tmp_path / "keep" / "mesh.glb")
    assert kept.texture.shape == (64, 64, 3)
    assert np.allclose(np.unique(kept.uv, axis=0), np.unique(ball().uv.reshape(-1, 2), axis=0), atol=1e-6)
    Refining(model, own(), tmp_path / "new", settings={"mesh": {"texture": 128}, "refine": {"uv": "new"}})
    new = read_glb(tmp_path / "new" / "mesh.glb")
    assert new.texture.shape == (128, 128, 3) and not np.array_equal(np.unique(new.uv), np.unique(kept.uv))


@pytest.mark.slow
def test_strength_0_keeps_every_vertex_and_the_colours_begin_as_they_were(model: Path, tmp_path: Path) -> None:
    settings = {"refine": {"strength": 0.0}, "optimize": {**SETTINGS["optimize"], "learning_rate": 1e-9}}
    Refining(model, own(), tmp_path, settings=settings)
    places, _ = welded(tmp_path)
    assert places.tobytes() == np.unique(ball().vertices, axis=0).tobytes()
    made, given = read_glb(tmp_path / "mesh.glb"), ball()
    apart = (made.texture != given.texture).any(-1)
    beside = ~surface_of(given).texels.used
    assert apart[~beside].mean() < 0.01, "a colour changed at a rate of nothing"
    assert not apart[ndimage.distance_transform_edt(beside) > 8].any()


def test_previews_stand_where_the_mesh_stands(model: Path, tmp_path: Path) -> None:
    run = Refining(model, own(), tmp_path)
    shown = [event for event in run.events if isinstance(event, MeshPreview)]
    assert shown
    vertices = np.frombuffer(shown[-1].vertices, "<f4").reshape(-1, 3)
    assert len(vertices) == len(ball().vertices) and len(shown[-1].colours) == 3 * len(vertices)
    assert np.abs(vertices - np.unique(ball().vertices, axis=0)).max() < 0.3


def test_a_mesh_without_a_texture_begins_grey_and_is_told(model: Path, tmp_path: Path) -> None:
    made = Glb()
    made.node([square_primitive(made, uv=False)], name="sign")
    run = Refining(model, made.data(), tmp_path)
    assert {"refine.no_texture", "refine.new_uv"} <= run.notes()
    assert not run.result.report["refine"]["closed"]


def test_a_texture_of_another_size_is_a_copy_that_torch_takes_without_a_warning() -> None:
    part = read_gltf(square().data()).primitives[0]
    assert part.uv is not None
    made = textured_as_is(part, np.zeros((2, 3, 3), np.uint8), part.uv, TEXTURE)
    assert made.texture.shape == (TEXTURE, TEXTURE, 3) and made.texture.flags.writeable


def test_several_parts_become_one_with_one_texture_and_it_is_told(model: Path, tmp_path: Path) -> None:
    made = Glb()
    for name, place in (("left", 0.0), ("right", 2.0)):
        made.node([square_primitive(made)], name=name, translation=[place, 0, 0])
    run = Refining(model, made.data(), tmp_path)
    assert "refine.new_uv" in run.notes()
    assert len(read_glb(tmp_path / "mesh.glb").triangles) == 4


@pytest.mark.slow
def test_a_cancelled_run_goes_on_to_the_same_mesh(model: Path, tmp_path: Path) -> None:
    whole = Refining(model, own(), tmp_path / "whole")
    asked = iter(range(10**6))
    reached: list[bool] = []

    def control() -> Any:
        return "cancel" if reached and next(asked) >= 2 else "continue"

    def report(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "train" and event.step:
            reached.append(True)

    with pytest.raises(Cancelled):
        Refining(model, own(), tmp_path / "cut", control=control, report=report)
    Refining(model, b"", tmp_path / "cut", resume=True)
    first, second = ((tmp_path / name / "mesh.glb").read_bytes() for name in ("whole", "cut"))
    assert first == second and whole.result.report["steps"] == STEPS


def test_too_many_triangles_are_refused_with_the_way(model: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "MOST_TRIANGLES", 100)
    with pytest.raises(InputError) as refused:
        Refining(model, own(), tmp_path / "out")
    assert refused.value.code == "input.mesh" and "128" in refused.value.why and "texture" in refused.value.fix
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_cannot_be_resumed(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        Refining(model, b"", tmp_path, resume=True)
    assert refused.value.code == "checkpoint.missing"


@pytest.mark.slow
def test_generate_ends_in_a_refinement_where_it_has_steps_and_goes_on_within_it(tmp_path: Path) -> None:
    words = ["generate", "a pumpkin", "--output", str(tmp_path / "out"), "--preset", "draft", "--steps", "40", "--json"]
    for each in ("mesh.resolution=48", "mesh.texture=128", "mesh.triangles=2000", "optimize.levels_until=0"):
        words += ["--set", each]
    assert cli.main(words) == 0
    plain = (tmp_path / "out" / "mesh.glb").read_bytes()
    assert "refine" not in json.loads((tmp_path / "out" / "result.json").read_text())["mesh"]
    (tmp_path / "out" / "result.json").unlink()
    assert cli.main([*words, "--set", "refine.steps=6"]) == 0
    report = json.loads((tmp_path / "out" / "result.json").read_text())
    assert report["mesh"]["refine"]["closed"] and report["mesh"]["watertight"]
    assert report["mesh"]["crossings"] == report["mesh"]["refine"]["crossings"][1]
    refined = (tmp_path / "out" / "mesh.glb").read_bytes()
    assert refined != plain
    assert cli.main([*words, "--set", "refine.steps=6", "--resume"]) == 0
    assert (tmp_path / "out" / "mesh.glb").read_bytes() == refined


@pytest.mark.slow
def test_a_high_run_that_is_stopped_in_its_refinement_goes_on_there_to_the_same_mesh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert preset("high", "a pumpkin").refine.steps > 0, "its last stage"
    small = {
        "field": {"levels": 4, "log2_table": 15},
        "render": {"steps": 48, "occupancy_resolution": 32, "max_samples_per_ray": 96},
        "optimize": {"steps": 40, "views": 1, "resolution": [16, 16], "levels_until": 0.0},
        "mesh": {"resolution": 40, "triangles": 1000, "texture": 64},
        "refine": {"steps": 6},
        "judge": "off",
        "device": "cpu",
    }
    made = preset("high", "a pumpkin", small)
    steps: list[int] = []
    step = RefineTraining.train_step

    def counted(self: RefineTraining, *given: Any, **more: Any) -> None:
        steps.append(self.step)
        step(self, *given, **more)

    monkeypatch.setattr(RefineTraining, "train_step", counted)
    for name in ("write_views", "write_turntable"):
        monkeypatch.setattr(generation, name, lambda scene, path, *more: path.write_bytes(b"picture"))
    with pytest.raises(Cancelled):
        generation.generate(made, tmp_path / "cut", control=lambda: "cancel" if len(steps) == 3 else "continue")
    assert steps == [0, 1, 2] and not (tmp_path / "cut" / "mesh.glb").exists()
    # One goes on there; the other has only the training before it, and makes all six.
    shutil.copytree(tmp_path / "cut", tmp_path / "whole")
    shutil.rmtree(tmp_path / "whole" / "checkpoint-refine")
    for name in ("cut", "whole"):
        steps.clear()
        result = generation.generate(made, tmp_path / name, resume=True)
        assert steps == (list(range(6)) if name == "whole" else [3, 4, 5])
        assert result.report["mesh"]["refine"]["closed"] and result.report["config"]["preset"] == "high"
    first, second = ((tmp_path / name / "mesh.glb").read_bytes() for name in ("whole", "cut"))
    assert first == second
