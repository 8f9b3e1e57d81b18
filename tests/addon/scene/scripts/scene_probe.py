"""For scripts inside Blender: numbers of meshes, and what the scene holds."""

from __future__ import annotations

from array import array
from typing import Any

import bpy


def corners(mesh: Any) -> tuple[array[float], array[int], array[float]]:
    """Positions (3 a vertex), vertex of each corner, UV of each corner (2 each), by Blender's oldest ways."""
    positions = array("f", bytes(12 * len(mesh.vertices)))
    mesh.vertices.foreach_get("co", positions)
    vertices = array("i", bytes(4 * len(mesh.loops)))
    mesh.loops.foreach_get("vertex_index", vertices)
    uvs = array("f", [value for entry in mesh.uv_layers.active.data for value in entry.uv])
    return positions, vertices, uvs


def open_edges(mesh: Any) -> int:
    """Edges that do not have exactly two faces."""
    faces: dict[tuple[int, int], int] = {}
    for polygon in mesh.polygons:
        for key in polygon.edge_keys:
            faces[key] = faces.get(key, 0) + 1
    return sum(number != 2 for number in faces.values())


def colour_error(obj: Any) -> float:
    """Largest difference between the body's texture at its corners and what its shape says (see shapes.py).

    Green is the height, blue the front (-Y), red the right (+X), as seen from the axis through the poles.
    """
    mesh = obj.data
    image = next(node.image for node in obj.material_slots[0].material.node_tree.nodes if node.type == "TEX_IMAGE")
    width, height = image.size
    pixels = array("f", bytes(16 * width * height))
    image.pixels.foreach_get(pixels)
    positions, vertices, uvs = corners(mesh)
    low = [min(positions[axis::3]) for axis in range(3)]
    high = [max(positions[axis::3]) for axis in range(3)]
    pole = 3 * max(range(len(positions) // 3), key=lambda vertex: positions[3 * vertex + 2])
    worst = 0.0
    for number, vertex in enumerate(vertices):
        tall = (positions[3 * vertex + 2] - low[2]) / (high[2] - low[2])
        if not 0.05 < tall < 0.95:  # near the poles one texel is many sides
            continue
        x = min(width - 1, int(uvs[2 * number] * width))
        y = min(height - 1, int(uvs[2 * number + 1] * height))
        red, green, blue = pixels[4 * (y * width + x) : 4 * (y * width + x) + 3]
        worst = max(worst, abs(green - tall))
        side = positions[3 * vertex] / (0.5 * (high[0] - low[0]))  # sin(phi) times at most 1
        if abs(red - 0.5) > 0.1:
            worst = max(worst, 1.0 if (red > 0.5) != (side > 0.0) else 0.0)
        if blue > 0.99:  # straight ahead
            worst = max(worst, 0.0 if positions[3 * vertex + 1] < positions[pole + 1] else 1.0)
    return worst


def counts() -> dict[str, int]:
    """How many data-blocks of each kind there are."""
    kinds = ("objects", "meshes", "materials", "images", "collections", "scenes", "lights", "cameras", "actions")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def mean_colour_error(obj: Any) -> float:
    """Mean difference between the texture in the middles of faces and the height that green stands for.

    For meshes whose corners are not the body's own, where single corners may lie at the edge of a texel.
    """
    mesh = obj.data
    image = next(node.image for node in obj.material_slots[0].material.node_tree.nodes if node.type == "TEX_IMAGE")
    width, height = image.size
    pixels = array("f", bytes(16 * width * height))
    image.pixels.foreach_get(pixels)
    layer = mesh.uv_layers.active.data
    low = min(vertex.co.z for vertex in mesh.vertices)
    high = max(vertex.co.z for vertex in mesh.vertices)
    errors = []
    for polygon in mesh.polygons:
        u = sum(layer[loop].uv[0] for loop in polygon.loop_indices) / polygon.loop_total
        v = sum(layer[loop].uv[1] for loop in polygon.loop_indices) / polygon.loop_total
        x, y = min(width - 1, int(u * width)), min(height - 1, int(v * height))
        green = pixels[4 * (y * width + x) + 1]
        errors.append(abs(green - (polygon.center.z - low) / (high - low)))
    return sum(errors) / len(errors)


def uv_range(obj: Any) -> list[tuple[float, float]]:
    """Lowest and highest u, and v."""
    uvs = corners(obj.data)[2]
    return [(min(uvs[axis::2]), max(uvs[axis::2])) for axis in range(2)]
