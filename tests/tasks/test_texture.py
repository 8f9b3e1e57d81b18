"""Painting as a whole, on a tiny diffusion model with random weights: all that comes out, and what may not change.

Colours worth a look do not come of it; those are in paint/test_training.py.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from paint.surfaces import mirrored, plane
from PIL import Image
from reference.glb_builder import Glb, parts, square_primitive, stored
from reference.tiny_mvdream import write_mvdream
from reference.tiny_pipeline import tiny_pipeline, write_card

from dreamfusion_engine.config.paint import PaintConfig, painting
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import Cancelled, InputError
from dreamfusion_engine.events import Event, Note, Preview, Progress, Result, TexturePreview
from dreamfusion_engine.mesh.export import png_bytes
from dreamfusion_engine.mesh.gltf.picture import read_base_colour
from dreamfusion_engine.mesh.gltf.read import read_gltf
from dreamfusion_engine.tasks import texture as engine

STEPS, TEXTURE = 3, 128
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
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The turntable takes seconds of each run, whatever was painted."""

    def touch(scene: Any, path: Path, config: Any, advance: Callable[[float], None]) -> None:
        advance(0.5)
        path.write_bytes(b"film")

    monkeypatch.setattr(engine, "write_turntable", touch)


def config(model: Path, **more: Any) -> GenerateConfig:
    given = {**SETTINGS, "model": str(model), **more}
    return painting(preset("draft", "a red mug", given), given)


def glb(*, uv: bool = True, **node: Any) -> Glb:
    made = Glb()
    made.node([square_primitive(made, uv=uv)], **node)
    return made


def shaped(mesh: Any, **attributes: Any) -> bytes:
    """A GLB of one part, from vertices with Z up."""
    vertices, triangles, uv = mesh
    made = Glb()
    corners = vertices[triangles].reshape(-1, 3)[:, [0, 2, 1]] * [1.0, 1.0, -1.0]
    entry: dict[str, Any] = {
        "POSITION": made.array(corners, min=corners.min(0).tolist(), max=corners.max(0).tolist()),
        "TEXCOORD_0": made.array(uv.reshape(-1, 2)),
    }
    made.node([{"attributes": {**entry, **attributes}}], name="mask")
    return made.data()


