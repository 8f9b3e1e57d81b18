"""The Warp kernel that finds the silhouette edges between neighbouring pixels.

Axis letters: N pixels of all views, V vertices, T triangles.
"""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
import warp as wp

WALK = 512  # triangles that a walk of one pixel may cross; at that many no gradient of one edge means anything
SLACK = 1e-3  # pixels by which a crossing may lie behind the near pixel's middle, where rounding puts it


@wp.func
def along(point: wp.vec3, x: float, y: float, axis: int, step: float) -> wp.vec2:
    """(s, t) of a point on the screen: s from the near pixel's middle (0) to the far one's (1), t across."""
    if axis == 0:
        return wp.vec2(step * (point[0] - x), point[1] - y)
    return wp.vec2(step * (point[1] - y), point[0] - x)


@wp.func
def crossing(a: wp.vec2, b: wp.vec2) -> float:
    """The s at which the line from a to b has t = 0; their t have different signs."""
    return a[0] - (b[0] - a[0]) * a[1] / (b[1] - a[1])


@wp.kernel(enable_backward=False)
def find_silhouettes(
    begin: int,
    triangle: wp.array(dtype=wp.int64),
    depth: wp.array(dtype=float),
    screen: wp.array(dtype=wp.vec3),
    rows: wp.array(dtype=int),
    neighbours: wp.array(dtype=int),
    vertices: int,
    height: int,
    width: int,
    start: wp.array(dtype=int),
    end: wp.array(dtype=int),
    far: wp.array(dtype=int),
) -> None:
    """Walk from the nearer pixel's triangle over the surface towards the farther pixel, to the first silhouette edge.

    One item a pixel and axis: pair 2 n + 0 is pixel n and the one to its right, 2 n + 1 the one below.
    start, end: the edge's vertices, -1 where none lies between. far: which pixel of the two is farther.
    """
    item = begin + wp.tid()
    start[item] = -1
    end[item] = -1
    n = item // 2
    axis = item % 2
    j = n % width
    i = (n // width) % height
    if (axis == 0 and j + 1 >= width) or (axis == 1 and i + 1 >= height):
        return
    other = n + wp.where(axis == 0, 1, width)
    if triangle[n] == triangle[other] or depth[n] == depth[other]:
        return
    near = n
    step = float(1.0)
    far[item] = 1
    if depth[other] < depth[n]:
        near = other
        step = -1.0
        far[item] = 0
    f = int(triangle[near])
    if f < 0:
        return
    x = float(near % width) + 0.5
    y = float((near // width) % height) + 0.5
    base = (n // (width * height)) * vertices

    # The edge by which the line of the two middles leaves the first triangle: of the two that it crosses the later one.
    edge = int(-1)
    s = float(-1.0e30)
    for k in range(3):
        a = screen[base + rows[3 * f + k]]
        b = screen[base + rows[3 * f + (k + 1) % 3]]
        if not (a[2] > 0.0 and b[2] > 0.0):
            return
        la = along(a, x, y, axis, step)
        lb = along(b, x, y, axis, step)
        if (la[1] >= 0.0) != (lb[1] >= 0.0):
            here = crossing(la, lb)
            if here > s:
                s = here
                edge = k
    for _ in range(WALK):
        if edge < 0 or not s <= 1.0:
            return
        p = rows[3 * f + edge]
        q = rows[3 * f + (edge + 1) % 3]
        lp = along(screen[base + p], x, y, axis, step)
        lq = along(screen[base + q], x, y, axis, step)
        if lp[1] < lq[1]:
            swap = p
            p = q
            q = swap
            place = lp
            lp = lq
            lq = place
        g = neighbours[3 * f + edge]
        r = int(-1)
        lr = wp.vec2()
        ends = bool(g < 0)
        if g >= 0:
            for k in range(3):
                v = rows[3 * g + k]
                if v != p and v != q:
                    r = v
            if r < 0:
                return
            there = screen[base + r]
            if not there[2] > 0.0:
                return
            lr = along(there, x, y, axis, step)
            # The edge runs from t >= 0 to t < 0, so where we came from is on its negative side.
            ends = (lq[0] - lp[0]) * (lr[1] - lp[1]) - (lq[1] - lp[1]) * (lr[0] - lp[0]) < 0.0
        if ends:
            across = wp.abs(lq[1] - lp[1])
            beside = wp.abs(lq[0] - lp[0])
            # An edge counts along one axis only, the one that it is steeper to, or its area would count twice.
            if s >= -SLACK and (across > beside or (across == beside and axis == 0)):
                start[item] = p
                end[item] = q
            return
        f = g
        edge = -1
        leave = p
        opposite = lp
        if lr[1] >= 0.0:
            leave = q
            opposite = lq
        s = crossing(lr, opposite)
        for k in range(3):
            a_id = rows[3 * f + k]
            b_id = rows[3 * f + (k + 1) % 3]
            if (a_id == r and b_id == leave) or (a_id == leave and b_id == r):
                edge = k
