"""The loops of a cube against what each of its faces says, and surfaces of noise, which have every case."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.extraction import cube_loops, flexible_cubes
from dreamfusion_engine.mesh.surface.topology import is_closed, is_manifold


def noise(seed: int, cells: int = 10) -> np.ndarray:
    """Corners inside by chance, none on the border: bool[cells + 1, cells + 1, cells + 1]."""
    inside = np.zeros((cells + 1,) * 3, bool)
    inside[1:-1, 1:-1, 1:-1] = np.random.default_rng(seed).random((cells - 1,) * 3) < 0.5
    return inside


def triangles_of(inside: np.ndarray) -> np.ndarray:
    model = flexible_cubes.FlexibleCubes(torch.where(torch.from_numpy(inside), -1.0, 1.0), 1.0)
    return model.surface(fans=False).triangles.numpy()


def test_every_crossed_edge_is_in_one_loop_and_no_other_edge_is() -> None:
    for code in range(256):
        loops, _ = cube_loops.loops_of(code, 0)
        crossed = [(code >> a & 1) != (code >> b & 1) for a, b in cube_loops.EDGES.tolist()]
        assert [loop >= 0 for loop in loops] == crossed
        named = sorted({loop for loop in loops if loop >= 0})
        assert named == list(range(len(named))) and all(loops.count(loop) >= 3 for loop in named)


def test_a_face_read_the_other_way_joins_corners_across_it() -> None:
    across = 0b1001  # corners 0 and 3, across the face at the bottom of z, which is face 4
    assert max(cube_loops.loops_of(across, 0)[0]) == 1, "two corners apart have a loop each"
    assert max(cube_loops.loops_of(across, 1 << 4)[0]) == 0


def test_surfaces_of_noise_are_manifolds() -> None:
    for seed in range(8):
        assert is_manifold(triangles_of(noise(seed)))


def test_without_the_turned_faces_they_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flexible_cubes, "manifold_turns", np.zeros_like)
    assert not any(is_closed(triangles_of(noise(seed))) for seed in range(8))
