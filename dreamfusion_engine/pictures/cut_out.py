"""Cut the object out of a picture without alpha: models of colour, and the cheapest border between them. No network.

The background is what the picture's rim shows. Then, in turns, the colours of both sides are learnt anew and the border
is found that cuts through as few likenesses as possible (GrabCut, Rother 2004). H, W: pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from dreamfusion_engine.pictures.colour_model import Doubles, Mixture, backdrop_of, mixture_of
from dreamfusion_engine.pictures.decode import Floats, resized

WORK_SIDE = 224  # pixels along the longer side of what is cut
RIM_SHARE = 0.025  # of the picture's longer side: its rim is background, but where the object touches it
ROUNDS = 4
CERTAIN = 9.0  # largest difference of two log densities that counts: no colour is certain
DISTINCT = 5.0  # how much less likely than the rim's own the colour of the first guess is
SMOOTH = 7.0  # largest spread of a smooth backdrop, in L*a*b*
BORDER = 6.0  # cost of a border between two pixels that are alike
SMALL_PART = 0.04  # of the largest part: smaller ones are specks
SMALL_HOLE = 0.0008  # of the picture
_CAPACITY = 100.0  # whole numbers in the graph for one unit of cost

Mask = NDArray[np.bool_]


def cut_out(colour: Floats) -> Floats | None:
    """Return the share of each pixel that the object has, float32[H, W]; None where no object stands out.

    colour: float32[H, W, 3], sRGB in [0, 1].
    """
    height, width = colour.shape[:2]
    scale = min(1.0, WORK_SIDE / max(height, width))
    small = resized(colour, max(8, round(height * scale)), max(8, round(width * scale)))
    mask = _cut(_lab(small))
    if mask is None:
        return None
    return _softened(mask, colour)


def _lab(colour: Floats) -> Doubles:
    from skimage.color import rgb2lab  # slow to import

    return np.asarray(rgb2lab(colour), np.float64)


def _cut(picture: Doubles) -> Mask | None:
    """bool[H, W] of a small picture, L*a*b*."""
    rim = np.ones(picture.shape[:2], bool)
    deep = max(2, round(RIM_SHARE * max(rim.shape)))
    rim[deep:-deep, deep:-deep] = False
    backdrop, explained = backdrop_of(picture, rim)
    smooth = backdrop.spread < SMOOTH and explained.sum() > 0.6 * rim.sum()  # else the rim has many colours
    certain = explained if smooth else _known_elsewhere(picture, rim, deep)
    behind = mixture_of(picture[certain])
    unlikely = backdrop.log_density(picture) if smooth else np.full(rim.shape, -np.inf)
    unlikely = np.maximum(unlikely, _of(behind, picture))
    usual = float(np.percentile(unlikely[certain], 5.0))
    mask = _main_parts((unlikely < usual - DISTINCT) & ~certain)
    if mask is None:
        return None
    likeness = _likeness(picture)
    for _ in range(ROUNDS):
        if mask.all() or not mask.any():
            return None
        if smooth:
            backdrop, _ = backdrop_of(picture, ~mask)
        behind, object_ = mixture_of(picture[~mask]), mixture_of(picture[mask])
        ground = _of(behind, picture)
        if smooth:
            ground = np.maximum(ground, backdrop.log_density(picture))
        wish = np.clip(_of(object_, picture) - ground, -CERTAIN, CERTAIN)
        wish[certain] = -10.0 * CERTAIN
        new = _cheapest_border(wish, likeness)
        if (new == mask).all():
            break
        mask = new
    whole = _main_parts(mask)
    if whole is None:
        return None
    return whole if 0.002 < whole.mean() < 0.97 else None


def _known_elsewhere(picture: Doubles, rim: Mask, deep: int) -> Mask:
    """The pixels of the rim whose colours are on other sides of the picture too: an object may touch one side."""
    known = rim.copy()
    for side in (np.s_[:deep], np.s_[-deep:], np.s_[:, :deep], np.s_[:, -deep:]):
        others = rim.copy()
        others[side] = False
        model = mixture_of(picture[others])
        usual = np.percentile(model.log_density(picture[others]), 5.0)
        known[side] &= _of(model, picture[side]) > usual - DISTINCT
    return known if known.sum() > rim.sum() // 4 else rim


def _of(model: Mixture, picture: Doubles) -> Doubles:
    return model.log_density(picture.reshape(-1, 3)).reshape(picture.shape[:2])


_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # to four of a pixel's eight neighbours


def _ends(values: NDArray[Any], step: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The values at both ends of every pair of neighbours one step apart."""
    down, right = step
    height, width = values.shape[:2]
    if right < 0:
        return values[: height - down, -right:], values[down:, :right]
    return values[: height - down, : width - right], values[down:, right:]


