"""Maps of a material beside its colours: the normal map, which says what the triangles are too few for."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.types import Image, Material, Node

from . import material


def add_normal_map(made: Material, image: Image, uv_layer: str) -> None:
    """Shade a material by a normal map.

    made: Material with a `material.surface_node`.
    image: Image without colours, in tangent space, +Y up.
    uv_layer: str, the UV layer on which it lies.
    """
    principled: Any = material.surface_node(made)
    assert principled is not None
    nodes, links = made.node_tree.nodes, made.node_tree.links
    active = nodes.active  # Solid view with textures shows the active image
    x, y = principled.location
    bumps = nodes.new("ShaderNodeNormalMap")
    bumps.location = (x - 200.0, y - 320.0)
    bumps.uv_map = uv_layer
    picture = nodes.new("ShaderNodeTexImage")
    picture.location = (x - 520.0, y - 320.0)
    picture.image = image
    picture.extension = "EXTEND"
    links.new(picture.outputs["Color"], bumps.inputs["Color"])
    links.new(bumps.outputs["Normal"], principled.inputs["Normal"])
    nodes.active = active


def normal_picture(made: Material | None) -> Node | None:
    """The image node of a material's normal map; None where it has none."""
    principled = material.surface_node(made)
    if principled is None:
        return None
    behind: list[Any] = [link.from_node for link in principled.inputs["Normal"].links]
    for node in behind:  # grows while it is walked
        if node.type == "TEX_IMAGE" and node.image is not None:
            return node
        behind += [link.from_node for socket in node.inputs for link in socket.links if link.from_node not in behind]
    return None


def drop_normal_map(made: Material) -> None:
    """Take the normal map out of a material: its image lies on UVs that are gone."""
    picture: Any = normal_picture(made)
    if picture is None:
        return
    bumps = [link.to_node for link in picture.outputs["Color"].links if link.to_node.type == "NORMAL_MAP"]
    for node in (picture, *bumps):
        made.node_tree.nodes.remove(node)


def blank(name: str, pixels: int) -> Image:
    """A new image for a normal map, flat as yet.

    name: str, of the image.
    pixels: int, a side.
    """
    image = bpy.data.images.new(name, pixels, pixels, is_data=True)
    image.generated_color = (0.5, 0.5, 1.0, 1.0)
    return image
