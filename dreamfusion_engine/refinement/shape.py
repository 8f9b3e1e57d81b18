"""The vertices of a surface as smooth moves from where they began.

x = x_0 + w P d with P = (I + lambda L)^-1: steps are made on d, so a pull at one vertex moves its neighbours too and no
spike grows. L is the Laplacian of the mesh's edges (degree minus adjacency). The step is Adam's with one second
moment for all vertices, its largest, because one for each would undo the smoothing.
Source: Nicolet 2021, "Large Steps in Inverse Rendering of Geometry", ACM TOG 40(6), eq. 9-12 and section 4.
Axis letters: V vertices, T triangles, E edges.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.surface.topology import Triangles, directed_edges
from dreamfusion_engine.render.surface.antialias import edge_neighbours
from dreamfusion_engine.render.surface.normals import face_normals

MOST_TRIANGLES = 500_000  # of a surface that moves: the linear system of so many takes some 700 MiB
CREASE = 0.3  # length of the difference of two unit normals: 17 degrees; more is a crease, which stays
_BETAS = (0.9, 0.999)  # Nicolet 2021, section 4


class SmoothShape:
    """Vertices, and the moves that are optimized.

    vertices: float32[V, 3], where they begin, world units.
    triangles: int[T, 3].
    stiffness: float, lambda, 0 or more.
    reach: float, world units, how far a vertex may be from where it began.
    freedom: float32[V] in [0, 1], how much of its move each vertex makes; 0: it stays bit for bit. None: all of it.
    device: torch.device of the vertices. The linear system is solved on the host.
    """

    def __init__(
        self,
        vertices: Floats,
        triangles: Triangles,
        *,
        stiffness: float,
        reach: float,
        freedom: Floats | None = None,
        device: torch.device,
    ) -> None:
        self.rest = torch.from_numpy(np.ascontiguousarray(vertices, np.float32)).to(device)
        share = np.ones(len(vertices), np.float32) if freedom is None else np.asarray(freedom, np.float32)
        self.freedom = torch.from_numpy(share.copy()).to(device)[:, None]
        self.reach = reach
        self.edges = torch.from_numpy(edges_of(triangles)).to(device)
        self._smooth = splu(
            system(len(vertices), triangles, stiffness),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        self._moves = torch.zeros_like(self.rest)
        self._first = torch.zeros_like(self.rest)
        self._second = torch.zeros((), device=device)
        self._count = torch.zeros((), device=device)

    def vertices(self) -> Tensor:
        """Return the vertices as they are now, float32[V, 3], a new tensor."""
        move = self._smoothed(self._moves)
        length = torch.linalg.vector_norm(move, dim=-1, keepdim=True)
        move = self.freedom * move * (self.reach / length.clamp_min(1e-12)).clamp(max=1.0)
        return torch.where(self.freedom > 0.0, self.rest + move, self.rest)

    def move(self, gradient: Tensor, rate: float, left_out: Tensor) -> None:
        """Make a step of the optimizer.

        gradient: float32[V, 3], of the vertices.
        rate: float, world units: how far a step moves what is pulled most, about.
        left_out: bool[], whether nothing is to change.
        """
        pull = self._smoothed(torch.where(left_out, 0.0, self.freedom * gradient))
        count = self._count + 1.0
        first = _BETAS[0] * self._first + (1.0 - _BETAS[0]) * pull
        second = _BETAS[1] * self._second + (1.0 - _BETAS[1]) * pull.abs().max().square()
        scale = torch.sqrt(second / (1.0 - _BETAS[1] ** count)).clamp_min(1e-20)
        step = rate * first / (1.0 - _BETAS[0] ** count) / scale
        for kept, new in (
            (self._moves, self._moves - step),
            (self._first, first),
            (self._second, second),
            (self._count, count),
        ):
            kept.copy_(torch.where(left_out, kept, new))

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that a checkpoint needs."""
        return {"moves": self._moves, "first": self._first, "second": self._second, "count": self._count}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state()` of the same surface returned."""
        for name, kept in self.state().items():
            kept.copy_(tensors[name])

    def _smoothed(self, values: Tensor) -> Tensor:
        """P values, float32[V, 3]."""
        solved = self._smooth.solve(values.detach().cpu().double().numpy())
        return torch.from_numpy(solved.astype(np.float32)).to(values.device)


def system(count: int, triangles: Triangles, stiffness: float) -> sparse.csc_matrix:
    """Return I + lambda L, float64[V, V].

    count: int, V.
    triangles: int[T, 3].
    stiffness: float, lambda.
    """
    start, end = edges_of(triangles).T
    ones = np.ones(len(start))
    half = sparse.coo_matrix((ones, (start, end)), (count, count))
    adjacency = (half + half.T).tocsr()
    degree = sparse.diags(np.asarray(adjacency.sum(1)).ravel())
    return (sparse.identity(count) + stiffness * (degree - adjacency)).tocsc()


def edges_of(triangles: Triangles) -> NDArray[np.int64]:
    """Return every edge once, int64[E, 2], the smaller vertex first; edges from a vertex to itself are left out.

    triangles: int[T, 3].
    """
    edges = np.sort(directed_edges(triangles), 1)
    return np.unique(edges[edges[:, 0] != edges[:, 1]], axis=0)


def roughness_loss(move: Tensor, edges: Tensor, scale: float) -> Tensor:
    """Return the mean over edges of the squared difference of the two ends' moves, over the square of the mean edge.

    move: float32[V, 3], world units.
    edges: int64[E, 2].
    scale: float, mean length of an edge at first, world units.
    """
    if not len(edges):
        return move.sum() * 0.0
    difference = move.index_select(0, edges[:, 0]) - move.index_select(0, edges[:, 1])
    return difference.square().sum(-1).mean() / scale**2


def crease_loss(vertices: Tensor, triangles: Tensor, pairs: Tensor) -> Tensor:
    """Return the mean over pairs of triangles of log(1 + |n_i - n_j|^2 / e^2), e = CREASE: bumps go, creases stay.

    A pair weighs as much as the smaller one's area. So a sliver, whose normal turns at a touch, pulls no harder than it
    is large.

    vertices: float32[V, 3], world units.
    triangles: int[T, 3].
    pairs: int64[P, 2], triangles that share an edge.
    Source: the Lorentzian of Black 1998, "Robust anisotropic diffusion", IEEE TIP 7(3), on normals.
    """
    if not len(pairs):
        return vertices.sum() * 0.0
    normal = face_normals(vertices, triangles)
    step = normal.index_select(0, pairs[:, 0]) - normal.index_select(0, pairs[:, 1])
    corners = vertices.detach()[triangles.long()]
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=-1).norm(dim=-1)
    weight = torch.minimum(area.index_select(0, pairs[:, 0]), area.index_select(0, pairs[:, 1]))
    turned = torch.log1p(step.square().sum(-1) / CREASE**2)
    return (weight * turned).sum() / weight.sum().clamp_min(1e-20)


def triangle_pairs(triangles: Tensor) -> Tensor:
    """Return the pairs of triangles that share an edge, int64[P, 2], each once.

    triangles: int[T, 3].
    """
    beside = edge_neighbours(triangles).long()
    own = torch.arange(len(triangles), device=triangles.device)[:, None].expand_as(beside)
    pairs = torch.stack([own, beside], -1).view(-1, 2)
    return pairs[pairs[:, 1] > pairs[:, 0]]


def edge_loss(vertices: Tensor, edges: Tensor, lengths: Tensor) -> Tensor:
    """Return sum (l - l_0)^2 / sum l_0^2 over edges of length l, so that no triangle shrinks to a line.

    An edge weighs as much as the square of its length: one that is nearly a point does not outweigh all others.

    vertices: float32[V, 3], world units.
    edges: int64[E, 2].
    lengths: float32[E], at first, l_0.
    """
    if not len(edges):
        return vertices.sum() * 0.0
    ends = vertices.index_select(0, edges[:, 0]) - vertices.index_select(0, edges[:, 1])
    now = torch.sqrt(ends.square().sum(-1) + 1e-20)
    return (now - lengths).square().sum() / lengths.square().sum().clamp_min(1e-20)
