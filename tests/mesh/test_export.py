"""mesh.glb, views.png, turntable.mp4 and the preview: what others read in them, and files whole or not at all."""

import dataclasses
import gc
import io
import json
import struct
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
import torch
import trimesh
from mesh.shapes import lattice_torus
from PIL import Image
from reference.soft_fields import hamburger

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.errors import Cancelled, InputError, RunError, SetupError
from dreamfusion_engine.machine.atomic_file import write_whole
from dreamfusion_engine.mesh.export import (
    from_gltf_axes,
    glb_bytes,
    read_glb,
    split_at_seams,
    to_gltf_axes,
    write_glb,
)
from dreamfusion_engine.mesh.pictures import sheet, video
from dreamfusion_engine.mesh.preview import MOST_TRIANGLES, preview_mesh
from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.mesh.tangents import corner_tangents
from dreamfusion_engine.mesh.textured import TexturedMesh, standing
from dreamfusion_engine.mesh.uv.unwrap import unwrap


@pytest.fixture(scope="module")
def mesh() -> TexturedMesh:
    """A torus, leaning out of the box's middle, with a texture of noise."""
    vertices, triangles = lattice_torus(32, 16)
    return TexturedMesh(
        vertices=(vertices * [1.0, 0.6, 0.8] + [0.1, 0.2, -0.3]).astype(np.float32),
        triangles=triangles,
        normals=topology.vertex_normals(vertices, triangles).astype(np.float32),
        uv=unwrap(vertices, triangles, texture=64, padding=2, seconds=60.0).uv,
        texture=np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8),
    )


def test_what_is_written_is_read_back(mesh: TexturedMesh, tmp_path: Path) -> None:
    write_glb(mesh, tmp_path / "mesh.glb", name="a torus")
    found, placed = read_glb(tmp_path / "mesh.glb"), standing(mesh)
    np.testing.assert_array_equal(found.positions[found.triangles], placed.vertices[placed.triangles])
    np.testing.assert_array_equal(found.normals[found.triangles], placed.normals[placed.triangles])
    np.testing.assert_array_equal(found.uv[found.triangles], placed.uv)
    np.testing.assert_array_equal(found.texture, placed.texture)
    assert [p.name for p in tmp_path.iterdir()] == ["mesh.glb"]


def test_trimesh_reads_an_upright_closed_textured_mesh(mesh: TexturedMesh) -> None:
    scene: Any = trimesh.load(io.BytesIO(glb_bytes(mesh)), file_type="glb")
    (geometry,) = scene.geometry.values()
    # Y up, standing on the ground, centred, longest side 1.
    low, high = scene.bounds
    assert low[1] == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose((low + high)[[0, 2]], 0.0, atol=1e-6)
    assert (high - low).max() == pytest.approx(1.0, abs=1e-6)
    assert geometry.visual.material.baseColorTexture.size == (64, 64)
    assert geometry.visual.material.metallicFactor == 0.0
    assert geometry.visual.material.roughnessFactor == pytest.approx(0.9)
    merged = trimesh.Trimesh(geometry.vertices, geometry.faces)
    merged.merge_vertices(merge_tex=True, merge_norm=True)
    assert merged.is_watertight and merged.euler_number == 0
    assert merged.volume > 0.0
    # trimesh turns v up: its (u, v) on the flipped picture is the same texel.
    np.testing.assert_allclose(
        np.sort(1.0 - geometry.visual.uv[:, 1]), np.sort(read_uv(glb_bytes(mesh))[:, 1]), atol=1e-6
    )


def read_uv(data: bytes) -> np.ndarray:
    """TEXCOORD_0, read with nothing but the specification."""
    length = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    primitive = document["meshes"][0]["primitives"][0]
    accessor = document["accessors"][primitive["attributes"]["TEXCOORD_0"]]
    offset = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
    return np.frombuffer(data, "<f4", accessor["count"] * 2, 28 + length + offset).reshape(-1, 2)


def test_the_file_keeps_the_rules_of_the_format(mesh: TexturedMesh) -> None:
    data = glb_bytes(mesh, name='a "quoted" tórus')
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    json_length = struct.unpack_from("<I", data, 12)[0]
    assert json_length % 4 == 0 and len(data) % 4 == 0
    document = json.loads(data[20 : 20 + json_length])
    assert document["nodes"][0]["name"] == 'a "quoted" tórus'
    assert all(v["byteOffset"] % 4 == 0 for v in document["bufferViews"])
    last = document["bufferViews"][-1]
    assert last["byteOffset"] + last["byteLength"] <= document["buffers"][0]["byteLength"]
    assert document["buffers"][0]["byteLength"] == len(data) - 28 - json_length
    position = document["accessors"][0]
    assert len(position["min"]) == len(position["max"]) == 3
    index = document["accessors"][3]
    assert index["count"] == 3 * len(mesh.triangles)