def _likeness(picture: Doubles) -> list[Doubles]:
    """For each step the cost of a border between the two, float64: BORDER exp(-d^2 / 2 mean d^2) / length."""
    apart = [((a - b) ** 2).sum(-1) for a, b in (_ends(picture, step) for step in _STEPS)]
    usual = max(2.0 * float(np.mean([each.mean() for each in apart])), 1e-6)
    lengths = [np.hypot(*step) for step in _STEPS]
    return [BORDER * np.exp(-each / usual) / length for each, length in zip(apart, lengths, strict=True)]


def _cheapest_border(wish: Doubles, likeness: list[Doubles]) -> Mask:
    """The mask of lowest cost: sum of -wish inside, and of the likeness of neighbours that its border parts.

    It is the minimum cut of a graph (Boykov & Jolly 2001).
    """
    numbers = np.arange(wish.size, dtype=np.int32).reshape(wish.shape)
    source, sink = wish.size, wish.size + 1
    flat = wish.ravel()
    starts = [np.full(wish.size, source), numbers.ravel()]
    stops = [numbers.ravel(), np.full(wish.size, sink)]
    costs = [np.maximum(flat, 0.0), np.maximum(-flat, 0.0)]
    for step, cost in zip(_STEPS, likeness, strict=True):
        a, b = (each.ravel() for each in _ends(numbers, step))
        starts += [a, b]
        stops += [b, a]
        costs += [cost.ravel(), cost.ravel()]
    capacity = np.round(_CAPACITY * np.concatenate(costs)).astype(np.int32)
    places = (np.concatenate(starts), np.concatenate(stops))
    graph = csr_matrix((capacity, places), shape=(wish.size + 2, wish.size + 2))
    left = graph - maximum_flow(graph, source, sink).flow
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    inside = np.zeros(wish.size + 2, bool)
    inside[reached] = True
    return inside[: wish.size].reshape(wish.shape)


def _main_parts(mask: Mask) -> Mask | None:
    """The mask without specks and tiny holes; None where nothing is left."""
    parts, count = ndimage.label(mask)
    if count == 0:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    kept = np.concatenate([[False], sizes >= SMALL_PART * sizes.max()])[parts]
    holes, count = ndimage.label(~kept)
    if count:
        sizes = np.bincount(holes.ravel())
        sizes[0] = mask.size  # the label of the object itself
        kept = kept | (sizes < SMALL_HOLE * mask.size)[holes]
    return np.asarray(kept, bool)


def _softened(mask: Mask, colour: Floats) -> Floats:
    """The mask at the picture's size, its edge moved to the picture's own edges (guided filter, He 2013)."""
    height, width = colour.shape[:2]
    guess = resized(mask.astype(np.float32), height, width)
    guide = colour.mean(-1)
    reach = max(1, round(1.5 * max(height, width) / max(mask.shape)))

    def near(values: NDArray[np.floating]) -> Floats:
        return np.asarray(ndimage.uniform_filter(values, 2 * reach + 1, mode="nearest"), np.float32)

    mean, level = near(guess), near(guide)
    slope = (near(guess * guide) - mean * level) / (near(guide * guide) - level * level + 1e-3)
    soft = near(slope) * guide + near(mean - slope * level)
    return np.clip((soft - 0.5) * 2.0 + 0.5, 0.0, 1.0).astype(np.float32)
