"""The triangles of a glTF primitive as the file lists them, from its indices and its mode.

Khronos, "glTF 2.0 Specification", section 3.7.2.1: lists, strips and fans of triangles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dreamfusion_engine.mesh.gltf.accessors import Accessor, Accessors, Rows
from dreamfusion_engine.mesh.gltf.container import Unusable
from dreamfusion_engine.mesh.gltf.material import mapping

LIST, STRIP, FAN = 4, 5, 6
DRACO = "KHR_draco_mesh_compression"
_UNSIGNED = ("|u1", "<u2", "<u4")


def shape_of(primitive: dict[str, Any], accessors: Accessors) -> tuple[int, int]:
    """Return the mode (LIST, STRIP or FAN) and the number of triangles, without reading an index.

    0 triangles for points, lines, and what has no positions.

    primitive: dict, its entry in the file.
    accessors: Accessors of the file.
    Raises Unusable for what the format does not allow.
    """
    mode = primitive.get("mode", LIST)
    if type(mode) is not int or not 0 <= mode <= FAN:
        raise Unusable("A part of one of its meshes is of a kind that the format does not have.")
    if mode < LIST or "POSITION" not in attributes_of(primitive):
        return mode, 0
    count = _order(primitive, accessors).count
    if mode == LIST and count % 3:
        raise Unusable(f"The triangles of one of its meshes have {count:,} corners, which is no multiple of three.")
    return mode, count // 3 if mode == LIST else max(count - 2, 0)


def corners_of(primitive: dict[str, Any], accessors: Accessors) -> Rows:
    """Return the vertices of every triangle, in the file's order, counter-clockwise in the mesh: int64[T, 3].

    primitive: dict, its entry in the file.
    accessors: Accessors of the file.
    Raises Unusable where an index means no vertex.
    """
    mode, triangles = shape_of(primitive, accessors)
    order = _order(primitive, accessors)
    listed = np.arange(order.count, dtype=np.int64)
    if "indices" in primitive:
        listed = order.components_of(listed).reshape(-1).astype(np.int64)
    vertices = accessors.get(attributes_of(primitive)["POSITION"]).count
    if listed.max() >= vertices:
        raise Unusable(f"One of its triangles names vertex {listed.max():,} of {vertices:,}.")
    if mode == LIST:
        return listed.reshape(-1, 3)
    i = np.arange(triangles)
    if mode == STRIP:
        places = np.stack([i, i + 1 + i % 2, i + 2 - i % 2], -1)
    else:
        places = np.stack([i + 1, i + 2, np.zeros_like(i)], -1)
    return listed[places]


def attributes_of(primitive: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a primitive, name to number of an accessor. Raises Unusable where there are none."""
    attributes = primitive.get("attributes")
    if not isinstance(attributes, dict):
        raise Unusable("A part of one of its meshes has no vertices.")
    return attributes


def targets_of(primitive: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the morph targets of a primitive, each name to number of an accessor. Raises Unusable."""
    targets = primitive.get("targets", [])
    if not isinstance(targets, list) or not all(isinstance(target, dict) for target in targets):
        raise Unusable("The shape keys of one of its meshes are damaged.")
    return targets


def compressed(primitive: dict[str, Any]) -> bool:
    """Return whether a primitive has a Draco version, which programs that know it take in place of its arrays."""
    return DRACO in mapping(primitive.get("extensions"))


def _order(primitive: dict[str, Any], accessors: Accessors) -> Accessor:
    """The accessor whose elements are the corners in order: that of the indices, else that of the positions."""
    if "indices" not in primitive:
        return accessors.get(attributes_of(primitive)["POSITION"])
    found = accessors.get(primitive["indices"])
    if found.element_type != "SCALAR" or found.component.str not in _UNSIGNED:
        raise Unusable("The indices of one of its meshes are no whole numbers.")
    return found
