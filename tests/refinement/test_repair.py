"""Crossings and folds that a move made are taken back, and nothing else is."""

from __future__ import annotations

import numpy as np
from refinement.surfaces import sphere

from dreamfusion_engine.refinement.repair import repaired, surface_faults


def test_a_sound_move_stays_as_it_is() -> None:
    vertices, triangles = sphere()
    moved = (vertices * np.array([1.2, 1.0, 0.9], np.float32)).astype(np.float32)
    made, first, last = repaired(vertices, moved, triangles)
    assert np.array_equal(made, moved)
    assert first.closed and last.closed and last.crossings == last.folds == 0


def test_a_vertex_pushed_through_the_other_side_comes_back_until_nothing_crosses() -> None:
    vertices, triangles = sphere(4)
    moved = (1.1 * vertices).astype(np.float32)
    through = 0
    moved[through] = -2.0 * vertices[through] + np.array([0.1, 0.2, 0.15])
    assert surface_faults(moved, triangles).crossings > 0
    made, _, last = repaired(vertices, moved, triangles)
    assert last.crossings == 0 and last.folds == 0
    far = np.abs(vertices @ vertices[through]) < 0.3  # neither around it nor where it came out
    assert far.sum() > 100 and np.array_equal(made[far], moved[far])  # away from it the move stands


def test_faults_of_before_may_stay() -> None:
    vertices, triangles = sphere()
    broken = vertices.copy()
    broken[0] = -2.0 * vertices[0] + np.array([0.1, 0.2, 0.15])
    moved = (1.05 * broken).astype(np.float32)
    made, first, last = repaired(broken, moved, triangles)
    assert first.crossings > 0 and last.crossings <= first.crossings and np.array_equal(made, moved)


def test_what_cannot_be_mended_goes_back_to_the_beginning() -> None:
    vertices, triangles = sphere(1)
    wild = np.random.default_rng(0).normal(size=vertices.shape).astype(np.float32)
    made, first, last = repaired(vertices, wild, triangles)
    assert last.no_more_than(first)
    assert last.crossings == 0 and np.isfinite(made).all()


def test_an_open_surface_has_crossings_only() -> None:
    vertices, triangles = sphere(1)
    faults = surface_faults(vertices, triangles[1:])
    assert not faults.closed and faults.folds == faults.crossings == 0
