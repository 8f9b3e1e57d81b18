"""The icosphere and its layout: even, round, and no place in the texture twice."""

from __future__ import annotations

import numpy as np
import pytest

from dreamfusion_engine.mesh.surface.icosphere import MOST_GAP, RHOMBI, chart_of_triangles, icosphere, icosphere_uv
from dreamfusion_engine.mesh.surface.topology import directed_edges, genus, is_manifold, volume
from dreamfusion_engine.mesh.uv.overlap import uv_overlap


@pytest.mark.parametrize("level", [0, 1, 3])
def test_it_is_a_closed_unit_ball_with_the_known_numbers(level: int) -> None:
    points, triangles = icosphere(level)
    assert (len(points), len(triangles)) == (10 * 4**level + 2, 20 * 4**level)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0, atol=1e-12)
    assert is_manifold(triangles) and genus(triangles) == 0
    assert volume(points, triangles) == pytest.approx(4.0 / 3.0 * np.pi, rel=0.42 / 3.0**level)
    assert sorted(set(np.bincount(triangles.reshape(-1)))) == ([5] if level == 0 else [5, 6])


@pytest.mark.parametrize("texture", [32, 512])
def test_its_layout_is_even_unmirrored_inside_the_texture_and_without_overlap(texture: int) -> None:
    level = 2
    uv = icosphere_uv(level, texture).astype(np.float64)
    assert uv.shape == (20 * 4**level, 3, 2) and uv.min() > 0.0 and uv.max() < 1.0
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    signed = -(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])  # v is down, so a chart that is not mirrored turns the other way
    assert signed.min() > 0.0 and signed.max() == pytest.approx(signed.min(), rel=1e-4)
    sides = np.linalg.norm(np.roll(uv, -1, 1) - uv, axis=-1)
    assert sides.max() == pytest.approx(sides.min(), rel=1e-4)
    assert uv_overlap(uv) < 1e-3
    assert 0.5 * signed.sum() > (0.6 if texture == 512 else 0.5), "most of the texture is used"


def test_charts_are_whole_inside_and_keep_their_gaps() -> None:
    """Within a rhombus two triangles that share an edge have the same UVs there; rhombi are the gap apart or more."""
    _, triangles = icosphere(1)
    uv, chart = icosphere_uv(1, 64), chart_of_triangles(1)
    ends = directed_edges(triangles)
    place = np.stack([uv, np.roll(uv, -1, 1)], 2).reshape(-1, 2, 2)
    owner = np.repeat(chart, 3)
    there = {(int(a), int(b)): i for i, (a, b) in enumerate(ends)}
    inner = 0
    for (a, b), i in there.items():
        other = there[b, a]
        if owner[i] == owner[other]:
            np.testing.assert_allclose(place[i], place[other][::-1], atol=1e-6)
            inner += 1
    assert inner == RHOMBI * (8 * 3 - 4 * 2)  # corners of its eight triangles without those along its four sides
    along = np.linspace(0.0, 1.0, 9)[:, None, None]
    border = [
        (place[i, 0] + along[:, 0] * (place[i, 1] - place[i, 0]), owner[i])
        for (a, b), i in there.items()
        if owner[i] != owner[there[b, a]]
    ]
    points = np.concatenate([each for each, _ in border])
    of = np.repeat([who for _, who in border], 9)
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    assert apart[of[:, None] != of[None]].min() > 0.99 * MOST_GAP
