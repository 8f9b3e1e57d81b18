"""Choose the iso level whose silhouettes agree best with the rendered opacities.

The surface of level c covers a pixel exactly if the density along the pixel's ray exceeds c somewhere. So one number a
pixel, the largest density along its ray, gives the silhouettes of every level at once, and no level needs meshing.
"""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
from dataclasses import dataclass

import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray
from torch import Tensor

from dreamfusion_engine.errors import RunError
from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.mesh.arrays import Doubles
from dreamfusion_engine.mesh.surface.lattice import Lattice
from dreamfusion_engine.scene.cameras import Cameras, camera_rays

PIXELS = 128  # most pixels along a view: a pixel is then about as wide as a lattice cell
LEVELS = 4096  # candidate levels, equally many rays apart; most rays miss the object, so a few hundred matter


@dataclass(frozen=True, kw_only=True)
class ReferenceViews:
    """The NeRF's albedo renders, which the mesh is compared with.

    cameras: Cameras, B of them.
    colour: float32[B, H, W, 3], sRGB in [0, 1], over white.
    opacity: float32[B, H, W] in [0, 1].
    """

    cameras: Cameras
    colour: Tensor
    opacity: Tensor


@wp.func
def trilinear(values: wp.array(dtype=float), n: int, p: wp.vec3) -> float:
    """Return the interpolated value at a point.

    values: float[(n + 1)^3], z fastest.
    n: int, cells along a side.
    p: vec3, in cells.
    """
    x = wp.clamp(p[0], 0.0, float(n))
    y = wp.clamp(p[1], 0.0, float(n))
    z = wp.clamp(p[2], 0.0, float(n))
    i = wp.min(int(x), n - 1)
    j = wp.min(int(y), n - 1)
    k = wp.min(int(z), n - 1)
    u = x - float(i)
    v = y - float(j)
    w = z - float(k)
    row = n + 1
    a = (i * row + j) * row + k
    b = a + row * row
    c00 = values[a] * (1.0 - w) + values[a + 1] * w
    c01 = values[a + row] * (1.0 - w) + values[a + row + 1] * w
    c10 = values[b] * (1.0 - w) + values[b + 1] * w
    c11 = values[b + row] * (1.0 - w) + values[b + row + 1] * w
    return (c00 * (1.0 - v) + c01 * v) * (1.0 - u) + (c10 * (1.0 - v) + c11 * v) * u


@wp.kernel(enable_backward=False)
def largest_along_ray(
    begin: int,
    values: wp.array(dtype=float),
    n: int,
    step: float,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    largest: wp.array(dtype=float),
) -> None:
    r = begin + wp.tid()
    o = origins[r]
    d = directions[r]
    near = float(0.0)
    far = float(1.0e6)
    for axis in range(3):
        inverse = 1.0 / wp.where(wp.abs(d[axis]) < 1.0e-9, 1.0e-9, d[axis])
        t0 = (-1.0 - o[axis]) * inverse
        t1 = (1.0 - o[axis]) * inverse
        near = wp.max(near, wp.min(t0, t1))
        far = wp.min(far, wp.max(t0, t1))
    best = float(0.0)
    half = 0.5 * float(n)
    t = near + 0.5 * step
    while t < far:
        p = o + t * d
        best = wp.max(best, trilinear(values, n, wp.vec3(p[0] + 1.0, p[1] + 1.0, p[2] + 1.0) * half))
        t += step
    largest[r] = best


def max_density_along_rays(lattice: Lattice, origins: Tensor, directions: Tensor) -> Tensor:
    """Return the largest density along each ray, sampled one cell apart in the trilinear lattice: float32[R].

    It is 0 beside the box.

    lattice: Lattice.
    origins: float32[R, 3], world units.
    directions: float32[R, 3], unit length.
    """
    device = origins.device
    values = torch.from_numpy(lattice.values.reshape(-1)).to(device)
    largest = torch.empty(len(origins), device=device)
    arguments = [values, lattice.resolution, 2.0 / lattice.resolution]
    rays = [warp_runtime.vectors(origins.contiguous(), 3), warp_runtime.vectors(directions.contiguous(), 3)]
    warp_runtime.launch(largest_along_ray, len(origins), [*arguments, *rays, largest], device=device)
    return largest


