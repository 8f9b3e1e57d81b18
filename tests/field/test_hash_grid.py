from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from twins.torch_field import hash_encode

from dreamfusion_engine.field.hash_grid import HashGrid, level_resolutions


def make_grid(levels: int = 4, features: int = 2, log2_table: int = 10, base: int = 4, finest: int = 40) -> HashGrid:
    """Entries of order 1. At the default sizes the first level is dense and the others are hashed."""
    generator = torch.Generator().manual_seed(3)
    grid = HashGrid(
        levels=levels, features=features, log2_table=log2_table, base=base, finest=finest, generator=generator
    )
    with torch.no_grad():
        grid.table.mul_(1e4)
    return grid


def random_points(count: int, reach: float = 1.0, seed: int = 0) -> Tensor:
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) * 2.0 - 1.0) * reach


def test_resolutions_rise_by_a_constant_factor_from_base_to_finest() -> None:
    assert level_resolutions(5, 8, 128) == [8, 16, 32, 64, 128]
    assert level_resolutions(1, 8, 128) == [8]


def test_levels_that_fit_the_table_are_dense_and_the_others_hashed() -> None:
    grid = make_grid(levels=3, base=4, finest=16)
    assert grid.resolutions.tolist() == [4, 8, 16]
    assert grid.masks.tolist() == [0, 0, 1023]  # 5^3 and 9^3 vertices fit 1024 entries, 17^3 do not
    assert grid.table.shape == (125 + 729 + 1024, 2)


@pytest.mark.slow
@pytest.mark.parametrize("features", [1, 2, 4])
def test_kernels_agree_with_plain_torch_in_values_and_gradients(features: int) -> None:
    grid = make_grid(features=features)
    weight = torch.tensor([1.0, 0.5, 0.25, 1.0])
    points = random_points(700)
    upstream = torch.randn(700, 4 * features, generator=torch.Generator().manual_seed(1))
    ours, theirs = points.clone().requires_grad_(), points.clone().requires_grad_()
    encoded = grid(ours, weight)
    table_gradient, point_gradient = torch.autograd.grad(encoded, [grid.table, ours], upstream)
    expected = hash_encode(grid, theirs, weight)
    expected_table, expected_point = torch.autograd.grad(expected, [grid.table, theirs], upstream)
    torch.testing.assert_close(encoded, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(table_gradient, expected_table, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(point_gradient, expected_point, rtol=1e-4, atol=1e-3)


def test_a_linear_function_on_the_vertices_is_reproduced_everywhere() -> None:
    grid = make_grid(levels=1, features=1, base=6, finest=6)
    axis = torch.arange(7.0) / 3.0 - 1.0
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    with torch.no_grad():
        grid.table.copy_((0.3 * x - 2.0 * y + 0.7 * z + 0.1).reshape(-1, 1))
    points = random_points(200)
    expected = points @ torch.tensor([0.3, -2.0, 0.7]) + 0.1
    torch.testing.assert_close(grid(points)[:, 0], expected, rtol=1e-5, atol=1e-5)


def test_hash_collisions_are_shared_entries_not_lost_ones() -> None:
    grid = make_grid(levels=1, features=1, log2_table=8, base=20, finest=20)
    with torch.no_grad():
        grid.table.fill_(1.5)
    torch.testing.assert_close(grid(random_points(100)), torch.full((100, 1), 1.5))


def test_each_point_shares_out_its_whole_gradient() -> None:
    """Interpolation weights sum to 1, so a level's table gradient sums to what came in."""
    grid = make_grid()
    points = random_points(333)
    upstream = torch.randn(333, 8, generator=torch.Generator().manual_seed(5))
    (gradient,) = torch.autograd.grad(grid(points), grid.table, upstream)
    sizes = torch.diff(grid.offsets, append=torch.tensor([grid.table.shape[0]])).tolist()
    by_level = torch.stack([part.sum(0) for part in gradient.split(sizes)])
    torch.testing.assert_close(by_level, upstream.sum(0).view(4, 2), rtol=1e-4, atol=1e-4)


def test_a_closed_level_gives_zeros_and_takes_no_gradient() -> None:
    grid = make_grid()
    encoded = grid(random_points(50), torch.tensor([1.0, 1.0, 0.0, 0.0]))
    assert (encoded[:, 4:] == 0.0).all()
    assert (encoded[:, :4] != 0.0).all()
    encoded.sum().backward()
    assert grid.table.grad is not None
    assert (grid.table.grad[grid.offsets[2] :] == 0.0).all()


def test_opening_a_level_after_the_forward_pass_does_not_change_its_gradient() -> None:
    grid = make_grid()
    weight = torch.tensor([1.0, 1.0, 0.5, 0.0])
    points = random_points(50)
    (expected,) = torch.autograd.grad(grid(points, weight).sum(), grid.table)
    encoded = grid(points, weight)
    weight.fill_(1.0)
    (gradient,) = torch.autograd.grad(encoded.sum(), grid.table)
    assert torch.equal(gradient, expected)


def test_points_beyond_the_box_read_its_nearest_face() -> None:
    grid = make_grid()
    points = random_points(100, reach=1.6)
    torch.testing.assert_close(grid(points), grid(points.clamp(-1.0, 1.0)), rtol=0.0, atol=0.0)


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads: int, set_threads: Callable[[int], None]) -> None:
    grid = make_grid()
    points = random_points(5000)
    upstream = torch.randn(5000, 8, generator=torch.Generator().manual_seed(2))
    results = []
    for count in (1, threads):
        set_threads(count)
        encoded = grid(points)
        results.append((encoded.detach(), *torch.autograd.grad(encoded, grid.table, upstream)))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_no_points_are_no_trouble() -> None:
    grid = make_grid()
    encoded = grid(torch.zeros(0, 3))
    assert encoded.shape == (0, 8)
    encoded.sum().backward()
    assert grid.table.grad is not None
    assert (grid.table.grad == 0.0).all()


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu() -> None:
    grid, points = make_grid(), random_points(700)
    upstream = torch.randn(700, 8, generator=torch.Generator().manual_seed(1))
    expected = grid(points)
    (expected_gradient,) = torch.autograd.grad(expected, grid.table, upstream)
    there = make_grid().cuda()
    encoded = there(points.cuda())
    (gradient,) = torch.autograd.grad(encoded, there.table, upstream.cuda())
    torch.testing.assert_close(encoded.cpu(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient.cpu(), expected_gradient, rtol=1e-4, atol=1e-5)
