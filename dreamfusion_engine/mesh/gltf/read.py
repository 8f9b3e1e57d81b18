"""Read the meshes of a GLB that an artist made, as they stand in its scene. Nothing in the file is believed unchecked.

Left aside: skins, morph targets and animations (the mesh is read as it is stored), instances (EXT_mesh_gpu_instancing),
cameras and lights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.arrays import Doubles, Floats, Ints
from dreamfusion_engine.mesh.export import from_gltf_axes
from dreamfusion_engine.mesh.gltf.accessors import Accessor, Accessors, Rows, pick
from dreamfusion_engine.mesh.gltf.container import PLAIN, Unusable, unpack
from dreamfusion_engine.mesh.gltf.corners import attributes_of, compressed, corners_of, shape_of, targets_of
from dreamfusion_engine.mesh.gltf.material import base_colour, uv_set
from dreamfusion_engine.mesh.gltf.nodes import PlacedMesh, clean_name, placed_meshes

TRIANGLE_LIMIT = 5_000_000  # of all primitives together
PRIMITIVE_LIMIT = 10_000
CHOSEN = "_PART"  # attribute of a vertex: how much it may change; the format leaves names with "_" to programs
FLIPPED = [0, 2, 1]  # the corners of a triangle, the other way round


@dataclass(frozen=True, kw_only=True)
class GltfPrimitive:
    """One primitive of one node of the default scene, in the scene's space and the engine's axes (Z up, front -Y).

    name: str, of the node, else of the mesh, else "object"; one line of at most 64 visible characters.
    node, mesh, primitive: int, where it is in the file.
    vertices: float32[V, 3], those that triangles use, in the file's order; all transforms of nodes are in them.
    triangles: int32[T, 3], counter-clockwise seen from outside, in the file's order; some may have no area.
    normals: float32[V, 3], unit length, or None where the file has none.
    uv: float32[T, 3, 2], u to the right, v down, or None where the file has none. Of the set that the base-colour
        texture uses, else of the first. As stored, without KHR_texture_transform, because a new texture takes none; may
        lie outside [0, 1], where the picture repeats.
    mirrored: bool, whether the node mirrors it. Its triangles then have their last two corners exchanged against the
        file, and `uv` likewise.
    material: str, the name of its material; "" where it has none.
    chosen: float32[V] in [0, 1], what its attribute `_PART` says: 1 where it may change, 0 where it stays; None where
        it has none.
    """

    name: str
    node: int
    mesh: int
    primitive: int
    vertices: Floats
    triangles: Ints
    normals: Floats | None
    uv: Floats | None
    mirrored: bool
    material: str = ""
    chosen: Floats | None = None


@dataclass(frozen=True)
class GltfFile:
    """A GLB that was read. Made by `read_gltf` only: others rely on what it checks.

    document: dict, its JSON; not to be changed.
    binary: bytes, the content of its BIN chunk; empty where it has none.
    primitives: tuple of GltfPrimitive, one at least.
    rest: bytes, chunks that are somebody's own.
    """

    document: dict[str, Any]
    binary: bytes
    primitives: tuple[GltfPrimitive, ...]
    rest: bytes = b""


def read_gltf(data: bytes, what: str = "the mesh") -> GltfFile:
    """Read a GLB.

    data: bytes of the whole file.
    what: str, what to call it in errors.
    Raises InputError input.mesh where it is none, is damaged, holds no triangles or too many.
    """
    try:
        container = unpack(data)
        accessors = Accessors(container.document, container.binary)
        primitives = _primitives(container.document, accessors)
    except Unusable as error:
        raise unusable(error, what) from error
    return GltfFile(container.document, container.binary, primitives, container.rest)


def unusable(error: Unusable, what: str = "the mesh") -> InputError:
    """Return the InputError input.mesh for a file that cannot be used.

    error: Unusable, with the reason.
    what: as for `read_gltf`.
    """
    return InputError("input.mesh", what=f"{what[:1].upper()}{what[1:]} cannot be used.", why=error.why, fix=error.fix)


def colour_uv_name(document: dict[str, Any], primitive: dict[str, Any]) -> str | None:
    """Return the attribute with the UVs of the base-colour texture, such as TEXCOORD_0; None where there is none.

    document: dict, the JSON of the file.
    primitive: dict, its entry there.
    """
    attributes = attributes_of(primitive)
    wished = 0
    if "material" in primitive:
        wished = uv_set(base_colour(pick(document.get("materials", []), primitive["material"], "material"))[0])
    return next((name for name in (f"TEXCOORD_{wished}", "TEXCOORD_0") if name in attributes), None)


@dataclass(frozen=True)
class _Place:
    """A primitive that has triangles: its place in the scene, its number in the mesh, its entry."""

    placed: PlacedMesh
    number: int
    entry: dict[str, Any]


def _primitives(document: dict[str, Any], accessors: Accessors) -> tuple[GltfPrimitive, ...]:
    places, total = [], 0
    for placed in placed_meshes(document):
        entries = document["meshes"][placed.mesh].get("primitives")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Unusable("One of its meshes is damaged.")
        for number, entry in enumerate(entries):
            _, triangles = shape_of(entry, accessors)
            total += triangles
            if triangles:
                places.append(_Place(placed, number, entry))
            if len(places) > PRIMITIVE_LIMIT:
                raise Unusable(
                    f"Its scene has more than {PRIMITIVE_LIMIT:,} meshes.", "Join objects, or export fewer of them."
                )
    if total > TRIANGLE_LIMIT:
        raise Unusable(
            f"It has {total:,} triangles; at most {TRIANGLE_LIMIT:,} are read.",
            "Decimate a copy of it, and export that.",
        )
    if not places:
        raise Unusable("There are no triangles in its scene.", "Export a mesh with faces, as glTF Binary (.glb).")
    return tuple(_primitive(document, accessors, place) for place in places)


def _primitive(document: dict[str, Any], accessors: Accessors, place: _Place) -> GltfPrimitive:
    entry, placed = place.entry, place.placed
    attributes = attributes_of(entry)
    position = accessors.get(attributes["POSITION"])
    if compressed(entry) and "bufferView" not in document["accessors"][attributes["POSITION"]]:
        raise Unusable("Its meshes are compressed (KHR_draco_mesh_compression).", PLAIN)
    for index in (*attributes.values(), *(index for target in targets_of(entry) for index in target.values())):
        if accessors.get(index).count != position.count:
            raise Unusable("Two arrays of one of its meshes have different numbers of vertices.")
    if position.element_type != "VEC3" or position.component.str == "<u4":
        raise Unusable("The vertices of one of its meshes are no points in space.")
    file_corners = corners_of(entry, accessors)
    used, corners = np.unique(file_corners, return_inverse=True)
    triangles = corners.reshape(-1, 3).astype(np.int32)
    linear = placed.world[:3, :3] / max(np.abs(placed.world[:3, :3]).max(), 1e-300)
    mirrored = bool(np.linalg.det(linear) < 0.0)
    if mirrored:
        triangles = np.ascontiguousarray(triangles[:, FLIPPED])
    vertices = _vertices(position.values_of(used), placed.world)
    return GltfPrimitive(
        name=clean_name(document["nodes"][placed.node].get("name"), document["meshes"][placed.mesh].get("name")),
        node=placed.node,
        mesh=placed.mesh,
        primitive=place.number,
        vertices=vertices,
        triangles=triangles,
        normals=_normals(accessors.get(attributes["NORMAL"]), used, linear, vertices, triangles)
        if "NORMAL" in attributes
        else None,
        uv=_uv(document, accessors, entry, file_corners[:, FLIPPED] if mirrored else file_corners),
        mirrored=mirrored,
        material=_material_name(document, entry),
        chosen=_chosen(accessors.get(attributes[CHOSEN]), used) if CHOSEN in attributes else None,
    )


def _material_name(document: dict[str, Any], entry: dict[str, Any]) -> str:
    if "material" not in entry:
        return ""
    name = pick(document.get("materials", []), entry["material"], "material").get("name")
    return clean_name(name) if isinstance(name, str) else ""


def _chosen(stored: Accessor, used: Rows) -> Floats:
    fit = stored.element_type == "SCALAR" and (stored.component.kind == "f" or stored.normalized)
    values = stored.values_of(used).reshape(-1).astype(np.float32) if fit else np.full(1, np.nan, np.float32)
    if not (np.isfinite(values).all() and (values >= 0.0).all() and (values <= 1.0).all()):
        raise Unusable(
            f"Its attribute {CHOSEN}, which says what may change, is not one number from 0 to 1 at each vertex.",
            f"Write {CHOSEN} as a scalar: 1 where the mesh may change, 0 where it stays.",
        )
    return values


def _vertices(stored: Doubles, world: Doubles) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        vertices = from_gltf_axes(stored @ world[:3, :3].T + world[:3, 3])
    if not np.isfinite(vertices).all():
        raise Unusable(
            "Some of its vertices are at no place: a number of theirs is infinite or none.",
            "Delete those vertices, or apply the object's transforms, and export again as glTF Binary (.glb).",
        )
    return vertices


def _normals(stored: Accessor, used: Rows, linear: Doubles, vertices: Floats, triangles: Ints) -> Floats:
    """Unit normals in the scene. A stored one that is no direction becomes that of a triangle there.

    linear: float64[3, 3], the transform without its place, scaled to at most 1.
    """
    if stored.element_type != "VEC3" or stored.component.str == "<u4":
        raise Unusable("The normals of one of its meshes are no directions.")
    a, b, c = linear.T  # of the columns: the matrix of cofactors carries normals, also where there is no inverse
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], 1)
    sign = -1.0 if np.linalg.det(linear) < 0.0 else 1.0
    with np.errstate(invalid="ignore"):
        turned = from_gltf_axes(_directions(sign * _directions(stored.values_of(used)) @ cofactors.T))
    lost = ~np.asarray(np.isfinite(turned).all(1))
    if lost.any():
        touching = triangles[lost[triangles].any(1)]
        corners = vertices[touching].astype(np.float64)
        faces = _directions(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
        sound = np.isfinite(faces).all(1)
        spare = np.tile([0.0, 0.0, 1.0], (len(turned), 1))
        spare[touching[sound].reshape(-1)] = np.repeat(faces[sound], 3, 0)
        turned[lost] = spare[lost]
    return turned


def _directions(vectors: Doubles | Floats) -> Doubles:
    """The vectors at unit length, float64[n, 3]; not-a-number where there is no direction."""
    wide = vectors.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        scaled = wide / np.abs(wide).max(1, keepdims=True)
        return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def _uv(document: dict[str, Any], accessors: Accessors, entry: dict[str, Any], corners: Rows) -> Floats | None:
    name = colour_uv_name(document, entry)
    if name is None:
        return None
    stored = accessors.get(attributes_of(entry)[name])
    if stored.element_type != "VEC2" or stored.component.str == "<u4":
        raise Unusable("The UVs of one of its meshes are no places in a picture.")
    uv = stored.values_of(corners.reshape(-1)).astype(np.float32).reshape(-1, 3, 2)
    if not np.isfinite(uv).all():
        raise Unusable(
            "Some of its UVs are at no place: a number of theirs is infinite or none.",
            "Unwrap the mesh anew, or delete its UV map, and export again as glTF Binary (.glb).",
        )
    return uv