def silhouette_iou(largest: Doubles, opacity: Doubles, levels: Doubles) -> Doubles:
    """IoU(c) = sum min(o, m_c) / sum max(o, m_c) of every level c with the opacities of one view: float64[L].

    m_c is the mask [largest > c]. Where both are empty the IoU is 1.

    largest: float64[P], largest density along each pixel's ray.
    opacity: float64[P] in [0, 1], o.
    levels: float64[L], c.
    """
    order = np.argsort(-largest, kind="stable")
    inside = np.searchsorted(-largest[order], -levels, side="left")  # pixels whose largest density exceeds the level
    covered = np.concatenate([[0.0], np.cumsum(opacity[order])])
    union = inside + (covered[-1] - covered[inside])
    return np.where(union > 0.0, covered[inside] / np.maximum(union, 1e-12), 1.0)


def best_level(largest: NDArray[np.float32], opacity: NDArray[np.float32]) -> float:
    """Return the level whose silhouettes agree best with the opacities of B views, in the unit of `largest`.

    A level cannot be told from the best if its IoU is lower by no more than the standard error of that difference over
    the views. The answer is the geometric middle of the run of such levels around the best: it is furthest from both
    edges at which the silhouettes get worse.

    largest: float32[B, P], largest density along each pixel's ray.
    opacity: float32[B, P] in [0, 1].
    Raises RunError run.empty where nothing reaches an opacity of one half: there is no object.
    """
    if not (opacity > 0.5).any() or not (largest > 0.0).any():
        raise RunError(
            "run.empty",
            what="The trained field is empty: there is nothing to make a mesh of.",
            why=f"No pixel of its renders is more than half opaque (the most opaque has {float(opacity.max()):.2f}).",
            fix="Try another seed, more steps, or a prompt that names one solid object.",
        )
    found = largest[largest > 0.0].astype(np.float64)
    # The lowest level lies below every density, and each other one has a density above it: none is empty.
    steps = np.quantile(found, np.linspace(0.0, 1.0, LEVELS), method="inverted_cdf")
    levels = np.unique(np.append(steps[steps < found.max()], 0.5 * found.min()))
    pairs = zip(largest.astype(np.float64), opacity.astype(np.float64), strict=True)
    iou = np.stack([silhouette_iou(m, o, levels) for m, o in pairs])
    best = int(iou.mean(0).argmax())
    loss = iou[:, best, None] - iou
    error = loss.std(0, ddof=1) / np.sqrt(len(loss)) if len(loss) > 1 else np.zeros_like(levels)
    alike = loss.mean(0) <= error + 1e-9
    worse = np.flatnonzero(~alike)
    # A level stands for all densities up to the next one, where the silhouettes change.
    ends = np.append(levels, found.max())
    low = worse[worse < best].max(initial=-1) + 1
    high = worse[worse > best].min(initial=len(levels))
    return float(np.sqrt(ends[low] * ends[high]))


class Silhouettes:
    """The reference opacities at the size at which silhouettes are compared, and the rays of their pixels.

    reference: ReferenceViews.
    """

    def __init__(self, reference: ReferenceViews) -> None:
        self.count, height, width = reference.opacity.shape
        shrink = max(1, -(-max(height, width) // PIXELS))
        size = (max(1, height // shrink), max(1, width // shrink))
        shrunk = torch.nn.functional.adaptive_avg_pool2d(reference.opacity.float()[:, None], size)
        self.opacity: NDArray[np.float32] = shrunk.reshape(self.count, -1).cpu().numpy()
        self.rays = camera_rays(reference.cameras, *size)

    def level(self, lattice: Lattice) -> float:
        """Return the iso level of the lattice, 1 / world unit, by `best_level`.

        Raises RunError run.empty.
        """
        return best_level(self._largest(lattice), self.opacity)

    def agreement(self, lattice: Lattice, level: float) -> Doubles:
        """Return the IoU of the level's silhouettes with the opacities: float64[B].

        lattice: Lattice.
        level: float, density of the surface.
        """
        levels = np.array([level])
        pairs = zip(self._largest(lattice).astype(np.float64), self.opacity.astype(np.float64), strict=True)
        return np.concatenate([silhouette_iou(m, o, levels) for m, o in pairs])

    def _largest(self, lattice: Lattice) -> NDArray[np.float32]:
        largest = max_density_along_rays(lattice, *self.rays)
        return np.asarray(largest.reshape(self.count, -1).cpu().numpy())
