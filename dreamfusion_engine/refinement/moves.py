"""The vertices of a training that moves them: where they are, what pulls at them, and their step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.config.stages import RefineConfig
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.surface.topology import Triangles
from dreamfusion_engine.refinement.shape import (
    SmoothShape,
    crease_loss,
    edge_loss,
    edges_of,
    roughness_loss,
    triangle_pairs,
)

STIFFEST = 1e5  # lambda: the distance of 300 edges
RATE = 2e-3  # world units a step at strength 1, of the vertex that is pulled most


class VertexMoves:
    """A surface's vertices during a training.

    vertices: float32[V, 3], where they begin, world units; no two at one place for the sake of seams.
    triangles: int[T, 3].
    config: RefineConfig, how they may move.
    freedom: float32[V] in [0, 1], as for `SmoothShape`.
    edge: float, world units, the mean edge for which `refine.stiffness` is meant: with other ones the same distance is
        smoothed. None: with all, the same number of edges.
    device: torch.device.
    """

    def __init__(
        self,
        vertices: Floats,
        triangles: Triangles,
        config: RefineConfig,
        *,
        freedom: Floats | None = None,
        edge: float | None = None,
        device: torch.device,
    ) -> None:
        stiffness = config.stiffness
        if edge is not None:
            stiffness = min(stiffness * (edge / _mean_edge(vertices, triangles, freedom)) ** 2, STIFFEST)
        self.shape = SmoothShape(
            vertices, triangles, stiffness=stiffness, reach=config.reach, freedom=freedom, device=device
        )
        self._config = config
        self._triangles = torch.from_numpy(np.ascontiguousarray(triangles, np.int32)).to(device)
        ends = self.shape.rest[self.shape.edges]
        self._lengths = torch.linalg.vector_norm(ends[:, 0] - ends[:, 1], dim=-1)
        self._pairs = triangle_pairs(self._triangles)
        self._scale = float(self._lengths.mean()) if len(self._lengths) else 1.0
        self.now = self.shape.vertices()
        self._pull = torch.zeros_like(self.now)

    @property
    def active(self) -> bool:
        """Whether vertices may move at all."""
        return self._config.strength > 0.0

    def begin(self) -> Tensor:
        """Begin a step: return the vertices as they are, float32[V, 3], with gradients where they may move."""
        self.now = self.shape.vertices().requires_grad_(self.active)
        self._pull = torch.zeros_like(self.now)
        return self.now

    def leaves(self) -> list[Tensor]:
        """Return what gradients are asked for: the vertices, or nothing where none may move."""
        return [self.now] if self.active else []

    def add(self, gradient: Tensor | None) -> None:
        """Add to what pulls at the vertices in this step.

        gradient: float32[V, 3], or None where they were not seen.
        """
        if gradient is not None:
            self._pull += gradient

    def own_loss(self) -> Tensor:
        """Return the regularisers, weighed: neighbours' moves alike, edges as long as they were, no bumps."""
        settings, edges = self._config, self.shape.edges
        rough = roughness_loss(self.now - self.shape.rest, edges, self._scale)
        long = edge_loss(self.now, edges, self._lengths)
        bumpy = crease_loss(self.now, self._triangles, self._pairs)
        return settings.roughness * rough + settings.edges * long + settings.bumps * bumpy

    def pulls(self) -> list[Tensor]:
        """Return what pulls at the vertices in this step, which processes add up; nothing where none may move."""
        return [self._pull] if self.active else []

    def move(self, share: float, left_out: Tensor) -> None:
        """Make the step.

        share: float, of the rate.
        left_out: bool[], whether nothing is to change.
        """
        if self.active:
            self.shape.move(self._pull, RATE * self._config.strength * share, left_out)

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that a checkpoint needs."""
        return {f"shape.{name}": tensor for name, tensor in self.shape.state().items()}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state()` of the same surface returned, among others."""
        self.shape.load_state({name: tensors[f"shape.{name}"] for name in self.shape.state()})


def _mean_edge(vertices: Floats, triangles: Triangles, freedom: Floats | None) -> float:
    """The mean length of the edges of which an end may move, world units."""
    edges = edges_of(triangles)
    if freedom is not None:
        edges = edges[(freedom[edges] > 0.0).any(1)]
    lengths = np.linalg.norm(vertices[edges[:, 0]].astype(np.float64) - vertices[edges[:, 1]], axis=1)
    return max(float(lengths.mean()), 1e-6) if len(lengths) else 1.0
