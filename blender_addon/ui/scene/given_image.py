"""An artist's image as the file of a picture that the engine reads: its own, or a PNG of what Blender has of it."""

from __future__ import annotations

from array import array
from pathlib import Path

import bpy
from bpy.types import Image

from ...core.given_pictures import FILE_LIMIT, PIXEL_LIMIT
from ...core.job import EngineTrouble, Trouble
from ...core.phrase import phrase
from ...core.picture import JPEG_BEGIN, PNG_BEGIN, picture_size
from .icons import Pixels

SIDE = 1024  # pixels along the longer side of what is made here; the engine keeps no more
THUMBNAIL = 128  # pixels along the longer side of a thumbnail
_CHECKER = 8, 0.35, 0.5  # pixels of a square behind one, and its greys
READ_PIXELS = 1 << 24  # of an image whose pixels are read from Blender, in which each takes 16 bytes
_TABLE = 1 << 13  # steps of light for which sRGB is looked up; at black one is 0.4 of a step in sRGB
_SAVE = phrase("Save it: Image > Save As in the Image Editor. Open that file")
_KINDS = {  # of Image.source or Image.type: what it is, and what to do
    "MOVIE": (phrase("is a movie"), phrase("Save one of its frames as a picture")),
    "SEQUENCE": (
        phrase("is a sequence of pictures"),
        phrase("Open one of them alone: in its settings choose Single Image as Source"),
    ),
    "TILED": (phrase("has UDIM tiles"), phrase("Save one tile as a picture of its own")),
    "MULTILAYER": (phrase("has several layers"), phrase("Save the layer that shows the object as PNG")),
    "RENDER_RESULT": (phrase("is a render that is not saved"), _SAVE),
    "COMPOSITING": (phrase("is a view of the compositor"), _SAVE),
    "VIEWER": (phrase("is a view of the compositor"), _SAVE),
}


def obstacle(image: Image) -> str:
    """Why an image cannot be a picture of the object, as a sentence without its point; "" where it can. Cheap."""
    for kind in (image.type, image.source):
        if kind in _KINDS:
            return phrase("'{name}' {kind}. {fix}", name=image.name, kind=_KINDS[kind][0], fix=_KINDS[kind][1])
    return ""


def image_file(image: Image) -> bytes:
    """The file of an image, with what was painted and not saved.

    Raises EngineTrouble for an image that has no pixels, or too many, or is of a kind that is no single picture.
    """
    _check_kind(image)
    if image.source == "FILE" and not image.is_dirty:
        data = _own_file(image)
        if _engine_reads(data, image) and image.alpha_mode in ("STRAIGHT", "PREMUL"):
            return data
    return _made_file(image)


