"""Changing a part as a whole, on a tiny diffusion model with random weights: what changes, and that nothing else does.

Of: dreamfusion_engine/tasks/texture.py, dreamfusion_engine/paint/part.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paint.part_runs import RNG, SIZE, Change, noise, right_half, with_part
from paint.surfaces import mirrored, plane
from PIL import Image
from reference.glb_builder import parts, stored
from reference.tiny_pipeline import tiny_pipeline, write_card

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.errors import Cancelled, InputError
from dreamfusion_engine.events import Event, Progress, TexturePreview
from dreamfusion_engine.tasks import texture as engine


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
        path.write_bytes(b"film")

    monkeypatch.setattr(engine, "write_turntable", touch)


@pytest.mark.slow
def test_outside_nothing_differs_by_a_bit_and_inside_all_does(model: Path, tmp_path: Path) -> None:
    mesh, picture = plane(4), noise(channels=4)
    given = with_part(mesh, right_half(mesh), picture).data()
    run = Change(model, given, tmp_path / "out")
    after = run.picture()
    assert after.shape == picture.shape
    np.testing.assert_array_equal(after[:, : SIZE // 2], picture[:, : SIZE // 2])
    np.testing.assert_array_equal(after[..., 3], picture[..., 3])
    differs = (after[..., :3] != picture[..., :3]).any(-1)
    assert differs[:, SIZE // 2 + 4 :].mean() > 0.95
    before, made = parts(given), parts(run.made)
    assert made[1].startswith(before[1].rstrip(b"\0"))
    was, now = (document["meshes"][0]["primitives"][0] for document in (before[0], made[0]))
    assert {k: v for k, v in now.items() if k != "material"} == {k: v for k, v in was.items() if k != "material"}
    for accessor in range(3):
        np.testing.assert_array_equal(stored(run.made, accessor), stored(given, accessor))
    material = made[0]["materials"][now["material"]]
    assert material["pbrMetallicRoughness"]["roughnessFactor"] == 0.25
    texture = made[0]["textures"][material["pbrMetallicRoughness"]["baseColorTexture"]["index"]]
    assert texture["sampler"] == 0 and len(made[0]["samplers"]) == 1
    assert run.report["outside_changed"] == 0
    assert abs(run.report["surface_changed"] - 0.5) < 0.05
    (part,) = run.report["parts"]
    assert abs(part["texels_changed"] - SIZE * SIZE / 2) < 3 * SIZE and part["kept"] < 0.02
    assert part["texture"] == [SIZE, SIZE] and part["new_uv"] is False
    assert {event.part for event in run.events if isinstance(event, TexturePreview)} == {0}
    assert (tmp_path / "out" / "source.glb").read_bytes() == given


@pytest.mark.slow
def test_a_picture_that_is_no_square_keeps_its_size(model: Path, tmp_path: Path) -> None:
    mesh, picture = plane(4), noise(32, 96)
    run = Change(model, with_part(mesh, right_half(mesh), picture).data(), tmp_path)
    after = run.picture()
    assert after.shape == picture.shape and run.report["outside_changed"] == 0
    np.testing.assert_array_equal(after[:, :48], picture[:, :48])
    assert (after != picture).any(-1)[:, 54:].mean() > 0.95


@pytest.mark.slow
def test_a_colour_alone_becomes_a_texture_of_that_colour(model: Path, tmp_path: Path) -> None:
    mesh = plane(4)
    tint = RNG.random((len(mesh[1]) * 3, 3)).astype(np.float32)
    made = with_part(mesh, right_half(mesh), None, factor=[0.25, 0.5, 1.0, 0.5], COLOR_0=tint)
    run = Change(model, made.data(), tmp_path)
    after, document = run.picture(), parts(run.made)[0]
    light = np.array([0.25, 0.5, 1.0])
    colour = np.rint(255.0 * (1.055 * light ** (1.0 / 2.4) - 0.055))
    np.testing.assert_array_equal(after[:, : SIZE // 2], np.broadcast_to(colour, (SIZE, SIZE // 2, 3)))
    primitive = document["meshes"][0]["primitives"][0]
    surface = document["materials"][primitive["material"]]["pbrMetallicRoughness"]
    assert surface["baseColorFactor"] == [1.0, 1.0, 1.0, 0.5] and surface["roughnessFactor"] == 0.25
    assert "COLOR_0" in primitive["attributes"] and run.report["outside_changed"] == 0


@pytest.mark.slow
def test_a_factor_stays_and_what_is_seen_is_what_was_trained(model: Path, tmp_path: Path) -> None:
    mesh, picture = plane(4), noise()
    run = Change(model, with_part(mesh, right_half(mesh), picture, factor=[0.5, 1.0, 1.0, 1.0]).data(), tmp_path)
    document = parts(run.made)[0]
    material = document["materials"][document["meshes"][0]["primitives"][0]["material"]]
    assert material["pbrMetallicRoughness"]["baseColorFactor"] == [0.5, 1.0, 1.0, 1.0]
    np.testing.assert_array_equal(run.picture()[:, : SIZE // 2], picture[:, : SIZE // 2])


@pytest.mark.slow
def test_texels_that_the_outside_uses_too_stay_and_are_told(model: Path, tmp_path: Path) -> None:
    """The right half lies on the left one in the texture, and a quarter of it has texels of its own."""
    vertices, triangles, uv = mirrored(8)
    chosen = np.repeat((vertices[triangles][..., 0].mean(1) > 0.0)[:, None], 3, 1)
    with pytest.raises(InputError) as refused:
        Change(model, with_part((vertices, triangles, uv), chosen, noise()).data(), tmp_path / "all")
    assert refused.value.code == "paint.part" and "mirrored" in refused.value.why
    own = uv.copy()
    own *= 0.5  # a quarter of the texture, ...
    below = chosen[:, 0] & (vertices[triangles][..., 2].mean(1) < 0.0)
    own[below] += [0.5, 0.0]  # ... but for half of the part
    picture = noise()
    run = Change(model, with_part((vertices, triangles, own), chosen, picture).data(), tmp_path / "half")
    assert "paint.part_shared" in run.notes()
    assert 0.3 < run.report["parts"][0]["kept"] < 0.6 and run.report["outside_changed"] == 0
    after = run.picture()
    np.testing.assert_array_equal(after[:32, :32], picture[:32, :32])
    assert (after != picture).any()


@pytest.mark.parametrize(("share", "word"), [(0.0, "Nothing is selected"), (1.0, "whole mesh")])
def test_nothing_and_everything_are_refused(model: Path, tmp_path: Path, share: float, word: str) -> None:
    mesh = plane(2)
    given = with_part(mesh, np.full((len(mesh[1]), 3), share), noise()).data()
    with pytest.raises(InputError) as refused:
        Change(model, given, tmp_path)
    assert refused.value.code == "paint.part" and word in refused.value.what and refused.value.fix


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.5])
def test_numbers_that_are_no_share_are_refused(model: Path, tmp_path: Path, value: float) -> None:
    mesh = plane(2)
    chosen = right_half(mesh).astype(np.float32)
    chosen[0, 0] = value
    with pytest.raises(InputError) as refused:
        Change(model, with_part(mesh, chosen, noise()).data(), tmp_path)
    assert refused.value.code == "input.mesh" and "_PART" in refused.value.why


@pytest.mark.parametrize("lie", ["count", "type", "view"])
def test_an_attribute_that_lies_about_its_size_is_refused(model: Path, tmp_path: Path, lie: str) -> None:
    mesh = plane(2)
    made = with_part(mesh, right_half(mesh), noise())
    entry = made.document["accessors"][2]
    if lie == "count":
        entry["count"] += 3
    elif lie == "type":
        entry["type"] = "VEC4"
    else:
        entry["byteOffset"] = 1 << 20
    with pytest.raises(InputError) as refused:
        Change(model, made.data(), tmp_path)
    assert refused.value.code == "input.mesh"


@pytest.mark.slow
def test_a_name_is_a_selection_for_files_without_one(model: Path, tmp_path: Path) -> None:
    mesh = plane(3)
    made = with_part(mesh, right_half(mesh), noise())
    del made.document["meshes"][0]["primitives"][0]["attributes"]["_PART"]
    other = made.document["meshes"][0]["primitives"][0]["attributes"]
    made.node([{"attributes": other}], mesh="second", name="pole", translation=[2.0, 0.0, 0.0])
    run = Change(model, made.data(), tmp_path / "out", paint=PaintConfig(part="pole"))
    assert [part["name"] for part in run.report["parts"]] == ["pole"] and run.report["outside_changed"] == 0
    assert run.report["parts"][0]["part"] == 1 and set(run.result.files) >= {"textures/part-001.png"}
    with pytest.raises(InputError) as refused:
        Change(model, made.data(), tmp_path / "none", paint=PaintConfig(part="mast"))
    assert "pole" in refused.value.fix and "cloth" in refused.value.fix
    with pytest.raises(InputError):
        Change(model, with_part(mesh, right_half(mesh), noise()).data(), tmp_path, paint=PaintConfig(uv="new"))


@pytest.mark.parametrize("how", ["missing", "broken", "deep", "moved"])
def test_a_picture_that_cannot_be_kept_is_refused(model: Path, tmp_path: Path, how: str) -> None:
    mesh = plane(2)
    made = with_part(mesh, right_half(mesh), noise())
    info = made.document["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]
    if how == "missing":
        made.document["images"] = [{"uri": "cloth.png"}]
    elif how == "moved":
        info["extensions"] = {"KHR_texture_transform": {"offset": [0.5, 0.0]}}
    else:
        content = b"\x89PNG broken"
        if how == "deep":
            stream = io.BytesIO()
            Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(stream, "PNG")
            content = stream.getvalue()
        made.document["images"] = [{"bufferView": made.view(content), "mimeType": "image/png"}]
    with pytest.raises(InputError) as refused:
        Change(model, made.data(), tmp_path)
    assert refused.value.code == "paint.picture" and "flag" in refused.value.what and refused.value.fix
    assert "object at 0x" not in refused.value.why, "for people"


@pytest.mark.slow
def test_a_run_that_is_stopped_goes_on_to_the_same_bytes(model: Path, tmp_path: Path) -> None:
    mesh = plane(4)
    given = with_part(mesh, right_half(mesh), noise()).data()
    whole = Change(model, given, tmp_path / "whole")
    reached = []

    def report(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "train":
            reached.append(event)

    with pytest.raises(Cancelled):
        Change(model, given, tmp_path / "broken", report=report, control=lambda: "cancel" if reached else "continue")
    again = Change(model, b"", tmp_path / "broken", resume=True)
    assert again.made == whole.made and again.report["outside_changed"] == 0
    (tmp_path / "broken" / "result.json").unlink()
    with pytest.raises(InputError) as refused:
        Change(model, given, tmp_path / "broken", paint=PaintConfig(blend=0.2), resume=True)
    assert refused.value.code == "checkpoint.other_run"
