"""Which part of a mesh changes: what the file says, or what a name of it means.

Axis letters: V vertices, T triangles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.arrays import Bools, Floats
from dreamfusion_engine.mesh.gltf.read import CHOSEN, GltfFile, GltfPrimitive

_NAMES_SHOWN = 8
Weights = tuple[Floats, ...]


def chosen_weights(file: GltfFile, name: str = "") -> Weights | None:
    """Return how much each vertex of each primitive may change, float32[V] in [0, 1]; None: the run is about all of it.

    file: GltfFile.
    name: str, of the material, object or mesh that changes, as the file has it; "": as its attribute `_PART` says.
    Raises InputError paint.part for a name that the file does not have, and for a part that is nothing or everything.
    """
    if name:
        weights = _named(file, name)
    elif any(each.chosen is not None for each in file.primitives):
        weights = tuple(
            np.zeros(len(each.vertices), np.float32) if each.chosen is None else each.chosen for each in file.primitives
        )
    else:
        return None
    touched = [changes(each, weight) for each, weight in zip(file.primitives, weights, strict=True)]
    if not any(part.any() for part in touched):
        raise InputError(
            "paint.part",
            what="Nothing is selected, so nothing can change.",
            why=f"The attribute {CHOSEN} of the mesh is 0 everywhere.",
            fix="Select faces in Edit Mode, or paint weights above 0 in the vertex group.",
        )
    if all((weight == 1.0).all() for weight in weights):
        raise InputError(
            "paint.part",
            what="The part to change is the whole mesh.",
            why="Then nothing stays as it is, and there is no border to blend at.",
            fix="Select fewer faces. For a new texture of all of it, use Texture This in Blender; on the command line "
            "leave out --part and the attribute _PART.",
        )
    return weights


def changes(primitive: GltfPrimitive, weight: Floats) -> Bools:
    """Return the triangles of which some corner may change, bool[T].

    primitive: GltfPrimitive.
    weight: float32[V] of its vertices.
    """
    return np.asarray((weight[primitive.triangles] > 0.0).any(1))


def check_layout(file: GltfFile, uv: str, chosen: Sequence[bool]) -> None:
    """Raise InputError paint.part where new UVs are asked for, and the old ones say what stays.

    file: GltfFile.
    uv: str, as `PaintConfig.uv`.
    chosen: for each primitive, whether some of it changes.
    """
    if uv == "new" and any(it and each.uv is not None for each, it in zip(file.primitives, chosen, strict=True)):
        raise InputError(
            "paint.part",
            what="A part changes in the UVs that the mesh has.",
            why="With new UVs all of the texture would be another, and nothing could stay as it is.",
            fix="Keep the UVs (paint.uv=keep).",
        )


def _named(file: GltfFile, name: str) -> Weights:
    """Weights of 1 for all primitives that a name means: first the materials, then the objects, then the meshes."""
    meshes = [mesh.get("name") for mesh in file.document["meshes"]]
    kinds: list[Sequence[object]] = [
        [each.material for each in file.primitives],
        [each.name for each in file.primitives],
        [meshes[each.mesh] for each in file.primitives],
    ]
    for names in kinds:
        if name in names:
            return tuple(
                np.full(len(each.vertices), float(own == name), np.float32)
                for each, own in zip(file.primitives, names, strict=True)
            )
    there = sorted({str(own) for names in kinds for own in names if own})
    shown = ", ".join(there[:_NAMES_SHOWN]) + (" ..." if len(there) > _NAMES_SHOWN else "")
    raise InputError(
        "paint.part",
        what=f"The mesh has no part that is called '{name[:64]}'.",
        why="The name must be that of a material, an object or a mesh of the file.",
        fix=f"Give one of these: {shown}." if there else f"Nothing in the file has a name. Give it {CHOSEN} instead.",
    )
