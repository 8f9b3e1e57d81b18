"""The texture: every texel the colour of its place, every triangle covered, charts padded."""

import math

import numpy as np
import pytest
import torch
from mesh.shapes import icosphere
from reference.soft_fields import SoftField, ball, plain
from torch import Tensor

from dreamfusion_engine.mesh.bake import (
    SHARES,
    bake_albedo,
    compositing_depths,
    padded,
    texel_owners,
    texture_coverage,
)
from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.mesh.uv.unwrap import unwrap

CPU = torch.device("cpu")


def half_space(density: float) -> SoftField:
    """Constant density below the plane z = 0."""
    return SoftField(distance=lambda p: p[:, 2] * 1e4, colour=plain((0.5, 0.5, 0.5)), edge=1.0, slope=density)


def flat_square() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two triangles in the plane z = 0, facing up."""
    vertices = np.array([[-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [-0.5, 0.5, 0.0]])
    return vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32), np.tile([0.0, 0.0, 1.0], (4, 1))


def test_depths_in_a_homogeneous_medium_follow_the_exponential_law() -> None:
    sigma = 40.0
    depths = compositing_depths(lambda p: torch.where(p[:, 2] < 0.0, sigma, 0.0), *flat_square(), CPU)
    # Opacity 1 - exp(-sigma s); the ray ends at s = 0.15, where it is 1 - exp(-6).
    expected = -np.log(1.0 - SHARES * (1.0 - math.exp(-6.0))) / sigma
    np.testing.assert_allclose(depths, np.tile(expected, (4, 1)), atol=0.15 / 16)


def test_where_nothing_absorbs_the_surface_itself_is_taken() -> None:
    assert (compositing_depths(lambda p: torch.full((len(p),), 1e-3), *flat_square(), CPU) == 0.0).all()


def test_density_beyond_half_the_way_to_the_next_surface_is_not_looked_at() -> None:
    vertices, triangles, normals = flat_square()
    roof = vertices + np.array([0.0, 0.0, 0.1])
    both = np.concatenate([vertices, roof]), np.concatenate([triangles, triangles[:, ::-1] + 4]).astype(np.int32)
    walls = lambda p: torch.where((p[:, 2] < 0.0) | (p[:, 2] > 0.06), 60.0, 0.0)  # noqa: E731
    depths = compositing_depths(walls, *both, np.concatenate([normals, -normals]), CPU)
    assert depths[:4].min() > -0.01


def test_every_texel_carries_the_colour_of_its_place_on_the_surface() -> None:
    vertices, triangles = icosphere(4, 0.6)
    normals = topology.vertex_normals(vertices, triangles)
    found = unwrap(vertices, triangles, texture=256, padding=4, seconds=60.0)
    owners = texel_owners(found.uv, 256, CPU)
    position = lambda p: 0.5 + 0.5 * p  # noqa: E731
    field = SoftField(distance=ball((0.0, 0.0, 0.0), 0.6), colour=position, edge=0.002, slope=50.0)
    texture = bake_albedo(field.density, field.albedo, vertices, triangles, normals, owners, padding=4, device=CPU)
    # At each triangle's middle, filtered as a renderer does, stands the middle's position.
    at = found.uv.mean(1).astype(np.float64) * 256 - 0.5
    base = np.floor(at).astype(int)
    colour = np.zeros((len(triangles), 3))
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - (at[:, 0] - base[:, 0])) * np.abs(1 - dy - (at[:, 1] - base[:, 1]))
            colour += weight[:, None] * texture[base[:, 1] + dy, base[:, 0] + dx]
    wanted = 0.5 + 0.5 * vertices[triangles].mean(1)
    assert np.abs(colour / 255.0 - wanted).max() < 0.03
    assert texture_coverage(found.uv, found.chart, owners[0]) == 1.0


def test_triangles_smaller_than_a_texel_are_covered_too() -> None:
    vertices, triangles = icosphere(5)
    found = unwrap(vertices, triangles, texture=64, padding=2, seconds=0.1)  # 8192 triangles on 4096 texels
    owner, _ = texel_owners(found.uv, 64, CPU)
    assert texture_coverage(found.uv, found.chart, owner) > 0.9
    large, _ = texel_owners(found.uv, 512, CPU)
    assert texture_coverage(found.uv, found.chart, large) == 1.0


def test_coverage_counts_triangles_on_foreign_or_empty_texels() -> None:
    uv = np.array([[[0.1, 0.1], [0.4, 0.1], [0.1, 0.4]], [[0.6, 0.6], [0.9, 0.6], [0.6, 0.9]]], np.float32)
    owner, _ = texel_owners(uv, 64, CPU)
    chart = np.array([0, 1], np.int32)
    assert texture_coverage(uv, chart, owner) == 1.0
    assert texture_coverage(uv, chart, np.where(owner == 1, -1, owner)) == 0.5
    assert texture_coverage(uv, chart, np.where(owner == 1, 0, owner)) == 0.5


def test_a_texel_belongs_to_the_triangle_around_it_and_weights_give_its_place() -> None:
    uv = np.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]], np.float32)
    owner, weights = texel_owners(uv, 32, CPU)
    y, x = np.mgrid[0:32, 0:32]
    assert (owner[x + y < 30] == 0).all() and (owner[x + y > 32] == 1).all()
    place = np.einsum("hwc,hwci->hwi", weights, uv[owner]) * 32
    np.testing.assert_allclose(place, np.stack([x + 0.5, y + 0.5], -1), atol=1e-3)


def test_padding_spreads_the_nearest_colour_so_far_and_no_further() -> None:
    colour = np.zeros((32, 32, 3), np.float32)
    baked = np.zeros((32, 32), bool)
    baked[16, 8], baked[16, 24] = True, True
    colour[16, 8], colour[16, 24] = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    texture = padded(colour, baked, 5)
    assert texture[16, 13].tolist() == [255, 0, 0] and texture[12, 24].tolist() == [0, 0, 255]
    assert texture[16, 16].tolist() == [128, 0, 128] and texture[0, 0].tolist() == [128, 0, 128]
    assert texture.dtype == np.uint8


def test_the_bake_reports_progress_and_stops_when_told() -> None:
    class Stop(Exception):
        pass

    def stop(share: float) -> None:
        raise Stop

    vertices, triangles, normals = flat_square()
    uv = np.array([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]], np.float32)
    field = half_space(50.0)
    with pytest.raises(Stop):
        bake_albedo(
            field.density,
            field.albedo,
            vertices,
            triangles,
            normals,
            texel_owners(uv, 64, CPU),
            padding=2,
            device=CPU,
            advance=stop,
        )


def test_colours_over_the_depth_mix_as_a_render_mixes_them() -> None:
    # Red above z = -0.026, green below; with density 40 a render sees 1 - exp(-1.04) = 65 % red.
    def layered(p: Tensor) -> Tensor:
        red = (p[:, 2] > -0.026).float()
        return torch.stack([red, 1.0 - red, torch.zeros_like(red)], -1)

    vertices, triangles, normals = flat_square()
    uv = np.array([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]], np.float32)
    density = lambda p: torch.where(p[:, 2] < 0.0, 40.0, 0.0)  # noqa: E731
    owners = texel_owners(uv, 64, CPU)
    texture = bake_albedo(density, layered, vertices, triangles, normals, owners, padding=2, device=CPU)
    assert texture[32, 32, 0] / 255.0 == pytest.approx(0.6, abs=0.01)  # three of five equal parts


def test_where_nothing_is_baked_all_is_grey() -> None:
    assert (padded(np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), bool), 2) == 128).all()
