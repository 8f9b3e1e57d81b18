"""Density to closed surface: known shapes come out with their volume, handles and parts."""

import math
from functools import cache

import numpy as np
import pytest
import torch
from reference import soft_fields
from reference.soft_fields import SoftField, ball, box, ellipsoid, plain, torus, union
from torch import Tensor

from dreamfusion_engine.errors import RunError
from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.mesh.surface.closing import RADIUS, closed_lattice
from dreamfusion_engine.mesh.surface.extract import extract_surface, surface_of
from dreamfusion_engine.mesh.surface.lattice import Lattice, cell_range, corner_points, corners_of, sample_lattice
from dreamfusion_engine.mesh.surface.refine import coarse_resolution, follow_surface, refine_lattice
from dreamfusion_engine.mesh.surface.silhouette import Silhouettes

CPU = torch.device("cpu")
GREY = plain((0.5, 0.5, 0.5))


def solid(shape: soft_fields.Distance) -> SoftField:
    """A field with a sharp but not abrupt edge, whose density on the shape's surface is 12 ln 2."""
    return SoftField(distance=shape, colour=GREY, edge=0.01, slope=12.0)


@cache
def views() -> Silhouettes:
    """Silhouettes of a ball of radius 0.5; most tests here fix the level and only need something to look at."""
    return Silhouettes(soft_fields.photographs(solid(ball((0.0, 0.0, 0.0), 0.5)), soft_fields.orbit(4), 48))


def silhouettes(field: SoftField, size: int = 64) -> Silhouettes:
    """Of four views of the field."""
    return Silhouettes(soft_fields.photographs(field, soft_fields.orbit(4), size, samples=128))


SURFACE = 12.0 * math.log(2.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "volume", "genus", "parts"),
    [
        (ball((0.1, -0.2, 0.05), 0.5), 4.0 / 3.0 * math.pi * 0.5**3, 0, 1),
        (torus(0.5, 0.2), 2.0 * math.pi**2 * 0.5 * 0.2**2, 1, 1),
        (union(box((-0.5, 0.0, 0.0), (0.2, 0.3, 0.4)), box((0.4, 0.1, 0.0), (0.3, 0.2, 0.1))), 0.192 + 0.048, 0, 2),
    ],
    ids=["sphere", "torus", "two boxes"],
)
def test_known_shapes_have_their_volume_handles_and_parts(
    shape: soft_fields.Distance, volume: float, genus: int, parts: int
) -> None:
    field = solid(shape)
    vertices, triangles, level = extract_surface(field.density, 96, SURFACE, silhouettes(field), CPU)
    assert level == SURFACE
    assert topology.is_manifold(triangles)
    assert topology.volume(vertices, triangles) == pytest.approx(volume, rel=0.01)
    assert topology.genus(triangles) == genus
    assert topology.parts_of(triangles)[0] == parts
    # Every vertex lies on the level set, closer than marching cubes alone would put it.
    off = shape(torch.from_numpy(vertices)).abs()
    assert float(off.quantile(0.99)) < 1e-3


@pytest.mark.slow
def test_the_automatic_level_puts_the_surface_where_rays_are_half_absorbed() -> None:
    field = solid(ball((0.0, 0.0, 0.0), 0.5))
    vertices, triangles, level = extract_surface(field.density, 96, "auto", silhouettes(field, 96), CPU)
    # By hand: the chord at distance r from the centre has an optical depth; r where 1 - exp(-depth) is one half.
    r = torch.linspace(0.4, 0.6, 400, dtype=torch.float64)
    t = torch.linspace(-0.8, 0.8, 3200, dtype=torch.float64)
    points = torch.stack([r[:, None].expand(-1, 3200), t.expand(400, -1), torch.zeros(400, 3200)], -1)
    depth = field.density(points.reshape(-1, 3)).reshape(400, 3200).sum(1) * (1.6 / 3199)
    half = float(r[(1.0 - torch.exp(-depth)) > 0.5][-1])
    assert np.linalg.norm(vertices, axis=1).mean() == pytest.approx(half, abs=0.01)
    assert topology.is_manifold(triangles) and level > 0.0


