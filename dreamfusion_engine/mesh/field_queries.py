"""Ask the field at many points: in chunks, without gradients, with the answers checked.

The field comes as two callables, so that this package knows nothing of grids and networks:
density: float32[N, 3] world units -> float32[N], 1 / world unit; albedo: float32[N, 3] -> float32[N, 3] sRGB in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamfusion_engine.errors import RunError
from dreamfusion_engine.mesh.arrays import Floats

Density = Callable[[Tensor], Tensor]
Albedo = Callable[[Tensor], Tensor]

CHUNK = 1 << 18  # points a call: some 100 MiB inside a hash-grid field


def query_density(density: Density, points: NDArray[np.floating], device: torch.device) -> Floats:
    """Return the density at points, float32[N], 1 / world unit, at least 0.

    density: as above.
    points: float[N, 3], world units.
    device: torch.device of the field.
    Raises RunError run.non_finite.
    """
    answers = _query(density, points, device, "density")
    return np.maximum(answers.reshape(len(points)), 0.0)


def query_albedo(albedo: Albedo, points: NDArray[np.floating], device: torch.device) -> Floats:
    """Return the albedo at points, float32[N, 3], sRGB in [0, 1].

    albedo: as above.
    points: float[N, 3], world units.
    device: torch.device of the field.
    Raises RunError run.non_finite.
    """
    answers = _query(albedo, points, device, "albedo")
    return np.clip(answers.reshape(len(points), 3), 0.0, 1.0)


def _query(field: Callable[[Tensor], Tensor], points: NDArray[np.floating], device: torch.device, name: str) -> Floats:
    pieces = []
    with torch.no_grad():
        for start in range(0, len(points), CHUNK):
            chunk = torch.from_numpy(np.ascontiguousarray(points[start : start + CHUNK], dtype=np.float32)).to(device)
            pieces.append(field(chunk).detach().float().cpu().numpy())
    answers: Floats = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if not np.isfinite(answers).all():
        raise RunError(
            "run.non_finite",
            what="The trained field holds values that are not numbers.",
            why=f"{int((~np.isfinite(answers)).sum()):,} of {answers.size:,} {name} values are infinite or NaN.",
            fix="Run again with another seed or a lower learning rate.",
        )
    return answers
