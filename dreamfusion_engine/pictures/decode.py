"""Decode a stranger's picture of any usual kind to sRGB colours and alpha. Bounded before anything is unpacked.

H, W: pixels. Turned by its EXIF note; colours brought to sRGB by its profile; 16 bits, palettes, greys and CMYK read.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.pictures.given import check_size

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "TGA")
PIXEL_LIMIT = 1 << 26  # 8192 x 8192, from the header; decoded they take 256 MiB
SIDE_LEAST, SIDE_MOST = 16, 1 << 15  # pixels
KEPT_SIDE = 1024  # pixels along the longer side of what is handed on
_PROFILE_LIMIT = 1 << 22  # bytes of a colour profile
_SEE_THROUGH = 250  # of 255: alpha above it everywhere is the noise of a file that was saved with an alpha channel

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Decoded:
    """A picture.

    colour: float32[H, W, 3], sRGB in [0, 1].
    alpha: float32[H, W] in [0, 1]; None where it has none, or is opaque everywhere.
    """

    colour: Floats
    alpha: Floats | None


def decoded(data: bytes, name: str, kind: str = "picture") -> Decoded:
    """Return the pixels of a picture, KEPT_SIDE along its longer side at most.

    data: bytes of its file.
    name: str, for messages.
    kind: str, 'picture' or 'mask', for messages.
    Raises InputError for a file that is empty, is no picture, is broken, too large or too small.
    """
    check_size(len(data), name, kind)
    if not data:
        raise _unreadable(kind, f"{name} is an empty file.", "Save or copy it again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd files; the size, which it also warns of, is checked here
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                _check_pixels(*picture.size, name, kind)
                return _pixels(picture)
    except InputError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, above this module's
        raise _too_large(kind, f"{name} has more pixels than the limit of {PIXEL_LIMIT:,}") from error
    except Exception as error:  # a stranger's picture: each of Pillow's decoders raises what it likes
        unknown = isinstance(error, UnidentifiedImageError)
        why = f"{name} is " + (f"none of {', '.join(FORMATS)}." if unknown else f"broken: {error}.")
        raise _unreadable(kind, why, "Open it in a picture editor and save it as PNG.") from error


def _check_pixels(width: int, height: int, name: str, kind: str) -> None:
    has = f"{name} has {width:,} x {height:,} pixels"
    if width * height > PIXEL_LIMIT:
        raise _too_large(kind, f"{has}; {PIXEL_LIMIT:,} pixels are the limit")
    if max(width, height) > SIDE_MOST:
        raise _too_large(kind, f"{has}; {SIDE_MOST:,} along a side are the limit")
    if min(width, height) < SIDE_LEAST:
        raise InputError(
            f"input.{kind}",
            what=f"The {kind} is too small.",
            why=f"{has}; each side needs {SIDE_LEAST}.",
            fix=f"Give a larger {kind}: 512 pixels along a side are good.",
        )


def _unreadable(kind: str, why: str, fix: str) -> InputError:
    return InputError(f"input.{kind}", what=f"The {kind} cannot be read.", why=why, fix=fix)


def _too_large(kind: str, why: str) -> InputError:
    return InputError(
        "input.picture_large",
        what=f"The {kind} is too large.",
        why=f"{why}.",
        fix="Save a smaller copy: 2,000 pixels along a side are more than enough.",
    )


def _pixels(picture: Image.Image) -> Decoded:
    if picture.format == "JPEG":
        picture.draft(None, (2 * KEPT_SIDE, 2 * KEPT_SIDE))  # unpacks a large one at a half, a quarter or an eighth
    profile = picture.info.get("icc_profile")
    turned = ImageOps.exif_transpose(picture)
    if turned.mode[0] in "IF":
        grey = _shrunk(_grey_levels(turned))
        return Decoded(np.repeat(grey[..., None], 3, -1), None)
    seen_through = _alpha(turned)
    colours = _in_srgb(turned, profile)
    if seen_through is None:
        return Decoded(_shrunk(np.asarray(_reduced(colours), np.float32) / 255.0), None)
    # Colours do not count where they are transparent: they are weighted by alpha as the picture shrinks.
    weighted = Image.merge("RGBA", (*colours.split(), seen_through)).convert("RGBa")
    small = _shrunk(np.asarray(_reduced(weighted), np.float32) / 255.0)
    alpha = small[..., 3]
    return Decoded(np.clip(small[..., :3] / np.maximum(alpha, 1e-4)[..., None], 0.0, 1.0), alpha)


def _grey_levels(picture: Image.Image) -> Floats:
    """Levels of a grey picture of 16 bits or more in [0, 1]. Raises ValueError for some that are not finite."""
    levels = np.asarray(picture).astype(np.float64)
    if not np.isfinite(levels).all():
        raise ValueError("some of its levels are not finite")
    most = 1.0 if picture.mode == "F" else 65535.0
    return np.clip(levels / max(most, levels.max()), 0.0, 1.0).astype(np.float32)


def _alpha(picture: Image.Image) -> Image.Image | None:
    """The channel of alpha, mode L; None for an opaque picture."""
    if not picture.has_transparency_data:
        return None
    alpha = picture.convert("RGBA").getchannel("A")
    return alpha if np.asarray(alpha).min() < _SEE_THROUGH else None


def _reduced(picture: Image.Image) -> Image.Image:
    """A large picture of 8 bits with a half, a third ... of its pixels, so that its numbers take little memory."""
    factor = max(picture.size) // (2 * KEPT_SIDE)
    return picture.reduce(factor) if factor > 1 else picture


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours in sRGB, mode RGB; by its profile where that fits."""
    plain = picture
    if picture.mode not in ("RGB", "CMYK", "L", "LAB"):
        plain = picture.convert("RGBA" if picture.has_transparency_data else "RGB").convert("RGB")
    if profile and len(profile) <= _PROFILE_LIMIT:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            made = ImageCms.profileToProfile(plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if made is not None:
                return made
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a damaged profile, or one for other channels: the numbers count as they are
    if plain.mode == "LAB":
        made = ImageCms.profileToProfile(
            plain, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return plain.convert("RGB") if made is None else made
    return plain.convert("RGB")


def _shrunk(picture: Floats) -> Floats:
    """The picture with KEPT_SIDE along its longer side at most, each pixel the mean of those that it was."""
    height, width = picture.shape[:2]
    scale = KEPT_SIDE / max(height, width)
    if scale >= 1.0:
        return picture
    return resized(picture, max(1, round(height * scale)), max(1, round(width * scale)))


def resized(picture: Floats, height: int, width: int, box: tuple[float, float, float, float] | None = None) -> Floats:
    """Return a picture with another number of pixels, smoothed as it shrinks; values stay in [0, 1].

    picture: float32[H, W] or [H, W, C], in [0, 1].
    height, width: int, pixels.
    box: left, top, right, bottom in the picture's pixels, inside it; None: all of it.
    """
    if picture.ndim == 3:
        return np.stack([resized(np.ascontiguousarray(c), height, width, box) for c in np.moveaxis(picture, -1, 0)], -1)
    smooth = Image.Resampling.BILINEAR  # a sharper filter overshoots at the edge of a mask
    made = Image.fromarray(picture.astype(np.float32)).resize((width, height), smooth, box=box)
    return np.clip(np.asarray(made, np.float32), 0.0, 1.0)
