"""The vertices of a training: how far together they move, whatever the mesh is made of."""

from __future__ import annotations

import pytest
import torch
from reference.tiny_training import CPU
from refinement.surfaces import sphere

from dreamfusion_engine.config.stages import RefineConfig
from dreamfusion_engine.refinement.moves import VertexMoves


def spread(detail: int, edge: float | None) -> float:
    """How much of a pull at the cap above z = 0.8 arrives between 0.3 and 0.5."""
    vertices, triangles = sphere(detail)
    config = RefineConfig(stiffness=2.0)
    moves = VertexMoves(vertices, triangles, config, edge=edge, device=CPU)
    moves.begin()
    moves.add((torch.from_numpy(vertices)[:, 2:] > 0.8) * torch.ones(3))
    moves.move(1.0, torch.tensor(False))
    moved = (moves.shape.vertices() - moves.shape.rest).norm(dim=1)
    z = torch.from_numpy(vertices)[:, 2]
    return float(moved[(z > 0.3) & (z < 0.5)].mean() / moved[z > 0.8].mean())


def test_with_an_edge_the_same_distance_is_smoothed_in_coarse_and_fine_meshes() -> None:
    coarse, fine = spread(2, 0.3), spread(3, 0.3)
    assert coarse == pytest.approx(fine, rel=0.15)


def test_without_one_the_same_number_of_edges_is() -> None:
    assert spread(2, None) > 1.5 * spread(3, None)
