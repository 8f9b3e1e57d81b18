"""Materials, the same in every version of Blender: a principled surface with a baked image or with vertex colours."""

from __future__ import annotations

import hashlib
import tempfile
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.types import Image, Material, Node

from ...core.file_name import file_name

# Names of the Principled BSDF's sockets, the newest first. They changed in 4.0; the sockets' order changes more often.
_SOCKETS = {
    "base colour": ("Base Color",),
    "metallic": ("Metallic",),
    "roughness": ("Roughness",),
    "specular": ("Specular IOR Level", "Specular"),
    "emission": ("Emission Color", "Emission"),
}
_SAMPLES = 2048  # pixels looked at for the mean colour
_PATH_BYTES = 100  # of a file name, without its end; the name of an image has up to 255 since Blender 5.0
_BACKDROP = 0.8  # Blender's own grey, linear


def textured(
    name: str, image_file: bytes, roughness: float, colour: Sequence[float] = (1.0, 1.0, 1.0, 1.0)
) -> Material:
    """A material whose base colour is an image, packed into the .blend.

    name: str, of material and image; made fit for a file name.
    image_file: bytes of a PNG or JPEG, sRGB; empty for a plain colour.
    roughness: float, in [0, 1].
    colour: linear RGBA, a factor over the image.
    """
    material, principled = _principled(name)
    _set(principled, "metallic", 0.0)
    _set(principled, "roughness", roughness)
    if not image_file:
        _set(principled, "base colour", tuple(colour))
        material.diffuse_color = tuple(colour)
        return material
    image = packed_image(name, image_file)
    connect_image(material, image)
    material.diffuse_color = (*mean_colour(image), 1.0)
    return material


def surface_node(material: Material | None) -> Node | None:
    """The principled node whose colour is seen: the one at the output, else the nearest behind it; None for none."""
    if material is None or material.node_tree is None or not material.use_nodes:
        return None
    outputs = [node for node in material.node_tree.nodes if node.type == "OUTPUT_MATERIAL"]
    output = next((node for node in outputs if node.is_active_output), outputs[0] if outputs else None)
    behind: list[Any] = [output] if output is not None else []
    for node in behind:  # grows while it is walked: nearest first
        if node.type == "BSDF_PRINCIPLED":
            return node
        sockets = [socket for socket in node.inputs if node is not output or socket.name == "Surface"]
        behind += [link.from_node for socket in sockets for link in socket.links if link.from_node not in behind]
    return None


def add_image(material: Material, image: Image, uv_layer: str, *, repeats: bool) -> None:
    """Make an image the base colour of a material by a node of its own. What was linked there stays in the material.

    material: has a `surface_node`.
    uv_layer: str, the UV layer on which it lies; '' for the one that renders use.
    repeats: bool, whether UVs outside of the image repeat it.
    """
    nodes, links = material.node_tree.nodes, material.node_tree.links
    principled: Any = surface_node(material)
    assert principled is not None
    x, y = principled.location
    picture = nodes.new("ShaderNodeTexImage")
    picture.location = (x - 320.0, y)
    picture.image = image
    picture.extension = "REPEAT" if repeats else "EXTEND"
    links.new(picture.outputs["Color"], _socket(principled, "base colour"))
    if uv_layer:
        places = nodes.new("ShaderNodeUVMap")
        places.location = (x - 520.0, y)
        places.uv_map = uv_layer
        links.new(places.outputs["UV"], picture.inputs["Vector"])
    nodes.active = picture  # Solid view with textures shows the active image


def replace_image(material: Material, image: Image) -> bool:
    """Put an image in the place of the one at the base colour: on the same UVs, filtered the same way.

    material: Material.
    image: Image, which takes the old one's colour space and alpha.
    Returns whether there was one; a node that others use too is left to them.
    """
    principled: Any = surface_node(material)
    links = base_socket(principled).links if principled is not None else ()
    node = links[0].from_node if links else None
    while node is not None and node.type == "REROUTE":
        node = node.inputs[0].links[0].from_node if node.inputs[0].links else None
    if node is None or node.type != "TEX_IMAGE" or node.image is None:
        return False
    old = node.image
    image.colorspace_settings.name = old.colorspace_settings.name
    image.alpha_mode = old.alpha_mode
    if sum(len(socket.links) for socket in node.outputs) > 1:
        node = _beside(material, node)
        material.node_tree.links.new(node.outputs["Color"], base_socket(principled))
    node.image = image
    material.node_tree.nodes.active = node
    return True


def _beside(material: Material, node: Any) -> Any:
    """A second image texture node, on the same UVs."""
    made = material.node_tree.nodes.new("ShaderNodeTexImage")
    made.location = (node.location[0], node.location[1] - 280.0)
    made.extension, made.interpolation = node.extension, node.interpolation
    if node.inputs["Vector"].links:
        material.node_tree.links.new(node.inputs["Vector"].links[0].from_socket, made.inputs["Vector"])
    return made


def connect_image(material: Material, image: Image) -> None:
    """Make the image the base colour of the material, by its image node or by a new one."""
    nodes, links = material.node_tree.nodes, material.node_tree.links
    principled = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    socket = _socket(principled, "base colour")
    picture = socket.links[0].from_node if socket.links else None
    if picture is None or picture.type != "TEX_IMAGE":
        picture = nodes.new("ShaderNodeTexImage")
        picture.location = (principled.location[0] - 320.0, principled.location[1])
        links.new(picture.outputs["Color"], socket)
    picture.image = image
    picture.extension = "EXTEND"  # a texel at the border has no neighbour on the other side
    nodes.active = picture  # Solid view with textures shows the active image


