"""The radiance field in plain torch operations: the reference of the Warp kernels, and what benchmarks compare with.

Written from the papers' equations and on autograd alone; shares only the parameters with the module it stands beside.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.field.hash_grid import HashGrid
from dreamfusion_engine.field.radiance import RadianceField

PRIMES = (1, 2654435761, 805459861)  # Mueller 2022 (arXiv 2201.05989), eq. 4
CORNERS = torch.tensor([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)])


def hash_encode(grid: HashGrid, points: Tensor, level_weight: Tensor) -> Tensor:
    """Features float32[N, L * F]: trilinear interpolation of each level's eight vertices around each point."""
    levels = []
    corners = CORNERS.to(points.device)
    for level in range(grid.levels):
        resolution, offset, mask = (int(v[level]) for v in (grid.resolutions, grid.offsets, grid.masks))
        scaled = ((points + 1.0) * (0.5 * resolution)).clamp(0.0, float(resolution))
        low = scaled.detach().floor().clamp_max(resolution - 1.0)
        inside = scaled - low
        vertex = low.long()[:, None] + corners
        if mask:
            index = (vertex[..., 0] ^ vertex[..., 1] * PRIMES[1] ^ vertex[..., 2] * PRIMES[2]) & mask
        else:
            index = vertex[..., 0] + (resolution + 1) * (vertex[..., 1] + (resolution + 1) * vertex[..., 2])
        weight = torch.where(corners.bool(), inside[:, None], 1.0 - inside[:, None]).prod(-1)
        levels.append((grid.table[offset + index] * weight[..., None]).sum(1) * level_weight[level])
    return torch.cat(levels, -1)


class TorchField:
    """`RadianceField`'s function of its own parameters, in plain torch."""

    def __init__(self, field: RadianceField) -> None:
        self.field = field

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        raw = self._raw(points)
        return self._density(raw, points), torch.sigmoid(raw[:, 1:])

    def density(self, points: Tensor) -> Tensor:
        return self._density(self._raw(points), points)

    def _raw(self, points: Tensor) -> Tensor:
        field = self.field
        return field.out(torch.relu(field.hidden(hash_encode(field.grid, points, field.level_weight))))

    def _density(self, raw: Tensor, points: Tensor) -> Tensor:
        config = self.field.config
        blob = config.blob_density * (1.0 - points.norm(dim=-1) / config.blob_radius)
        inside = (points.abs() <= 1.0).all(-1)
        value = config.density_gain * raw[:, 0] + blob
        density = value.exp() if config.activation == "exp" else torch.nn.functional.softplus(value)
        return torch.where(inside, density, 0.0)
