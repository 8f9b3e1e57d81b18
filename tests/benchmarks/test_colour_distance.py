"""The distance of a mesh's colours from the exact ones, on objects whose answer is known.

Of: benchmarks/shared/colour_distance.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from benchmarks.shared.colour_distance import (
    CPU,
    POINTS,
    ColouredSurface,
    colour_distance,
    exact_surface,
    mesh_surface,
    named_parts,
    sampled,
    visible,
)
from dreamfusion_engine.mesh.export import GlbContent
from training.starter.exact_mesh import exact_mesh
from training.starter.objects.kinds import Appearance, Kind, kind_named, make_object

MUG = kind_named("mug")
ASKED = Appearance(part="blue")  # "a mug with a blue handle", the mug itself white
COUNT = 3  # exact objects in these tests


def seen(kind: Kind, appearance: Appearance) -> ColouredSurface:
    """An exact object that is none of those it is compared with."""
    return exact_surface(kind, appearance, 0, 11)


@pytest.mark.slow
def test_a_mug_that_is_blue_all_over_is_not_one_with_a_blue_handle() -> None:
    right = colour_distance(seen(MUG, ASKED), MUG, ASKED, COUNT)
    spread = colour_distance(seen(MUG, Appearance(colour="blue")), MUG, ASKED, COUNT)
    left_out = colour_distance(seen(MUG, Appearance()), MUG, ASKED, COUNT)
    swapped = colour_distance(seen(MUG, Appearance(colour="blue", part="white")), MUG, ASKED, COUNT)
    assert right.part is not None and left_out.part is not None and swapped.part is not None
    assert right.whole < 10.0 < 40.0 < spread.whole
    assert spread.whole < swapped.whole, "swapped is wrong everywhere"
    assert right.part < 15.0 < 50.0 < min(left_out.part, swapped.part)
    assert right.whole < left_out.whole < spread.whole, "a handle is a small part of what is seen"


@pytest.mark.slow
def test_a_part_that_is_missing_counts_where_it_should_be() -> None:
    whole = seen(MUG, ASKED)
    without = ColouredSurface(
        points=whole.points[~whole.named],
        colours=whole.colours[~whole.named],
        named=np.zeros(int(sum(~whole.named)), bool),
    )
    found, right = colour_distance(without, MUG, ASKED, COUNT), colour_distance(whole, MUG, ASKED, COUNT)
    assert found.part is not None and right.part is not None
    assert found.part > 50.0 > right.part and found.whole > right.whole


def test_the_named_part_is_the_one_that_changes_with_its_name() -> None:
    assert named_parts(MUG, ASKED, 0) == [False, False, False, True]
    assert not any(named_parts(MUG, Appearance(colour="red"), 0))


@pytest.mark.slow
def test_a_kind_without_a_front_may_stand_turned_and_one_with_a_front_may_not() -> None:
    quarter = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], np.float32)
    apart = {}
    for kind in (kind_named("gift"), kind_named("car")):
        look = Appearance(colour="red")
        plain = seen(kind, look)
        turned = replace(plain, points=np.ascontiguousarray(plain.points @ quarter))
        apart[kind.names[0]] = [colour_distance(each, kind, look, 1).whole for each in (plain, turned)]
    assert apart["gift"][1] == pytest.approx(apart["gift"][0], abs=0.5)
    assert apart["car"][1] > apart["car"][0] + 2.0


@pytest.mark.slow
def test_a_mesh_with_a_texture_is_measured_as_the_exact_object_is() -> None:
    parts = make_object(np.random.default_rng([11, 0]), MUG, Appearance())
    vertices, triangles = exact_mesh(parts, 64, CPU)
    texture = np.zeros((4, 4, 3), np.uint8)
    texture[:, :2], texture[:, 2:] = (240, 240, 237), (36, 87, 209)  # white on the left, blue on the right
    handle = vertices[:, 0] > 0.62 * np.abs(vertices[:, 0]).max()
    content = GlbContent(
        positions=vertices,
        normals=np.asarray(trimesh.Trimesh(vertices, triangles, process=False).vertex_normals, np.float32),
        uv=np.stack([np.where(handle, 0.9, 0.1), np.full(len(vertices), 0.5)], -1).astype(np.float32),
        triangles=triangles,
        texture=texture,
    )
    blue = replace(content, texture=np.full_like(texture, (36, 87, 209)))
    right = colour_distance(mesh_surface(content), MUG, ASKED, COUNT)
    wrong = colour_distance(mesh_surface(blue), MUG, ASKED, COUNT)
    assert right.whole < 15.0 < 40.0 < wrong.whole


def test_points_are_spread_by_area_and_lie_where_their_weights_say() -> None:
    vertices = np.array([[0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]], np.float32)
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    points, face, weights = sampled(vertices, triangles)
    assert (face == 0).mean() == pytest.approx(0.75, abs=0.03)
    assert len(points) == POINTS and np.allclose(weights.sum(1), 1.0, atol=1e-6) and weights.min() >= 0.0
    np.testing.assert_allclose((vertices[triangles[face]] * weights[:, :, None]).sum(1), points, atol=1e-5)


def test_what_lies_inside_is_not_seen_and_the_outside_is() -> None:
    outer, inner = trimesh.creation.icosphere(3, 0.8), trimesh.creation.icosphere(2, 0.4)
    vertices = np.concatenate([outer.vertices, inner.vertices]).astype(np.float32)
    triangles = np.concatenate([outer.faces, inner.faces + len(outer.vertices)]).astype(np.int32)
    assert not visible(np.asarray(inner.vertices, np.float32), vertices, triangles).any()
    above = np.asarray(outer.triangles_center[outer.triangles_center[:, 2] > 0.0], np.float32)
    assert visible(above, vertices, triangles).all()


def test_colours_of_places_are_those_of_the_nearest_part_and_of_its_pattern() -> None:
    from training.starter.exact_mesh import nearest_parts

    parts = make_object(
        np.random.default_rng(3), MUG, Appearance(colour="red", pattern="stripes", pattern_colour="white")
    )
    vertices, _ = exact_mesh(parts, 48, torch.device("cpu"))
    index, colours = nearest_parts(parts, torch.from_numpy(vertices))
    found = {tuple(round(float(c), 4) for c in colour) for colour in colours}
    exact = {tuple(round(c, 4) for c in colour) for part in parts for colour in (part.colour, part.second)}
    assert found <= exact
    cup = colours[index == 0]
    assert {0, 3} <= set(index.tolist())
    share = float((cup - torch.tensor(parts[0].second)).abs().sum(1).lt(1e-4).float().mean())
    assert 0.2 < share < 0.8, "stripes and what is between them"
