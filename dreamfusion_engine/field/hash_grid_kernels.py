"""Warp kernels of the multiresolution hash grid, made once for each number of features a level.

The forward pass runs over (block of points, level), so that on the CPU one level's table stays in the cache while a
block passes through it; on CUDA a block is one point. The table gradient on the CPU runs over levels: each level's
table is written by one thread, in the order of the points, which makes it the same bit for bit on any number of cores.

Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the vector type of the closure.
"""

# mypy: disable-error-code="operator"

from functools import cache
from typing import Any, NamedTuple

import warp as wp

from dreamfusion_engine.machine import warp_runtime  # noqa: F401  (starts Warp quietly before the first kernel)

POINT_BLOCK = 256  # on the CPU, points a level handles before the next level takes over


class GridKernels(NamedTuple):
    """The Warp vector type of one entry, and the kernels.

    feature: vector type of an entry.
    encode: one item is a block of points at one level.
    point_gradient: one item is a point.
    table_gradient: one item is a level.
    table_gradient_atomic: one item is a point at one level, for CUDA, where additions come in any order.
    """

    feature: Any
    encode: Any
    point_gradient: Any
    table_gradient: Any
    table_gradient_atomic: Any


@wp.struct
class Cell:
    """The cell of one level that a point lies in: what each axis adds to a vertex's table index, and its weight.

    x0, x1: int, what the low and the high vertex along x add.
    y0, y1, z0, z1: int, likewise along y and z.
    u, v, w: float in [0, 1], the point's offset within the cell along x, y and z.
    """

    x0: wp.uint32
    x1: wp.uint32
    y0: wp.uint32
    y1: wp.uint32
    z0: wp.uint32
    z1: wp.uint32
    u: float
    v: float
    w: float


@wp.func
def cell_of(point: wp.vec3, resolution: int, mask: wp.uint32) -> Cell:
    """Row-major where the level fits the table (mask 0), else the primes of Mueller 2022, eq. 4."""
    scale = 0.5 * float(resolution)
    last = float(resolution)
    px = wp.clamp((point[0] + 1.0) * scale, 0.0, last)
    py = wp.clamp((point[1] + 1.0) * scale, 0.0, last)
    pz = wp.clamp((point[2] + 1.0) * scale, 0.0, last)
    x = wp.min(int(px), resolution - 1)
    y = wp.min(int(py), resolution - 1)
    z = wp.min(int(pz), resolution - 1)
    along_y = wp.uint32(resolution + 1)
    along_z = along_y * along_y
    if mask != wp.uint32(0):
        along_y = wp.uint32(-1640531535)  # 2654435761
        along_z = wp.uint32(805459861)
    cell = Cell()
    cell.x0 = wp.uint32(x)
    cell.x1 = cell.x0 + wp.uint32(1)
    cell.y0 = wp.uint32(y) * along_y
    cell.y1 = cell.y0 + along_y
    cell.z0 = wp.uint32(z) * along_z
    cell.z1 = cell.z0 + along_z
    cell.u = px - float(x)
    cell.v = py - float(y)
    cell.w = pz - float(z)
    return cell


@wp.func
def entry(x: wp.uint32, y: wp.uint32, z: wp.uint32, mask: wp.uint32) -> int:
    """Table index of a vertex within its level."""
    return wp.where(mask == wp.uint32(0), int(x + y + z), int((x ^ y ^ z) & mask))


@wp.func
def hashed(x: wp.uint32, yz: wp.uint32, mask: wp.uint32) -> int:
    """Return the table index of a vertex within a hashed level.

    x: int, what its x adds.
    yz: int, what its y and z add, combined.
    mask: int, entries of the level - 1.
    """
    return int((x ^ yz) & mask)


@wp.func
def side(bit: int, t: float) -> float:
    """Linear interpolation weight of the low (bit 0) or high vertex."""
    return wp.where(bit == 0, 1.0 - t, t)


