"""The node tree of a glTF file: which meshes stand where in its scene, and what they are called.

Khronos, "glTF 2.0 Specification", section 3.5: a strict tree; a node's place is a matrix, or T R S.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dreamfusion_engine.inputs.visible_text import visible
from dreamfusion_engine.mesh.arrays import Doubles
from dreamfusion_engine.mesh.gltf.accessors import pick
from dreamfusion_engine.mesh.gltf.container import Unusable

NODE_LIMIT = 100_000
NAME_LIMIT = 64  # characters
NAMELESS = "object"


@dataclass(frozen=True)
class PlacedMesh:
    """A mesh where a node puts it.

    node, mesh: int, their numbers in the file.
    world: float64[4, 4], from the mesh's coordinates to those of the scene (Y up), for columns.
    """

    node: int
    mesh: int
    world: Doubles


def placed_meshes(document: dict[str, Any]) -> list[PlacedMesh]:
    """Return the meshes of the default scene, in the order of the tree, parents first.

    The default scene is the one that the file names, else its first, else all nodes without a parent.
    document: the JSON, as `container.unpack` gives it.
    Raises Unusable for what is no tree.
    """
    nodes = document.get("nodes", [])
    if len(nodes) > NODE_LIMIT:
        raise Unusable(f"It has {len(nodes):,} nodes; at most {NODE_LIMIT:,} are read.", "Export fewer objects.")
    children = [_children(node, len(nodes)) for node in nodes]
    roots = _roots(children)
    chosen = _scene_nodes(document, roots)
    found: list[PlacedMesh] = []
    stack = [(number, np.eye(4)) for number in reversed(chosen)]
    while stack:
        number, above = stack.pop()
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused with the vertices
            world = above @ _local(nodes[number])
        if "mesh" in nodes[number]:
            pick(document.get("meshes", []), nodes[number]["mesh"], "mesh")
            found.append(PlacedMesh(number, nodes[number]["mesh"], world))
        stack += [(child, world) for child in reversed(children[number])]
    return found


def clean_name(*names: Any) -> str:
    """Return the first of the names that says something, as one short line of visible characters; else 'object'."""
    for name in names:
        if isinstance(name, str):
            text = visible(name[: 8 * NAME_LIMIT])
            kept = "".join(" " if _blank(letter) else letter for letter in text)
            line = " ".join(kept.split())[:NAME_LIMIT].strip()
            if line:
                return line
    return NAMELESS


def _blank(letter: str) -> bool:
    """Whether a character is a blank, a control character or no character; joiners are parts of words."""
    return unicodedata.category(letter)[0] in "CZ" and letter not in "\u200c\u200d"


def _children(node: dict[str, Any], count: int) -> list[int]:
    listed = node.get("children", [])
    if not isinstance(listed, list) or not all(type(child) is int and 0 <= child < count for child in listed):
        raise Unusable("One of its objects has children that are not in the file.")
    return listed


def _roots(children: Sequence[Sequence[int]]) -> list[int]:
    """The nodes without a parent. Raises Unusable for a node with two, and for circles."""
    parented = [False] * len(children)
    for listed in children:
        for child in listed:
            if parented[child]:
                raise Unusable("One of its objects has two parents.")
            parented[child] = True
    roots = [number for number, has in enumerate(parented) if not has]
    stack, reached = list(roots), 0
    while stack:
        reached += 1
        stack += children[stack.pop()]
    if reached != len(children):
        raise Unusable("Some of its objects are parents of each other, in a circle.")
    return roots


def _scene_nodes(document: dict[str, Any], roots: Sequence[int]) -> Sequence[int]:
    scenes = document.get("scenes", [])
    if not scenes and "scene" not in document:
        return roots
    listed = pick(scenes, document.get("scene", 0), "scene").get("nodes", [])
    if not isinstance(listed, list) or not all(type(number) is int for number in listed):
        raise Unusable("The list of objects of its scene is damaged.")
    if len(set(listed)) != len(listed) or not set(listed) <= set(roots):
        raise Unusable("Its scene names an object twice, or one that it does not have.")
    return listed


def _local(node: dict[str, Any]) -> Doubles:
    """The place of a node within its parent, float64[4, 4]."""
    place = np.eye(4)
    if "matrix" in node:
        place[:3] = _numbers(node, "matrix", np.eye(4).reshape(-1)).reshape(4, 4).T[:3]
        return place
    x, y, z, w = _unit(_numbers(node, "rotation", np.array([0.0, 0.0, 0.0, 1.0])))
    turn = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    place[:3, :3] = np.array(turn) * _numbers(node, "scale", np.ones(3))
    place[:3, 3] = _numbers(node, "translation", np.zeros(3))
    return place


def _unit(quaternion: Doubles) -> Doubles:
    largest = np.abs(quaternion).max()
    if largest == 0.0:
        return np.array([0.0, 0.0, 0.0, 1.0])
    scaled = quaternion / largest
    return scaled / np.linalg.norm(scaled)


def _numbers(node: dict[str, Any], key: str, default: Doubles) -> Doubles:
    values = node.get(key)
    if values is None:
        return default
    if not isinstance(values, list) or len(values) != len(default) or not all(type(v) in (int, float) for v in values):
        raise Unusable(f"The {key} of one of its objects is damaged.")
    return np.array(values, np.float64)