def test_a_normal_map_changes_nothing_of_what_was_there(mesh: TexturedMesh, tmp_path: Path) -> None:
    bumps = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    bumpy = dataclasses.replace(mesh, normal_map=bumps)
    plain, mapped = glb_bytes(mesh), glb_bytes(bumpy)
    starts = [20 + struct.unpack_from("<I", data, 12)[0] + 8 for data in (plain, mapped)]
    binary = plain[starts[0] :]
    assert mapped[starts[1] :].startswith(binary)  # vertices, normals, UVs, triangles and colours, bit for bit
    document = json.loads(mapped[20 : starts[1] - 8])
    normals = document["images"][document["textures"][document["materials"][0]["normalTexture"]["index"]]["source"]]
    view = document["bufferViews"][normals["bufferView"]]
    file = mapped[starts[1] + view["byteOffset"] :][: view["byteLength"]]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(file))), bumps)
    write_glb(bumpy, tmp_path / "mesh.glb")
    found = read_glb(tmp_path / "mesh.glb")
    assert found.tangents is not None and found.normal_map is not None
    np.testing.assert_array_equal(found.normal_map, bumps)
    wanted = corner_tangents(mesh.vertices, mesh.triangles, mesh.normals, mesh.uv)
    np.testing.assert_allclose(found.tangents[found.triangles], wanted, atol=1e-5)


@pytest.mark.parametrize("with_normals", [False, True])
def test_an_occlusion_map_comes_last_and_is_grey(mesh: TexturedMesh, tmp_path: Path, with_normals: bool) -> None:
    shade = np.random.default_rng(2).integers(0, 256, (16, 16)).astype(np.uint8)
    bumps = np.full((8, 8, 3), 128, np.uint8) if with_normals else None
    without = dataclasses.replace(mesh, normal_map=bumps)
    write_glb(dataclasses.replace(without, occlusion=shade), tmp_path / "mesh.glb")
    plain, data = glb_bytes(without), (tmp_path / "mesh.glb").read_bytes()
    binaries = [each[28 + struct.unpack_from("<I", each, 12)[0] :] for each in (plain, data)]
    assert binaries[1].startswith(binaries[0])
    found = read_glb(tmp_path / "mesh.glb")
    assert found.occlusion is not None and (found.normal_map is not None) == with_normals
    np.testing.assert_array_equal(found.occlusion, shade)


def test_the_same_mesh_gives_the_same_bytes(mesh: TexturedMesh) -> None:
    assert glb_bytes(mesh) == glb_bytes(mesh)


def test_the_front_goes_to_plus_z_and_up_to_plus_y() -> None:
    axes = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]], np.float32)  # right, front, up
    np.testing.assert_array_equal(to_gltf_axes(axes), [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(from_gltf_axes(to_gltf_axes(axes)), axes)


def test_vertices_are_split_at_seams_only(mesh: TexturedMesh) -> None:
    corner, triangles = split_at_seams(mesh.triangles, mesh.uv)
    assert len(mesh.vertices) < len(corner) < 3 * len(mesh.triangles)
    np.testing.assert_array_equal(mesh.triangles.reshape(-1)[corner][triangles], mesh.triangles)


@pytest.mark.parametrize("damage", ["empty", "short", "other"])
def test_a_damaged_glb_is_an_input_error(mesh: TexturedMesh, tmp_path: Path, damage: str) -> None:
    data = glb_bytes(mesh)
    path = tmp_path / "mesh.glb"
    path.write_bytes({"empty": b"", "short": data[:-100], "other": b"PK" + data[2:]}[damage])
    with pytest.raises(InputError) as caught:
        read_glb(path)
    assert caught.value.code == "input.glb"


def test_a_file_that_fails_half_way_leaves_the_old_one_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "mesh.glb"
    path.write_bytes(b"old")

    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_whole(path, fail)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["mesh.glb"]
    with pytest.raises(OSError, match="nowhere"):
        write_whole(tmp_path / "nowhere" / "mesh.glb", fail)


@pytest.mark.slow
def test_views_are_eight_in_colour_over_eight_in_clay(mesh: TexturedMesh, tmp_path: Path) -> None:
    sheet.write_views(sheet.portrait_scene(mesh), tmp_path / "views.png", CameraConfig())
    picture = np.asarray(Image.open(tmp_path / "views.png")).astype(int)
    assert picture.shape == (2 * sheet.VIEW_PIXELS, 8 * sheet.VIEW_PIXELS, 3)
    saturation = picture.max(-1) - picture.min(-1)
    colour, clay = saturation[: sheet.VIEW_PIXELS], saturation[sheet.VIEW_PIXELS :]
    assert clay.max() < 12 < np.percentile(colour, 95)
    for k in range(8):  # the object is in every view, whole
        cell = picture[: sheet.VIEW_PIXELS, k * sheet.VIEW_PIXELS : (k + 1) * sheet.VIEW_PIXELS]
        empty = np.abs(cell - cell[:, :1]).max(-1) == 0
        assert not empty.all() and empty[:3].all() and empty[-3:].all() and empty[:, -3:].all()


def test_the_turntable_is_a_film_of_a_whole_turn(
    mesh: TexturedMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "FRAMES", 12)
    monkeypatch.setattr(sheet, "FRAME_PIXELS", 64)
    shares: list[float] = []
    sheet.write_turntable(sheet.portrait_scene(mesh), tmp_path / "turntable.mp4", CameraConfig(), advance=shares.append)
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "turntable.mp4"))
    facts = next(reader)
    frames = [np.frombuffer(f, np.uint8).reshape(64, 128, 3).astype(int) for f in reader]
    assert facts["codec"] == "h264" and facts["pix_fmt"].startswith("yuv420p") and facts["size"] == (128, 64)
    assert len(frames) == 12
    assert shares[0] == 0.0 and shares[-1] == 1.0 and shares == sorted(shares)
    assert np.abs(frames[0] - frames[3]).mean() > 1.0  # it turns
    assert [p.name for p in tmp_path.iterdir()] == ["turntable.mp4"]


