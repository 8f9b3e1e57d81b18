"""What is trained: the control vertices of a sphere's Loop limit surface, a colour map and a normal map.

Axis letters: V control vertices, P vertices of the limit surface, T its triangles, S texels along a map.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from dreamfusion_engine.config.stages import SphereConfig
from dreamfusion_engine.mesh.surface.icosphere import icosphere, icosphere_uv
from dreamfusion_engine.mesh.surface.loop import limit_surface
from dreamfusion_engine.mesh.surface.topology import neighbour_weights

TAPS = 5  # texels of the blur's kernel, as in CLIP-Mesh
LEAST_HEIGHT = 0.2  # of a normal over the surface before it is made unit: it never points below it


class WeightedRows(nn.Module):
    """A sparse matrix on float32 vectors: each row gathers its few entries, on any device, with gradients.

    matrix: float64[R, C], sparse.
    """

    index: Tensor
    weight: Tensor

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        super().__init__()
        counts = np.diff(matrix.indptr)
        most = int(counts.max())
        place = np.arange(most)[None] < counts[:, None]
        index, weight = np.zeros(place.shape, np.int64), np.zeros(place.shape, np.float32)
        index[place], weight[place] = matrix.indices, matrix.data
        self.register_buffer("index", torch.from_numpy(index), persistent=False)
        self.register_buffer("weight", torch.from_numpy(weight), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """Return the product, float32[R, 3]. values: float32[C, 3]."""
        gathered = values.index_select(0, self.index.reshape(-1)).view(*self.index.shape, 3)
        return (self.weight[..., None] * gathered).sum(1)


class SpherePlan:
    """What does not change in a training: triangles, layout and matrices of one sphere.

    config: SphereConfig.
    limit: int, divisions beyond the control mesh at which the limit surface is shown.
    start: attribute, float64[V, 3], control vertices of a sphere whose limit surface has a mean radius of 1.
    control: attribute, int32[T / 4^limit, 3], their triangles.
    matrix: attribute, float64[P, V], from control vertices to the limit surface.
    triangles: attribute, int32[T, 3], of the limit surface.
    uv: attribute, float32[T, 3, 2], of its corners, v down.
    control_uv: attribute, float32[T / 4^limit, 3, 2], of those of the control mesh.
    """

    def __init__(self, config: SphereConfig, limit: int) -> None:
        self.limit = limit
        points, self.control = icosphere(config.level)
        self.matrix, self.triangles = limit_surface(self.control, limit)
        self.start = points / np.linalg.norm(self.matrix @ points, axis=1).mean()
        self.uv, self.control_uv = (icosphere_uv(config.level + more, config.maps) for more in (limit, 0))


class Sphere(nn.Module):
    """The parameters of a sphere, and what they make.

    config: SphereConfig.
    seed: int, of the colours, which begin as noise.
    plan: SpherePlan; its arrays are copied.
    device: torch.device.
    """

    def __init__(self, config: SphereConfig, plan: SpherePlan, *, seed: int, device: torch.device) -> None:
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(seed)
        size = config.maps
        self.control = nn.Parameter(torch.from_numpy(plan.start.astype(np.float32)))
        self.colour = nn.Parameter(torch.rand(size, size, 3, generator=generator))
        self.normal = nn.Parameter(torch.tensor([0.0, 0.0, 1.0]).repeat(size, size, 1))
        self._limit = WeightedRows(plan.matrix)
        self._neighbours = WeightedRows(neighbour_weights(len(plan.start), plan.control).tocsr())
        self.to(device)

    def surface(self) -> Tensor:
        """Return the limit surface's vertices, float32[P, 3], world units."""
        placed: Tensor = self._limit(self.control)
        return placed

    def colours(self) -> Tensor:
        """Return the colour map as it is shown, float32[S, S, 3], sRGB in [0, 1]."""
        return blurred_map(self.colour, self.config.blur)

    def normals(self) -> Tensor:
        """Return the normal map as it is shown, float32[S, S, 3]: unit vectors in tangent space, above the surface."""
        raw = blurred_map(self.normal, self.config.blur)
        return nn.functional.normalize(torch.cat([raw[..., :2], raw[..., 2:].clamp_min(LEAST_HEIGHT)], -1), dim=-1)

    def roughness(self) -> Tensor:
        """Return (1 / 3V) sum_i |mean of i's neighbours - v_i|^2 over control vertices: the uniform Laplacian."""
        apart = self._neighbours(self.control) - self.control
        return apart.square().mean()

    @torch.no_grad()
    def clamp(self) -> None:
        """Bring the maps back into their ranges, after a step."""
        self.colour.clamp_(0.0, 1.0)
        self.normal.clamp_(-1.0, 1.0)


def blurred_map(texels: Tensor, sigma: float) -> Tensor:
    """Return a map convolved with a Gaussian of TAPS x TAPS texels, float32[S, S, C]; mirrored at its border.

    texels: float32[S, S, C].
    sigma: float, standard deviation, texels.
    """
    along = torch.arange(TAPS, device=texels.device, dtype=texels.dtype) - TAPS // 2
    weights = torch.exp(-0.5 * (along / sigma).square())
    weights = weights / weights.sum()
    planes = nn.functional.pad(texels.permute(2, 0, 1)[:, None], [TAPS // 2] * 4, mode="reflect")
    planes = nn.functional.conv2d(planes, weights.view(1, 1, 1, TAPS))
    planes = nn.functional.conv2d(planes, weights.view(1, 1, TAPS, 1))
    return planes[:, 0].permute(1, 2, 0).contiguous()


def rate_share(progress: float) -> float:
    """Return the share of the first learning rate: 10^-p, as 10^(-2e-4 k) at step k of 5,000.

    progress: float in [0, 1], p, share of training done.
    Source: CLIP-Mesh, Khalid 2022, arXiv 2203.13333.
    """
    return 10.0**-progress


def roughness_weight(progress: float, config: SphereConfig) -> float:
    """Return the weight of the control mesh's roughness: w_1 + (w_0 - w_1) 10^(-12.5 p^2).

    CLIP-Mesh has 10^(-1e-6 k (k + 1) / 2) at step k of 5,000.

    progress: float in [0, 1], p, share of training done.
    config: SphereConfig, whose `laplacian` is w_0, w_1.
    Source: CLIP-Mesh, Khalid 2022, arXiv 2203.13333.
    """
    first, last = config.laplacian
    return last + (first - last) * math.pow(10.0, -12.5 * progress * progress)
