"""Whole runs of CLIP-Mesh at tiny size, with a tiny random CLIP: by the command line, stopped and resumed, refused.

What comes out is no object worth looking at; that it comes out is tested here.

Of: dreamfusion_engine/tasks/clip_mesh.py, dreamfusion_engine/clip_mesh/previews.py, dreamfusion_engine/request.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.shapes import ball_glb
from reference.tiny_clip import write_tiny_clip
from reference.wire_client import PATIENCE

from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.errors import Cancelled, EngineError, InputError, SetupError
from dreamfusion_engine.events import Event, MeshPreview, Progress
from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.mesh.export import read_glb
from dreamfusion_engine.mesh.surface.topology import is_manifold
from dreamfusion_engine.request.contest import checked_contest_request
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.refine import checked_refine_request
from dreamfusion_engine.request.texture import checked_texture_request
from dreamfusion_engine.tasks.generate import generate

ROOT = Path(__file__).resolve().parents[1]
SETTINGS: dict[str, Any] = {
    "method": "clip-mesh",
    "optimize": {"steps": 4, "views": 3, "resolution": [24, 24]},
    "sphere": {"level": 1, "maps": 32, "offset": 0.1},
    "camera": {"distance": [3.0, 3.4], "fov_deg": [40.0, 44.0]},
    "mesh": {"triangles": 400},
    "checkpoint_every": 1,
    "device": "cpu",
}


@pytest.fixture
def no_video(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty frames would be most of the work, and the real command has them."""
    monkeypatch.setattr(
        "dreamfusion_engine.tasks.clip_mesh.write_turntable", lambda _, path, *rest, **more: path.write_bytes(b"")
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("tiny") / "clip")


@pytest.fixture
def settings(clip: Path) -> dict[str, Any]:
    return SETTINGS | {"model": str(clip)}


@pytest.mark.slow
def test_a_run_broken_off_in_the_middle_ends_as_an_unbroken_one_bit_for_bit(
    settings: dict[str, Any], tmp_path: Path, no_video: None
) -> None:
    whole, broken = (
        checked_request("a red mug", preset_name="draft", settings=settings, output=tmp_path / name)
        for name in ("whole", "broken")
    )
    events: list[Event] = []
    generate(whole.config, whole.output, report=events.append)
    report = json.loads((whole.output / "result.json").read_text(encoding="utf-8"))
    assert report["steps"] == 4 and report["config"]["recipe"] == "clip-mesh"
    assert report["origins"]["sphere.level"] == "yours" and "2203.13333" in report["origins"]["method"]
    assert report["mesh"]["watertight"] and report["mesh"]["triangles"] == 320 and "terms" in report
    shown = [event for event in events if isinstance(event, MeshPreview)]
    assert shown and len(shown[0].colours) == len(shown[0].vertices) // 4 == 3 * 162
    assert np.abs(np.frombuffer(shown[0].vertices, "<f4")).max() < 1.0
    assert any(isinstance(event, Progress) and event.stage == "train" for event in events)
    asked = 0

    def control() -> str:
        nonlocal asked
        asked += 1
        return "cancel" if asked > 2 else "continue"

    with pytest.raises(Cancelled):
        generate(broken.config, broken.output, control=control)  # type: ignore[arg-type]
    generate(broken.config, broken.output, resume=True)
    assert (broken.output / "mesh.glb").read_bytes() == (whole.output / "mesh.glb").read_bytes()


