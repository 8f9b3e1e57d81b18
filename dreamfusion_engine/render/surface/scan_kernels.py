"""Warp kernels that find the nearest triangle at every pixel of a camera's picture, triangle after triangle.

A pixel's ray from the camera, d = (x, y, 1) along right, up and ahead, meets the triangle a, b, c where d lies between
its corners: with n_a = b x c, n_b = c x a, n_c = a x b all d . n have the sign of a . n_a. They are in proportion to
the weights of the corners, and their sum over a . n_a is one over the distance ahead. Where a corner lies on the screen
only says which pixels to look at, so corners beside and behind the camera need no clipping.
Source: Olano and Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates".

Two triangles with a common edge compute the same products for it with other signs, so no ray slips between. All is in
double precision: triangles may be a thousandth as large as they are far.
Axis letters: B views, V vertices, T triangles, N = B*H*W pixels.
"""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
import warp as wp

THIN = 1e-24  # square of the sine below which a triangle has no area, or a ray from the camera lies within its plane
SLACK = 1e-3  # pixels around what the corners span, beyond any rounding


@wp.func
def crossed(a: wp.vec3d, b: wp.vec3d) -> wp.vec3d:
    """a x b by single operations, which a compiler may not fuse: b x a is exactly its negative."""
    return wp.vec3d(
        wp.sub(wp.mul(a[1], b[2]), wp.mul(a[2], b[1])),
        wp.sub(wp.mul(a[2], b[0]), wp.mul(a[0], b[2])),
        wp.sub(wp.mul(a[0], b[1]), wp.mul(a[1], b[0])),
    )


@wp.kernel(enable_backward=False)
def place_vertices(
    begin: int,
    points: wp.array(dtype=wp.vec3),
    position: wp.array(dtype=float),
    rotation: wp.array(dtype=float),
    focal: wp.array(dtype=float),
    vertices: int,
    height: int,
    width: int,
    placed: wp.array(dtype=wp.vec3d),
    screen: wp.array(dtype=wp.vec3d),
) -> None:
    """Where vertices are seen from each camera; one item a view and vertex.

    placed: right, up, ahead, world units. screen: column, row, and the distance ahead; the middle of the pixel in row
    i, column j lies at (j, i). Where it is not ahead or not finite, all three are 0.
    """
    item = begin + wp.tid()
    view = item // vertices
    p = points[item % vertices]
    r = 9 * view
    x = wp.float64(p[0]) - wp.float64(position[3 * view])
    y = wp.float64(p[1]) - wp.float64(position[3 * view + 1])
    z = wp.float64(p[2]) - wp.float64(position[3 * view + 2])
    right = x * wp.float64(rotation[r]) + y * wp.float64(rotation[r + 3]) + z * wp.float64(rotation[r + 6])
    up = x * wp.float64(rotation[r + 1]) + y * wp.float64(rotation[r + 4]) + z * wp.float64(rotation[r + 7])
    ahead = -(x * wp.float64(rotation[r + 2]) + y * wp.float64(rotation[r + 5]) + z * wp.float64(rotation[r + 8]))
    placed[item] = wp.vec3d(right, up, ahead)
    screen[item] = wp.vec3d()
    if ahead > wp.float64(0.0):
        scale = wp.float64(focal[view]) * wp.float64(height) / ahead
        half = wp.float64(0.5)
        column = scale * right + half * wp.float64(width) - half
        row = half * wp.float64(height) - half - scale * up
        if wp.isfinite(column) and wp.isfinite(row):
            screen[item] = wp.vec3d(column, row, ahead)


