"""Warp kernels of bilinear texture look-ups and their gradients.

Axis letters: N look-ups, H rows, W columns, C channels. Texel gradients are added in the order of the look-ups; see
`hits_kernels`.
"""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
import warp as wp


@wp.struct
class Taps:
    """The four texels around a place, and where between them it lies.

    top, bottom: rows, and left, right: columns, clamped to the border.
    across, down: shares in [0, 1] of right and bottom.
    """

    top: int
    bottom: int
    left: int
    right: int
    across: float
    down: float


@wp.func
def taps_at(uv: wp.vec2, rows: int, columns: int) -> Taps:
    """The middle of the texel in column j, row i lies at u = (j + 0.5) / W, v = (i + 0.5) / H, v down."""
    x = wp.clamp(uv[0] * float(columns) - 0.5, -1.0, float(columns))
    y = wp.clamp(uv[1] * float(rows) - 0.5, -1.0, float(rows))
    j = int(wp.floor(x))
    i = int(wp.floor(y))
    taps = Taps()
    taps.left = wp.clamp(j, 0, columns - 1)
    taps.right = wp.clamp(j + 1, 0, columns - 1)
    taps.top = wp.clamp(i, 0, rows - 1)
    taps.bottom = wp.clamp(i + 1, 0, rows - 1)
    taps.across = x - float(j)
    taps.down = y - float(i)
    return taps


@wp.kernel(enable_backward=False)
def sample(
    begin: int,
    texture: wp.array(dtype=float),
    rows: int,
    columns: int,
    channels: int,
    uv: wp.array(dtype=wp.vec2),
    result: wp.array(dtype=float),
) -> None:
    n = begin + wp.tid()
    at = taps_at(uv[n], rows, columns)
    top_left = (at.top * columns + at.left) * channels
    top_right = (at.top * columns + at.right) * channels
    bottom_left = (at.bottom * columns + at.left) * channels
    bottom_right = (at.bottom * columns + at.right) * channels
    for c in range(channels):
        top = texture[top_left + c] * (1.0 - at.across) + texture[top_right + c] * at.across
        bottom = texture[bottom_left + c] * (1.0 - at.across) + texture[bottom_right + c] * at.across
        result[n * channels + c] = top * (1.0 - at.down) + bottom * at.down


@wp.kernel(enable_backward=False)
def sample_place_gradient(
    begin: int,
    texture: wp.array(dtype=float),
    rows: int,
    columns: int,
    channels: int,
    uv: wp.array(dtype=wp.vec2),
    gradient: wp.array(dtype=float),
    to_uv: wp.array(dtype=wp.vec2),
) -> None:
    """Right-sided where a place is the middle of a texel; 0 beyond the middles of the outermost texels."""
    n = begin + wp.tid()
    at = taps_at(uv[n], rows, columns)
    top_left = (at.top * columns + at.left) * channels
    top_right = (at.top * columns + at.right) * channels
    bottom_left = (at.bottom * columns + at.left) * channels
    bottom_right = (at.bottom * columns + at.right) * channels
    across = float(0.0)
    down = float(0.0)
    for c in range(channels):
        a = texture[top_left + c]
        b = texture[top_right + c]
        d = texture[bottom_left + c]
        e = texture[bottom_right + c]
        g = gradient[n * channels + c]
        across += g * ((b - a) * (1.0 - at.down) + (e - d) * at.down)
        down += g * ((d - a) * (1.0 - at.across) + (e - b) * at.across)
    to_uv[n] = wp.vec2(across * float(columns), down * float(rows))


@wp.kernel(enable_backward=False)
def add_to_texels(
    begin: int,
    count: int,
    parts: int,
    rows: int,
    columns: int,
    channels: int,
    uv: wp.array(dtype=wp.vec2),
    gradient: wp.array(dtype=float),
    to_texture: wp.array(dtype=float),
) -> None:
    """Each tap gets its share of the look-up's gradient; one item a part, for a CPU. A part owns whole rows."""
    part = begin + wp.tid()
    for n in range(count):
        at = taps_at(uv[n], rows, columns)
        for end in range(2):
            row = wp.where(end == 0, at.top, at.bottom)
            if (row & (parts - 1)) == part:
                share = wp.where(end == 0, 1.0 - at.down, at.down)
                left = (row * columns + at.left) * channels
                right = (row * columns + at.right) * channels
                for c in range(channels):
                    g = share * gradient[n * channels + c]
                    to_texture[left + c] += (1.0 - at.across) * g
                    to_texture[right + c] += at.across * g


@wp.kernel(enable_backward=False)
def add_to_texels_atomic(
    begin: int,
    rows: int,
    columns: int,
    channels: int,
    uv: wp.array(dtype=wp.vec2),
    gradient: wp.array(dtype=float),
    to_texture: wp.array(dtype=float),
) -> None:
    """Each tap gets its share of the look-up's gradient; one item a look-up, for CUDA."""
    n = begin + wp.tid()
    at = taps_at(uv[n], rows, columns)
    for end in range(2):
        row = wp.where(end == 0, at.top, at.bottom)
        share = wp.where(end == 0, 1.0 - at.down, at.down)
        left = (row * columns + at.left) * channels
        right = (row * columns + at.right) * channels
        for c in range(channels):
            g = share * gradient[n * channels + c]
            wp.atomic_add(to_texture, left + c, (1.0 - at.across) * g)
            wp.atomic_add(to_texture, right + c, at.across * g)
