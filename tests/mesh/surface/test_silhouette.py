"""The automatic level: its parts against other ways to the same numbers, and where it comes out."""

import numpy as np
import pytest
import torch
from reference.soft_fields import SoftField, ball, orbit, photographs, plain
from twins.torch_mesh import largest_along_rays

from dreamfusion_engine.errors import RunError
from dreamfusion_engine.mesh.surface.lattice import sample_lattice
from dreamfusion_engine.mesh.surface.silhouette import (
    ReferenceViews,
    Silhouettes,
    best_level,
    max_density_along_rays,
    silhouette_iou,
)
from dreamfusion_engine.scene.cameras import camera_rays

CPU = torch.device("cpu")


@pytest.mark.slow
def test_the_kernel_finds_what_plain_torch_finds() -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.rand(4096, generator=generator)
    lattice = sample_lattice(
        lambda p: table[((p @ p.new_tensor([7.0, 31.0, 113.0])).abs() * 97).long() % 4096], 20, CPU
    )
    origins, directions = camera_rays(orbit(3), 24, 24)
    found = max_density_along_rays(lattice, origins, directions)
    expected = largest_along_rays(torch.from_numpy(lattice.values), origins, directions)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found == 0.0).any() and (found > 0.5).any()


def test_iou_of_all_levels_at_once_is_that_of_each_level() -> None:
    generator = np.random.default_rng(1)
    largest, opacity = generator.random(300) * 9.0, generator.random(300)
    levels = np.array([0.0, 0.5, 3.0, 8.9, 20.0])
    for level, found in zip(levels, silhouette_iou(largest, opacity, levels), strict=True):
        mask = (largest > level).astype(float)
        assert found == pytest.approx(np.minimum(mask, opacity).sum() / np.maximum(mask, opacity).sum())


def test_the_best_level_separates_object_from_haze_at_the_geometric_middle() -> None:
    largest = np.array([[0.0, 1.0, 1.0, 100.0, 100.0, 120.0]] * 3, np.float32)
    opacity = (largest > 10.0).astype(np.float32)
    assert best_level(largest, opacity) == pytest.approx(10.0)


def test_the_best_level_scales_with_the_density() -> None:
    generator = np.random.default_rng(2)
    largest = np.exp(generator.standard_normal((4, 500)) * 2.0).astype(np.float32)
    opacity = np.clip(largest / 3.0 + 0.2 * generator.standard_normal((4, 500)), 0.0, 1.0).astype(np.float32)
    assert best_level(1000.0 * largest, opacity) == pytest.approx(1000.0 * best_level(largest, opacity), rel=1e-5)


def test_a_constant_density_has_a_level_below_it() -> None:
    largest = np.array([[0.0, 7.0, 7.0]] * 2, np.float32)
    assert 0.0 < best_level(largest, (largest > 0.0).astype(np.float32)) < 7.0


def test_nothing_opaque_is_an_empty_run() -> None:
    for largest, opacity in ((np.ones((2, 9)), np.full((2, 9), 0.4)), (np.zeros((2, 9)), np.ones((2, 9)))):
        with pytest.raises(RunError) as caught:
            best_level(largest.astype(np.float32), opacity.astype(np.float32))
        assert caught.value.code == "run.empty"


@pytest.mark.slow
def test_views_of_any_size_give_nearly_the_same_level() -> None:
    field = SoftField(distance=ball((0.1, 0.0, 0.0), 0.5), colour=plain((0.2, 0.4, 0.6)), edge=0.03)
    lattice = sample_lattice(field.density, 64, CPU)
    reference = photographs(field, orbit(4), 192)
    small = ReferenceViews(
        cameras=reference.cameras, colour=reference.colour[:, 1::3, 1::3], opacity=reference.opacity[:, 1::3, 1::3]
    )
    levels = [Silhouettes(r).level(lattice) for r in (reference, small)]
    radii = [float((lattice.values[:, 32, 32] > level).sum()) for level in levels]
    assert abs(radii[0] - radii[1]) <= 2
