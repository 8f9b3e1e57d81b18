"""Blender meshes from flat arrays, the same in every version, and without numpy, which not every Blender has."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import bpy
from bpy.types import Mesh

UV_NAME = "UVMap"  # as Blender names its own


def build(name: str, positions: array[float], triangles: array[int]) -> Mesh:
    """A mesh of smooth triangles.

    name: str, of the mesh.
    positions: float[3 V], 3 numbers a vertex.
    triangles: int[3 T], 3 vertex indices a triangle, each in [0, V).
    """
    mesh = bpy.data.meshes.new(name)
    count = len(triangles) // 3
    mesh.vertices.add(len(positions) // 3)
    mesh.vertices.foreach_set("co", positions)
    mesh.loops.add(len(triangles))
    mesh.loops.foreach_set("vertex_index", triangles)
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", array("i", range(0, 3 * count, 3)))
    if bpy.app.version < (4, 1, 0):  # later ones know it from the next face's start
        mesh.polygons.foreach_set("loop_total", array("i", [3]) * count)
    smooth(mesh)
    mesh.update(calc_edges=True)
    return mesh


def smooth(mesh: Mesh) -> None:
    """Shade every face of the mesh smooth."""
    if hasattr(mesh, "shade_smooth"):
        mesh.shade_smooth()
    else:
        mesh.polygons.foreach_set("use_smooth", array("b", [1]) * len(mesh.polygons))


def set_uvs(mesh: Mesh, uvs: Sequence[float], name: str = UV_NAME) -> None:
    """Give the mesh a UV layer and make it the active one.

    uvs: float, 2 numbers a corner, in the order of the corners.
    name: str, of the layer.
    """
    layer = mesh.uv_layers.new(name=name, do_init=False)
    if hasattr(layer, "uv"):
        layer.uv.foreach_set("vector", uvs)
    else:
        layer.data.foreach_set("uv", uvs)
    mesh.uv_layers.active = layer
    layer.active_render = True