def coloured() -> Glb:
    """A square whose texture is red on the left and blue on the right."""
    made = glb(name="flag")
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, :4, 0], picture[:, 4:, 2] = 255, 255
    made.document["images"] = [{"bufferView": made.view(png_bytes(picture)), "mimeType": "image/png"}]
    made.document["textures"] = [{"source": 0}]
    made.document["materials"] = [{"name": "cloth", "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    made.document["meshes"][0]["primitives"][0]["material"] = 0
    return made


def two() -> Glb:
    made = glb(name="left")
    made.node([square_primitive(made, uv=False)], name="right", translation=[2, 0, 0])
    return made


class Painting:
    """A run, and what it said."""

    def __init__(
        self, model: Path, mesh: bytes, output: Path, *, paint: PaintConfig | None = None, **more: Any
    ) -> None:
        self.events: list[Event] = []
        more.setdefault("report", self.events.append)
        settings = more.pop("settings", {})
        self.result: Result = engine.texture(config(model, **settings), paint or PaintConfig(), mesh, output, **more)

    def notes(self) -> set[str]:
        return {event.code for event in self.events if isinstance(event, Note)}


def whole(result: Result) -> dict[str, Any]:
    """The report of a run whose files are all there."""
    for name, path in result.files.items():
        assert Path(path).stat().st_size > 0, name
    report: dict[str, Any] = json.loads((Path(result.folder) / "result.json").read_text(), parse_constant=not_finite)
    assert report == json.loads(json.dumps(result.report))
    assert {"mesh.glb", "turntable.mp4", "views.png", "before.png", "result.json"} <= set(result.files)
    for each in report["parts"]:
        assert set(each) == {"name", "triangles", "texture", "new_uv", "unseen", "shared", "seam"}
        assert 0.0 <= each["unseen"] <= 1.0 and 0.0 <= each["shared"] <= 1.0 and each["seam"] >= 0.0
    return report


def not_finite(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@pytest.mark.slow
def test_a_mesh_with_uvs_comes_back_with_its_bytes_and_a_new_texture(model: Path, tmp_path: Path) -> None:
    given = glb(name="sign").data()
    run = Painting(model, given, tmp_path / "out")
    report = whole(run.result)
    made = (tmp_path / "out" / "mesh.glb").read_bytes()
    assert report["parts"][0] | {"seam": 0} == {
        "name": "sign",
        "triangles": 2,
        "texture": TEXTURE,
        "new_uv": False,
        "unseen": 0.0,
        "shared": 0.0,
        "seam": 0,
    }
    assert report["steps"] == STEPS and report["prompt"] == "a red mug" and report["paint"]["uv"] == "keep"
    before, after = parts(given), parts(made)
    assert after[1].startswith(before[1].rstrip(b"\0"))
    primitive = after[0]["meshes"][0]["primitives"][0]
    assert {k: v for k, v in primitive.items() if k != "material"} == before[0]["meshes"][0]["primitives"][0]
    for accessor in range(3):
        np.testing.assert_array_equal(stored(made, accessor), stored(given, accessor))
    file = read_gltf(made)
    picture = read_base_colour(file, 0)
    assert picture is not None and picture.shape == (TEXTURE, TEXTURE, 3)
    np.testing.assert_array_equal(picture, np.asarray(Image.open(tmp_path / "out" / "textures" / "part-000.png")))
    assert (tmp_path / "out" / "source.glb").read_bytes() == given
    stages = [event.stage for event in run.events if isinstance(event, Progress)]
    assert list(dict.fromkeys(stages)) == ["unwrap", "load", "train", "bake", "render"]
    assert any(isinstance(event, Preview) for event in run.events)
    assert {event.part for event in run.events if isinstance(event, TexturePreview)} == {0}


@pytest.mark.slow
def test_a_mesh_without_uvs_gets_some(model: Path, tmp_path: Path) -> None:
    given = glb(uv=False).data()
    run = Painting(model, given, tmp_path)
    assert whole(run.result)["parts"][0]["new_uv"] is True
    (before,), (after,) = (read_gltf(data).primitives for data in (given, (tmp_path / "mesh.glb").read_bytes()))
    np.testing.assert_array_equal(after.vertices[after.triangles], before.vertices[before.triangles])
    assert before.uv is None and after.uv is not None and after.uv.min() >= 0.0 and after.uv.max() <= 1.0


@pytest.mark.slow
def test_uvs_that_cover_nothing_count_as_none(model: Path, tmp_path: Path) -> None:
    vertices, triangles, uv = plane(2)
    run = Painting(model, shaped((vertices, triangles, 0.0 * uv)), tmp_path)
    assert whole(run.result)["parts"][0]["new_uv"] is True
    assert "paint.empty_uv" in run.notes()


@pytest.mark.slow
def test_two_nodes_are_two_parts_with_a_texture_each(model: Path, tmp_path: Path) -> None:
    given = two().data()
    run = Painting(model, given, tmp_path)
    assert [(part["name"], part["new_uv"]) for part in whole(run.result)["parts"]] == [("left", False), ("right", True)]
    assert {name for name in run.result.files if name.startswith("textures/")} == {
        "textures/part-000.png",
        "textures/part-001.png",
    }
    assert {event.part for event in run.events if isinstance(event, TexturePreview)} == {0, 1}
    file = read_gltf((tmp_path / "mesh.glb").read_bytes())
    pictures = [read_base_colour(file, part) for part in range(2)]
    assert pictures[0] is not None and pictures[1] is not None and not np.array_equal(pictures[0], pictures[1])
    # Another run with fewer parts leaves none of these behind.
    (tmp_path / "result.json").unlink()
    Painting(model, glb().data(), tmp_path)
    assert [path.name for path in (tmp_path / "textures").iterdir()] == ["part-000.png"]


@pytest.mark.slow
@pytest.mark.parametrize("uv", ["keep", "new"])
def test_a_texture_that_was_there_is_replaced_and_shown_as_it_was(model: Path, tmp_path: Path, uv: Any) -> None:
    """Also with new UVs: the old picture has nothing to do with them."""
    given = coloured().data()
    run = Painting(model, given, tmp_path, paint=PaintConfig(uv=uv))
    assert whole(run.result)["parts"][0]["new_uv"] is (uv == "new")
    before = np.asarray(Image.open(tmp_path / "before.png")).astype(int)
    front = before[:256, :256]  # the first view, lit
    red, blue = front[..., 0] - front[..., 2] > 60, front[..., 2] - front[..., 0] > 60
    assert red[128, 64:120].mean() > 0.8 and blue[128, 136:192].mean() > 0.8
    document, _ = parts((tmp_path / "mesh.glb").read_bytes())
    material = document["materials"][document["meshes"][0]["primitives"][0]["material"]]
    assert material["name"].startswith("cloth") and len(document["images"]) == 2
    after = np.asarray(Image.open(tmp_path / "views.png")).astype(int)[:256, :256]
    assert not np.array_equal(after, front)


@pytest.mark.slow
def test_mirrored_halves_are_told(model: Path, tmp_path: Path) -> None:
    run = Painting(model, shaped(mirrored(8)), tmp_path)
    assert "paint.shared_uv" in run.notes()
    assert 0.4 < whole(run.result)["parts"][0]["shared"] < 0.55


@pytest.mark.slow
def test_what_no_camera_sees_is_told(model: Path, tmp_path: Path) -> None:
    """A floor, of which cameras from above see the upper side: the other is a part of its own."""
    vertices, triangles, uv = plane(1)
    tilted = vertices[:, [0, 2, 1]]
    made = Glb()
    for height, order in ((0.0, [0, 1, 2]), (-0.02, [0, 2, 1])):
        corners = (tilted + [0.0, 0.0, height])[triangles[:, order]].reshape(-1, 3)[:, [0, 2, 1]] * [1.0, 1.0, -1.0]
        made.node(
            [
                {
                    "attributes": {
                        "POSITION": made.array(corners, min=corners.min(0).tolist(), max=corners.max(0).tolist()),
                        "TEXCOORD_0": made.array(uv[:, order].reshape(-1, 2)),
                    }
                }
            ],
            name=f"side at {height}",
        )
    high = {"camera": {"elevation_deg": [20.0, 80.0], "target_jitter": 0.0}}
    run = Painting(model, made.data(), tmp_path, settings=high)
    above, below = whole(run.result)["parts"]
    assert above["unseen"] == 0.0 and below["unseen"] > 0.8
    assert "paint.unseen" in run.notes()


class Stopping:
    """A control that cancels, or asks to finish, once a stage has come."""

    def __init__(self, stage: str, word: str = "cancel") -> None:
        self.stage, self.word, self.reached = stage, word, False
        self.asked = 0

    def report(self, event: Event) -> None:
        if isinstance(event, Progress) and event.stage == self.stage:
            self.reached = True

    def __call__(self) -> Any:
        self.asked += 1
        return self.word if self.reached else "continue"


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["unwrap", "train", "bake", "render"])
def test_a_run_stops_in_every_stage_and_goes_on_to_the_same_texture(model: Path, tmp_path: Path, stage: str) -> None:
    mesh = glb(uv=False).data()
    whole_run = Painting(model, mesh, tmp_path / "whole")
    stopping = Stopping(stage)
    with pytest.raises(Cancelled) as stopped:
        Painting(model, mesh, tmp_path / "broken", report=stopping.report, control=stopping)
    assert stopped.value.what and stopped.value.why and stopped.value.fix
    assert not list((tmp_path / "broken").rglob(".*"))
    resumable = (tmp_path / "broken" / "checkpoint.json").exists() or (tmp_path / "broken" / "checkpoint").exists()
    assert resumable == (stage in ("train", "bake", "render")) == ("--resume" in stopped.value.fix)
    assert (tmp_path / "broken" / "mesh.glb").exists() == (stage == "render")
    # Without the mesh: the run's own.
    again = Painting(model, b"" if resumable else mesh, tmp_path / "broken", resume=resumable)
    assert whole(again.result)["steps"] == STEPS
    names = ("mesh.glb", "textures/part-000.png", "views.png")
    for name in names:
        assert (tmp_path / "broken" / name).read_bytes() == Path(whole_run.result.files[name]).read_bytes(), name


@pytest.mark.slow
def test_a_run_that_is_to_finish_early_ends_with_what_there_is(model: Path, tmp_path: Path) -> None:
    stopping = Stopping("train", "finish")
    run = Painting(model, glb().data(), tmp_path, report=stopping.report, control=stopping)
    assert whole(run.result)["steps"] < STEPS
    assert stopping.asked > 5


@pytest.mark.slow
def test_a_checkpoint_goes_on_only_with_its_mesh_its_front_and_its_uvs(model: Path, tmp_path: Path) -> None:
    mesh, stopping = glb().data(), Stopping("train")
    with pytest.raises(Cancelled):
        Painting(model, mesh, tmp_path, report=stopping.report, control=stopping)
    kept = (tmp_path / "source.glb").read_bytes()
    for other, paint in (
        (glb(translation=[1, 0, 0]).data(), PaintConfig()),
        (mesh, PaintConfig(front_deg=90.0)),
        (mesh, PaintConfig(uv="new")),
    ):
        with pytest.raises(InputError) as refused:
            Painting(model, other, tmp_path, paint=paint, resume=True)
        assert refused.value.code == "checkpoint.other_run"
    early = Stopping("load")
    with pytest.raises(Cancelled):  # one that begins anew and has not come to its first step
        Painting(model, glb(translation=[1, 0, 0]).data(), tmp_path, report=early.report, control=early)
    assert (tmp_path / "source.glb").read_bytes() == kept
    assert whole(Painting(model, mesh, tmp_path, resume=True).result)["steps"] == STEPS


def test_a_folder_without_a_run_cannot_be_resumed(model: Path, tmp_path: Path) -> None:
    for mesh in (b"", glb().data()):
        with pytest.raises(InputError) as refused:
            Painting(model, mesh, tmp_path / "empty", resume=True)
        assert refused.value.code.startswith("checkpoint.") and refused.value.fix


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"glTF" + bytes(8),
        glb().data()[:-10],
        shaped((np.full((3, 3), np.nan), np.array([[0, 1, 2]]), np.zeros((1, 3, 2)))),
        shaped((np.ones((3, 3)), np.array([[0, 1, 2]]), np.zeros((1, 3, 2)))),
    ],
    ids=["nothing", "a header", "cut off", "no numbers", "a point"],
)
def test_a_mesh_that_is_none_is_refused_before_anything_is_written(model: Path, tmp_path: Path, broken: bytes) -> None:
    with pytest.raises(InputError) as refused:
        Painting(model, broken, tmp_path / "out")
    assert refused.value.code == "input.mesh" and refused.value.why and refused.value.fix
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file()] if (tmp_path / "out").exists() else []
    assert left == []


