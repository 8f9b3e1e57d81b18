"""FlexiCubes: a surface of a scalar lattice by dual marching cubes, with weights that gradients adjust.

Source: Shen 2023, "Flexible Isosurface Extraction for Gradient-Based Mesh Optimization", arXiv 2308.05371, section 4;
written from the paper's equations. Every loop of a cube (`cube_loops`) has a vertex
v = sum_e beta_e u_e / sum_e beta_e of the crossings u = (s_i a_i x_j - s_j a_j x_i) / (s_i a_i - s_j a_j) of its edges.
Every crossed edge has a quad of the four vertices around it. Corners x may move by less than half a cell.
Axis letters: N cells along the box, C = N^3 cubes, P = (N + 1)^3 corners, K crossings, V vertices, Q quads,
T triangles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.extraction.cube_loops import EDGES, cube_codes, cube_loops, manifold_turns
from dreamfusion_engine.mesh.arrays import Bools

RANGE = 0.99  # of the weights' tanh: alpha and beta stay in [1 - RANGE, 1 + RANGE]
REACH = 0.499  # cells: how far a corner may move, so that no cube turns over
_AROUND = np.tile([0, 1, 3, 2], 3)  # place of each edge's cube in the turn around the edge


@dataclass(frozen=True, kw_only=True)
class Surface:
    """An extracted surface.

    vertices: float[V, 3], world units, with gradients.
    triangles: int64[T, 3], facing outward.
    deviation: float[], world units: mean over vertices of how unequally far their crossings are (the paper's L_dev).
    """

    vertices: Tensor
    triangles: Tensor
    deviation: Tensor


@dataclass(frozen=True, kw_only=True)
class Topology:
    """Which vertices and quads the signs of a lattice give.

    cube: int64[K], cube of each crossing, in [0, C).
    edge: int64[K], edge in its cube, in [0, 12).
    ends: int64[K, 2], corners of that edge, in [0, P), the lower one first.
    vertex: int64[K], dual vertex that the crossing belongs to, in [0, V).
    count: int, V.
    quads: int64[Q, 4], crossings around each crossed edge of the lattice, facing outward.
    """

    cube: Tensor
    edge: Tensor
    ends: Tensor
    vertex: Tensor
    count: int
    quads: Tensor


def topology_of(inside: Bools) -> Topology:
    """Return the dual topology of a lattice.

    inside: bool[N + 1, N + 1, N + 1], of the corners; the outermost ones are outside.
    Raises ValueError where an outermost corner is inside: the surface would not close there.
    """
    size = inside.shape[0]
    if inside.sum() != inside[1:-1, 1:-1, 1:-1].sum():
        raise ValueError("Corners on the box's border are inside, so the surface would be open. Set them outside.")
    codes = cube_codes(inside)
    cubes = np.flatnonzero((codes > 0) & (codes < 255))
    loops = cube_loops(codes.reshape(-1)[cubes], manifold_turns(codes).reshape(-1)[cubes])
    first = np.cumsum(loops.max(1, initial=-1) + 1)
    row, edge = np.nonzero(loops >= 0)
    vertex = (first - loops.max(1, initial=-1) - 1)[row] + loops[row, edge]
    base = np.ravel_multi_index(np.unravel_index(cubes, codes.shape), inside.shape)
    step = np.array([size * size, size, 1])
    shift = np.array([[corner & 1, corner >> 1 & 1, corner >> 2 & 1] for corner in range(8)]) @ step
    ends = base[row][:, None] + shift[EDGES[edge]]
    # The four cubes around an edge, in their turn: those with the same axis and lower corner.
    order = np.lexsort((_AROUND[edge], ends[:, 0], edge // 4))
    quads = order.reshape(-1, 4)
    outward = inside.reshape(-1)[ends[quads[:, 0], 0]]
    quads = np.where(outward[:, None], quads, quads[:, ::-1])
    sent = [torch.from_numpy(np.ascontiguousarray(x)) for x in (cubes[row], edge, ends, vertex, quads)]
    return Topology(
        cube=sent[0],
        edge=sent[1],
        ends=sent[2],
        vertex=sent[3],
        count=int(first[-1]) if len(first) else 0,
        quads=sent[4],
    )


def crossings(scalars: Tensor, corners: Tensor, ends: Tensor, weights: Tensor) -> Tensor:
    """Return where edges are crossed, u, float[K, 3].

    scalars: float[P], s, negative inside.
    corners: float[P, 3], x, world units.
    ends: int64[K, 2], corners of each edge, of opposite signs.
    weights: float[K, 2], alpha of the two ends, above 0.
    """
    scaled = scalars[ends] * weights
    share = scaled[:, 0] / (scaled[:, 0] - scaled[:, 1])
    x = corners[ends]
    return x[:, 0] + share[:, None] * (x[:, 1] - x[:, 0])


def dual_surface(
    scalars: Tensor, corners: Tensor, alpha: Tensor, beta: Tensor, gamma: Tensor, *, fans: bool
) -> Surface:
    """Return the surface where the scalars change sign.

    scalars: float[N + 1, N + 1, N + 1], negative inside; the outermost are positive.
    corners: float[P, 3], world units, in the same order.
    alpha: float[C, 8], weights of the corners of each cube, above 0.
    beta: float[C, 12], weights of the edges, above 0.
    gamma: float[C], above 0; of the two diagonals of a quad, the one with the larger product splits it.
    fans: bool: True: each quad has a fifth vertex in its middle and four triangles, so that gamma has gradients;
        False: two triangles.
    """
    found = topology_of((scalars.detach() < 0.0).cpu().numpy())
    in_cube = torch.from_numpy(EDGES)[found.edge]
    weights = alpha[found.cube[:, None], in_cube]
    u = crossings(scalars.reshape(-1), corners, found.ends, weights)
    pull = beta[found.cube, found.edge]
    zero = u.new_zeros(found.count)
    total = zero.index_add(0, found.vertex, pull)
    mean = u.new_zeros(found.count, 3).index_add(0, found.vertex, pull[:, None] * u) / total[:, None]
    quads = found.vertex[found.quads]
    diagonals = gamma[found.cube[found.quads]]
    first, second = diagonals[:, 0] * diagonals[:, 2], diagonals[:, 1] * diagonals[:, 3]
    if fans:
        place = mean[quads]
        across = torch.stack([place[:, 0] + place[:, 2], place[:, 1] + place[:, 3]], 1) * 0.5
        middle = (first[:, None] * across[:, 0] + second[:, None] * across[:, 1]) / (first + second)[:, None]
        own = found.count + torch.arange(len(quads))
        ring = torch.stack([quads, quads.roll(-1, 1)], -1)
        triangles = torch.cat([ring, own[:, None, None].expand(-1, 4, 1)], -1).reshape(-1, 3)
        return Surface(vertices=torch.cat([mean, middle]), triangles=triangles, deviation=_deviation(u, mean, found))
    turned = torch.where((first >= second)[:, None], quads, quads.roll(-1, 1))
    triangles = turned[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    return Surface(vertices=mean, triangles=triangles, deviation=_deviation(u, mean, found))


def _deviation(u: Tensor, mean: Tensor, found: Topology) -> Tensor:
    """Mean over vertices of the mean absolute deviation of |v - u_e|."""
    length = torch.sqrt((u - mean[found.vertex]).square().sum(-1) + 1e-12)
    each = length.new_zeros(found.count)
    number = each.index_add(0, found.vertex, torch.ones_like(length))
    middle = each.index_add(0, found.vertex, length) / number
    return (each.index_add(0, found.vertex, (length - middle[found.vertex]).abs()) / number).mean()


class FlexibleCubes(nn.Module):
    """The parameters of a surface: scalars, weights and moves of a lattice over [-half, half]^3.

    scalars: float32[N + 1, N + 1, N + 1], at first, negative inside; the outermost are held outside.
    half: float, world units.
    """

    def __init__(self, scalars: Tensor, half: float) -> None:
        super().__init__()
        cells = scalars.shape[0] - 1
        axis = torch.linspace(-half, half, cells + 1)
        self.cell = 2.0 * half / cells
        self.corners = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(-1, 3)
        self.scalars = nn.Parameter(scalars.clone())
        self.moves = nn.Parameter(torch.zeros_like(self.corners))
        self.alpha = nn.Parameter(torch.zeros(cells**3, 8))
        self.beta = nn.Parameter(torch.zeros(cells**3, 12))
        self.gamma = nn.Parameter(torch.zeros(cells**3))

    def surface(self, *, fans: bool) -> Surface:
        """Return the surface as it is now. fans: as for `dual_surface`."""
        return dual_surface(
            closed(self.scalars),
            self.corners + REACH * self.cell * torch.tanh(self.moves),
            1.0 + RANGE * torch.tanh(self.alpha),
            1.0 + RANGE * torch.tanh(self.beta),
            torch.sigmoid(self.gamma),
            fans=fans,
        )


def closed(scalars: Tensor) -> Tensor:
    """Return the scalars with positive ones on the border, so that the surface closes.

    scalars: float[N + 1, N + 1, N + 1].
    """
    inner = torch.zeros_like(scalars, dtype=torch.bool)
    inner[1:-1, 1:-1, 1:-1] = True
    return torch.where(inner, scalars, scalars.detach().abs().clamp_min(1e-3))


def sign_loss(scalars: Tensor) -> Tensor:
    """Return how sure the ends of crossed edges are of their signs: it makes surfaces go that no view sees.

    It is the mean of H(sigma(s_i), sign(s_j)) + H(sigma(s_j), sign(s_i)), H the cross entropy; 0 without crossed edges.

    scalars: float[N + 1, N + 1, N + 1].
    Source: Munkberg 2022, arXiv 2111.12503, on signs that no view sees.
    """
    losses = []
    for axis in range(3):
        low, high = scalars.narrow(axis, 0, scalars.shape[0] - 1), scalars.narrow(axis, 1, scalars.shape[0] - 1)
        crossed = (low < 0.0) != (high < 0.0)
        a, b = low[crossed], high[crossed]
        entropy = nn.functional.binary_cross_entropy_with_logits
        losses += [entropy(a, (b > 0.0).to(a), reduction="none"), entropy(b, (a > 0.0).to(a), reduction="none")]
    whole = torch.cat(losses)
    return 2.0 * whole.sum() / max(len(whole), 1)
