"""Unwrap in a separate process: a library cannot always be interrupted, but a process can be killed.

It is uvunwrap where that is installed (it has no wheel for Python 3.10) and gives one page of charts, else xatlas.

It reads an .npz with vertices float32[V, 3], triangles uint32[T, 3], texture and padding from stdin, and writes one
with uv float32[T, 3, 2], indices int32[T, 3] (equal where corners meet in a chart) and method, the library's name, to
stdout. mesh/uv/unwrap.py runs it with two arguments: its own process number, and the seconds that this one has.
xatlas holds Python's lock from its beginning to its end, so a thread that looks at the parent would not run.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from dreamfusion_engine.machine.child_process import end_with
from dreamfusion_engine.machine.device import usable_cores

START_SECONDS = 30.0  # for Python and its imports on a busy machine, on top of the time box


def main(parent: int, seconds: float) -> None:
    """Unwrap the mesh that comes in on stdin.

    parent: int, number of the process that waits.
    seconds: float, the time box, after which that process no longer waits.
    """
    end_with(
        parent, seconds=seconds + START_SECONDS, processor_seconds=usable_cores() * seconds + START_SECONDS
    )  # before anything heavy is loaded: from now on this process ends whatever happens
    import numpy as np

    # The answer leaves by a private duplicate: whatever a library prints goes to stderr.
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as given:
        vertices, triangles = given["vertices"], given["triangles"]
        texture, padding = int(given["texture"]), int(given["padding"])
    found = by_uvunwrap(vertices, triangles, texture, padding)
    method = "xatlas" if found is None else "uvunwrap"
    uv, indices = by_xatlas(vertices, triangles, texture, padding) if found is None else found
    answer = io.BytesIO()
    np.savez(answer, uv=uv.astype(np.float32), indices=indices.astype(np.int32), method=method)
    with wire:
        wire.write(answer.getvalue())


def by_uvunwrap(vertices: Any, triangles: Any, texture: int, padding: int) -> tuple[Any, Any] | None:
    """Return uv float32[T, 3, 2] and indices int32[T, 3] of uvunwrap; None where it is not there or has none.

    vertices: float32[V, 3].
    triangles: uint32[T, 3].
    texture: int, pixels along the texture.
    padding: int, texels between charts.
    """
    try:
        import uvunwrap
    except ImportError:
        return None
    import numpy as np

    try:
        atlas = uvunwrap.generate([uvunwrap.Mesh(vertices, triangles)], page_size=texture, padding=padding)
    except (uvunwrap.UnwrapError, ValueError):
        return None
    if atlas.page_count != 1:
        return None
    mesh = atlas.meshes[0]
    size = np.array([atlas.width, atlas.height], np.float64)  # one scale for both axes
    uv = np.frombuffer(mesh.corner_uvs, np.float32).reshape(-1, 3, 2) * (size / size.max())
    return uv.astype(np.float32), np.frombuffer(mesh.indices, np.uint32).reshape(-1, 3).astype(np.int32)


def by_xatlas(vertices: Any, triangles: Any, texture: int, padding: int) -> tuple[Any, Any]:
    """Return the same of xatlas.

    vertices, triangles, texture, padding: as for `by_uvunwrap`.
    """
    import numpy as np
    import xatlas

    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices, triangles)
    pack = xatlas.PackOptions()
    pack.resolution = texture
    pack.padding = padding
    pack.rotate_charts = False  # its quarter turns swap u and v, which mirrors the chart
    charts = xatlas.ChartOptions()
    charts.fix_winding = True  # no mirrored charts
    atlas.generate(charts, pack)
    _, indices, coordinates = atlas[0]
    # One scale for both axes: xatlas divides by the atlas's width and height.
    size = np.array([atlas.width, atlas.height], np.float64)
    uv = coordinates.astype(np.float64)[indices] * (size / size.max())
    return uv.astype(np.float32), indices.astype(np.int32)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
