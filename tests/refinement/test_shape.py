"""Vertices that move smoothly: the linear system against a dense one, the step, its bounds, and what stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference.tiny_training import CPU
from refinement.surfaces import sphere

from dreamfusion_engine.refinement.shape import (
    SmoothShape,
    crease_loss,
    edge_loss,
    edges_of,
    roughness_loss,
    system,
    triangle_pairs,
)

NO = torch.tensor(False)


def shape(**more: object) -> SmoothShape:
    vertices, triangles = sphere(1)
    return SmoothShape(vertices, triangles, **{"stiffness": 5.0, "reach": 1.0, "device": CPU, **more})  # type: ignore[arg-type]


def test_the_system_is_the_identity_and_the_laplacian() -> None:
    triangles = np.array([[0, 1, 2], [2, 1, 3]])
    laplacian = np.array([[2, -1, -1, 0], [-1, 3, -1, -1], [-1, -1, 3, -1], [0, -1, -1, 2]])
    assert np.array_equal(system(5, triangles, 3.0).toarray()[:4, :4], np.eye(4) + 3.0 * laplacian)
    assert np.array_equal(system(5, triangles, 3.0).toarray()[4], np.eye(5)[4])  # a vertex of no triangle


def test_edges_are_counted_once_and_degenerate_ones_never() -> None:
    assert edges_of(np.array([[0, 1, 2], [2, 1, 3], [1, 1, 0]])).tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]


def test_a_pull_at_one_vertex_moves_its_neighbours_less_and_all_of_them_as_a_dense_solution_says() -> None:
    made, (vertices, triangles) = shape(), sphere(1)
    pull = torch.zeros(len(vertices), 3)
    pull[7, 0] = -1.0
    made.move(pull, 1e-3, NO)
    moved = (made.vertices() - made.rest)[:, 0].numpy()
    smooth = np.linalg.inv(system(len(vertices), triangles, 5.0).toarray())
    # The first step of Adam with one second moment: the smoothed gradient over its largest value.
    direction = smooth[:, 7] / smooth[:, 7].max()
    assert np.abs(moved - 1e-3 * (smooth @ direction)).max() < 1e-7
    assert moved.argmax() == 7 and (moved > 0.0).all()


def test_no_vertex_gets_further_than_the_reach() -> None:
    made = shape(reach=0.01)
    for _ in range(20):
        made.move(torch.randn(len(made.rest), 3, generator=torch.Generator().manual_seed(1)), 0.1, NO)
    length = (made.vertices() - made.rest).norm(dim=-1)
    assert 0.009 < float(length.max()) < 0.01 + 1e-6


def test_a_vertex_without_freedom_stays_bit_for_bit_and_one_with_half_makes_half_the_move() -> None:
    vertices, triangles = sphere(1)
    vertices[0] = -0.0  # which an addition of 0 would make +0
    share = np.linspace(0.0, 1.0, len(vertices)).astype(np.float32)
    share[0] = 0.0
    free = SmoothShape(vertices, triangles, stiffness=0.0, reach=1.0, device=CPU)
    held = SmoothShape(vertices, triangles, stiffness=0.0, reach=1.0, freedom=share, device=CPU)
    pull = torch.ones(len(vertices), 3)
    for made in (free, held):
        made._moves.copy_(-1e-2 * pull)
    moved = (held.vertices() - held.rest) / (free.vertices() - free.rest)
    assert torch.allclose(moved, torch.from_numpy(share)[:, None].expand(-1, 3), atol=1e-4)
    assert held.vertices()[0].numpy().tobytes() == vertices[0].tobytes()


def test_what_is_left_out_changes_nothing() -> None:
    made = shape()
    made.move(torch.ones(len(made.rest), 3), 1e-3, NO)
    before = {name: value.clone() for name, value in made.state().items()}
    made.move(torch.full((len(made.rest), 3), torch.nan), 1e-3, torch.tensor(True))
    assert all(torch.equal(before[name], value) for name, value in made.state().items())


def test_the_state_brings_everything_back() -> None:
    made, again = shape(), shape()
    for _ in range(3):
        made.move(torch.ones(len(made.rest), 3).cumsum(0), 1e-3, NO)
    again.load_state({name: value.clone() for name, value in made.state().items()})
    for each in (made, again):
        each.move(torch.ones(len(made.rest), 3), 1e-3, NO)
    assert torch.equal(made.vertices(), again.vertices())


def test_a_move_of_the_whole_costs_nothing_and_a_spike_does() -> None:
    vertices, triangles = sphere(1)
    edges = torch.from_numpy(edges_of(triangles))
    rest = torch.from_numpy(vertices)
    lengths = (rest[edges[:, 0]] - rest[edges[:, 1]]).norm(dim=-1)
    spike = torch.zeros_like(rest)
    spike[3] = 0.2
    whole = torch.full_like(rest, 0.2)
    assert float(roughness_loss(whole, edges, 1.0)) == 0.0 and float(roughness_loss(spike, edges, 1.0)) > 0.0
    assert float(edge_loss(rest + whole, edges, lengths)) == pytest.approx(0.0, abs=1e-12)
    assert float(edge_loss(2.0 * rest, edges, lengths)) == pytest.approx(1.0, rel=1e-5)
    assert float(edge_loss(rest + spike, edges, lengths)) > 1e-3


def test_a_flat_surface_has_no_creases_and_a_sharp_one_is_pulled_less_than_a_bump() -> None:
    triangles = torch.tensor([[0, 1, 2], [2, 1, 3]])
    pairs = triangle_pairs(triangles)
    assert pairs.tolist() == [[0, 1]]

    def pull(height: float) -> float:
        vertices = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, height]])
        vertices.requires_grad_(True)
        return float(torch.autograd.grad(crease_loss(vertices, triangles, pairs), vertices)[0][3, 2])

    assert abs(pull(0.0)) < 1e-6
    assert pull(0.2) > 0.0 and 0.0 < pull(2.0) < 0.3 * pull(0.2)


def test_a_sliver_is_pulled_no_harder_than_a_whole_triangle() -> None:
    """The step is scaled by the hardest pull: one vertex that nearly meets its neighbour would hold all others."""
    vertices, triangles = sphere(2)
    rough = vertices * (1.0 + 0.02 * np.random.default_rng(0).standard_normal(len(vertices)))[:, None]
    near = rough.copy()
    near[triangles[0, 0]] += 0.9999 * (near[triangles[0, 1]] - near[triangles[0, 0]])
    corners, edges = torch.from_numpy(triangles), torch.from_numpy(edges_of(triangles))

    def hardest(places: np.ndarray) -> float:
        now = torch.from_numpy(places.astype(np.float32)).requires_grad_(True)
        lengths = (now[edges[:, 0]] - now[edges[:, 1]]).norm(dim=-1).detach()
        moved = now * (1.0 + 0.1 * torch.sin(40.0 * now.detach()))
        loss = crease_loss(now, corners, triangle_pairs(corners)) + edge_loss(moved, edges, lengths)
        return float(torch.autograd.grad(loss, now)[0].norm(dim=1).max())

    assert hardest(near) < 3.0 * hardest(rough)


def test_every_edge_of_a_closed_surface_is_a_pair() -> None:
    _, triangles = sphere(1)
    assert len(triangle_pairs(torch.from_numpy(triangles))) == len(edges_of(triangles))