@pytest.mark.slow
def test_the_real_command_goes_from_a_clip_and_a_prompt_to_a_mesh_with_two_maps(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["generate", "a mug", "--model", str(clip), "--method", "clip-mesh", "--output", str(out), "--json"]
    for stage, values in SETTINGS.items():
        if isinstance(values, dict):
            words += [part for key, value in values.items() for part in ("--set", f"{stage}.{key}={json.dumps(value)}")]
    done = subprocess.run(
        [sys.executable, "-m", "dreamfusion_engine", *words, "--device", "cpu"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = read_glb(out / "mesh.glb")
    assert made.texture.shape == (32, 32, 3) and made.normal_map is not None and made.tangents is not None
    welded = np.unique(made.positions, axis=0, return_inverse=True)[1].reshape(-1)[made.triangles]
    assert is_manifold(welded) and (out / "turntable.mp4").stat().st_size > 1000 and (out / "views.png").is_file()
    assert any((out / "previews").iterdir())


def refused(prompt: str = "a mug", **given: Any) -> EngineError:
    with pytest.raises((InputError, SetupError)) as caught:
        checked_request(prompt, preset_name="draft", settings={"device": "cpu", **given})
    error = caught.value
    assert error.exit_code == 2 and error.what and error.why and error.fix
    return error


def test_a_model_that_denoises_is_refused_with_this_method() -> None:
    error = refused(method="clip-mesh")
    assert error.code == "input.method" and "CLIP" in error.what and "denoises" in error.why and "--model" in error.fix


def test_a_clip_without_vision_tower_is_refused_as_ever(tmp_path: Path) -> None:
    folder = write_tiny_clip(tmp_path / "clip")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["vision_config"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert "without vision tower" in refused(model=str(folder), method="clip-mesh").why


@pytest.mark.parametrize(
    "given",
    [
        {"field": {"levels": 4}},
        {"render": {"steps": 32}},
        {"refine": {"steps": 10}},
        {"pace": {"lit": 0.1}},
        {"optimize": {"entropy": 3.0}},
        {"clip": {"transmittance": 0.2}},
        {"mesh": {"resolution": 64}},
        {"mesh": {"texture": 256}},
        {"camera": {"target_jitter": 0.3}},
    ],
    ids=str,
)
def test_settings_of_a_field_are_refused_by_name(settings: dict[str, Any], given: dict[str, Any]) -> None:
    ((stage, values),) = given.items()
    error = refused(**settings | {stage: {**settings.get(stage, {}), **values}})
    name = f"{stage}.{next(iter(values))}"
    assert (
        error.code == "input.setting" and f"'{name}'" in error.what and "clip-mesh" in error.what and name in error.fix
    )


def test_settings_of_a_sphere_are_refused_without_the_method(clip: Path) -> None:
    error = refused(model=str(clip), sphere={"maps": 64})
    assert "'sphere.maps'" in error.what and "--method clip-mesh" in error.fix
    assert refused(sphere={"level": 2}).code == "input.setting", "with any model"


def test_a_budget_below_the_control_mesh_and_an_unknown_method_are_refused(settings: dict[str, Any]) -> None:
    error = refused(**settings | {"sphere": {"level": 3}})
    assert "mesh.triangles" in error.what and "1280" in error.why
    assert "clip-mesh" in refused(method="clipmesh").why


@pytest.mark.parametrize("recipe", ["CLIPModel", "clip-mesh"])
def test_a_recipe_of_the_other_method_is_refused(clip: Path, recipe: str) -> None:
    method = "field" if recipe == "clip-mesh" else "clip-mesh"
    error = refused(model=str(clip), method=method, recipe=recipe)
    assert error.code == "input.recipe" and method in error.what


def test_other_kinds_of_run_and_a_mesh_to_begin_from_are_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    mesh = tmp_path / "mesh.glb"
    mesh.write_bytes(ball_glb("ball", 100, 200))
    plain = {"model": settings["model"], "method": "clip-mesh", "device": "cpu"}
    asked: list[Any] = [
        lambda: checked_contest_request("a mug", SeedRange(first=0, count=2), preset_name="draft", settings=plain),
        lambda: checked_texture_request("a mug", mesh, preset_name="draft", settings=plain),
        lambda: checked_refine_request("a mug", mesh, preset_name="draft", settings=plain),
        lambda: checked_request("a mug", preset_name="draft", settings=plain, blockout=mesh),
    ]
    for each in asked:
        with pytest.raises(InputError) as caught:
            each()
        assert caught.value.code == "input.method" and "clip-mesh" in caught.value.what


@pytest.mark.parametrize("given", [{"blockout": b"glTF"}, {"pictures": ("a cut-out",)}], ids=["mesh", "pictures"])
def test_a_program_that_gives_a_mesh_or_pictures_is_refused_before_anything_is_written(
    settings: dict[str, Any], given: dict[str, Any], tmp_path: Path
) -> None:
    asked = checked_request("a mug", preset_name="draft", settings=settings, output=tmp_path / "out")
    with pytest.raises(InputError) as caught:
        generate(asked.config, asked.output, **given)
    error = caught.value
    assert error.code == "input.method" and "clip-mesh" in error.what and error.why and "Leave out" in error.fix
    assert not asked.output.exists()


def test_the_small_clip_has_a_recipe_of_its_own_with_this_method() -> None:
    asked = checked_request(
        "a red mug", preset_name="draft", settings={"model": str(WEIGHTS), "method": "clip-mesh", "device": "cpu"}
    )
    assert asked.config.recipe == "small-clip-mesh" and asked.config.optimize.resolution == (64, 64)
