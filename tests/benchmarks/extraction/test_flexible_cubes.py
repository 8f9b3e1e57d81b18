"""FlexiCubes on shapes with known facts, and its gradients against finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from benchmarks.extraction.flexible_cubes import FlexibleCubes, closed, crossings, dual_surface, sign_loss
from dreamfusion_engine.mesh.surface.topology import genus, is_manifold, volume

HALF = 1.05
CELLS = 24


def axes(cells: int = CELLS) -> tuple[Tensor, Tensor, Tensor]:
    axis = torch.linspace(-HALF, HALF, cells + 1)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    return x, y, z


def ball(cells: int = CELLS) -> Tensor:
    x, y, z = axes(cells)
    return torch.sqrt(x**2 + y**2 + z**2) - 0.7


def ring() -> Tensor:
    x, y, z = axes()
    return torch.sqrt((torch.sqrt(x**2 + y**2) - 0.6) ** 2 + z**2) - 0.25


@pytest.mark.parametrize("fans", [True, False])
@pytest.mark.parametrize(
    ("scalars", "filled", "handles"),
    [(ball(), 4.0 / 3.0 * math.pi * 0.7**3, 0), (ring(), 2.0 * math.pi**2 * 0.6 * 0.25**2, 1)],
    ids=["ball", "ring"],
)
def test_a_known_solid_has_its_volume_and_its_handles(scalars: Tensor, filled: float, handles: int, fans: bool) -> None:
    found = FlexibleCubes(scalars, HALF).surface(fans=fans)
    triangles = found.triangles.numpy()
    assert is_manifold(triangles) and genus(triangles) == handles
    assert volume(found.vertices.detach().numpy(), triangles) == pytest.approx(filled, rel=0.06)


def test_a_plane_is_exact_whatever_the_weights_of_edges() -> None:
    x, y, z = axes()
    model = FlexibleCubes(0.31 * x - 0.2 * y + z - 0.113, HALF)
    torch.nn.init.normal_(model.beta, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(model.gamma, generator=torch.Generator().manual_seed(1))
    v = model.surface(fans=True).vertices
    inner = (v.abs() < HALF - 2.0 * model.cell).all(1)
    off = (0.31 * v[:, 0] - 0.2 * v[:, 1] + v[:, 2] - 0.113)[inner].abs()
    assert inner.sum() > 300 and off.max() < 1e-6


def test_a_corner_that_weighs_more_pushes_the_crossing_away() -> None:
    ends, corners = torch.tensor([[0, 1]]), torch.tensor([[0.0, 0, 0], [1.0, 0, 0]])
    scalars = torch.tensor([-1.0, 1.0])
    assert crossings(scalars, corners, ends, torch.tensor([[1.0, 1.0]]))[0, 0] == 0.5
    assert crossings(scalars, corners, ends, torch.tensor([[3.0, 1.0]]))[0, 0] == 0.75


def test_the_diagonal_of_the_larger_product_splits_a_quad() -> None:
    model = FlexibleCubes(ball(8), HALF)
    plain = model.surface(fans=False).triangles
    with torch.no_grad():
        cubes = torch.arange(8**3)
        odd = (cubes // 64 + cubes // 8 + cubes) % 2  # of the cubes around an edge, those across are alike
        model.gamma.copy_(odd.float() * 2.0)
    one = model.surface(fans=False).triangles
    with torch.no_grad():
        model.gamma.copy_(2.0 - odd.float() * 2.0)
    other = model.surface(fans=False).triangles
    assert plain.shape == one.shape == other.shape and not (one == other).any(1).all()
    edges = [{frozenset(e) for t in each.tolist() for e in zip(t, t[1:] + t[:1], strict=True)} for each in (one, other)]
    diagonals = len(one) // 2
    assert len(edges[0] ^ edges[1]) == 2 * diagonals, "every quad is split the other way"


def test_gradients_are_those_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(2)
    cells = 5
    size, cubes = cells + 1, cells**3
    draw = [torch.rand(shape, generator=generator, dtype=torch.float64) for shape in ((size**3, 3), (cubes, 8))]
    draw += [torch.rand(shape, generator=generator, dtype=torch.float64) for shape in ((cubes, 12), (cubes,))]
    scalars = closed(ball(cells).double() + 0.05 * draw[0][:, 0].view(size, size, size))
    axis = torch.linspace(-HALF, HALF, size, dtype=torch.float64)
    corners = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(-1, 3) + 0.1 * draw[0]
    given = [scalars, corners, *(0.5 + each for each in draw[1:])]
    direction = torch.randn(3, generator=generator, dtype=torch.float64)

    def value(*arguments: Tensor) -> Tensor:
        found = dual_surface(*arguments, fans=True)
        return (found.vertices @ direction).sin().sum() + found.deviation

    assert (scalars.abs() > 1e-5).all(), "no sign changes within a difference"
    leaves = [each.clone().requires_grad_() for each in given]
    assert torch.autograd.gradcheck(value, leaves, eps=1e-6, atol=1e-5, fast_mode=True)
    gradients = torch.autograd.grad(value(*leaves), leaves)
    assert all(float(each.abs().max()) > 1e-3 for each in gradients)


def test_corners_move_by_less_than_half_a_cell_and_weights_stay_positive() -> None:
    model = FlexibleCubes(ball(), HALF)
    with torch.no_grad():
        for parameter in (model.moves, model.alpha, model.beta, model.gamma):
            parameter.copy_(torch.where(torch.rand_like(parameter) < 0.5, -50.0, 50.0))
    found = model.surface(fans=False)
    assert torch.isfinite(found.vertices).all() and is_manifold(found.triangles.numpy())
    assert (found.vertices.norm(dim=-1) - 0.7).abs().max() < 2.0 * model.cell


def test_an_inside_corner_on_the_border_is_refused_and_closing_sets_it_outside() -> None:
    scalars = -torch.ones(5, 5, 5)
    nothing = torch.zeros(125, 3), torch.ones(64, 8), torch.ones(64, 12), torch.ones(64)
    with pytest.raises(ValueError, match="border"):
        dual_surface(scalars, *nothing, fans=False)
    assert is_manifold(dual_surface(closed(scalars), *nothing, fans=False).triangles.numpy())


def test_the_sign_loss_is_the_cross_entropy_of_both_ends() -> None:
    scalars = torch.ones(3, 3, 3)
    scalars[1, 1, 1] = -2.0
    by_hand = math.log1p(math.exp(2.0)) + math.log1p(math.exp(1.0))  # sigma(-2) against 1, sigma(1) against 0
    assert float(sign_loss(scalars)) == pytest.approx(by_hand, rel=1e-6)


def test_a_lattice_without_inside_has_no_surface() -> None:
    found = FlexibleCubes(torch.ones(5, 5, 5), HALF).surface(fans=False)
    assert found.triangles.shape == (0, 3) and found.vertices.shape == (0, 3)
    assert float(sign_loss(torch.ones(5, 5, 5))) == 0.0
