"""Changing the texture and the shape of a part as a whole, on a tiny diffusion model: what moves, and what may not.

Of: dreamfusion_engine/tasks/texture.py, dreamfusion_engine/refinement/part, dreamfusion_engine/mesh/gltf/moved.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from paint.part_runs import SETTINGS, SIZE, Change, noise, right_half, with_part
from paint.surfaces import joined, moved, plane, unwrapped_ball
from reference.glb_builder import parts
from reference.tiny_pipeline import tiny_pipeline, write_card

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.errors import Cancelled, InputError
from dreamfusion_engine.events import Event, Progress
from dreamfusion_engine.mesh.gltf.read import GltfPrimitive, read_gltf
from dreamfusion_engine.mesh.surface.topology import is_closed
from dreamfusion_engine.refinement.repair import surface_faults
from dreamfusion_engine.tasks import texture as engine

SHAPE = PaintConfig(shape=True)
STRONG: dict[str, Any] = {"refine": {"roughness": 0.0, "edges": 0.0, "bumps": 0.0}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny_pipeline("v_prediction").save_pretrained(folder)
    write_card(folder)
    return folder


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The turntable and the views take seconds of each run, whatever was changed."""

    def touch(scene: Any, path: Path, config: Any, advance: Callable[[float], None] = lambda share: None) -> None:
        path.write_bytes(b"film")

    monkeypatch.setattr(engine, "write_turntable", touch)
    monkeypatch.setattr(engine, "write_views", touch)


def smooth_normals(mesh: Any) -> NDArray[np.float32]:
    """Those of a ball about the origin, for each corner in the file's axes."""
    vertices, triangles, _ = mesh
    corners = vertices[triangles].reshape(-1, 3)[:, [0, 2, 1]] * [1.0, 1.0, -1.0]
    return (corners / np.linalg.norm(corners, axis=1, keepdims=True)).astype(np.float32)


