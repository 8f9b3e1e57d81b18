"""The cells of the box that hold something, so that rays skip the rest (Mueller 2022, arXiv 2201.05989, App. E.2).

Axis letters: C = resolution^3 cells, x fastest: cell = x + resolution (y + resolution z).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dreamfusion_engine.config.stages import RenderConfig

DECAY = 0.6  # of a remembered density at each visit: a cell left by a solid surface is skipped some ten visits later
FULL_UPDATES = 4  # the first updates look at every cell, and let the object grow into the cells around it
SHARE = 4  # later ones look at every SHARE-th cell, in turn


class OccupancyGrid:
    """A decayed maximum of the density in each cell, and the mask of cells worth sampling.

    config: RenderConfig; gives resolution, step and the opacity of one step under which a cell is empty.
    device: where the grid is.
    density: attribute, float32[C], 1 / world unit.
    occupied: attribute, uint8[C], 1 for cells that the renderer samples: those above the threshold, and their
        neighbours while the object takes shape.
    updates: attribute, int, number of calls of `update`.
    """

    def __init__(self, config: RenderConfig, device: torch.device | str = "cpu") -> None:
        self.resolution = config.occupancy_resolution
        self.step = 2.0 / config.steps
        self.set_threshold(config.occupancy_threshold)
        self.device = torch.device(device)
        cells = self.resolution**3
        self.density = torch.zeros(cells, device=self.device)
        self.occupied = torch.ones(cells, dtype=torch.uint8, device=self.device)
        self.updates = 0

    def set_threshold(self, opacity: float) -> None:
        """Skip cells, from the next update on, whose density makes one step less opaque than `opacity`, in [0, 1)."""
        self.threshold = self._density_of(opacity)

    def fraction_above(self, opacity: float) -> float:
        """Return the share of cells, in [0, 1], that make one step more opaque than `opacity`, skipped or not."""
        return float((self.density > self._density_of(opacity)).float().mean())

    def _density_of(self, opacity: float) -> float:
        return -math.log1p(-opacity) / self.step

    @torch.no_grad()
    def update(self, density: Callable[[Tensor], Tensor], generator: torch.Generator) -> None:
        """Ask the field again: all cells at first, later every fourth, each at one jittered point.

        density: points float32[N, 3] to float32[N].
        generator: of the jitter, on the grid's device.
        """
        if self.updates < FULL_UPDATES:
            cells = torch.arange(self.resolution**3, device=self.device)
        else:
            cells = torch.arange(self.updates % SHARE, self.resolution**3, SHARE, device=self.device)
        jitter = torch.rand(cells.shape[0], 3, generator=generator, device=self.device)
        now = density((self.cell_corners(cells) + jitter) * (2.0 / self.resolution) - 1.0)
        self.density[cells] = torch.maximum(self.density[cells] * DECAY, now)
        self.updates += 1
        self._mask()

    def cell_corners(self, cells: Tensor) -> Tensor:
        """Return the low corners float32[N, 3] of cells int64[N], in cells from the box's low corner."""
        n = self.resolution
        return torch.stack([cells % n, cells // n % n, cells // (n * n)], -1).float()

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that `load_state_dict` needs."""
        return {
            "density": self.density.clone(),
            "updates": torch.tensor(self.updates),
            "threshold": torch.tensor(self.threshold, dtype=torch.float64),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the state of a grid of the same configuration."""
        self.density.copy_(state["density"])
        self.updates = int(state["updates"])
        self.threshold = float(state["threshold"])
        if self.updates:
            self._mask()

    def _mask(self) -> None:
        full = self.density > self.threshold
        if self.updates <= FULL_UPDATES:
            n = self.resolution
            around = nn.functional.max_pool3d(full.view(1, 1, n, n, n).float(), kernel_size=3, stride=1, padding=1)
            full = around.view(-1) > 0.0
        self.occupied.copy_(full)  # in place: a recorded step looks where it always looked