def test_an_object_cut_by_the_box_comes_out_closed() -> None:
    field = solid(ball((0.9, 0.0, 0.0), 0.5))
    vertices, triangles, _ = extract_surface(field.density, 64, SURFACE, views(), CPU)
    assert topology.is_manifold(triangles)
    assert np.abs(vertices).max() <= 1.0
    assert topology.volume(vertices, triangles) > 0.0


@pytest.mark.slow
def test_the_coarse_pass_finds_the_surface_of_the_full_lattice_with_a_fraction_of_the_questions() -> None:
    field = soft_fields.hamburger(bumps=0.01, edge=0.01)
    asked = 0

    def density(points: Tensor) -> Tensor:
        nonlocal asked
        asked += len(points)
        return field.density(points)

    full = sample_lattice(density, 128, CPU)
    whole, asked = asked, 0
    lattice = refine_lattice(density, sample_lattice(density, coarse_resolution(128), CPU), 4.0, CPU)
    lattice, closed = follow_surface(density, lattice, 4.0, RADIUS, CPU)
    assert asked < 0.4 * whole
    np.testing.assert_allclose(lattice.values[lattice.known], full.values[lattice.known], rtol=1e-5)
    expected = surface_of(closed_lattice(full, 4.0, RADIUS), 4.0)
    found = surface_of(closed, 4.0)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], atol=1e-6)


@pytest.mark.slow
def test_a_surface_outside_what_was_asked_is_followed() -> None:
    field = soft_fields.hamburger(bumps=0.01, edge=0.03, floaters=False)
    full = sample_lattice(field.density, 96, CPU)
    asked_for_another = refine_lattice(field.density, sample_lattice(field.density, 48, CPU), 60.0, CPU)
    assert not cell_range(asked_for_another.known)[0][cells_crossed(full, 0.5)].all()
    _, closed = follow_surface(field.density, asked_for_another, 0.5, RADIUS, CPU)
    found, expected = surface_of(closed, 0.5), surface_of(closed_lattice(full, 0.5, RADIUS), 0.5)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)


def cells_crossed(lattice: Lattice, level: float) -> np.ndarray:
    """Cells with corners on both sides of the level."""
    low, high = cell_range(lattice.values)
    return (low < level) & (high >= level)


def test_resolutions_are_halved_while_whole_and_fine_enough() -> None:
    assert [coarse_resolution(n) for n in (48, 127, 128, 160, 256, 512)] == [48, 127, 64, 80, 64, 64]


def test_lattice_axes_are_x_y_z_and_the_border_is_empty() -> None:
    lattice = sample_lattice(lambda p: 1.5 + p[:, 0] + 0.1 * p[:, 1] + 0.01 * p[:, 2], 8, CPU)
    assert lattice.values[7, 3, 5] == pytest.approx(1.5 + 0.75 - 0.025 + 0.0025)
    assert lattice.values[0].max() == 0.0 and lattice.values[:, :, -1].max() == 0.0
    flat = np.ravel_multi_index((7, 3, 5), (9, 9, 9))
    np.testing.assert_allclose(corner_points(np.array([flat]), 8), [[0.75, -0.25, 0.25]])


def test_cells_and_corners_know_each_other() -> None:
    cells = np.zeros((4, 4, 4), bool)
    cells[1, 2, 3] = True
    corners = corners_of(cells)
    assert corners.sum() == 8 and corners[1:3, 2:4, 3:5].all()
    low, high = cell_range(corners)
    assert low.sum() == 1 and low[1, 2, 3] and high.sum() == 18  # the cell, and those around it in the box


def test_cavities_are_filled() -> None:
    shell = union(ball((0.0, 0.0, 0.0), 0.6))
    field = solid(lambda p: torch.maximum(shell(p), 0.3 - p.norm(dim=-1)))
    vertices, triangles, _ = extract_surface(field.density, 64, SURFACE, views(), CPU)
    assert topology.parts_of(triangles)[0] == 1
    assert topology.volume(vertices, triangles) == pytest.approx(4.0 / 3.0 * math.pi * 0.6**3, rel=0.02)


