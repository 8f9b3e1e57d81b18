"""The base colours that a mesh has: the pixels as the file stores them, and what its colour factor makes of them.

Where a part changes, the picture goes back with every other pixel as it was. So it must be readable to the last bit.
"""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.gltf.container import Unusable
from dreamfusion_engine.mesh.gltf.material import base_colour, is_moved
from dreamfusion_engine.mesh.gltf.picture import SIDE_LIMIT, colour_factor, embedded_picture
from dreamfusion_engine.mesh.gltf.read import GltfFile

Pixels = NDArray[np.uint8]
_BITS = 24  # where a PNG's header has the bits of a channel


@dataclass(frozen=True, kw_only=True)
class OwnPicture:
    """The base colour of a primitive.

    pixels: uint8[H, W, 3 or 4], as stored; one pixel where the material has only a colour, and that colour.
    factor: float64[3] in [0, 1], linear, that multiplies what is stored; 1 for a colour alone.
    flat: bool, whether the material has no picture.
    """

    pixels: Pixels
    factor: NDArray[np.float64]
    flat: bool

    @property
    def shown(self) -> Pixels:
        """What is seen of it, uint8[H, W, 3], sRGB."""
        colours = self.pixels[..., :3]
        if (self.factor == 1.0).all():
            return colours
        level = np.arange(256) / 255.0
        table = np.rint(255.0 * encoded(linear(level)[:, None] * self.factor)).astype(np.uint8)
        return np.stack([table[colours[..., channel], channel] for channel in range(3)], -1)

    def stored(self, seen: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return what must be stored so that colours are seen, float64[N, 3] in [0, 1]; the nearest that can be.

        seen: float[N, 3], sRGB in [0, 1].
        """
        wide = seen.astype(np.float64)
        if (self.factor == 1.0).all():
            return wide
        return encoded(np.clip(linear(wide) / np.maximum(self.factor, 1e-6), 0.0, 1.0))


def linear(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sRGB levels as linear light, both in [0, 1] (IEC 61966-2-1)."""
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return linear light as sRGB levels, the inverse of `linear`."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-12) ** (1.0 / 2.4) - 0.055)


def own_picture(file: GltfFile, primitive: int) -> OwnPicture:
    """Return the base colour of a primitive that is to change.

    file: GltfFile.
    primitive: int, index into its primitives.
    Raises InputError paint.picture where it cannot be given back bit for bit.
    """
    found = file.primitives[primitive]
    entry = file.document["meshes"][found.mesh]["primitives"][found.primitive]
    material = file.document["materials"][entry["material"]] if "material" in entry else {}
    info, said = base_colour(material)
    factor = colour_factor(said)
    if factor is None:
        raise _unreadable(found.name, "The colour of its material is damaged.")
    if info is None:
        colour = np.rint(255.0 * encoded(factor)).astype(np.uint8)
        return OwnPicture(pixels=colour.reshape(1, 1, 3), factor=np.ones(3), flat=True)
    if is_moved(info):
        raise _unreadable(
            found.name,
            "Its texture is moved or scaled by the material (KHR_texture_transform).",
            "Apply the mapping to the UVs, and export again.",
        )
    try:
        content = embedded_picture(file, info)
    except Unusable as error:
        why = f"The picture of its base colour is not in the file as PNG or JPEG. {error.why}"
        raise _unreadable(found.name, why) from error
    return OwnPicture(pixels=_decoded(content, found.name), factor=factor, flat=False)


def _decoded(content: bytes, name: str) -> Pixels:
    """The pixels of a PNG or JPEG, uint8[H, W, 3 or 4]. Raises InputError paint.picture."""
    if content[:4] == b"\x89PNG" and len(content) > _BITS and struct.unpack_from("B", content, _BITS)[0] > 8:
        raise _unreadable(
            name, "Its texture has 16 bits a channel; 8 can be kept.", "Save a copy of the picture with 8 bits."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
                if max(picture.size) > SIDE_LIMIT:  # read from the header; nothing is decoded yet
                    raise ValueError(f"it has {max(picture.size):,} pixels along a side; {SIDE_LIMIT:,} can be read")
                clear = "A" in picture.getbands() or "transparency" in picture.info
                return np.array(picture.convert("RGBA" if clear else "RGB"))
    except UnidentifiedImageError as error:
        raise _unreadable(name, "Its texture is no PNG or JPEG.") from error
    except Image.DecompressionBombError as error:  # Pillow's own limit, above this module's
        raise _unreadable(name, f"Its texture has more than {SIDE_LIMIT:,} pixels along a side.") from error
    except Exception as error:  # a stranger's picture: each of Pillow's decoders raises what it likes
        raise _unreadable(name, f"Its texture is no readable PNG or JPEG: {error}.") from error


def _unreadable(
    name: str, why: str, fix: str = "Pack the texture into the file as PNG, and export again as glTF Binary (.glb)."
) -> InputError:
    return InputError("paint.picture", what=f"The colours of '{name}' cannot be kept as they are.", why=why, fix=fix)


def shown_colours(file: GltfFile, primitive: int, grey: int) -> Pixels:
    """Return what is seen of a primitive that stays, uint8[H, W, 3], sRGB; grey where that cannot be read.

    file: GltfFile.
    primitive: int, index into its primitives.
    grey: int, sRGB.
    """
    try:
        return own_picture(file, primitive).shown
    except InputError:
        return np.full((1, 1, 3), grey, np.uint8)
