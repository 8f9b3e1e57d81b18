"""The finished mesh: closed, within its budget, with sound triangles, and with the maps as they were shown."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from clip_mesh.trainings import settings, training

from dreamfusion_engine.clip_mesh.finish import finished, fitting_limit
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.mesh.export import glb_bytes, read_glb
from dreamfusion_engine.mesh.surface.folds import faults_of


@pytest.mark.parametrize(
    ("level", "budget", "limit"), [(3, 1280, 0), (3, 5119, 0), (3, 10_000, 1), (3, 50_000, 2), (1, 10**6, 3)]
)
def test_the_surface_is_as_fine_as_the_budget_allows(level: int, budget: int, limit: int) -> None:
    assert fitting_limit(level, budget) == limit


@pytest.mark.slow
def test_a_mesh_is_closed_in_budget_and_looks_as_it_was_trained(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = settings(mesh={"triangles": 1500, "ambient_occlusion": True}, sphere={"maps": 128})
    run = training(config, bent=0.03)
    mesh, facts = finished(run, config.mesh)
    assert facts.watertight and facts.components == 1 and facts.genus == 0
    assert facts.triangles == len(mesh.triangles) == 1280 and facts.control_triangles == 80
    assert facts.uv_overlap < 1e-3 and facts.texture_coverage == 1.0
    assert facts.fidelity_psnr > 25.0, "of a noisy texture, on finer triangles than were shown in training"
    assert mesh.texture.shape == mesh.normal_map.shape == (128, 128, 3)  # type: ignore[union-attr]
    assert mesh.occlusion is not None and mesh.occlusion.shape == (64, 64)
    path = tmp_path_factory.mktemp("glb") / "mesh.glb"
    path.write_bytes(glb_bytes(mesh))
    read = read_glb(path)
    assert np.array_equal(read.texture, mesh.texture) and np.array_equal(read.normal_map, mesh.normal_map)  # type: ignore[arg-type]
    assert read.tangents is not None and (read.tangents[:, 3] == 1.0).all()


@pytest.mark.slow
def test_folds_and_crossings_are_smoothed_away_and_told() -> None:
    config = settings()
    run = training(config)
    with torch.no_grad():  # one vertex is pulled through the ball, and out at its other side
        run.field.control[5] *= -4.0
    mesh, facts = finished(run, config.mesh)
    assert facts.folds_before + facts.crossings_before > 0
    assert facts.folds == facts.crossings == 0 == faults_of(mesh.vertices, mesh.triangles).count


def test_a_surface_that_is_nowhere_is_an_error_in_words() -> None:
    run = training()
    with torch.no_grad():
        run.field.control[3, 0] = float("nan")
    with pytest.raises(RunError) as caught:
        finished(run, run.config.mesh)
    assert caught.value.code == "run.non_finite" and "1 of 42" in caught.value.why


@pytest.mark.slow
def test_a_report_can_be_written() -> None:
    facts = finished(training(), settings().mesh)[1]
    assert facts.to_json() == dataclasses.asdict(facts)
    assert all(isinstance(value, bool | int | float | str) for value in facts.to_json().values())