def vertex_coloured(name: str, attribute: str) -> Material:
    """A matt material whose base colour is a colour attribute of the mesh."""
    material, principled = _principled(name)
    _set(principled, "metallic", 0.0)
    _set(principled, "roughness", 0.9)
    nodes = material.node_tree.nodes
    colours = nodes.new("ShaderNodeVertexColor")
    colours.layer_name = attribute
    colours.location = (principled.location[0] - 240.0, principled.location[1])
    material.node_tree.links.new(colours.outputs["Color"], _socket(principled, "base colour"))
    return material


def packed_image(name: str, image_file: bytes, *, is_colour: bool = True) -> Image:
    """An image data-block that carries its PNG or JPEG file in itself.

    name: str, made fit for a file name.
    image_file: bytes of the file.
    is_colour: bool, whether its values are sRGB colours; else they are numbers, such as normals.
    """
    image = bpy.data.images.new(file_name(name), 8, 8)
    pack(image, image_file)
    image.source = "FILE"
    if is_colour:
        set_colour_space(image)
    else:
        image.colorspace_settings.is_data = True  # whatever the colour configuration calls it
    return image


def pack(image: Image, image_file: bytes) -> None:
    """Put a PNG or JPEG file into the image, with a path for the case that the artist unpacks or exports it.

    Exporters tell images apart by their paths, and an unpacked file replaces one of the same name. So each content has
    a path of its own, also among images that come from another .blend.
    """
    ending = "jpg" if image_file.startswith(b"\xff\xd8") else "png"
    mark = hashlib.sha256(image_file).hexdigest()[:8]
    # Before packing: the packed file keeps a copy of this path, and the USD exporter wants both to be the same.
    image.filepath_raw = f"//textures/{file_name(image.name, _PATH_BYTES)}-{mark}.{ending}"
    image.pack(data=image_file, data_len=len(image_file))


def packed_tiles(name: str, files: Mapping[int, bytes]) -> Image:
    """An image of UDIM tiles that carries the files of all its tiles in itself.

    name: str, made fit for a file name.
    files: bytes of PNGs by the number of their tile.
    """
    numbers = sorted(files)
    mark = hashlib.sha256(b"".join(files[number] for number in numbers)).hexdigest()[:8]
    with tempfile.TemporaryDirectory() as folder:  # Blender packs tiles from files only
        for number in numbers:
            Path(folder, f"t.{number}.png").write_bytes(files[number])
        image = bpy.data.images.load(str(Path(folder, f"t.{numbers[0]}.png")))
        image.source = "TILED"
        image.filepath_raw = str(Path(folder, "t.<UDIM>.png"))
        there = [tile.number for tile in image.tiles]
        if there[0] not in numbers:
            image.tiles[0].number = numbers[0]
        for number in numbers:
            if image.tiles.get(number) is None:
                image.tiles.new(tile_number=number)
        image.reload()
        image.pack()
    image.name = file_name(name)
    path = f"//textures/{file_name(image.name, _PATH_BYTES)}-{mark}"
    image.filepath_raw = f"{path}.<UDIM>.png"
    for packed in image.packed_files:
        packed.filepath = f"{path}.{packed.tile_number}.png"
    set_colour_space(image)
    return image


def set_colour_space(image: Image) -> None:
    """Mark the image as sRGB, by the name that the colour configuration uses."""
    names = image.colorspace_settings.bl_rna.properties["name"].enum_items.keys()
    for name in ("sRGB", "sRGB - Texture", "Utility - sRGB - Texture"):
        if name in names:
            image.colorspace_settings.name = name
            return


def mean_colour(image: Image) -> tuple[float, float, float]:
    """The mean colour of an image, linear RGB. Solid view shows it, because it shows no textures."""
    width, height = image.size
    if not width or not height:
        return (_BACKDROP, _BACKDROP, _BACKDROP)
    pixels = array("f", bytes(4 * width * height * image.channels))
    image.pixels.foreach_get(pixels)
    step = max(1, width * height // _SAMPLES) | 1  # odd, so that it walks over the columns
    chosen = [pixels[channel :: image.channels * step] for channel in range(3)]
    red, green, blue = (linear(sum(values) / len(values)) for values in chosen)
    return (red, green, blue)


def linear(encoded: float) -> float:
    """The linear value of an sRGB-encoded one (IEC 61966-2-1)."""
    return encoded / 12.92 if encoded <= 0.04045 else float(((encoded + 0.055) / 1.055) ** 2.4)


def encoded(value: float) -> float:
    """The sRGB-encoded value of a linear one; the inverse of `linear`."""
    return value * 12.92 if value <= 0.0031308 else float(1.055 * value ** (1.0 / 2.4) - 0.055)


def _principled(name: str) -> tuple[Material, Node]:
    """A new material with nodes, and its Principled BSDF."""
    material = bpy.data.materials.new(file_name(name))
    if material.node_tree is None:
        material.use_nodes = True  # from 5.0 on it has nodes, and setting this warns
    tree = material.node_tree
    found = next((node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
    if found is not None:
        return material, found
    tree.nodes.clear()
    principled = tree.nodes.new("ShaderNodeBsdfPrincipled")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    output.location = (320.0, 0.0)
    tree.links.new(principled.outputs[0], output.inputs["Surface"])
    return material, principled


def base_socket(principled: Node) -> Any:
    """The socket of the base colour."""
    return _socket(principled, "base colour")


def _socket(node: Node, role: str) -> Any:
    return next(node.inputs[name] for name in _SOCKETS[role] if name in node.inputs)


def _set(node: Node, role: str, value: Any) -> None:
    _socket(node, role).default_value = value