@pytest.mark.slow
def test_the_same_request_gives_the_same_file_bit_for_bit(model: Path, tmp_path: Path) -> None:
    results = [Painting(model, two().data(), tmp_path / name).result for name in "ab"]
    first, second = (Path(result.files["mesh.glb"]).read_bytes() for result in results)
    assert first == second
    other = dataclasses.replace(config(model), seed=1)
    third = engine.texture(other, PaintConfig(), two().data(), tmp_path / "c")
    assert Path(third.files["mesh.glb"]).read_bytes() != first


def test_many_parts_have_smaller_textures() -> None:
    assert engine.texture_size(1, 8192) == 8192
    assert engine.texture_size(32, 2048) == 2048 and engine.texture_size(33, 2048) == 1024
    assert engine.texture_size(10_000, 2048) == 64
    assert engine.texture_size(10**9, 2048) == 64 and engine.texture_size(10**9, 16) == 16


@pytest.mark.slow
def test_textures_that_had_to_be_smaller_are_told(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "TEXELS", 2 * 64 * 64)
    run = Painting(model, two().data(), tmp_path)
    assert [part["texture"] for part in whole(run.result)["parts"]] == [64, 64]
    assert "paint.texture_size" in run.notes()


@pytest.mark.slow
def test_the_random_state_of_others_does_not_matter(model: Path, tmp_path: Path) -> None:
    textures = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        run = Painting(model, glb().data(), tmp_path / str(seed))
        textures.append(Path(run.result.files["textures/part-000.png"]).read_bytes())
    assert textures[0] == textures[1]


@pytest.mark.slow
def test_a_model_that_judges_four_views_together_paints_too(tmp_path: Path) -> None:
    write_mvdream(tmp_path / "model")
    given = {**SETTINGS, "optimize": {**SETTINGS["optimize"], "views": 4}, "model": str(tmp_path / "model")}
    made = painting(preset("draft", "a red mug", given, "MVDreamPipeline"), given)
    assert made.guidance.scale == 50.0 and made.camera.group == 4
    result = engine.texture(made, PaintConfig(), glb().data(), tmp_path / "out")
    assert result.report["steps"] == STEPS and (tmp_path / "out" / "mesh.glb").is_file()
