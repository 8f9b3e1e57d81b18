from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import RenderConfig
from dreamfusion_engine.field.occupancy import FULL_UPDATES, SHARE, OccupancyGrid

CONFIG = RenderConfig(occupancy_resolution=16, steps=64)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ball(points: Tensor) -> Tensor:
    return 50.0 * (points.norm(dim=-1) < 0.5).float()


def nothing(points: Tensor) -> Tensor:
    return torch.zeros(points.shape[0])


def settled(density: object, updates: int = FULL_UPDATES + SHARE) -> OccupancyGrid:
    grid, draws = OccupancyGrid(CONFIG), generator()
    for _ in range(updates):
        grid.update(density, draws)  # type: ignore[arg-type]
    return grid


def seen_share(grid: OccupancyGrid) -> float:
    """Share of the box that rays look at, in [0, 1]."""
    return float(grid.occupied.float().mean())


def test_before_any_update_rays_look_everywhere() -> None:
    assert seen_share(OccupancyGrid(CONFIG)) == 1.0


def test_cells_of_the_object_are_kept_and_the_rest_is_not() -> None:
    grid = settled(ball)
    cells = torch.arange(16**3)
    centre = (grid.cell_corners(cells) + 0.5) / 8.0 - 1.0
    radius, half_diagonal = centre.norm(dim=-1), 3.0**0.5 / 16.0
    assert grid.occupied[radius < 0.5 - half_diagonal].all()
    assert not grid.occupied[radius > 0.5 + half_diagonal].any()


def test_the_first_updates_keep_the_cells_around_too() -> None:
    first, later = settled(ball, 1), settled(ball)
    assert seen_share(first) > 1.3 * seen_share(later)
    assert (first.occupied >= later.occupied).all()


def test_x_is_the_fastest_axis_of_a_cell_number() -> None:
    grid = settled(lambda p: 50.0 * ((p - torch.tensor([0.9, -0.9, 0.1])).abs().amax(-1) < 0.15).float())
    x, y, z = 15, 0, 8
    assert grid.occupied[x + 16 * (y + 16 * z)] == 1
    assert grid.occupied[z + 16 * (y + 16 * x)] == 0


def test_a_cell_counts_when_one_step_through_it_stops_more_than_the_threshold() -> None:
    at_threshold = -torch.log(torch.tensor(1.0 - CONFIG.occupancy_threshold)) / (2.0 / CONFIG.steps)
    assert seen_share(settled(lambda p: torch.full((p.shape[0],), 1.01 * float(at_threshold)))) == 1.0
    assert seen_share(settled(lambda p: torch.full((p.shape[0],), 0.99 * float(at_threshold)))) == 0.0


def test_later_updates_look_at_every_cell_in_turn() -> None:
    grid = settled(nothing, FULL_UPDATES)
    seen: list[Tensor] = []

    def watch(points: Tensor) -> Tensor:
        cell = ((points + 1.0) * 8.0).long()
        seen.append(cell[:, 0] + 16 * (cell[:, 1] + 16 * cell[:, 2]))
        return nothing(points)

    for _ in range(SHARE):
        grid.update(watch, generator())
    assert max(len(s) for s in seen) <= 16**3 // SHARE
    assert torch.equal(torch.cat(seen).sort().values, torch.arange(16**3))


def test_a_place_that_empties_is_forgotten_and_found_again() -> None:
    grid, draws = settled(ball), generator()
    for _ in range(12 * SHARE):
        grid.update(nothing, draws)
    assert seen_share(grid) == 0.0
    for _ in range(SHARE):
        grid.update(ball, draws)
    assert seen_share(grid) > 0.03


def test_one_unlucky_look_does_not_lose_a_solid_cell() -> None:
    grid, draws = settled(ball), generator()
    before = grid.occupied.clone()
    for _ in range(2 * SHARE):
        grid.update(nothing, draws)
    assert torch.equal(grid.occupied, before)


def test_a_saved_grid_goes_on_as_if_it_had_not_stopped() -> None:
    for updates in (0, 2, FULL_UPDATES + 3):
        grid = settled(ball, updates)
        copy = OccupancyGrid(CONFIG)
        copy.load_state_dict(grid.state_dict())
        assert torch.equal(copy.occupied, grid.occupied)
        grid.update(ball, generator(5))
        copy.update(ball, generator(5))
        assert torch.equal(copy.density, grid.density)
        assert torch.equal(copy.occupied, grid.occupied)


def haze(points: Tensor) -> Tensor:
    return torch.full((points.shape[0],), 0.05)  # one step is 0.16 % opaque


def test_a_lower_threshold_looks_at_haze_that_still_counts_as_empty() -> None:
    grid, draws = OccupancyGrid(CONFIG), generator()
    grid.set_threshold(0.0001)
    grid.update(haze, draws)
    assert seen_share(grid) == 1.0
    assert grid.fraction_above(0.01) == 0.0
    assert grid.fraction_above(0.001) == 1.0
    grid.set_threshold(0.01)
    grid.update(haze, draws)
    assert seen_share(grid) == 0.0


def test_a_restored_grid_looks_at_the_same_cells_whatever_its_threshold_was() -> None:
    grid, draws = OccupancyGrid(CONFIG), generator()
    grid.set_threshold(0.0001)
    grid.update(haze, draws)
    restored = OccupancyGrid(CONFIG)
    restored.load_state_dict(grid.state_dict())
    assert torch.equal(restored.occupied, grid.occupied)
