"""Floaters, smoothing, decimation and cutting apart: what goes, what stays, what comes out closed."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from mesh.shapes import Mesh, cube, icosphere, joined, lattice_torus, welded
from numpy.typing import NDArray
from scipy import ndimage

from dreamfusion_engine.mesh.casting import caster, nearest_triangle
from dreamfusion_engine.mesh.surface import cleanup, topology
from dreamfusion_engine.mesh.surface.extract import surface_of
from dreamfusion_engine.mesh.surface.folds import faults_of
from dreamfusion_engine.mesh.surface.lattice import Lattice, make_border
from dreamfusion_engine.mesh.surface.manifold import stitched, without_flaps


def noise_surface(seed: int, resolution: int = 64) -> Mesh:
    """A ball of coarse noise: hundreds of handles and parts, the worst that a field can give."""
    generator = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(generator.standard_normal((resolution + 1,) * 3), 1.3)
    axis = np.linspace(-1.0, 1.0, resolution + 1)
    radius = np.sqrt(sum(a**2 for a in np.meshgrid(axis, axis, axis)))
    values = np.exp(3.0 * noise / noise.std() + 15.0 * (0.6 - radius)).astype(np.float32)
    make_border(values, 0.0)
    return surface_of(Lattice(values=values, known=np.ones(values.shape, bool)), 1.0)


@cache
def clean_noise(seed: int, resolution: int = 64) -> Mesh:
    """The noise without its floaters, a little smoothed. Not to be changed: take it by `copied`."""
    return cleanup.cleaned(*noise_surface(seed, resolution), min_part=0.01, smoothing=4)


@cache
def clean_shape(name: str) -> Mesh:
    """One of SMOOTH, smoothed as a run does. Not to be changed: take it by `copied`."""
    return cleanup.cleaned(*SMOOTH[name](), min_part=0.01, smoothing=20)


def copied(mesh: Mesh) -> Mesh:
    """A mesh that nobody else has."""
    return mesh[0].copy(), mesh[1].copy()


def surface_around(distance: Callable[..., NDArray[np.floating]]) -> Callable[[], Mesh]:
    """Marching cubes of a signed distance, negative inside, of (x, y, z); the shape is turned out of the lattice."""

    def made() -> Mesh:
        axis = np.linspace(-1.0, 1.0, RESOLUTION + 1)
        x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
        x, y = np.cos(0.4) * x - np.sin(0.4) * y, np.sin(0.4) * x + np.cos(0.4) * y
        y, z = np.cos(0.7) * y - np.sin(0.7) * z, np.sin(0.7) * y + np.cos(0.7) * z
        values = np.exp(np.clip(-0.5 * RESOLUTION * distance(x, y, z), -20.0, 20.0)).astype(np.float32)
        make_border(values, 0.0)
        return surface_of(Lattice(values=values, known=np.ones(values.shape, bool)), 1.0)

    return made


def box_distance(x: NDArray[np.floating], y: NDArray[np.floating], z: NDArray[np.floating], *half: float) -> Any:
    return np.max([np.abs(a) - h for a, h in zip((x, y, z), half, strict=True)], axis=0)


# Where folds came from: flats, thin plates, sharp edges and rims, sheets close to each other, thin rods.
RESOLUTION = 96
CPU = torch.device("cpu")
SMOOTH = {
    "cube": surface_around(lambda x, y, z: box_distance(x, y, z, 0.5, 0.5, 0.5)),
    "plate": surface_around(lambda x, y, z: box_distance(x, y, z, 0.6, 0.6, 0.025)),
    "lens": surface_around(lambda x, y, z: np.sqrt(x**2 + y**2 + (np.abs(z) + 1.15) ** 2) - 1.35),
    "two balls": surface_around(lambda x, y, z: np.sqrt((np.abs(x) - 0.42) ** 2 + y**2 + z**2) - 0.4),
    "bowl": surface_around(lambda x, y, z: np.maximum(np.abs(np.sqrt(x**2 + y**2 + z**2) - 0.6) - 0.03, z)),
    "ring": surface_around(lambda x, y, z: np.hypot(np.hypot(x, y) - 0.6, z) - 0.2),
}


def test_floaters_go_and_real_parts_stay() -> None:
    speck, part = cube((3.0, 0.0, 0.0), 0.2), cube((0.0, 3.0, 0.0), 0.3)  # 0.8 % and 2.7 % of the largest part
    vertices, triangles = joined(cube(), speck, part)
    left = cleanup.without_floaters(vertices, triangles, 0.01)
    assert topology.parts_of(left[1])[0] == 2
    assert topology.volume(*left) == pytest.approx(1.027)
    assert topology.parts_of(cleanup.without_floaters(vertices, triangles, 0.0)[1])[0] == 3


def test_taubin_smoothing_removes_ripples_and_keeps_volume() -> None:
    vertices, triangles = icosphere(4)
    rough = vertices * (1.0 + 0.01 * np.random.default_rng(0).standard_normal((len(vertices), 1)))
    smooth = cleanup.taubin_smoothed(rough, triangles, 8)
    spread = lambda x: float(np.linalg.norm(x, axis=1).std())  # noqa: E731
    assert spread(smooth) < 0.4 * spread(rough)
    assert topology.volume(smooth, triangles) == pytest.approx(topology.volume(rough, triangles), rel=5e-3)


def test_smoothing_by_nothing_changes_nothing() -> None:
    vertices, triangles = icosphere(2)
    np.testing.assert_array_equal(cleanup.taubin_smoothed(vertices, triangles, 0), vertices)


@pytest.mark.parametrize(("mesh", "genus"), [(icosphere(5), 0), (lattice_torus(96, 48), 1)])
def test_decimation_keeps_shape_and_topology(mesh: Mesh, genus: int) -> None:
    found = cleanup.decimated(*mesh, 1000, 0.01)
    assert 0 < len(found[1]) <= 1000
    assert topology.is_manifold(found[1]) and topology.genus(found[1]) == genus
    assert topology.volume(*found) == pytest.approx(topology.volume(*mesh), rel=0.02)


def test_a_mesh_within_the_budget_is_left_alone() -> None:
    vertices, triangles = icosphere(2)
    found = cleanup.decimated(vertices, triangles, len(triangles), 0.01)
    np.testing.assert_array_equal(found[0], vertices)
    np.testing.assert_array_equal(found[1], triangles)


@pytest.mark.slow
@pytest.mark.parametrize("smoothing", [0, 20])
@pytest.mark.parametrize("budget", [6000, 1500])
@pytest.mark.parametrize("name", list(SMOOTH))
def test_decimation_makes_no_fold_and_no_crossing(name: str, budget: int, smoothing: int) -> None:
    surface = copied(clean_shape(name))
    before = faults_of(*surface)
    assert before.count == 0 and len(surface[1]) > 1.5 * budget
    found = cleanup.decimated(*surface, budget, 0.01, smoothing)
    assert 0.9 * budget < len(found[1]) <= budget
    assert topology.is_manifold(found[1]) and topology.parts_of(found[1])[0] == topology.parts_of(surface[1])[0]
    after = faults_of(*found)
    assert (after.folds, after.crossings) == (0, 0)
    # Distances both ways, of vertices, in lattice cells.
    away = max(
        float(nearest_triangle(caster(*a, CPU), b[0], 1.0)[2].max()) for a, b in ((surface, found), (found, surface))
    )
    assert away * 0.5 * RESOLUTION < (0.15 if budget > 3000 else 0.8)


def test_decimation_is_the_same_every_time() -> None:
    surface = copied(clean_shape("cube"))
    one, other = (cleanup.decimated(*surface, 1500, 0.01, 20) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("seed", [0, 1])
def test_noise_gets_fewer_folds_than_it_had(seed: int) -> None:
    surface = copied(clean_noise(seed, 40))
    before = faults_of(*surface)
    after = faults_of(*cleanup.decimated(*surface, 4_900, 0.01, 4))
    assert 0 < after.folds < before.folds and after.crossings == before.crossings == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_even_noise_comes_out_closed_manifold_and_within_the_budget(seed: int) -> None:
    surface = copied(clean_noise(seed))
    assert topology.genus(surface[1]) > 50
    found = cleanup.decimated(*surface, 3000, 0.01)
    assert len(found[1]) <= 3000
    assert topology.is_manifold(found[1])
    assert np.isfinite(found[0]).all()


def test_cubes_that_touch_come_apart() -> None:
    for offset in ((1.0, 1.0, 0.0), (1.0, 1.0, 1.0)):  # along an edge, in a vertex
        vertices, triangles = welded(*joined(cube(), cube(offset)))
        assert not topology.is_manifold(triangles)
        found = stitched(vertices, triangles)
        assert topology.is_manifold(found[1])
        assert topology.parts_of(found[1])[0] == 2
        assert topology.volume(*found) == pytest.approx(2.0, rel=5e-3)
        # Apart for good: welding what lies at one place joins nothing again.
        assert topology.is_manifold(welded(*found)[1])


def test_a_ring_pinched_at_an_edge_becomes_manifold() -> None:
    # Four cubes in a ring around an empty one, of which two share only an edge with the next.
    places = [(0, 0), (1, 0), (2, 1), (1, 2), (0, 2), (0, 1)]
    cubes = [cube((float(x), float(y), 0.0)) for x, y in places]
    vertices, triangles = welded(*joined(*cubes))
    outside = without_flaps(triangles)  # the walls between neighbours cover each other
    assert topology.volume(vertices, outside) == pytest.approx(len(places))
    found = stitched(vertices, outside)
    assert topology.is_manifold(found[1])
    assert topology.volume(*found) == pytest.approx(len(places), rel=5e-3)


def test_flaps_go_in_pairs_and_the_surplus_stays() -> None:
    triangles = np.array([[0, 1, 2], [2, 1, 0], [3, 4, 5], [4, 5, 3], [5, 4, 3], [1, 1, 2]], np.int32)
    kept = without_flaps(triangles)
    assert len(kept) == 1
    assert sorted(kept[0].tolist()) == [3, 4, 5]
    start = kept[0].tolist().index(3)
    assert kept[0].tolist()[(start + 1) % 3] == 4