def bits(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    return np.ascontiguousarray(values).view(np.uint32)


def both(given: bytes, made: bytes) -> tuple[GltfPrimitive, GltfPrimitive]:
    return read_gltf(given).primitives[0], read_gltf(made).primitives[0]


def places_of(primitive: GltfPrimitive) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    places, corners = np.unique(primitive.vertices, axis=0, return_inverse=True)
    return places, corners.reshape(-1)[primitive.triangles]


@pytest.mark.slow
def test_the_part_moves_and_outside_not_a_bit_of_vertices_normals_uvs_or_texels_differs(
    model: Path, tmp_path: Path
) -> None:
    mesh, picture = unwrapped_ball(3, SIZE), noise(channels=4)
    chosen = right_half(mesh)
    given = with_part(mesh, chosen, picture, NORMAL=smooth_normals(mesh)).data()
    run = Change(model, given, tmp_path / "out", paint=SHAPE, settings=STRONG)
    old, new = both(given, run.made)
    outside = ~chosen[:, 0]
    for name in ("vertices", "normals"):
        was, now = (getattr(each, name)[each.triangles] for each in (old, new))
        np.testing.assert_array_equal(bits(was[outside]), bits(now[outside]))
        assert (was[~outside] != now[~outside]).any(), name
    assert old.uv is not None and new.uv is not None
    np.testing.assert_array_equal(bits(old.uv), bits(new.uv))
    facts = run.report["shape"]
    assert run.report["outside_changed"] == 0 and run.report["paint"]["shape"] is True
    assert facts["moved_most"] > 1e-4 and facts["free_vertices"] > 50
    assert facts["closed"] and facts["folds"] == [0, 0] and facts["crossings"] == [0, 0]
    assert new.normals is not None
    np.testing.assert_allclose(np.linalg.norm(new.normals, axis=1), 1.0, atol=1e-5)
    # The copies of a place moved as one: what was closed is.
    (places, triangles), (_, before) = places_of(new), places_of(old)
    assert is_closed(before) and is_closed(triangles)
    faults = surface_faults(places, triangles)
    assert faults.folds == 0 and faults.crossings == 0


@pytest.mark.slow
def test_the_move_fades_to_nothing_at_the_border(model: Path, tmp_path: Path) -> None:
    mesh = unwrapped_ball(3, SIZE)
    given = with_part(mesh, right_half(mesh), noise()).data()
    run = Change(model, given, tmp_path, paint=dataclasses.replace(SHAPE, blend=0.3), settings=STRONG)
    old, new = both(given, run.made)
    x, moves = old.vertices[:, 0], np.linalg.norm(new.vertices - old.vertices, axis=1)
    assert not moves[x <= 0.0].any()
    beside, within = moves[(x > 0.0) & (x < 0.25)], moves[x > 0.6]
    assert len(beside) > 20 and len(within) > 20
    assert 0.0 < beside.max() < 0.75 * moves.max() and beside.mean() < 0.6 * within.mean()


@pytest.mark.slow
def test_flat_faces_stay_flat(model: Path, tmp_path: Path) -> None:
    mesh = unwrapped_ball(2, SIZE)
    vertices, triangles, _ = mesh
    shape = vertices[triangles]
    flat = np.cross(shape[:, 1] - shape[:, 0], shape[:, 2] - shape[:, 0])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    normals = np.repeat(flat[:, [0, 2, 1]] * [1.0, 1.0, -1.0], 3, 0)
    given = with_part(mesh, right_half(mesh), noise(), NORMAL=normals).data()
    _, new = both(given, Change(model, given, tmp_path, paint=SHAPE, settings=STRONG).made)
    assert new.normals is not None
    shape = new.vertices[new.triangles].astype(np.float64)
    flat = np.cross(shape[:, 1] - shape[:, 0], shape[:, 2] - shape[:, 0])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    np.testing.assert_allclose(new.normals[new.triangles], np.repeat(flat[:, None], 3, 1), atol=2e-3)


@pytest.mark.slow
def test_a_node_that_turns_scales_and_mirrors_gets_its_moves_back_where_they_belong(
    model: Path, tmp_path: Path
) -> None:
    """The same ball, stored as it stands and stored in other axes, ends at the same places."""
    mesh = unwrapped_ball(2, SIZE)
    plain = with_part(mesh, right_half(mesh), noise(), NORMAL=smooth_normals(mesh))
    turned = plain.copy()
    node = turned.document["nodes"][0]
    node["scale"], node["rotation"] = [-2.0, 2.0, 2.0], [0.0, 0.6, 0.0, 0.8]
    run = Change(model, turned.data(), tmp_path, paint=SHAPE, settings=STRONG)
    old, new = both(turned.data(), run.made)
    stays = np.linalg.norm(new.vertices - old.vertices, axis=1) == 0.0
    assert run.report["outside_changed"] == 0 and 0.2 < stays.mean() < 0.8
    assert np.linalg.norm(new.vertices - old.vertices, axis=1).max() < 0.4, "at twice the size"
    assert new.normals is not None and old.normals is not None
    assert ((new.normals * old.normals).sum(1) > 0.5).all()
    assert new.mirrored


@pytest.mark.slow
def test_two_nodes_with_one_mesh_and_only_one_of_them_moves(model: Path, tmp_path: Path) -> None:
    mesh = unwrapped_ball(2, SIZE)
    made = with_part(mesh, right_half(mesh), noise())
    del made.document["meshes"][0]["primitives"][0]["attributes"]["_PART"]
    made.place({"mesh": 0, "name": "twin", "translation": [3.0, 0.0, 0.0]})
    run = Change(model, made.data(), tmp_path, paint=dataclasses.replace(SHAPE, part="twin"), settings=STRONG)
    before, after = (read_gltf(each).primitives for each in (made.data(), run.made))
    assert run.report["outside_changed"] == 0
    np.testing.assert_array_equal(bits(before[0].vertices), bits(after[0].vertices))
    assert (before[1].vertices != after[1].vertices).any()


@pytest.mark.slow
def test_strength_0_writes_the_vertices_as_they_were(model: Path, tmp_path: Path) -> None:
    mesh = plane(4)
    given = with_part(mesh, right_half(mesh), noise()).data()
    run = Change(model, given, tmp_path, paint=SHAPE, settings={"refine": {"strength": 0.0}})
    old, new = both(given, run.made)
    np.testing.assert_array_equal(bits(old.vertices), bits(new.vertices))
    assert run.report["shape"]["moved_most"] == 0.0 and not run.report["shape"]["closed"]
    assert len(parts(run.made)[0]["accessors"]) == len(parts(given)[0]["accessors"])


def refusal(model: Path, mesh: bytes, output: Path, paint: PaintConfig = SHAPE) -> InputError:
    with pytest.raises(InputError) as refused:
        Change(model, mesh, output, paint=paint)
    assert not (output / "mesh.glb").exists() and refused.value.fix
    return refused.value


def test_what_cannot_move_is_refused_with_the_way(model: Path, tmp_path: Path, monkeypatch: Any) -> None:
    mesh = plane(4)
    one = np.repeat((np.arange(32) == 10).astype(float)[:, None], 3, 1)  # each vertex is another triangle's too
    loose = joined(plane(1), moved(plane(1), (3.0, 0.0, 0.0)))
    tied = refusal(model, with_part(mesh, one, noise()).data(), tmp_path / "tied")
    assert tied.code == "paint.part" and "also" in tied.why or "too" in tied.why
    whole = with_part(mesh, one, noise())
    del whole.document["meshes"][0]["primitives"][0]["attributes"]["_PART"]
    assert refusal(model, whole.data(), tmp_path / "whole").code == "paint.shape"
    chosen = np.repeat([[1.0] * 3, [0.0] * 3], 2, 0)
    flat = with_part(loose, chosen, noise())
    flat.document["nodes"][0]["scale"] = [1.0, 1.0, 0.0]
    assert "scale" in refusal(model, flat.data(), tmp_path / "flat").fix
    coarse = with_part(loose, chosen, noise())
    corners = np.rint(20.0 * loose[0][loose[1]].reshape(-1, 3)).astype(np.int16)
    coarse.document["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = coarse.array(corners, "i2", stride=8)
    assert "quantization" in refusal(model, coarse.data(), tmp_path / "coarse").fix
    monkeypatch.setattr("dreamfusion_engine.refinement.part.surface.MOST_TRIANGLES", 3)
    large = refusal(model, with_part(loose, chosen, noise()).data(), tmp_path / "large")
    assert large.code == "input.mesh" and "4" in large.why


@pytest.mark.slow
def test_a_run_that_is_stopped_goes_on_to_the_same_bytes(model: Path, tmp_path: Path) -> None:
    mesh = unwrapped_ball(2, SIZE)
    given = with_part(mesh, right_half(mesh), noise()).data()
    whole = Change(model, given, tmp_path / "whole", paint=SHAPE)
    reached: list[Event] = []

    def report(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "train" and event.step:
            reached.append(event)

    with pytest.raises(Cancelled):
        Change(
            model,
            given,
            tmp_path / "broken",
            paint=SHAPE,
            report=report,
            control=lambda: "cancel" if reached else "continue",
        )
    again = Change(model, b"", tmp_path / "broken", paint=SHAPE, resume=True)
    assert again.made == whole.made and again.report["steps"] == SETTINGS["optimize"]["steps"]
