"""The base colour that a material has now: a plain colour, or a picture on UVs of the mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bpy.types import Image, Material, Node

from ....core.phrase import phrase
from ....core.picture import TEXTURE_SIDE
from ....core.png import png_file
from .. import material

_NO_MATERIAL = (0.8, 0.8, 0.8)  # linear: what Blender shows without one


@dataclass(frozen=True)
class PresentColour:
    """The base colour of a material, or why it cannot be read.

    colour: linear RGB, where there is no picture, or none that can be read.
    node: the image texture node at the base colour; None for a plain colour.
    layer: str, name of the UV layer of the picture; '' for the one that renders use.
    problem: str, why it is not all of what is seen, a sentence; '' where it is.
    fix: str, what the artist can do.
    """

    colour: tuple[float, float, float]
    node: Node | None = None
    layer: str = ""
    problem: str = ""
    fix: str = ""


def present_colour(made: Material | None) -> PresentColour:
    """Read the base colour of a material, without its pixels. Cheap.

    made: Material, or None for an empty slot.
    """
    if made is None:
        return PresentColour(_NO_MATERIAL)
    shown = tuple(min(max(float(value), 0.0), 1.0) for value in made.diffuse_color[:3])
    colour = (shown[0], shown[1], shown[2])
    surface: Any = material.surface_node(made)
    if surface is None:
        return _problem(
            colour, phrase("it has no Principled surface"), phrase("Give it a Principled BSDF, or a new material.")
        )
    socket = material.base_socket(surface)
    if not socket.links:
        red, green, blue = (min(max(float(value), 0.0), 1.0) for value in socket.default_value[:3])
        return PresentColour((red, green, blue))
    node: Any = _behind(socket)
    if node is None or node.type != "TEX_IMAGE" or socket.links[0].from_socket.name == "Alpha":
        return _problem(
            colour,
            phrase("its base colour comes from nodes other than one image"),
            phrase("Bake the colour to an image and connect that to Base Color (Cycles > Bake), or use Texture This."),
        )
    layer = _layer(node)
    if layer is None:
        return _problem(
            colour,
            phrase("its image does not lie on a UV layer as it is"),
            phrase("Connect a UV Map node straight to the image's Vector, or nothing."),
        )
    why = _image_problem(node.image)
    if why:
        return _problem(colour, *why)
    return PresentColour(colour, node, layer)


def png_of(image: Image) -> bytes:
    """The pixels of an image that is drawn or loaded, as a PNG: bit for bit what Blender has.

    image: Image with 8 bits a channel, which `present_colour` found no fault with.
    """
    import numpy as np

    width, height = image.size
    channels = int(image.channels)
    values = np.empty(width * height * channels, np.float32)
    image.pixels.foreach_get(values)
    pixels = np.rint(255.0 * np.clip(values, 0.0, 1.0)).astype(np.uint8).reshape(height, width, channels)
    if channels < 3:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    pixels = pixels[::-1, :, :4]  # Blender's first row is the lowest
    return png_file(np.ascontiguousarray(pixels).tobytes(), width, height, pixels.shape[2])


def _problem(colour: tuple[float, float, float], problem: str, fix: str) -> PresentColour:
    return PresentColour(colour, problem=problem, fix=fix)


def _behind(socket: Any) -> Node | None:
    """The node that feeds a socket, through reroutes."""
    for _ in range(64):
        if not socket.links:
            return None
        node = socket.links[0].from_node
        if node.type != "REROUTE":
            return node  # type: ignore[no-any-return]
        socket = node.inputs[0]
    return None


def _layer(node: Any) -> str | None:
    """The UV layer of an image texture node; '' for the one that renders use; None where it is no plain one."""
    if node.projection != "FLAT":
        return None
    socket = node.inputs["Vector"]
    if not socket.links:
        return ""
    behind: Any = _behind(socket)
    if behind is not None and behind.type == "UVMAP":
        return str(behind.uv_map)
    if behind is not None and behind.type == "TEX_COORD" and socket.links[0].from_socket.name == "UV":
        return ""
    return None


def _image_problem(image: Image | None) -> tuple[str, str] | None:
    """Why the pixels of an image cannot be kept, and what to do; None where they can."""
    if image is None:
        return phrase("its image texture has no image"), phrase("Choose one in the node, or remove the node.")
    if image.source == "TILED":
        return phrase("'{name}' has UDIM tiles", name=image.name), phrase("Use Texture This, which paints all tiles.")
    if image.source not in {"FILE", "GENERATED"}:
        return phrase("'{name}' is a movie, a sequence or a render", name=image.name), phrase("Use a still image.")
    if not all(image.size):
        return (
            phrase("the file of '{name}' is missing", name=image.name),
            phrase("Use File > External Data > Find Missing Files, or choose another image."),
        )
    if image.is_float:
        return phrase("'{name}' has 32 bits a channel; 8 can be kept", name=image.name), phrase(
            "Save a copy of it as PNG with 8 bits."
        )
    if max(image.size) > TEXTURE_SIDE:
        return phrase(
            "'{name}' has more than {most:,} pixels along a side", name=image.name, most=TEXTURE_SIDE
        ), phrase("Scale it down (Image > Resize).")
    return None
