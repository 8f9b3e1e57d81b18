"""Unwrap in a separate process: xatlas cannot be interrupted, but a process can be killed.

It reads an .npz with vertices float32[V, 3], triangles uint32[T, 3], texture and padding from stdin, and writes one
with uv float32[T, 3, 2] and indices int32[T, 3] (equal where corners meet in a chart) to stdout. mesh/uv/unwrap.py runs
it as `python -m`, with two arguments: its own process number, and the seconds that this one has. xatlas holds Python's
lock from its beginning to its end, so a thread that looks at the parent would not run.
"""

from __future__ import annotations

import io
import os
import sys

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
    import xatlas

    # The answer leaves by a private duplicate: whatever a library prints goes to stderr.
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as given:
        vertices, triangles = given["vertices"], given["triangles"]
        texture, padding = int(given["texture"]), int(given["padding"])
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
    answer = io.BytesIO()
    np.savez(answer, uv=uv.astype(np.float32), indices=indices.astype(np.int32))
    with wire:
        wire.write(answer.getvalue())


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