def test_an_encoder_that_does_not_work_is_a_setup_error(
    mesh: TexturedMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "FRAMES", 2)
    monkeypatch.setattr(sheet, "FRAME_PIXELS", 16)
    monkeypatch.setattr(video, "CODEC", "libnothing")
    with pytest.raises(SetupError) as caught:
        sheet.write_turntable(sheet.portrait_scene(mesh), tmp_path / "turntable.mp4", CameraConfig())
    assert caught.value.code == "setup.video"
    assert not list(tmp_path.iterdir())


def test_a_turntable_that_is_stopped_leaves_no_line_of_the_encoder_and_no_file(
    mesh: TexturedMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sheet, "FRAMES", 12)
    monkeypatch.setattr(sheet, "BATCH", 4)
    monkeypatch.setattr(sheet, "FRAME_PIXELS", 16)

    for share in (0.0, 0.5):

        def advance(done: float, share: float = share) -> None:
            if done >= share:
                raise Cancelled("cancelled", what="a", why="b", fix="c")

        with pytest.raises(Cancelled):
            sheet.write_turntable(
                sheet.portrait_scene(mesh), tmp_path / "turntable.mp4", CameraConfig(), advance=advance
            )
    gc.collect()  # a generator that was left open would end its encoder here
    assert capfd.readouterr().err == ""
    assert not list(tmp_path.iterdir())


def test_a_portrait_holds_the_unit_ball() -> None:
    cameras = sheet.portrait_cameras(8, CameraConfig())
    distance = cameras.position.norm(dim=-1)
    # The half height of the picture at the ball's rim: sin of the half angle times the distance exceeds the radius.
    half = torch.sin(torch.atan(0.5 / cameras.focal))
    assert (distance * half > 1.0).all() and (distance * half < 1.15).all()


def test_the_preview_is_a_coloured_closed_surface() -> None:
    field = hamburger(floaters=False)
    found = preview_mesh(field.density, field.albedo, 4.0, step=7)
    vertices = np.frombuffer(found.vertices, "<f4").reshape(-1, 3)
    triangles = np.frombuffer(found.triangles, "<i4").reshape(-1, 3)
    colours = np.frombuffer(found.colours, np.uint8).reshape(-1, 3)
    assert found.step == 7 and len(colours) == len(vertices) > 500
    assert topology.is_manifold(triangles) and topology.volume(vertices, triangles) > 0.3
    top = colours[vertices[:, 2] > 0.4].mean(0)
    assert top[0] > 1.3 * top[1] > 1.3 * top[2]  # the bun is brown
    with pytest.raises(RunError) as caught:
        preview_mesh(field.density, field.albedo, 1e9)
    assert caught.value.code == "run.empty"


def test_the_preview_of_haze_that_fills_the_box_is_kept_small_enough_to_show() -> None:
    """Full of waves: a surface of some 30,000 triangles, which Blender could not take in one tick."""

    def waves(points: torch.Tensor) -> torch.Tensor:
        return 4.0 * (1.0 + torch.sin(points * 9.0).prod(-1) * 2.0)

    found = preview_mesh(waves, lambda points: torch.full_like(points, 0.5), 4.0)
    vertices = np.frombuffer(found.vertices, "<f4").reshape(-1, 3)
    triangles = np.frombuffer(found.triangles, "<i4").reshape(-1, 3)
    assert 0.8 * MOST_TRIANGLES < len(triangles) <= 1.05 * MOST_TRIANGLES
    assert triangles.max() < len(vertices) and len(found.colours) == 3 * len(vertices)
    assert np.abs(vertices).max(0).min() > 0.9  # it still fills the box
