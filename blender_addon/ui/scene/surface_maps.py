"""Maps of a material beside its colours: normals, which the triangles are too few for, and ambient occlusion."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.types import Image, Material, Node

from . import material

_GLTF_OUTPUT, _OCCLUSION = "glTF Material Output", "Occlusion"  # as Blender's glTF add-on names them


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


def maps_of(made: Material | None) -> list[Node]:
    """The nodes of a material's normal map and occlusion map."""
    tree = made.node_tree if made is not None else None
    groups = [node for node in tree.nodes if _is_output(node)] if tree is not None else []
    shades = [link.from_node for group in groups for link in group.inputs[_OCCLUSION].links]
    picture: Any = normal_picture(made)
    links = picture.outputs["Color"].links if picture is not None else ()
    bumps = [link.to_node for link in links if link.to_node.type == "NORMAL_MAP"]
    return [*([picture] if picture is not None else []), *bumps, *shades, *(groups if shades else [])]


def drop_maps(made: Material) -> None:
    """Take normal map and occlusion map out of a material: their images lie on UVs that are gone."""
    for node in maps_of(made):
        made.node_tree.nodes.remove(node)


def _is_output(node: Any) -> bool:
    return (
        node.type == "GROUP"
        and node.node_tree is not None
        and node.node_tree.name == _GLTF_OUTPUT
        and _OCCLUSION in node.inputs
    )


def blank(name: str, pixels: int) -> Image:
    """A new image for a normal map, flat as yet.

    name: str, of the image.
    pixels: int, a side.
    """
    image = bpy.data.images.new(name, pixels, pixels, is_data=True)
    image.generated_color = (0.5, 0.5, 1.0, 1.0)
    return image


def add_occlusion(made: Material, image: Image) -> None:
    """Keep an occlusion map in a material for glTF's exporter. It changes no render: Blender's light makes its own.

    made: Material with a `material.surface_node`.
    image: Image without colours.
    """
    principled: Any = material.surface_node(made)
    assert principled is not None
    nodes, links = made.node_tree.nodes, made.node_tree.links
    active = nodes.active
    x, y = principled.location
    picture = nodes.new("ShaderNodeTexImage")
    picture.location = (x - 320.0, y - 640.0)
    picture.label = "Ambient Occlusion"
    picture.image = image
    picture.extension = "EXTEND"
    group = nodes.new("ShaderNodeGroup")
    group.node_tree = _gltf_output()
    group.location = (x, y - 640.0)
    links.new(picture.outputs["Color"], group.inputs[_OCCLUSION])
    nodes.active = active


def _gltf_output() -> Any:
    """The node group by which Blender's glTF exporter knows an occlusion map."""
    found = bpy.data.node_groups.get(_GLTF_OUTPUT)
    tree: Any = found or bpy.data.node_groups.new(_GLTF_OUTPUT, "ShaderNodeTree")
    if hasattr(tree, "interface"):  # 4.0 and later
        if _OCCLUSION not in tree.interface.items_tree:
            tree.interface.new_socket(name=_OCCLUSION, in_out="INPUT", socket_type="NodeSocketFloat")
    elif _OCCLUSION not in tree.inputs:
        tree.inputs.new("NodeSocketFloat", _OCCLUSION)
    return tree
