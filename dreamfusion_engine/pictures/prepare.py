"""From a given picture to a cut-out: the object alone, with alpha, cropped. H, W: pixels."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import WholeCutOut
from dreamfusion_engine.pictures.cut_out import cut_out
from dreamfusion_engine.pictures.decode import Floats, decoded, resized
from dreamfusion_engine.pictures.given import GivenPicture, check_number
from dreamfusion_engine.pictures.viewpoint import Viewpoint

SIDE = 512  # pixels along the longer side of a cut-out, at most
MARGIN = 0.04  # of the object's longer side, around it
LEAST_SIDE = 12  # pixels of the object
LEAST_SHARE = 0.001  # of the picture that the object must have
_SOLID = 0.95  # share of a pixel above which it shows the object alone
_ASPECTS_APART = 0.03  # share by which a mask's shape may differ from the picture's
_CHECKER = 16, 0.55, 0.7  # pixels of a square behind a preview, and its greys

_BY_HAND = "Give a mask, a picture that is white where the object is and black elsewhere: --mask FILE after the "
_FIX_MASK = _BY_HAND + "--image. Or paint the background's alpha away and save as PNG."


@dataclass(frozen=True)
class CutOut:
    """An object that was cut out of a picture.

    png: bytes of a PNG with alpha, cropped to the object.
    viewpoint: Viewpoint that it shows the object from.
    by: what its mask is from: 'alpha', 'mask' or 'colours'.
    share: float in (0, 1], of the whole picture that it covers.
    cropped: bool, whether the object reaches the edge of the picture, and may go on beyond it.
    """

    png: bytes
    viewpoint: Viewpoint
    by: str = "alpha"
    share: float = 1.0
    cropped: bool = False

    def pixels(self) -> Floats:
        """Return float32[H, W, 4], sRGB and alpha in [0, 1]; colours are not multiplied by alpha.

        Raises ValueError for what `prepared` did not make.
        """
        try:
            with Image.open(io.BytesIO(self.png), formats=("PNG",)) as picture:
                if max(picture.size) > SIDE or picture.mode != "RGBA":
                    raise ValueError(f"{picture.size} pixels of {picture.mode}")
                return np.asarray(picture, np.float32) / 255.0
        except Exception as error:  # the file may have been changed in its folder: the decoder raises what it likes
            raise ValueError(f"no cut-out: {error}") from error

    def preview(self) -> bytes:
        """Return a PNG of it over a checker of greys, on which white and black objects and holes show."""
        pixels = self.pixels()
        square, dark, light = _CHECKER
        y, x = np.indices(pixels.shape[:2]) // square
        behind = np.where((x + y) % 2, dark, light)[..., None]
        over = pixels[..., :3] * pixels[..., 3:] + behind * (1.0 - pixels[..., 3:])
        return _png(over)


def prepared(pictures: Sequence[GivenPicture]) -> tuple[CutOut, ...]:
    """Return the objects of given pictures, each alone.

    pictures: GivenPictures.
    Raises InputError for pictures that cannot be read, that show nothing, or are two of one view.
    """
    check_number(pictures)
    return tuple(_prepared(picture) for picture in pictures)


def whole(picture: GivenPicture) -> WholeCutOut:
    """Return a given picture as a whole, with the alpha by which `prepared` cuts its object out.

    picture: GivenPicture.
    Raises InputError as `prepared`.
    """
    colour, alpha, by = _masked(picture)
    found = _cropped(colour, alpha, by, picture)
    png = _png(np.concatenate([_of_inside(colour, alpha, by), alpha[..., None]], -1))
    return WholeCutOut(by=by, cropped=found.cropped, png=png)


def digest_of(cut_outs: Sequence[CutOut]) -> str:
    """Return the SHA-256 of cut-outs and their viewpoints, hex; "" for none."""
    if not cut_outs:
        return ""
    whole = hashlib.sha256()
    for each in cut_outs:
        whole.update(repr((each.viewpoint, len(each.png))).encode() + each.png)
    return whole.hexdigest()


def _prepared(given: GivenPicture) -> CutOut:
    colour, alpha, by = _masked(given)
    return _cropped(colour, alpha, by, given)


def _masked(given: GivenPicture) -> tuple[Floats, Floats, str]:
    """Colours float32[H, W, 3], the object's share of each pixel float32[H, W], and what that is from."""
    picture = decoded(given.data, given.name)
    colour = picture.colour
    if given.mask:
        by, alpha = "mask", _mask(given, *colour.shape[:2])
    elif picture.alpha is not None:
        by, alpha = "alpha", picture.alpha
        if alpha.max() < 0.5 or (alpha > 0.5).mean() < LEAST_SHARE:
            raise InputError(
                "input.picture_empty",
                what="The picture is transparent.",
                why=f"Alpha is the object's mask, and nothing in {given.name} is opaque.",
                fix="Save it without alpha, so that the object is cut out by its colours. " + _BY_HAND + "--image.",
            )
    else:
        found = cut_out(colour)
        if found is None:
            raise InputError(
                "input.picture_no_object",
                what="No object was found in the picture.",
                why=f"{given.name} has no alpha, and no part of it stands out from the colours at its rim.",
                fix=_FIX_MASK,
            )
        by, alpha = "colours", found
    return colour, alpha, by


