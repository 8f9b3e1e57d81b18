"""Ways to fit a surface to pictures, from the same start: a lattice's scalars by two extractions, or moved vertices.

A way has parameters, makes a surface of them in every step, and takes the gradient of a loss on it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from benchmarks.extraction.flexible_cubes import FlexibleCubes, closed, sign_loss
from benchmarks.extraction.marching import MarchingCubes, marching_surface
from dreamfusion_engine.config.stages import RefineConfig
from dreamfusion_engine.mesh.arrays import Floats, Ints
from dreamfusion_engine.refinement.moves import VertexMoves
from dreamfusion_engine.refinement.repair import repaired
from dreamfusion_engine.refinement.shape import crease_loss, triangle_pairs

SIGNS = (0.02, 0.002)  # weight of the signs' loss in the first step and in the last
DEVIATION = 0.03  # weight of FlexiCubes' L_dev, in cells; with 0.5 the legs of a chair do not grow
WEIGHTS = 0.3  # of the scalars' rate: of FlexiCubes' weights and moves; with 1 triangles cross
MOMENTS = (0.9, 0.99)


class Way(Protocol):
    """A way to fit a surface."""

    def surface(self) -> tuple[Tensor, Tensor]:
        """Begin a step: return vertices float32[V, 3], with gradients, and triangles int[T, 3]."""

    def step(self, loss: Tensor, progress: float) -> None:
        """End it. loss: float32[]. progress: float, the share of all steps that are done, in [0, 1)."""

    def result(self) -> tuple[Floats, Ints]:
        """Return the surface at the end."""


class LatticeWay:
    """Scalars of a lattice, in cells, by marching cubes or by FlexiCubes.

    scalars: float32[N + 1, N + 1, N + 1], negative inside, in cells.
    half: float, world units.
    rate: float, of Adam, of the scalars, in cells; it falls to a tenth.
    flexible: bool, whether FlexiCubes extracts.
    bumps: float, weight of small turns of the surface, as `refine.bumps`.
    """

    def __init__(self, scalars: Tensor, half: float, *, rate: float, flexible: bool, bumps: float = 0.0) -> None:
        self.cell = 2.0 * half / (scalars.shape[0] - 1)
        self.model: FlexibleCubes | MarchingCubes
        self.model = FlexibleCubes(scalars, half) if flexible else MarchingCubes(scalars, half)
        beside = [tensor for name, tensor in self.model.named_parameters() if name != "scalars"]
        self._rates = [rate, WEIGHTS * rate]
        groups = [{"params": [self.model.scalars]}, {"params": beside}]
        self._optimizer = torch.optim.Adam(groups if beside else groups[:1], lr=rate, betas=MOMENTS)
        self._own = torch.zeros(())
        self._bumps = bumps

    def surface(self) -> tuple[Tensor, Tensor]:
        """Begin a step."""
        model = self.model
        found = model.surface(fans=True) if isinstance(model, FlexibleCubes) else model.surface()
        triangles = found.triangles.int()
        self._own = DEVIATION * found.deviation / self.cell
        if self._bumps:
            turned = crease_loss(found.vertices, triangles, triangle_pairs(triangles))
            self._own = self._own + self._bumps * turned
        return found.vertices, triangles

    def step(self, loss: Tensor, progress: float) -> None:
        """End it."""
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=False):
            group["lr"] = rate * 0.1**progress
        signs = SIGNS[0] + progress * (SIGNS[1] - SIGNS[0])
        loss = loss + signs * sign_loss(closed(self.model.scalars)) + self._own
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()

    @torch.no_grad()
    def result(self) -> tuple[Floats, Ints]:
        """Return the surface at the end."""
        model = self.model
        found = model.surface(fans=False) if isinstance(model, FlexibleCubes) else model.surface()
        return found.vertices.numpy(), found.triangles.numpy().astype(np.int32)


class MovedWay:
    """The vertices of the start's marching cubes, moved and at the end repaired, as the command `refine` does it.

    scalars, half: as for `LatticeWay`.
    config: RefineConfig, how they may move.
    weight: float, of the moves' own losses beside the pictures' loss.
    """

    def __init__(self, scalars: Tensor, half: float, *, config: RefineConfig, weight: float) -> None:
        start = marching_surface(closed(scalars), half)
        self._before = start.vertices.numpy()
        self._triangles = start.triangles.numpy().astype(np.int32)
        self.moves = VertexMoves(self._before, self._triangles, config, device=torch.device("cpu"))
        self._weight = weight

    def surface(self) -> tuple[Tensor, Tensor]:
        """Begin a step."""
        return self.moves.begin(), torch.from_numpy(self._triangles)

    def step(self, loss: Tensor, progress: float) -> None:
        """End it."""
        loss = loss + self._weight * self.moves.own_loss()
        self.moves.add(torch.autograd.grad(loss, self.moves.leaves())[0])
        self.moves.move(0.1**progress, torch.zeros((), dtype=torch.bool))

    def result(self) -> tuple[Floats, Ints]:
        """Return the surface at the end."""
        after = self.moves.shape.vertices().numpy()
        return repaired(self._before, after, self._triangles)[0], self._triangles
