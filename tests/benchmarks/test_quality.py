"""Facts about the quality benchmark: which prompts it takes, and its measures against closed forms.

Of: benchmarks/quality.py, benchmarks/shared/shape_distance.py.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import pytest
import torch
import trimesh

from benchmarks.shared import portraits
from benchmarks.shared.graded_run import ROOT, health_words
from benchmarks.shared.prompt_list import described, full_list, prompt_file, read_prompts
from benchmarks.shared.shape_distance import (
    chamfer,
    distance_to_kind,
    exact_shapes,
    iou,
    shape_of_mesh,
    turned,
)
from dreamfusion_engine.judge.portraits import HALF_LENGTH, to_box
from dreamfusion_engine.mesh.export import GlbContent
from training.starter.exact_mesh import exact_mesh
from training.starter.objects.kinds import KINDS, Appearance, kind_named, make_object

CPU = torch.device("cpu")
NAMES = [kind.names[0] for kind in KINDS]


def test_a_list_says_which_lines_it_leaves_out_and_why() -> None:
    lines = [
        "a red mug",
        "",
        "  A  Red Mug ",
        "a peacock",
        "a mug red blue",
        "\ufeff# a comment",
        "a snowman wearing a red hat",
    ]
    prompts, left_out = read_prompts(lines, NAMES)
    assert [p.text for p in prompts] == ["a red mug", "a snowman wearing a red hat"]
    assert [line.line for line in left_out] == [2, 3, 4, 5]
    assert "empty" in left_out[0].why
    assert "already" in left_out[1].why
    assert "'peacock'" in left_out[2].why
    assert "nothing like it" in left_out[3].why


def test_a_list_that_is_not_there_is_refused_by_name() -> None:
    assert prompt_file(str(ROOT / "benchmarks" / "prompts" / "four.txt")).is_file()
    for word in ("nowhere.txt", "", str(ROOT)):
        with pytest.raises(argparse.ArgumentTypeError, match="is no file"):
            prompt_file(word)


def test_a_kind_that_the_model_was_not_taught_is_left_out() -> None:
    prompts, left_out = read_prompts(["a red mug", "a castle"], ["mug"])
    assert [p.text for p in prompts] == ["a red mug"]
    assert "'castle'" in left_out[0].why


def test_a_prompt_is_read_as_it_was_described() -> None:
    kind, appearance = described()["a blue mug with an orange handle and white stripes"]
    assert kind is kind_named("mug")
    assert appearance == Appearance(colour="blue", part="orange", pattern="stripes", pattern_colour="white")


def test_the_full_list_has_every_kind_in_two_colours_where_it_has_colours() -> None:
    prompts = full_list()
    for kind in KINDS:
        colours = {p.appearance.colour for p in prompts if p.kind is kind}
        assert len(colours) == (2 if kind.colours else 1)
    assert len({p.text for p in prompts}) == len(prompts)


def test_the_list_of_single_objects_has_80_prompts_that_differ_and_none_of_the_corpus() -> None:
    lines = (ROOT / "benchmarks" / "prompts" / "single_objects.txt").read_text(encoding="utf-8").splitlines()
    prompts = [line for line in lines if line and not line.startswith("#")]
    assert len(prompts) == len(set(prompts)) == 80
    assert not set(prompts) & set(described())


def ball(radius: float, half: float = 1.0) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(4, radius)
    return trimesh.Trimesh(mesh.vertices * [1.0, 1.0, half], mesh.faces)


def test_chamfer_is_zero_for_the_same_points_and_the_gap_between_planes() -> None:
    grid = np.stack(np.meshgrid(np.arange(20.0), np.arange(20.0), [0.0]), -1).reshape(-1, 3).astype(np.float32)
    assert chamfer(grid, grid) == 0.0
    assert chamfer(grid, grid + np.asarray([0, 0, 0.25], np.float32)) == pytest.approx(0.25)


@pytest.mark.slow
def test_the_volume_of_a_ball_and_of_a_flat_ball_overlap_as_geometry_says() -> None:
    whole, flat = ball(1.0), ball(1.0, half=0.5)
    a = shape_of_mesh(np.asarray(whole.vertices, np.float32), np.asarray(whole.faces, np.int32))
    b = shape_of_mesh(np.asarray(flat.vertices, np.float32), np.asarray(flat.faces, np.int32))
    assert iou(a.filled, a.filled) == 1.0
    assert iou(a.filled, b.filled) == pytest.approx(0.5, abs=0.02)


def test_the_box_is_centred_and_as_long_as_the_corpus_makes_it() -> None:
    moved = to_box(np.asarray([[0, 0, 0], [4, 1, 2]], np.float32))
    np.testing.assert_allclose(moved, [[-0.83, -0.2075, -0.415], [0.83, 0.2075, 0.415]], atol=1e-6)
    assert HALF_LENGTH == 0.83


def test_turning_keeps_heights_and_a_full_turn_comes_back() -> None:
    points = np.asarray([[1, 0, 2], [0, 3, 4]], np.float32)
    np.testing.assert_allclose(turned(points, math.pi / 2), [[0, 1, 2], [-3, 0, 4]], atol=1e-6)
    np.testing.assert_allclose(turned(points, 2 * math.pi), points, atol=1e-5)


@pytest.mark.slow
def test_an_exact_mesh_of_the_kind_is_near_and_another_kind_is_far() -> None:
    snowman, car = kind_named("snowman"), kind_named("car")
    vertices, triangles = exact_mesh(make_object(np.random.default_rng(5), snowman, Appearance()), 64, CPU)
    near, overlap = distance_to_kind(vertices, triangles, snowman, Appearance(), 6)
    far, little = distance_to_kind(vertices, triangles, car, Appearance(), 6)
    assert near < 0.04 < 0.1 < far
    assert overlap > 0.8 > little


@pytest.mark.slow
def test_exact_shapes_fill_what_their_surface_encloses() -> None:
    (exact,) = exact_shapes(kind_named("pumpkin"), Appearance(), 1)
    parts = make_object(np.random.default_rng([7, 0]), kind_named("pumpkin"), Appearance())
    meshed = shape_of_mesh(*exact_mesh(parts, 96, CPU))
    assert iou(exact.filled, meshed.filled) > 0.93


@pytest.mark.slow
def test_a_white_ball_and_a_grey_one_of_the_corpus_look_alike_in_both_renderers() -> None:
    """The mesh's portraits are lit as the corpus is: the same geometry gives the same clay picture."""
    kind = kind_named("snowman")
    parts = make_object(np.random.default_rng([11, 0]), kind, Appearance())
    _, truth = portraits.truth_portraits(kind, Appearance(), 0)
    vertices, triangles = exact_mesh(parts, 128, CPU)
    mesh = trimesh.Trimesh(vertices, triangles)
    low, high = vertices.min(0), vertices.max(0)
    content = GlbContent(
        positions=np.asarray(mesh.vertices, np.float32),
        normals=np.asarray(mesh.vertex_normals, np.float32),
        uv=np.zeros((len(mesh.vertices), 2), np.float32),
        triangles=np.asarray(mesh.faces, np.int32),
        texture=np.full((4, 4, 3), 255, np.uint8),
    )
    _, clay = portraits.mesh_portraits(content)
    size = (high - low).max() / (2 * HALF_LENGTH)  # portraits scale the object to the middle size
    assert 0.9 < size < 1.1
    difference = (clay - truth).abs().mean()
    assert float(difference) < 0.03


def test_the_table_says_how_often_a_run_began_anew() -> None:
    assert health_words({"verdict": "good", "restarts": 0}) == "good"
    assert health_words({"verdict": "flat", "restarts": 1}) == "flat after 1 restart"
    assert health_words({"verdict": "good", "restarts": 2}) == "good after 2 restarts"
