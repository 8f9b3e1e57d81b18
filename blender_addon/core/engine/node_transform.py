"""Where a glTF file puts its mesh: the product of the transforms of the nodes above it. Standard library only.

Matrices are row-major, 16 numbers, applied to columns.
"""

from __future__ import annotations

from array import array
from typing import Any

Matrix = tuple[float, ...]
IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def world_matrix(document: dict[str, Any]) -> Matrix:
    """The matrix of the first node with a mesh, in the world.

    document: the JSON of a glTF file.
    Raises ValueError if the nodes are no tree.
    """
    nodes = document.get("nodes", [])
    parent = {child: number for number, node in enumerate(nodes) for child in node.get("children", ())}
    number = next((number for number, node in enumerate(nodes) if "mesh" in node), None)
    matrix, seen = IDENTITY, 0
    while number is not None:
        matrix = product(_local(nodes[number]), matrix)
        number, seen = parent.get(number), seen + 1
        if seen > len(nodes):
            raise ValueError("Its nodes are each other's parents.")
    return matrix


def product(a: Matrix, b: Matrix) -> Matrix:
    """The matrix that applies `b` first and `a` second."""
    return tuple(sum(a[4 * i + k] * b[4 * k + j] for k in range(4)) for i in range(4) for j in range(4))


def transformed(points: array[float], matrix: Matrix) -> array[float]:
    """Points, 3 numbers each, moved by an affine matrix."""
    x, y, z = points[0::3], points[1::3], points[2::3]
    moved = array("f", bytes(4 * len(points)))
    for axis in range(3):
        a, b, c, d = matrix[4 * axis : 4 * axis + 4]
        moved[axis::3] = array("f", [a * i + b * j + c * k + d for i, j, k in zip(x, y, z, strict=True)])
    return moved


def is_mirror(m: Matrix) -> bool:
    """Whether the matrix mirrors: its determinant is negative."""
    minor = m[5] * m[10] - m[6] * m[9], m[4] * m[10] - m[6] * m[8], m[4] * m[9] - m[5] * m[8]
    return m[0] * minor[0] - m[1] * minor[1] + m[2] * minor[2] < 0.0


def _local(node: dict[str, Any]) -> Matrix:
    """The matrix of a node: given column by column, or as translation, rotation (x, y, z, w) and scale."""
    if "matrix" in node:
        given = [float(value) for value in node["matrix"]]
        if len(given) != 16:
            raise ValueError("A node's matrix does not have 16 numbers.")
        return tuple(given[4 * column + row] for row in range(4) for column in range(4))
    tx, ty, tz = (float(value) for value in node.get("translation", (0, 0, 0)))
    x, y, z, w = (float(value) for value in node.get("rotation", (0, 0, 0, 1)))
    sx, sy, sz = (float(value) for value in node.get("scale", (1, 1, 1)))
    # fmt: off
    return (
        sx * (1 - 2 * (y * y + z * z)), sy * 2 * (x * y - z * w), sz * 2 * (x * z + y * w), tx,
        sx * 2 * (x * y + z * w), sy * (1 - 2 * (x * x + z * z)), sz * 2 * (y * z - x * w), ty,
        sx * 2 * (x * z - y * w), sy * 2 * (y * z + x * w), sz * (1 - 2 * (x * x + y * y)), tz,
        0.0, 0.0, 0.0, 1.0,
    )
    # fmt: on