@wp.kernel(enable_backward=False)
def bound_triangles(
    begin: int,
    placed: wp.array(dtype=wp.vec3d),
    rows: wp.array(dtype=int),
    vertices: int,
    triangles: int,
    height: int,
    width: int,
    screen: wp.array(dtype=wp.vec3d),
    top: wp.array(dtype=int),
    bottom: wp.array(dtype=int),
    left: wp.array(dtype=int),
    right: wp.array(dtype=int),
    covered: wp.array(dtype=int),
) -> None:
    """The rows and columns of pixels that a triangle may cover, and how many they are; one item a view and triangle.

    covered: 0 where it covers none; then there are no rows and columns.
    """
    item = begin + wp.tid()
    base = (item // triangles) * vertices
    f = item % triangles
    covered[item] = 0
    zero = wp.float64(0.0)
    sa = screen[base + rows[3 * f]]
    sb = screen[base + rows[3 * f + 1]]
    sc = screen[base + rows[3 * f + 2]]
    last_row = height - 1
    last_column = width - 1
    first_row = int(0)
    first_column = int(0)
    if wp.min(sa[2], wp.min(sb[2], sc[2])) > zero:
        slack = wp.float64(SLACK)
        low = wp.min(sa, wp.min(sb, sc))
        high = wp.max(sa, wp.max(sb, sc))
        first_column = int(wp.ceil(wp.clamp(low[0] - slack, zero, wp.float64(width))))
        first_row = int(wp.ceil(wp.clamp(low[1] - slack, zero, wp.float64(height))))
        last_column = int(wp.floor(wp.clamp(high[0] + slack, wp.float64(-1.0), wp.float64(last_column))))
        last_row = int(wp.floor(wp.clamp(high[1] + slack, wp.float64(-1.0), wp.float64(last_row))))
    if first_row > last_row or first_column > last_column:
        return
    a = placed[base + rows[3 * f]]
    b = placed[base + rows[3 * f + 1]]
    c = placed[base + rows[3 * f + 2]]
    ab = b - a
    ac = c - a
    n = crossed(ab, ac)
    size = wp.dot(n, n)
    facing = wp.dot(a, n)
    thin = wp.float64(THIN)
    # What is not finite fails this too.
    if (
        wp.max(a[2], wp.max(b[2], c[2])) > zero
        and size > thin * wp.dot(ab, ab) * wp.dot(ac, ac)
        and facing * facing > thin * size * wp.dot(a, a)
    ):
        top[item] = first_row
        bottom[item] = last_row
        left[item] = first_column
        right[item] = last_column
        covered[item] = (last_row - first_row + 1) * (last_column - first_column + 1)


@wp.kernel(enable_backward=False)
def scan_bands(
    begin: int,
    placed: wp.array(dtype=wp.vec3d),
    rows: wp.array(dtype=int),
    focal: wp.array(dtype=float),
    vertices: int,
    triangles: int,
    height: int,
    width: int,
    bands: int,
    band: int,
    kept: wp.array(dtype=wp.int64),
    ends: wp.array(dtype=wp.int64),
    top: wp.array(dtype=int),
    bottom: wp.array(dtype=int),
    left: wp.array(dtype=int),
    right: wp.array(dtype=int),
    triangle: wp.array(dtype=wp.int64),
    barycentric: wp.array(dtype=wp.vec3),
    depth: wp.array(dtype=float),
) -> None:
    """The nearest triangle at each pixel, its weights and its depth; of equally near ones the first.

    One item a view and a band of rows, so that no two items write to the same pixel.

    kept: items of `bound_triangles` that cover something, in their order. ends: where among them each view ends.
    """
    item = begin + wp.tid()
    view = item // bands
    first = (item % bands) * band
    last = wp.min(first + band, height) - 1
    base = view * height * width
    zero = wp.float64(0.0)
    one = wp.float64(1.0)
    step = one / (wp.float64(focal[view]) * wp.float64(height))
    across = wp.float64(0.5) * wp.float64(width) - wp.float64(0.5)
    down = wp.float64(0.5) * wp.float64(height) - wp.float64(0.5)
    for pixel in range(base + first * width, base + (last + 1) * width):
        triangle[pixel] = wp.int64(-1)
        depth[pixel] = 0.0  # one over the distance ahead, until all triangles were seen
    until = int(ends[view])
    since = int(0)
    if view > 0:
        since = int(ends[view - 1])
    for m in range(since, until):
        k = int(kept[m])
        upper = wp.max(top[k], first)
        lower = wp.min(bottom[k], last)
        if upper <= lower:
            f = k - view * triangles
            a = placed[view * vertices + rows[3 * f]]
            b = placed[view * vertices + rows[3 * f + 1]]
            c = placed[view * vertices + rows[3 * f + 2]]
            na = crossed(b, c)
            nb = crossed(c, a)
            nc = crossed(a, b)
            volume = wp.dot(a, crossed(b - a, c - a))
            if volume < zero:
                na = -na
                nb = -nb
                nc = -nc
                volume = -volume
            share = one / volume
            begins = left[k]
            behind = right[k] + 1
            for i in range(upper, lower + 1):
                y = (down - wp.float64(i)) * step
                ra = wp.add(wp.mul(na[1], y), na[2])
                rb = wp.add(wp.mul(nb[1], y), nb[2])
                rc = wp.add(wp.mul(nc[1], y), nc[2])
                for j in range(begins, behind):
                    x = (wp.float64(j) - across) * step
                    ea = wp.add(wp.mul(na[0], x), ra)
                    eb = wp.add(wp.mul(nb[0], x), rb)
                    ec = wp.add(wp.mul(nc[0], x), rc)
                    if wp.min(ea, wp.min(eb, ec)) >= zero:
                        pixel = base + i * width + j
                        near = float((ea + eb + ec) * share)
                        if near > depth[pixel]:
                            depth[pixel] = near
                            triangle[pixel] = wp.int64(f)
    for i in range(first, last + 1):
        y = (down - wp.float64(i)) * step
        for j in range(width):
            pixel = base + i * width + j
            shown = int(triangle[pixel])
            if shown < 0:
                barycentric[pixel] = wp.vec3()
                depth[pixel] = wp.inf
            else:
                x = (wp.float64(j) - across) * step
                d = wp.vec3d(x, y, one)
                a = placed[view * vertices + rows[3 * shown]]
                b = placed[view * vertices + rows[3 * shown + 1]]
                c = placed[view * vertices + rows[3 * shown + 2]]
                ea = wp.dot(d, crossed(b, c))
                eb = wp.dot(d, crossed(c, a))
                ec = wp.dot(d, crossed(a, b))
                total = ea + eb + ec
                barycentric[pixel] = wp.vec3(float(ea / total), float(eb / total), float(ec / total))
                ahead = wp.dot(a, crossed(b - a, c - a)) / total
                depth[pixel] = float(ahead * wp.length(d))