def _mask(given: GivenPicture, height: int, width: int) -> Floats:
    """The mask that goes with a picture, float32[H, W]: its alpha where it has one, else how white it is."""
    mask = decoded(given.mask, f"the mask of {given.name}", "mask")
    levels = mask.colour.mean(-1) if mask.alpha is None else mask.alpha * mask.colour.max(-1)
    rows, columns = levels.shape
    if abs(columns * height / (rows * width) - 1.0) > _ASPECTS_APART:
        raise InputError(
            "input.mask",
            what="The mask has another shape than its picture.",
            why=f"As they are read, the mask has {columns} x {rows} pixels and {given.name} {width} x {height}.",
            fix="Save the mask with the picture's width and height.",
        )
    levels = resized(levels.astype(np.float32), height, width)
    share = float((levels > 0.5).mean())
    if not LEAST_SHARE < share < 0.999:
        raise InputError(
            "input.mask",
            what="The mask shows no object.",
            why=f"{share:.1%} of it is white; white is the object, black is not.",
            fix="Paint the object white and the rest black. Without a mask the object is cut out by its colours.",
        )
    return levels


def _cropped(colour: Floats, alpha: Floats, by: str, given: GivenPicture) -> CutOut:
    """The object with a margin, SIDE pixels at most, in the colours of its inside up to its edge."""
    rows, columns = (np.flatnonzero((alpha > 0.5).any(axis)) for axis in (1, 0))
    height, width = alpha.shape
    if min(len(rows), len(columns)) < LEAST_SIDE // 4 or max(rows.size, columns.size) < LEAST_SIDE:
        raise InputError(
            "input.picture_no_object",
            what="The object in the picture is too small.",
            why=f"In {given.name} it has {len(columns)} x {len(rows)} pixels.",
            fix="Give a picture in which it is larger.",
        )
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    cropped = by != "alpha" and (top == 0 or bottom == height or left == 0 or right == width)
    rim = max(2, round(MARGIN * max(bottom - top, right - left)))
    box = np.s_[max(0, top - rim) : bottom + rim, max(0, left - rim) : right + rim]
    share, colour, alpha = float((alpha > 0.5).mean()), _of_inside(colour[box], alpha[box], by), alpha[box]
    scale = min(1.0, SIDE / max(alpha.shape))
    high, wide = (max(1, round(scale * side)) for side in alpha.shape)
    weighted = resized(np.concatenate([colour * alpha[..., None], alpha[..., None]], -1), high, wide)
    alpha = weighted[..., 3:]
    plain = np.clip(weighted[..., :3] / np.maximum(alpha, 1e-4), 0.0, 1.0)
    png = _png(np.concatenate([plain, alpha], -1))
    return CutOut(png=png, viewpoint=given.viewpoint, by=by, share=share, cropped=cropped)


def _of_inside(colour: Floats, alpha: Floats, by: str) -> Floats:
    """The colours, but at the object's edge those of its inside: there pixels hold the background's colour too."""
    inside = ndimage.minimum_filter(alpha, 3) > _SOLID
    if by == "alpha" or not inside.any():
        return colour
    near = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return np.where((~inside & (alpha > 0.0))[..., None], colour[tuple(near)], colour)


def _png(pixels: Floats) -> bytes:
    """The bytes of a PNG of float32[H, W, 3 or 4] in [0, 1]."""
    buffer = io.BytesIO()
    Image.fromarray((pixels * 255.0 + 0.5).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
