"""The pictures of a run: kept in its folder, shown before it begins, measured at its end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures.painting import bytes_of, disc

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.events import Event, Note, Preview
from dreamfusion_engine.mesh.pictures.render import render_mesh, scene_of
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.mesh.uv.unwrap import unwrap
from dreamfusion_engine.optimize.reference import FIT_PIXELS
from dreamfusion_engine.pictures.given import GivenPicture
from dreamfusion_engine.pictures.placing import HALF_LENGTH, HALF_LENGTH_ALONG
from dreamfusion_engine.pictures.prepare import CutOut, digest_of, prepared
from dreamfusion_engine.pictures.viewpoint import Viewpoint
from dreamfusion_engine.run.pictures import GRID, keep_pictures, kept_pictures, mask_iou, run_pictures, show
from dreamfusion_engine.scene.cameras import mid_orbit_cameras

CPU = torch.device("cpu")
GREEN = 0.2, 0.6, 0.3


def cut_outs(*azimuths: float) -> tuple[CutOut, ...]:
    """A green disc as seen from each azimuth."""
    picture = np.concatenate([np.full((96, 96, 3), GREEN, np.float32), disc(96, 96)[..., None]], -1)
    return prepared([GivenPicture(data=bytes_of(picture), viewpoint=Viewpoint(each)) for each in azimuths])


def ball(radius: float) -> TexturedMesh:
    """A green ball of some thousand triangles."""
    rows, columns = 33, 64
    polar, turn = np.meshgrid(
        np.linspace(0.0, np.pi, rows), np.linspace(0.0, 2.0 * np.pi, columns, endpoint=False), indexing="ij"
    )
    normals = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], -1)
    normals = normals.reshape(-1, 3).astype(np.float32)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1], index[1:], np.roll(index, -1, 1)[:-1], np.roll(index, -1, 1)[1:]
    triangles = np.concatenate([np.stack([a, b, d], -1), np.stack([a, d, c], -1)]).reshape(-1, 3).astype(np.int32)
    texture = np.broadcast_to((255.0 * np.array(GREEN) + 0.5).astype(np.uint8), (8, 8, 3)).copy()
    return TexturedMesh(
        vertices=(radius * normals).astype(np.float32),
        triangles=triangles,
        normals=normals,
        uv=np.full((len(triangles), 3, 2), 0.5, np.float32),
        texture=texture,
    )


def unwrapped(mesh: TexturedMesh, size: int) -> TexturedMesh:
    """The mesh with UVs of its own, and a texture of one colour."""
    uv = unwrap(mesh.vertices.astype(np.float64), mesh.triangles, texture=size, padding=2, seconds=60.0).uv
    return replace(mesh, uv=uv, texture=np.broadcast_to(mesh.texture[0, 0], (size, size, 3)).copy())


def test_pictures_come_back_from_the_folder_as_they_went(tmp_path: Path) -> None:
    given = cut_outs(0.0, 90.0)
    keep_pictures(given, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["input-0.png", "input-1.png", "inputs.json"]
    assert kept_pictures(tmp_path) == given and digest_of(kept_pictures(tmp_path)) == digest_of(given)


def test_a_run_with_fewer_pictures_or_none_leaves_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    keep_pictures(cut_outs(0.0, 90.0), tmp_path)
    keep_pictures(cut_outs(0.0), tmp_path)
    assert len(kept_pictures(tmp_path)) == 1
    keep_pictures((), tmp_path)
    assert list(tmp_path.iterdir()) == [] and kept_pictures(tmp_path) == ()


def test_pictures_that_no_run_has_listed_are_somebodys_own(tmp_path: Path) -> None:
    for name in ("input-0.png", "input-front.png"):
        (tmp_path / name).write_bytes(b"mine")
    keep_pictures((), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    keep_pictures(cut_outs(0.0, 90.0), tmp_path / ".")
    keep_pictures((), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["input-front.png"]


@pytest.mark.parametrize(
    "said",
    ["", "[1]", "{}", '[{"azimuth_deg": 900}]', '[{"azimuth_deg": 0, "elevation_deg": 0, "by": []}]', "[" * 9999],
)
def test_a_damaged_folder_has_none(said: str, tmp_path: Path) -> None:
    keep_pictures(cut_outs(0.0), tmp_path)
    (tmp_path / "inputs.json").write_text(said)
    assert kept_pictures(tmp_path) == ()


def test_a_damaged_picture_is_none(tmp_path: Path) -> None:
    keep_pictures(cut_outs(0.0), tmp_path)
    (tmp_path / "input-0.png").write_bytes(b"\x89PNG and then nothing")
    assert kept_pictures(tmp_path) == ()


def test_each_cut_out_is_shown_and_told() -> None:
    said: list[Event] = []
    show(cut_outs(0.0, 180.0), said.append)
    assert [each.name for each in said if isinstance(each, Preview)] == ["input-0", "input-1"]
    notes = [each.text for each in said if isinstance(each, Note)]
    assert "front" in notes[0] and "alpha" in notes[0] and "back" in notes[1]


def test_a_ball_measures_as_its_own_picture_and_a_smaller_one_does_not() -> None:
    config = preset("draft", "a ball")
    pictures = run_pictures(cut_outs(0.0, 90.0), config)
    assert pictures is not None
    references = pictures.references(CPU)
    good = pictures.measured(ball(HALF_LENGTH), references, CPU)
    bad = pictures.measured(ball(0.7 * HALF_LENGTH), references, CPU)
    assert [each["view"] for each in good] == ["front", "right"]
    assert all(each["psnr"] > 25.0 and each["mask_iou"] > 0.97 for each in good)
    assert all(each["psnr"] < 20.0 and each["mask_iou"] == pytest.approx(0.49, abs=0.03) for each in bad)
    json.dumps(good, allow_nan=False)


def test_pictures_that_were_fitted_to_a_smaller_ball_measure_as_it_does() -> None:
    pictures = run_pictures(cut_outs(0.0, 90.0), preset("draft", "a ball"))
    assert pictures is not None
    small, references = ball(0.7 * HALF_LENGTH), pictures.references(CPU)
    seen = render_mesh(scene_of(small, CPU), references.cameras, FIT_PIXELS, FIT_PIXELS, grid=GRID)
    found = pictures.measured(small, references.fitted(torch.from_numpy(seen.coverage)), CPU)
    assert all(each["psnr"] > 24.0 and each["mask_iou"] > 0.96 for each in found)
    assert found[0]["size"] == found[1]["size"] == pytest.approx(0.68, abs=0.02)  # the nearer, the larger it looks


@pytest.mark.slow
def test_a_fine_pattern_reaches_the_texture_of_the_side_that_is_shown_and_no_other() -> None:
    stripes = (np.indices((192, 192))[1] // 6 % 2)[..., None].astype(np.float32)
    picture = np.concatenate([stripes.repeat(3, -1), disc(192, 192)[..., None]], -1)
    cut = prepared([GivenPicture(data=bytes_of(picture), viewpoint=Viewpoint(0.0))])
    config = preset("draft", "a ball")
    plain = unwrapped(ball(HALF_LENGTH_ALONG), 256)
    given = run_pictures(cut, config)
    assert given is not None
    references = given.references(CPU)
    before, after = (
        given.measured(mesh, references, CPU)[0]["psnr"] for mesh in (plain, given.onto(plain, references, CPU))
    )
    assert after > before + 4.0 and after > 18.0
    fine, coarse = (
        given.measured(replace(plain, texture=plain.texture[::n, ::n]), references, CPU)[0]["texels_per_pixel"]
        for n in (1, 2)
    )
    assert fine == pytest.approx(2.0 * coarse, rel=0.01) and 0.5 < fine < 1.5
    back = mid_orbit_cameras(torch.tensor([np.pi]), torch.zeros(1), config.camera)
    hidden, shown = (
        render_mesh(scene_of(mesh, CPU), back, 96, 96).albedo for mesh in (plain, given.onto(plain, references, CPU))
    )
    assert (hidden == shown).all()
    off = run_pictures(cut, preset("draft", "a ball", {"reference": {"texture": 0.0}}))
    assert off is not None and off.onto(plain, references, CPU) is plain


def test_masks_overlap_by_their_areas() -> None:
    a, b = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.float32)
    a[:2], b[1:3] = 1.0, 1.0
    assert mask_iou(a, b) == pytest.approx(1.0 / 3.0)
    assert mask_iou(0.0 * a, 0.0 * a) == 0.0


def test_no_pictures_are_none() -> None:
    assert run_pictures((), preset("draft", "a ball")) is None


def test_a_teacher_is_told_the_picture_over_white_where_training_compares_it() -> None:
    given = run_pictures(cut_outs(270.0), preset("draft", "", recipe="stable-zero123"))
    assert given is not None
    told, compared = given.of_teacher(), given.references(CPU).pictures[0]
    assert told.pose == "stable-zero123" and told.image.shape == (1, 3, 256, 256)
    assert told.azimuth == pytest.approx(1.5 * np.pi) and told.elevation == 0.0
    torch.testing.assert_close(told.image[0], compared[:3] + 1.0 - compared[3:], atol=1e-5, rtol=0.0)
    corner, middle = told.image[0, :, 0, 0], told.image[0, :, 128, 128]
    torch.testing.assert_close(corner, torch.ones(3))
    torch.testing.assert_close(middle, torch.tensor(GREEN), atol=0.01, rtol=0.0)
    wide = float((compared[3, 128] > 0.5).float().mean())
    assert 0.7 < wide < 0.8, "the object has three quarters of the picture, as the recipe says"
    words = run_pictures(cut_outs(270.0), preset("draft", "a ball"))
    assert words is not None and words.of_teacher().pose is None
