"""Fit placed cut-outs to an object that has begun to take shape: the object's own size decides, not a guess.

What counts of a mask is its middle and its spread, the standard deviations along rows and columns: unlike a box they
do not hang on the outermost pixel. V: pictures, S: pixels along a render.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dreamfusion_engine.pictures.decode import Floats
from dreamfusion_engine.pictures.placing import TARGET_PIXELS, Doubles, Placement, object_box, placed

SOLID = 0.5  # a render's pixel with at least this opacity is of the object; the haze around it is not
LEAST_SHARE = 0.004  # of a view's pixels that must be of the object, or nothing is measured there
FACTORS = (0.4, 2.0)  # the fitted over the guessed size: nothing beyond is believed
FARTHEST = 0.25  # image heights from the middle of the view to the middle of a placed object's box


@dataclass(frozen=True)
class Fitting:
    """Cut-outs whose places in their views can be measured anew.

    pixels: V cut-outs, float32[H, W, 4].
    guessed: V Placements, as they were put from the pictures alone.
    """

    pixels: tuple[Floats, ...]
    guessed: tuple[Placement, ...]

    @property
    def guess(self) -> Doubles:
        """Where the pictures alone put them: float64[V, 3], scale, across, down."""
        return np.array([[each.scale, each.across, each.down] for each in self.guessed])

    def fitted(self, opacity: Floats) -> Doubles:
        """Return where the cut-outs lie as what a field shows has it: float64[V, 3], scale, across, down.

        The scales of the guess are all multiplied by one factor, so that the spreads fit in the least-squares sense.
        Where a view shows no object, its picture keeps its place.

        opacity: float32[V, S, S] in [0, 1], renders from the cameras of the pictures.
        """
        seen = [middle_and_spread(np.where(each >= SOLID, each, 0.0)) / len(each) for each in opacity]
        shown = [float((each >= SOLID).mean()) >= LEAST_SHARE for each in opacity]
        given = [middle_and_spread(each[..., 3]) for each in self.pixels]
        factor = common_factor(
            [where.scale * mask[2:] for where, mask, there in zip(self.guessed, given, shown, strict=True) if there],
            [view[2:] for view, there in zip(seen, shown, strict=True) if there],
        )
        rows = []
        for where, mask, view, there, pixels in zip(self.guessed, given, seen, shown, self.pixels, strict=True):
            moved = replace(where, scale=factor * where.scale)
            if there:
                left, right, top, bottom = object_box(pixels[..., 3])
                # From the middle of the mask to that of its box, which a placement is about.
                beside = moved.scale * (0.5 * np.array([left + right, top + bottom]) - mask[:2])
                across, down = np.clip(view[:2] - 0.5 + beside, -FARTHEST, FARTHEST)
                moved = replace(moved, across=float(across), down=float(down))
            rows.append([moved.scale, moved.across, moved.down])
        return np.array(rows)

    def factor(self, rows: Doubles) -> float:
        """Return the fitted over the guessed size.

        rows: float64[V, 3], of `fitted`.
        """
        return float(rows[0, 0] / self.guessed[0].scale)

    def views(self, rows: Doubles, size: int = TARGET_PIXELS) -> Floats:
        """Return the views that show the cut-outs in their places, float32[V, 4, size, size], premultiplied.

        rows: float64[V, 3], of `guess` or `fitted`.
        size: int, pixels along a view.
        """
        views = [placed(each, Placement(*map(float, row)), size) for each, row in zip(self.pixels, rows, strict=True)]
        return np.ascontiguousarray(np.moveaxis(np.stack(views), -1, 1))


def middle_and_spread(mask: Floats | Doubles) -> Doubles:
    """Return x and y of a mask's middle, and its standard deviations along x and y: float64[4], pixels.

    mask: float[H, W] in [0, 1]; of an empty one all are 0.
    """
    total = max(float(mask.sum(dtype=np.float64)), 1e-9)
    middles, spreads = [], []
    for axis in (0, 1):
        weight = mask.sum(axis, dtype=np.float64) / total
        at = np.arange(len(weight)) + 0.5
        middle = float((weight * at).sum())
        middles.append(middle)
        # A pixel is as wide as a pixel: without its 1/12 a few pixels would count as narrower than many.
        spreads.append(float(np.sqrt((weight * ((at - middle) ** 2 + 1.0 / 12.0)).sum())))
    return np.array(middles + spreads)


def common_factor(guessed: Sequence[Doubles], seen: Sequence[Doubles]) -> float:
    """Return the f within FACTORS with the least sum of squares of f * guessed - seen; 1 without any.

    guessed, seen: float64[2], widths and heights.
    """
    if not guessed:
        return 1.0
    a, b = np.concatenate(guessed), np.concatenate(seen)
    return float(np.clip((a * b).sum() / max(float((a * a).sum()), 1e-12), *FACTORS))
