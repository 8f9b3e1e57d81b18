"""Give a GLB back with new base-colour textures, and nothing else changed.

What was in the file stays: every entry of its JSON keeps its number and its values, the binary data keep their places.
New entries and data come after them. A painted primitive gets a material of its own; where several nodes use its mesh,
the node gets a copy of the mesh's entry, over the same arrays. What would tint the new texture steps aside: the colour
factor becomes white, and vertex colours (COLOR_n, which multiply the base colour) are renamed _COLOR_n. A Draco version
of a painted primitive is no longer named.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.export import ROUGHNESS
from dreamfusion_engine.mesh.gltf import material
from dreamfusion_engine.mesh.gltf.accessors import Accessors, Rows
from dreamfusion_engine.mesh.gltf.additions import Additions
from dreamfusion_engine.mesh.gltf.container import Unusable
from dreamfusion_engine.mesh.gltf.corners import DRACO, LIST, compressed, corners_of
from dreamfusion_engine.mesh.gltf.read import FLIPPED, GltfFile, GltfPrimitive, colour_uv_name, unusable

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class NewTexture:
    """A texture for one primitive.

    primitive: int, index into the file's primitives.
    png: bytes of a PNG; several primitives may share one.
    uv: float32[T, 3, 2], a new layout for the corners of the primitive's `triangles`, v down; None keeps the old one.
    same: bool, whether it is the old picture with some other pixels: the rest of the material, vertex colours too,
        stays to the last value.
    """

    primitive: int
    png: bytes
    uv: Floats | None = None
    same: bool = False


def with_textures(file: GltfFile, textures: Sequence[NewTexture], *, roughness: float = ROUGHNESS) -> bytes:
    """Return the GLB with new base-colour textures. The same arguments give the same bytes.

    A primitive with a new layout becomes a list of triangles without indices: corner k of triangle t is vertex 3t + k.
    Its new UVs are TEXCOORD_0. Where other textures of its material use the old TEXCOORD_0, they keep it under a free
    number.

    file: GltfFile.
    textures: NewTexture, one at most for each primitive; the other primitives stay as they are.
    roughness: float in [0, 1], of the material of a primitive that has none.
    Raises InputError input.mesh where the result would be larger than a GLB can be.
    Raises ValueError where the textures do not fit the file.
    """
    _check(file, textures)
    writer = _Writer(file, roughness)
    try:
        for texture in sorted(textures, key=lambda texture: texture.primitive):
            writer.paint(file.primitives[texture.primitive], texture)
        return writer.additions.glb(file.rest)
    except Unusable as error:
        raise unusable(error) from error


def _check(file: GltfFile, textures: Sequence[NewTexture]) -> None:
    """Raises ValueError for textures that do not fit the file."""
    if len({texture.primitive for texture in textures}) != len(textures):
        raise ValueError("two textures are for the same primitive")
    for texture in textures:
        if not 0 <= texture.primitive < len(file.primitives):
            raise ValueError(f"there is no primitive {texture.primitive}")
        found = file.primitives[texture.primitive]
        if not texture.png.startswith(_PNG):
            raise ValueError(f"the texture of '{found.name}' is no PNG")
        if texture.uv is None and found.uv is None:
            raise ValueError(f"'{found.name}' has no UVs, and its texture brings none")
        if texture.uv is not None and texture.uv.shape != (len(found.triangles), 3, 2):
            raise ValueError(f"the UVs of '{found.name}' are {texture.uv.shape}, for {len(found.triangles)} triangles")
        if texture.uv is not None and not np.isfinite(texture.uv).all():
            raise ValueError(f"the UVs of '{found.name}' are not all finite")


class _Writer:
    """The file with what was added so far."""

    def __init__(self, file: GltfFile, roughness: float) -> None:
        self.additions = Additions(file.document, file.binary)
        self._accessors = Accessors(file.document, file.binary)
        self._document, self._roughness = file.document, roughness
        self._uses = [0] * len(file.document.get("meshes", []))
        for node in file.document.get("nodes", []):
            if type(node.get("mesh")) is int and 0 <= node["mesh"] < len(self._uses):
                self._uses[node["mesh"]] += 1
        self._own: dict[int, dict[str, Any]] = {}  # node -> its mesh's entry, which no other node uses
        self._expanded: dict[tuple[int, int, int], int] = {}  # mesh, primitive and accessor -> the accessor by corner

    def paint(self, found: GltfPrimitive, texture: NewTexture) -> None:
        """Give one primitive its texture."""
        entry = self._own_mesh(found)["primitives"][found.primitive]
        before = colour_uv_name(self._document, entry)
        given = self._document["materials"][entry["material"]] if "material" in entry else None
        uv = texture.uv if texture.uv is not None else found.uv
        assert uv is not None
        if texture.same and given is not None and (old := material.base_colour(given)[0]) is not None:
            sampler = self._document["textures"][old["index"]].get("sampler")
            number = self.additions.texture(texture.png, found.name, sampler if type(sampler) is int else None)
            entry["material"] = self.additions.append("materials", material.with_picture(given, number))
            return
        number = self.additions.texture(texture.png, found.name, self.additions.sampler(repeats=_repeats(uv)))
        moved = None
        if texture.uv is not None:
            moved = self._lay_out(entry, found, texture.uv, given)
        coordinates = 0 if texture.uv is not None or before is None else int(before.removeprefix("TEXCOORD_"))
        if given is None:
            made = material.matt(found.name, number, coordinates, self._roughness)
        else:
            made = material.painted(given, number, coordinates)
            if moved is not None:
                material.move_others(made, 0, moved)
        if compressed(entry):
            entry["extensions"] = {name: said for name, said in entry["extensions"].items() if name != DRACO}
        entry["material"] = self.additions.append("materials", made)
        for attributes in () if texture.same else (entry["attributes"], *entry.get("targets", [])):
            _set_colours_aside(attributes)

    def _own_mesh(self, found: GltfPrimitive) -> dict[str, Any]:
        """The entry of the mesh of a primitive's node, one that only this node uses and that may be changed."""
        if found.node not in self._own:
            mesh = copy.deepcopy(self._document["meshes"][found.mesh])
            self._own[found.node] = mesh
            if self._uses[found.mesh] > 1:
                self._uses[found.mesh] -= 1
                node = {**self._document["nodes"][found.node], "mesh": self.additions.append("meshes", mesh)}
                self.additions.replace("nodes", found.node, node)
            else:
                self.additions.replace("meshes", found.mesh, mesh)
        return self._own[found.node]

    def _lay_out(
        self, entry: dict[str, Any], found: GltfPrimitive, uv: Floats, given: dict[str, Any] | None
    ) -> int | None:
        """Give a primitive's entry new UVs, a vertex for each corner. Returns n if the old UVs are now TEXCOORD_n."""
        attributes, moved = entry["attributes"], None
        if given is not None and "TEXCOORD_0" in attributes and material.others_use(given, 0):
            moved = next(n for n in range(1, len(attributes) + 1) if f"TEXCOORD_{n}" not in attributes)
            attributes[f"TEXCOORD_{moved}"] = attributes["TEXCOORD_0"]
        attributes.pop("TEXCOORD_0", None)
        if "indices" in entry or entry.get("mode", LIST) != LIST:
            corners = corners_of(entry, self._accessors).reshape(-1)
            for attribute in (attributes, *entry.get("targets", [])):
                for name, accessor in attribute.items():
                    attribute[name] = self._by_corner(found, accessor, corners, bounds=name == "POSITION")
            entry.pop("indices", None)
            entry.pop("mode", None)
        layout = np.ascontiguousarray(uv[:, FLIPPED] if found.mirrored else uv, "<f4").reshape(-1, 2)
        description = {"componentType": 5126, "type": "VEC2"}
        attributes["TEXCOORD_0"] = self.additions.array(layout.view(np.uint8), description)
        return moved

    def _by_corner(self, found: GltfPrimitive, accessor: int, corners: Rows, *, bounds: bool) -> int:
        """An accessor with the elements of another for each corner. bounds: bool, whether it needs min and max."""
        key = found.mesh, found.primitive, accessor
        if key not in self._expanded:
            source = self._accessors.get(accessor)
            self.additions.check_room(len(corners) * source.rows.shape[1])
            rows = source.bytes_of(corners)
            left_out = ("bufferView", "byteOffset", "sparse", "min", "max", "count")
            entry = self._document["accessors"][accessor]
            description = {name: value for name, value in entry.items() if name not in left_out}
            if bounds:
                values = rows.view(source.component)
                low, high = values.min(0), values.max(0)
                if np.isfinite(low).all() and np.isfinite(high).all():
                    description |= {"min": low.tolist(), "max": high.tolist()}
            self._expanded[key] = self.additions.array(rows, description)
        return self._expanded[key]


def _repeats(uv: Floats) -> bool:
    """Whether UVs leave the texture."""
    return bool(uv.min() < 0.0 or uv.max() > 1.0)


def _set_colours_aside(attributes: dict[str, Any]) -> None:
    """Rename vertex colours, which every program would multiply the texture with, to what only their author knows."""
    for name in [name for name in attributes if name.startswith("COLOR_")]:
        aside = f"_{name}"
        while aside in attributes:
            aside = f"_{aside}"
        attributes[aside] = attributes.pop(name)