@pytest.mark.slow
def test_a_sponge_comes_out_as_one_simple_solid() -> None:
    waves = torch.randn(40, 3, generator=torch.Generator().manual_seed(1)) * 60.0

    def porous(p: Tensor) -> Tensor:
        noise = torch.sin(p @ waves.to(p).T + torch.arange(40)).sum(-1) / 6.0
        inner = torch.where(p.norm(dim=-1) < 0.5, 0.05 * (noise + 0.4), 0.0)
        return p.norm(dim=-1) - 0.55 + inner.clamp(min=0.0) * 20.0

    field = SoftField(distance=porous, colour=GREY, edge=0.01, slope=12.0)
    lattice = sample_lattice(field.density, 96, CPU)
    assert (
        topology.genus(surface_of(lattice, SURFACE)[1]) > 20
        or topology.parts_of(surface_of(lattice, SURFACE)[1])[0] > 20
    )
    _, triangles, _ = extract_surface(field.density, 96, SURFACE, views(), CPU)
    assert topology.genus(triangles) == 0 and topology.parts_of(triangles)[0] == 1


def test_closing_fills_slits_narrower_than_the_ball_and_no_others() -> None:
    def slit(width: float) -> float:
        blocks = union(
            box((-0.25 - width / 2, 0.0, 0.0), (0.25, 0.4, 0.4)), box((0.25 + width / 2, 0.0, 0.0), (0.25, 0.4, 0.4))
        )
        lattice = closed_lattice(sample_lattice(solid(blocks).density, 128, CPU), SURFACE, RADIUS)
        return float(lattice.values[64, 64, 64])

    assert slit(0.03) > SURFACE
    assert slit(0.1) < SURFACE


def test_closing_leaves_a_smooth_solid_as_it_is() -> None:
    lattice = sample_lattice(solid(ellipsoid((0.0, 0.0, 0.0), (0.7, 0.5, 0.4))).density, 96, CPU)
    open_surface, closed_surface = (
        surface_of(lattice, SURFACE),
        surface_of(closed_lattice(lattice, SURFACE, RADIUS), SURFACE),
    )
    assert len(open_surface[1]) == len(closed_surface[1])
    assert topology.volume(*closed_surface) == pytest.approx(topology.volume(*open_surface), rel=1e-3)


@pytest.mark.slow
def test_gaps_that_the_pictures_show_stay_open() -> None:
    bars = [box((x, 0.0, 0.0), (0.035, 0.06, 0.5)) for x in np.arange(-0.5, 0.51, 0.12)]
    grating = union(*bars, box((0.0, 0.0, 0.52), (0.6, 0.06, 0.05)), box((0.0, 0.0, -0.52), (0.6, 0.06, 0.05)))
    field = solid(grating)
    reference = soft_fields.photographs(field, soft_fields.orbit(2, 0.0), 128, samples=128)
    _, triangles, _ = extract_surface(field.density, 128, SURFACE, Silhouettes(reference), CPU)
    assert topology.genus(triangles) == 8  # nine bars
    lattice = sample_lattice(field.density, 128, CPU)
    assert topology.genus(surface_of(closed_lattice(lattice, SURFACE, RADIUS), SURFACE)[1]) == 0


def test_an_empty_field_is_a_run_error() -> None:
    nothing = SoftField(distance=lambda p: torch.ones_like(p[:, 0]), colour=GREY)
    reference = soft_fields.photographs(nothing, soft_fields.orbit(2), 16)
    for iso in (5.0, "auto"):
        with pytest.raises(RunError) as caught:
            extract_surface(nothing.density, 32, iso, Silhouettes(reference), CPU)  # type: ignore[arg-type]
        assert caught.value.code == "run.empty"


def test_a_field_that_is_not_finite_is_a_run_error() -> None:
    with pytest.raises(RunError) as caught:
        sample_lattice(lambda p: torch.where(p[:, 0] > 0.5, torch.nan, 1.0), 16, CPU)
    assert caught.value.code == "run.non_finite"


def test_a_corner_exactly_on_the_level_gives_no_empty_triangle() -> None:
    lattice = sample_lattice(
        lambda p: 3.0 - 2.0 * p.abs().amax(-1), 8, CPU
    )  # 2 on corners of the cube of half-width 0.5
    vertices, triangles = surface_of(Lattice(values=lattice.values, known=lattice.known), 2.0)
    assert topology.is_manifold(triangles)
    assert np.linalg.norm(topology.face_normals(vertices, triangles), axis=1).min() > 0.0
