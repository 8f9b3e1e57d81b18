"""The picture that a primitive has as its base colour now, for comparisons."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamfusion_engine.mesh.gltf.accessors import Accessors, pick
from dreamfusion_engine.mesh.gltf.container import Unusable
from dreamfusion_engine.mesh.gltf.material import WHITE, base_colour
from dreamfusion_engine.mesh.gltf.read import GltfFile

SIDE_LIMIT = 8192  # pixels

Picture = NDArray[np.uint8]


def read_base_colour(file: GltfFile, primitive: int) -> Picture | None:
    """Return the base-colour texture times the base-colour factor; alpha and vertex colours are left aside.

    file: GltfFile.
    primitive: int, index into its primitives.
    Returns uint8[H, W, 3], sRGB; one pixel where there is a factor only, or no material; None where the picture is
    not in the file as PNG or JPEG, is damaged, or has a side of more than 8192 pixels.
    """
    found = file.primitives[primitive]
    entry = file.document["meshes"][found.mesh]["primitives"][found.primitive]
    material = file.document["materials"][entry["material"]] if "material" in entry else {}
    info, said = base_colour(material)
    factor = colour_factor(said)
    if factor is None:
        return None
    if info is None:
        return _tinted(np.full((1, 1, 3), 255, np.uint8), factor)
    try:
        content = embedded_picture(file, info)
    except Unusable:
        return None
    picture = _decoded(content)
    return None if picture is None else _tinted(picture, factor)


def colour_factor(said: Any) -> NDArray[np.float64] | None:
    """Return the linear red, green and blue of a factor, float64[3] in [0, 1]; None where it is none.

    said: what a material says of it.
    """
    if not isinstance(said, list) or len(said) != len(WHITE) or not all(type(value) in (int, float) for value in said):
        return None
    return np.clip(np.array(said[:3], np.float64), 0.0, 1.0)


def embedded_picture(file: GltfFile, info: dict[str, Any]) -> bytes:
    """Return the file of the picture that a reference to a texture means. Raises Unusable where it is not in the GLB.

    file: GltfFile.
    info: dict, the reference, as `material.base_colour` gives it.
    """
    texture = pick(file.document.get("textures", []), info.get("index"), "texture")
    image = pick(file.document.get("images", []), texture.get("source"), "picture")
    start, length, _ = Accessors(file.document, file.binary).span(image.get("bufferView"))
    return file.binary[start : start + length]


def _decoded(content: bytes) -> Picture | None:
    """The pixels of a PNG or JPEG, uint8[H, W, 3]."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
                if max(picture.size) > SIDE_LIMIT:  # read from the header; nothing is decoded yet
                    return None
                if picture.mode.startswith("I"):  # grey of 16 bits, which Pillow would cut off at 255
                    grey = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
                    return np.repeat(grey[:, :, None], 3, 2)
                return np.array(picture.convert("RGB"))  # a copy, which torch may take as its own
    except Exception:  # a stranger's picture: each of Pillow's decoders raises what it likes
        return None


def _tinted(picture: Picture, factor: NDArray[np.float64]) -> Picture:
    """The picture, sRGB, times a linear factor, float64[3]."""
    if (factor == 1.0).all():
        return picture
    level = np.arange(256) / 255.0
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    product = linear[:, None] * factor
    encoded = np.where(product <= 0.0031308, 12.92 * product, 1.055 * product ** (1.0 / 2.4) - 0.055)
    table = np.round(255.0 * encoded).astype(np.uint8)
    return np.stack([table[picture[..., channel], channel] for channel in range(3)], -1)