@cache
def grid_kernels(features: int) -> GridKernels:
    """Return the kernels for `features` features a level."""
    vec = wp.types.vector(length=features, dtype=wp.float32)

    @wp.func
    def corner_entry(c: Cell, corner: int, offset: int, mask: wp.uint32) -> int:
        """Table index of corner 0 to 7 of a cell: bit 0 is the high side along x, bit 1 along y, bit 2 along z."""
        x = wp.where(corner & 1 == 0, c.x0, c.x1)
        y = wp.where(corner & 2 == 0, c.y0, c.y1)
        z = wp.where(corner & 4 == 0, c.z0, c.z1)
        return offset + entry(x, y, z, mask)

    @wp.func
    def corner_weight(c: Cell, corner: int) -> float:
        """Trilinear interpolation weight of a corner."""
        return side(corner & 1, c.u) * side(corner & 2, c.v) * side(corner & 4, c.w)

    @wp.func
    def between(a: vec, b: vec, t: float) -> vec:
        return a + t * (b - a)

    @wp.func
    def across(a: vec, b: vec, c: vec, d: vec, u: float, v: float) -> vec:
        """Bilinear between a, b (along u) and c, d, one step along v."""
        return between(between(a, b, u), between(c, d, u), v)

    @wp.kernel(enable_backward=False, module="unique")
    def encode(
        begin: int,
        points: wp.array(dtype=wp.vec3),
        table: wp.array(dtype=vec),
        resolutions: wp.array(dtype=int),
        offsets: wp.array(dtype=int),
        masks: wp.array(dtype=int),
        level_weight: wp.array(dtype=float),
        levels: int,
        count: int,
        block: int,
        encoded: wp.array(dtype=vec),
    ) -> None:
        item = begin + wp.tid()
        level = item % levels
        first = item // levels * block
        weight = level_weight[level]
        resolution = resolutions[level]
        offset = offsets[level]
        mask = wp.uint32(masks[level])
        last = wp.min(first + block, count)
        # One loop for each way of storing a level: asked at every corner, the difference takes a fifth of the time.
        if weight <= 0.0:
            for n in range(first, last):
                encoded[n * levels + level] = vec()
        elif mask == wp.uint32(0):
            row = resolution + 1
            for n in range(first, last):
                c = cell_of(points[n], resolution, mask)
                a = offset + int(c.x0 + c.y0 + c.z0)
                b = a + row * row
                low = across(table[a], table[a + 1], table[a + row], table[a + row + 1], c.u, c.v)
                high = across(table[b], table[b + 1], table[b + row], table[b + row + 1], c.u, c.v)
                encoded[n * levels + level] = weight * between(low, high, c.w)
        else:
            for n in range(first, last):
                c = cell_of(points[n], resolution, mask)
                low = across(
                    table[offset + hashed(c.x0, c.y0 ^ c.z0, mask)],
                    table[offset + hashed(c.x1, c.y0 ^ c.z0, mask)],
                    table[offset + hashed(c.x0, c.y1 ^ c.z0, mask)],
                    table[offset + hashed(c.x1, c.y1 ^ c.z0, mask)],
                    c.u,
                    c.v,
                )
                high = across(
                    table[offset + hashed(c.x0, c.y0 ^ c.z1, mask)],
                    table[offset + hashed(c.x1, c.y0 ^ c.z1, mask)],
                    table[offset + hashed(c.x0, c.y1 ^ c.z1, mask)],
                    table[offset + hashed(c.x1, c.y1 ^ c.z1, mask)],
                    c.u,
                    c.v,
                )
                encoded[n * levels + level] = weight * between(low, high, c.w)

    @wp.kernel(enable_backward=False, module="unique")
    def table_gradient(
        begin: int,
        points: wp.array(dtype=wp.vec3),
        gradient: wp.array(dtype=vec),
        resolutions: wp.array(dtype=int),
        offsets: wp.array(dtype=int),
        masks: wp.array(dtype=int),
        level_weight: wp.array(dtype=float),
        levels: int,
        count: int,
        result: wp.array(dtype=vec),
    ) -> None:
        level = levels - 1 - (begin + wp.tid())
        weight = level_weight[level]
        resolution = resolutions[level]
        offset = offsets[level]
        mask = wp.uint32(masks[level])
        if weight > 0.0:
            for n in range(count):
                g = weight * gradient[n * levels + level]
                if wp.dot(g, g) > 0.0:
                    c = cell_of(points[n], resolution, mask)
                    for corner in range(8):
                        k = corner_entry(c, corner, offset, mask)
                        result[k] = result[k] + corner_weight(c, corner) * g

    @wp.kernel(enable_backward=False, module="unique")
    def table_gradient_atomic(
        begin: int,
        points: wp.array(dtype=wp.vec3),
        gradient: wp.array(dtype=vec),
        resolutions: wp.array(dtype=int),
        offsets: wp.array(dtype=int),
        masks: wp.array(dtype=int),
        level_weight: wp.array(dtype=float),
        levels: int,
        count: int,
        result: wp.array(dtype=vec),
    ) -> None:
        item = begin + wp.tid()
        n = item // levels
        level = item - n * levels
        g = level_weight[level] * gradient[item]
        if n < count and wp.dot(g, g) > 0.0:
            mask = wp.uint32(masks[level])
            c = cell_of(points[n], resolutions[level], mask)
            for corner in range(8):
                wp.atomic_add(result, corner_entry(c, corner, offsets[level], mask), corner_weight(c, corner) * g)

    @wp.kernel(enable_backward=False, module="unique")
    def point_gradient(
        begin: int,
        points: wp.array(dtype=wp.vec3),
        gradient: wp.array(dtype=vec),
        table: wp.array(dtype=vec),
        resolutions: wp.array(dtype=int),
        offsets: wp.array(dtype=int),
        masks: wp.array(dtype=int),
        level_weight: wp.array(dtype=float),
        levels: int,
        result: wp.array(dtype=wp.vec3),
    ) -> None:
        n = begin + wp.tid()
        total = wp.vec3()
        for level in range(levels):
            resolution = resolutions[level]
            mask = wp.uint32(masks[level])
            c = cell_of(points[n], resolution, mask)
            g = 0.5 * float(resolution) * level_weight[level] * gradient[n * levels + level]
            for corner in range(8):
                value = wp.dot(g, table[corner_entry(c, corner, offsets[level], mask)])
                x = side(corner & 1, c.u)
                y = side(corner & 2, c.v)
                z = side(corner & 4, c.w)
                total += value * wp.vec3(
                    wp.where(corner & 1 == 0, -y * z, y * z),
                    wp.where(corner & 2 == 0, -x * z, x * z),
                    wp.where(corner & 4 == 0, -x * y, x * y),
                )
        result[n] = total

    return GridKernels(vec, encode, point_gradient, table_gradient, table_gradient_atomic)