def thumbnail(image: Image) -> Pixels | None:
    """A small picture of an image of 8 bits over a checker; None for one without pixels.

    Blender's own shows the colours where alpha is 0 too, as if they were opaque.
    """
    width, height = image.size
    if not 0 < width * height <= READ_PIXELS:
        return None
    values = array("f", bytes(4 * width * height * image.channels))
    image.pixels.foreach_get(values)
    values, size = _shrunk(_with_four_channels(values, image.channels), width, height, THUMBNAIL, is_float=False)
    square, *greys = _CHECKER
    for place in range(0, len(values), 4):
        y, x = divmod(place // 4, size[0])
        behind, alpha = greys[(x // square + y // square) % 2], values[place + 3]
        for channel in range(place, place + 3):
            values[channel] = values[channel] * alpha + behind * (1.0 - alpha)
        values[place + 3] = 1.0
    return Pixels(*size, values)


def _engine_reads(data: bytes, image: Image) -> bool:
    """Whether the engine reads a file as it is, by its first bytes: PNG, JPEG, WebP, BMP, and TIFF without floats."""
    if data.startswith((b"II*\0", b"MM\0*")):
        return not image.is_float
    return data.startswith((PNG_BEGIN, JPEG_BEGIN, b"BM")) or (data[:4], data[8:12]) == (b"RIFF", b"WEBP")


def _check_kind(image: Image) -> None:
    for kind in (image.type, image.source):
        if kind in _KINDS:
            what, fix = _KINDS[kind]
            raise _refused(image, phrase("It {kind}.", kind=what), phrase("{fix}.", fix=fix))


def _own_file(image: Image) -> bytes:
    """The file of an image, packed or on the disk; b"" where none can be read and Blender has the pixels still."""
    if image.packed_file is not None:
        data = bytes(image.packed_file.data) if image.packed_file.size <= FILE_LIMIT else None
        return _bounded(image, data)
    path = Path(bpy.path.abspath(image.filepath, library=image.library)) if image.filepath else None
    try:
        if path is None:
            raise FileNotFoundError("it has no file")
        with path.open("rb") as stream:
            data = stream.read(FILE_LIMIT + 1)
    except OSError as error:
        if image.has_data:
            return b""
        why = phrase("{file}: {error}.", file=path or image.name, error=error.strerror or error)
        fix = phrase(
            "Put the file back, or choose another picture: File > External Data > Find Missing Files looks for it."
        )
        raise _refused(image, why, fix) from error
    return _bounded(image, data if len(data) <= FILE_LIMIT else None)


def _bounded(image: Image, data: bytes | None) -> bytes:
    """The bytes of a file. Raises EngineTrouble for None, a file that is too large, and for too many pixels."""
    if data is None:
        raise _too_large(image, phrase("Its file has more than {size} MiB.", size=FILE_LIMIT >> 20))
    width, height = picture_size(data) or tuple(image.size)
    if width * height > PIXEL_LIMIT:
        raise _too_large(
            image,
            phrase(
                "It has {width:,} x {height:,} pixels; {most:,} are the limit.",
                width=width,
                height=height,
                most=PIXEL_LIMIT,
            ),
        )
    return data


def _made_file(image: Image) -> bytes:
    """A PNG of the image's pixels, SIDE along its longer side at most.

    Blender shrinks and packs a copy, so that no pixel passes through Python, but those of floats at their final size.
    """
    width, height = image.size
    _check_kind(image)  # what Blender knows of a file only since it has loaded it
    if width * height == 0:
        raise _refused(
            image,
            phrase("It has no pixels."),
            phrase("Check that its file is there and is a picture, or choose another."),
        )
    if width * height > READ_PIXELS:
        why = phrase("It has {width:,} x {height:,} pixels, and is not as in its file.", width=width, height=height)
        raise _too_large(
            image, why, phrase("Save it first: Image > Save As in the Image Editor. Or scale it down: Image > Resize.")
        )
    values = array("f", bytes(4 * width * height * image.channels))
    image.pixels.foreach_get(values)
    values = _with_four_channels(values, image.channels)
    if image.alpha_mode in ("NONE", "CHANNEL_PACKED"):  # its alpha is not about what can be seen
        values[3::4] = array("f", [1.0]) * (width * height)
    values, size = _shrunk(values, width, height, SIDE, is_float=image.is_float)
    return _png(_display_values(values) if image.is_float else values, *size)


def _shrunk(
    values: array[float], width: int, height: int, side: int, *, is_float: bool
) -> tuple[array[float], tuple[int, int]]:
    """RGBA with `side` pixels along the longer side at most, scaled by Blender; and its width and height."""
    share = min(1.0, side / max(width, height))
    size = max(1, round(width * share)), max(1, round(height * share))
    if size == (width, height):
        return values, size
    copy = bpy.data.images.new("DreamFusion Picture", width, height, alpha=True, float_buffer=is_float)
    try:
        copy.pixels.foreach_set(values)
        copy.scale(*size)
        made = array("f", bytes(16 * size[0] * size[1]))
        copy.pixels.foreach_get(made)
        return made, size
    finally:
        bpy.data.images.remove(copy)


def _png(values: array[float], width: int, height: int) -> bytes:
    """The PNG of values as they are encoded, RGBA from the bottom row up, by Blender's own writer."""
    copy = bpy.data.images.new("DreamFusion Picture", width, height, alpha=True)
    try:
        copy.alpha_mode = "STRAIGHT"
        copy.pixels.foreach_set(values)
        copy.update()
        copy.pack()
        return bytes(copy.packed_file.data)
    finally:
        bpy.data.images.remove(copy)


def _with_four_channels(values: array[float], channels: int) -> array[float]:
    """RGBA of pixels that may have grey alone, grey and alpha, or no alpha."""
    if channels == 4:
        return values
    count = len(values) // channels
    made = array("f", [1.0]) * (4 * count)
    for channel in range(3):
        made[channel::4] = values[channel if channels == 3 else 0 :: channels]
    if channels == 2:
        made[3::4] = values[1::2]
    return made


def _display_values(values: array[float]) -> array[float]:
    """sRGB and straight alpha of floats, which Blender keeps as light times alpha. What is no number becomes black."""
    table = [_srgb(step / (_TABLE - 1)) for step in range(_TABLE)]
    made = array("f", bytes(4 * len(values)))
    alphas = values[3::4]
    for channel in range(3):
        light = (
            value / alpha if alpha > 0.0 else value for value, alpha in zip(values[channel::4], alphas, strict=True)
        )
        made[channel::4] = array("f", [table[_place(value)] for value in light])
    made[3::4] = array("f", [_place(value) / (_TABLE - 1) for value in alphas])
    return made


def _place(value: float) -> int:
    """The step of a value in [0, 1]; of one outside the nearest end's, of one that is no number 0."""
    return int(min(max(value, 0.0), 1.0) * (_TABLE - 1) + 0.5) if value == value else 0


def _srgb(light: float) -> float:
    """Light as sRGB (IEC 61966-2-1)."""
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1.0 / 2.4) - 0.055


def _too_large(image: Image, why: str, fix: str = "") -> EngineTrouble:
    return _refused(
        image,
        why,
        fix or phrase("Save a smaller copy and choose that: 2,000 pixels along a side are more than enough."),
    )


def _refused(image: Image, why: str, fix: str) -> EngineTrouble:
    what = phrase("'{name}' cannot be a picture of the object.", name=image.name)
    return EngineTrouble(Trouble("pictures.image", what, why, fix))
