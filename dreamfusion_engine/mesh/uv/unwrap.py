"""Make UV coordinates for every triangle: a library in a time box, else projections along the axes.

A UV layout here has u to the right and v down from the texture's top left corner, as glTF has it.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.machine.child_process import APART, engine_child_environment, module_words
from dreamfusion_engine.mesh.arrays import Floats, Ints
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices, directed_edges, parts_of
from dreamfusion_engine.mesh.uv.charts import box_charts, packed_without_overlap
from dreamfusion_engine.mesh.uv.overlap import overlapping_pairs, uv_areas, without_overlap

POLL = 0.2  # seconds between looks at the child


@dataclass(frozen=True, kw_only=True)
class Unwrap:
    """A UV layout.

    uv: float32[T, 3, 2] in [0, 1].
    chart: int32[T], chart of each triangle.
    method: the library, 'uvunwrap' or 'xatlas', or 'repacked' (its charts, some of them cut), or 'box'.
    trouble: str, why it is 'box', in words; '' otherwise.
    """

    uv: Floats
    chart: Ints
    method: Literal["uvunwrap", "xatlas", "repacked", "box"]
    trouble: str = ""


class NoCharts(Exception):
    """The library gave no charts; the message says why. It never leaves this module."""


def unwrap(
    vertices: Vertices,
    triangles: Triangles,
    *,
    texture: int,
    padding: int,
    seconds: float,
    advance: Callable[[float], None] = lambda share: None,
) -> Unwrap:
    """Return non-overlapping UV coordinates, by a library if it is done in time, else by projection along the axes.

    vertices: float[V, 3].
    triangles: int[T, 3].
    texture: int, pixels along the texture.
    padding: int, texels of colour wanted around charts.
    seconds: float, the library's time box.
    advance: told the share of the time box that is over, in [0, 1]; what it raises ends the child and passes through.
    """
    gap = max(2, padding // 2)  # charts share the texels between them: each has half of the gap to itself
    try:
        uv, indices, method = _by_library(vertices, triangles, texture, gap, seconds, advance)
    except NoCharts as trouble:
        chart, flat = box_charts(vertices, triangles)
        uv, chart = packed_without_overlap(
            vertices, triangles, chart, flat, texture=texture, padding=fitting(gap, chart, texture)
        )
        return Unwrap(uv=uv, chart=chart, method="box", trouble=str(trouble))
    uv, chart = lost_triangles_beside_neighbours(vertices, triangles, uv, parts_of(indices)[1])
    uv = without_overlap(uv)
    if len(overlapping_pairs(uv)) == 0 and uv.min() >= 0.0 and uv.max() <= 1.0:
        return Unwrap(uv=uv, chart=chart, method=method)
    padded = fitting(gap, chart, texture)
    uv, chart = packed_without_overlap(
        vertices, triangles, chart, uv.astype(np.float64), texture=texture, padding=padded
    )
    return Unwrap(uv=uv, chart=chart, method="repacked")


def fitting(padding: int, chart: Ints, texture: int) -> int:
    """Return the padding, less where it would take more than a third of the texture.

    padding: int, texels.
    chart: int32[T].
    texture: int, pixels along the texture.
    """
    number = len(np.unique(chart))
    return max(1, min(padding, int(texture / np.sqrt(3.0 * number))))


def lost_triangles_beside_neighbours(
    vertices: Vertices, triangles: Triangles, uv: Floats, chart: Ints
) -> tuple[Floats, Ints]:
    """Return UV and charts in which triangles that the library left out lie on a neighbour's edge.

    xatlas leaves out those without area in space and puts all their corners at (0, 0). Two corners take the place that
    they have in the neighbour across the longest edge, the third that of the nearer one: no area, no overlap, and the
    right colour.

    vertices: float[V, 3].
    triangles: int[T, 3].
    uv: float[T, 3, 2].
    chart: int32[T].
    """
    lost = np.flatnonzero((uv == 0.0).all((1, 2)))
    if len(lost) == 0:
        return uv, chart
    uv, chart = uv.copy(), chart.copy()
    half_edges = directed_edges(triangles)
    rows = {(int(a), int(b)): i for i, (a, b) in enumerate(half_edges)}
    missing = set(lost.tolist())
    while missing:
        placed = set()
        for t in sorted(missing):
            points = np.asarray(vertices, np.float64)[triangles[t]]
            lengths = np.linalg.norm(np.roll(points, -1, 0) - points, axis=1)
            for i in np.argsort(-lengths, kind="stable").tolist():
                a, b = (int(x) for x in half_edges[3 * t + i])
                other = rows.get((b, a), 3 * t)
                if other // 3 in missing:
                    continue
                j, k = (i + 1) % 3, (i + 2) % 3
                uv[t, j], uv[t, i] = uv[other // 3, other % 3], uv[other // 3, (other % 3 + 1) % 3]
                nearer = i if np.linalg.norm(points[k] - points[i]) < np.linalg.norm(points[k] - points[j]) else j
                uv[t, k] = uv[t, nearer]
                chart[t] = chart[other // 3]
                placed.add(t)
                break
        if not placed:
            break  # a part without any area: its triangles stay where they are
        missing -= placed
    return uv, chart


def worker_command() -> list[str]:
    """Return the command line of the child process, without its two arguments."""
    return module_words("dreamfusion_engine.mesh.uv.unwrap_worker")


def _by_library(
    vertices: Vertices,
    triangles: Triangles,
    texture: int,
    padding: int,
    seconds: float,
    advance: Callable[[float], None],
) -> tuple[Floats, NDArray[np.int32], Literal["uvunwrap", "xatlas"]]:
    """uv float32[T, 3, 2], chart-corner indices int32[T, 3] and the library, from a child process. Raises NoCharts."""
    given = io.BytesIO()
    np.savez(
        given,
        vertices=np.asarray(vertices, np.float32),
        triangles=np.asarray(triangles, np.uint32),
        texture=np.int64(texture),
        padding=np.int64(padding),
    )
    answer = _answer(given.getvalue(), seconds, advance)
    try:
        with np.load(io.BytesIO(answer), allow_pickle=False) as found:
            uv, indices, name = found["uv"], found["indices"], str(found["method"])
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise NoCharts("the process for it gave no answer that can be read") from error
    if uv.shape != (len(triangles), 3, 2) or not np.isfinite(uv).all() or np.abs(uv_areas(uv)).sum() <= 0.0:
        raise NoCharts("no charts were found for this surface")
    return uv, indices, "uvunwrap" if name == "uvunwrap" else "xatlas"


def _answer(given: bytes, seconds: float, advance: Callable[[float], None]) -> bytes:
    """What the child process says to `given`. Raises NoCharts if it is late or fails, and what `advance` raises.

    By pipes, so that no disk can be full; each has a thread, so that neither side blocks the other.
    """
    started = time.monotonic()
    try:
        child = subprocess.Popen(
            [*worker_command(), str(os.getpid()), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=engine_child_environment(),
            start_new_session=True,  # a Ctrl-C is for the engine, which ends the child itself
            creationflags=APART,
        )
    except OSError as error:  # no Python to start (embedded in another program): the other way needs none
        raise NoCharts(f"the process for it could not be started ({error.strerror or error})") from error
    answer: list[bytes] = []
    threads = [
        threading.Thread(target=_tell, args=(child, given), daemon=True),
        threading.Thread(target=_listen, args=(child, answer), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        while child.poll() is None:
            elapsed = time.monotonic() - started
            advance(min(1.0, elapsed / seconds))
            if elapsed >= seconds:
                raise NoCharts(f"the unwrap was not done in {seconds:g} seconds (mesh.unwrap_seconds)")
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=min(POLL, max(0.01, seconds - elapsed)))
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        for thread in threads:
            thread.join()
    if child.returncode != 0:
        raise NoCharts(f"the process for it ended with {_ending(child.returncode)}")
    return b"".join(answer)


def _tell(child: subprocess.Popen[bytes], given: bytes) -> None:
    assert child.stdin is not None
    with suppress(OSError), child.stdin:  # it may have ended
        child.stdin.write(given)


def _listen(child: subprocess.Popen[bytes], answer: list[bytes]) -> None:
    assert child.stdout is not None
    with suppress(OSError), child.stdout:
        answer.append(child.stdout.read())


def _ending(code: int) -> str:
    """'exit code 1' or 'signal SIGKILL'."""
    try:
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    except ValueError:
        return f"signal {-code}"
