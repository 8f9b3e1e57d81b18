"""Density to textured mesh, the whole way, held to the bars of the release."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from reference import soft_fields

from dreamfusion_engine.config.stages import MeshConfig
from dreamfusion_engine.errors import Cancelled, RunError
from dreamfusion_engine.events import Stage
from dreamfusion_engine.mesh.build import MeshReport, build_mesh
from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.mesh.surface.silhouette import ReferenceViews
from dreamfusion_engine.mesh.textured import TexturedMesh

pytestmark = pytest.mark.slow

SMALL = MeshConfig(resolution=80, triangles=5000, texture=512, unwrap_seconds=120.0, normal_map=True)
FIELD = soft_fields.hamburger(bumps=0.004, edge=0.008)


@pytest.fixture(scope="module")
def reference() -> ReferenceViews:
    """Eight views of a hamburger with bumps, soft edges and two floaters."""
    return soft_fields.photographs(FIELD, soft_fields.orbit(8), 80, samples=112)


@pytest.fixture(scope="module")
def built(reference: ReferenceViews) -> tuple[TexturedMesh, MeshReport, list[tuple[Stage, float]]]:
    """The hamburger, and what was told on the way."""
    told: list[tuple[Stage, float]] = []
    mesh, report = build_mesh(
        FIELD.density, FIELD.albedo, reference, SMALL, lambda stage, share: told.append((stage, share))
    )
    return mesh, report, told


def test_the_hamburger_meets_the_bars(built: tuple[TexturedMesh, MeshReport, list[tuple[Stage, float]]]) -> None:
    mesh, report, _ = built
    assert report.fidelity_psnr >= 27.0
    assert report.texture_coverage == 1.0
    assert report.uv_overlap == 0.0
    assert report.watertight and topology.is_manifold(mesh.triangles)
    assert report.triangles == len(mesh.triangles) <= 5000
    assert report.components == 1  # the floaters are gone
    assert report.genus == 0
    assert (report.folds, report.crossings) == (0, 0)
    assert report.unwrap in ("uvunwrap", "xatlas")
    assert set(report.seconds) == {"extract", "unwrap", "bake"}


def test_the_arrays_are_what_they_say(built: tuple[TexturedMesh, MeshReport, list[tuple[Stage, float]]]) -> None:
    mesh = built[0]
    kinds = {name: str(getattr(mesh, name).dtype) for name in ("vertices", "triangles", "normals", "uv", "texture")}
    assert kinds == {
        "vertices": "float32",
        "triangles": "int32",
        "normals": "float32",
        "uv": "float32",
        "texture": "uint8",
    }
    assert mesh.texture.shape == (512, 512, 3) and mesh.uv.shape == (len(mesh.triangles), 3, 2)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-5)
    assert len(np.unique(mesh.vertices, axis=0)) == len(mesh.vertices)  # welded
    outward = np.einsum("vi,vi->v", mesh.normals, mesh.vertices - mesh.vertices.mean(0))
    assert (outward > 0.0).mean() > 0.8


def test_the_normal_map_changes_nothing_else(
    built: tuple[TexturedMesh, MeshReport, list[tuple[Stage, float]]], reference: ReferenceViews
) -> None:
    without = dataclasses.replace(SMALL, normal_map=False)
    plain, report = build_mesh(FIELD.density, FIELD.albedo, reference, without, lambda stage, share: None)
    assert plain.normal_map is None
    assert built[0].normal_map is not None and built[0].normal_map.shape == (512, 512, 3)
    assert 0.05 < (built[0].normal_map[..., :2] != 128).any(-1).mean() < 0.95
    for name in ("vertices", "triangles", "normals", "uv", "texture"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(built[0], name))
    assert dataclasses.replace(report, seconds={}) == dataclasses.replace(built[1], seconds={})


def test_progress_runs_through_the_stages_in_order(
    built: tuple[TexturedMesh, MeshReport, list[tuple[Stage, float]]],
) -> None:
    told = built[2]
    stages = list(dict.fromkeys(stage for stage, _ in told))
    assert stages == ["extract", "unwrap", "bake"]
    for stage in stages:
        shares = [share for name, share in told if name == stage]
        assert shares == sorted(shares) and shares[-1] == 1.0 and 0.0 <= shares[0] < 1.0


def test_the_report_is_json(built: tuple[TexturedMesh, MeshReport, list[tuple[Stage, float]]]) -> None:
    report = built[1]
    assert json.loads(json.dumps(report.to_json(), allow_nan=False)) == report.to_json()


def test_the_same_field_gives_the_same_bits(
    built: tuple[TexturedMesh, MeshReport, list[tuple[Stage, float]]], reference: ReferenceViews
) -> None:
    again, report = build_mesh(FIELD.density, FIELD.albedo, reference, SMALL, lambda stage, share: None)
    for name in ("vertices", "triangles", "normals", "uv", "texture"):
        np.testing.assert_array_equal(getattr(again, name), getattr(built[0], name))
    assert dataclasses.replace(report, seconds={}) == dataclasses.replace(built[1], seconds={})


@pytest.mark.parametrize("where", ["extract", "unwrap", "bake"])
def test_a_cancel_passes_through_from_every_stage(reference: ReferenceViews, where: Stage) -> None:
    def cancel(stage: Stage, share: float) -> None:
        if stage == where:
            raise Cancelled("run.cancelled", what="Stopped.", why="It was asked to.", fix="Start again.")

    quick = MeshConfig(resolution=32, triangles=500, texture=64)
    with pytest.raises(Cancelled):
        build_mesh(FIELD.density, FIELD.albedo, reference, quick, cancel)


def test_a_time_box_that_is_too_short_costs_no_bar(reference: ReferenceViews) -> None:
    hurried = dataclasses.replace(SMALL, unwrap_seconds=0.1)
    _, report = build_mesh(FIELD.density, FIELD.albedo, reference, hurried, lambda stage, share: None)
    assert report.unwrap == "box" and "seconds" in report.unwrap_trouble
    assert report.fidelity_psnr >= 27.0 and report.texture_coverage == 1.0 and report.uv_overlap == 0.0


def test_a_given_level_is_used_and_one_above_everything_is_an_empty_run(reference: ReferenceViews) -> None:
    quick = MeshConfig(resolution=32, triangles=500, texture=64, iso=20.0)
    _, report = build_mesh(FIELD.density, FIELD.albedo, reference, quick, lambda stage, share: None)
    assert report.iso == 20.0
    with pytest.raises(RunError) as caught:
        build_mesh(
            FIELD.density, FIELD.albedo, reference, dataclasses.replace(quick, iso=1e6), lambda stage, share: None
        )
    assert caught.value.code == "run.empty"


@pytest.mark.cuda
def test_a_field_on_a_cuda_device_gives_the_same_mesh_to_rounding(reference: ReferenceViews) -> None:
    device = torch.device("cuda")
    cameras = dataclasses.replace(
        reference.cameras,
        **{f.name: getattr(reference.cameras, f.name).to(device) for f in dataclasses.fields(reference.cameras)},
    )
    moved = ReferenceViews(cameras=cameras, colour=reference.colour.to(device), opacity=reference.opacity.to(device))
    _, report = build_mesh(FIELD.density, FIELD.albedo, moved, SMALL, lambda stage, share: None)
    assert report.fidelity_psnr >= 27.0 and report.watertight and report.texture_coverage == 1.0
