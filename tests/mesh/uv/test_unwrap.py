"""UV coordinates: never overlapping, in time, and the child process never outlives its box."""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from mesh.shapes import Mesh, cube, icosphere, joined, lattice_torus
from reference.wire_client import PATIENCE

from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.mesh.uv import unwrap as unwrap_module
from dreamfusion_engine.mesh.uv import unwrap_worker
from dreamfusion_engine.mesh.uv.charts import box_charts, connected_charts, packed_without_overlap, with_area
from dreamfusion_engine.mesh.uv.overlap import overlapping_pairs, uv_areas, uv_overlap
from dreamfusion_engine.mesh.uv.packing import pack
from dreamfusion_engine.mesh.uv.unwrap import lost_triangles_beside_neighbours, unwrap

LIBRARY = "xatlas" if importlib.util.find_spec("uvunwrap") is None else "uvunwrap"  # the better one that is here
ROOT = Path(__file__).resolve().parents[3]


def helix(turns: float = 3.0, steps: int = 120) -> Mesh:
    """A ramp that winds over itself: seen from above its turns lie on top of each other."""
    angle = np.linspace(0.0, 2.0 * np.pi * turns, steps + 1)
    inner = np.stack([0.4 * np.cos(angle), 0.4 * np.sin(angle), 0.05 * angle], -1)
    outer = np.stack([0.9 * np.cos(angle), 0.9 * np.sin(angle), 0.05 * angle], -1)
    vertices = np.stack([inner, outer], 1).reshape(-1, 3)
    k = 2 * np.arange(steps)
    faces = np.concatenate([np.stack([k, k + 1, k + 3], -1), np.stack([k, k + 3, k + 2], -1)])
    return vertices, faces.astype(np.int32)


def assert_good(uv: np.ndarray) -> None:
    assert uv.dtype == np.float32 and uv.min() >= 0.0 and uv.max() <= 1.0
    assert uv_overlap(uv) == 0.0


@pytest.mark.parametrize("mesh", [icosphere(3), lattice_torus(), joined(cube(), cube((2.0, 0.0, 0.0), 0.3))])
def test_charts_cover_every_triangle_without_overlap(mesh: Mesh) -> None:
    found = unwrap(*mesh, texture=256, padding=4, seconds=60.0)
    assert found.method == LIBRARY
    assert_good(found.uv)
    assert (uv_areas(found.uv) > 0.0).all()  # none empty, none mirrored
    assert np.abs(uv_areas(found.uv)).sum() > 0.25
    area = np.linalg.norm(topology.face_normals(*mesh), axis=1)
    ratio = uv_areas(found.uv) / area
    assert ratio.max() / ratio.min() < 4.0  # about the same number of texels everywhere


def test_the_same_mesh_unwraps_to_the_same_bits() -> None:
    first, second = (unwrap(*lattice_torus(), texture=256, padding=4, seconds=60.0) for _ in range(2))
    np.testing.assert_array_equal(first.uv, second.uv)


def test_modules_in_the_current_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "io", "numpy", "xatlas", "runpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = unwrap(*cube(), texture=64, padding=1, seconds=PATIENCE)
    assert found.method == LIBRARY and found.trouble == ""


@pytest.mark.parametrize("library", [unwrap_worker.by_xatlas, unwrap_worker.by_uvunwrap])
def test_either_library_covers_every_triangle_upright(library: Callable[..., Any]) -> None:
    vertices, triangles = lattice_torus()
    found = library(vertices.astype(np.float32), triangles.astype(np.uint32), 256, 4)
    if found is None:
        pytest.skip("uvunwrap is not installed")
    uv, indices = found
    assert uv.shape == (len(triangles), 3, 2) and uv.dtype == np.float32 and indices.dtype == np.int32
    assert (uv_areas(uv) > 0.0).all() and uv_overlap(uv) == 0.0 and uv.min() >= 0.0 and uv.max() <= 1.0
    _, first = np.unique(indices, return_index=True)
    np.testing.assert_array_equal(uv.reshape(-1, 2)[first][indices.reshape(-1)], uv.reshape(-1, 2))


class FakeUvunwrap:
    """A uvunwrap that refuses, or needs two pages."""

    class UnwrapError(Exception):
        """As its own."""

    def __init__(self, pages: int) -> None:
        self.pages = pages

    @staticmethod
    def Mesh(*arrays: object) -> object:  # noqa: N802
        return arrays

    def generate(self, meshes: object, **options: object) -> object:
        if self.pages == 0:
            raise self.UnwrapError("no")
        return types.SimpleNamespace(page_count=self.pages, width=256, height=256)


@pytest.mark.parametrize("pages", [0, 2])
def test_where_uvunwrap_has_no_single_page_xatlas_is_asked(monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    monkeypatch.setitem(sys.modules, "uvunwrap", FakeUvunwrap(pages))
    vertices, triangles = cube()
    assert unwrap_worker.by_uvunwrap(vertices.astype(np.float32), triangles.astype(np.uint32), 256, 4) is None


ENDLESS = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def endless_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child process that would take ten minutes."""
    monkeypatch.setattr(unwrap_module, "worker_command", lambda: ENDLESS)


def endless_children() -> list[psutil.Process]:
    """Those that still run; other tests may have left children of other kinds, such as multiprocessing's tracker."""
    return [child for child in psutil.Process().children() if child.cmdline()[1:3] == ENDLESS[1:]]


def test_when_the_time_is_up_the_box_unwrap_takes_over_and_the_child_is_gone(endless_child: None) -> None:
    shares: list[float] = []
    found = unwrap(*icosphere(3), texture=256, padding=4, seconds=0.5, advance=shares.append)
    assert found.method == "box" and "0.5 seconds" in found.trouble and "mesh.unwrap_seconds" in found.trouble
    assert_good(found.uv)
    assert not endless_children()
    assert shares[0] < 0.5 < shares[-1] <= 1.0 and shares == sorted(shares)


def test_what_the_callback_raises_ends_the_child_and_passes_through(endless_child: None) -> None:
    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unwrap(*icosphere(2), texture=256, padding=4, seconds=300.0, advance=stop)
    assert not endless_children()


KILLS_ITSELF = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["no-such-python"], "could not be started"),
        ([sys.executable, "-c", "raise SystemExit(7)"], "exit code 7"),
        ([sys.executable, "-c", "print('hello')"], "no answer that can be read"),
        pytest.param(KILLS_ITSELF, "signal SIGTERM", marks=pytest.mark.skipif(os.name == "nt", reason="no signals")),
    ],
    ids=["missing", "failing", "talking nonsense", "killed"],
)
def test_without_a_working_child_the_box_unwrap_takes_over_and_says_why(
    command: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unwrap_module, "worker_command", lambda: command)
    found = unwrap(*icosphere(2), texture=256, padding=4, seconds=30.0)
    assert found.method == "box" and told in found.trouble
    assert_good(found.uv)


def test_a_mesh_larger_than_a_pipe_passes_both_ways() -> None:
    """A pipe holds 64 KiB on Linux, and less elsewhere; without a thread for each direction this would hang."""
    vertices, triangles = lattice_torus(96, 48)
    assert min(vertices.astype(np.float32).nbytes + triangles.nbytes, 24 * len(triangles)) > 2 * (64 << 10)
    assert unwrap(vertices, triangles, texture=512, padding=2, seconds=3000.0).method != "box"


def test_a_temporary_folder_that_takes_nothing_is_no_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    monkeypatch.setattr(tempfile, "tempdir", nowhere)
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, nowhere)
    with pytest.raises(FileNotFoundError), tempfile.TemporaryFile():
        pass
    found = unwrap(*icosphere(2), texture=256, padding=4, seconds=3000.0)
    assert found.method == LIBRARY and found.trouble == ""


def test_the_child_is_told_no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = tmp_path / "environment"
    code = f"import os, pathlib; pathlib.Path({str(told)!r}).write_text(repr(dict(os.environ)))"
    monkeypatch.setattr(unwrap_module, "worker_command", lambda: [sys.executable, "-c", code])
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    unwrap(*cube(), texture=64, padding=2, seconds=3000.0)
    assert "hf_secret" not in told.read_text() and "PYTHONPATH" in told.read_text()


def test_the_worker_prints_nothing_but_its_answer() -> None:
    import io

    vertices, triangles = cube()
    given = io.BytesIO()
    np.savez(given, vertices=vertices.astype(np.float32), triangles=triangles.astype(np.uint32), texture=64, padding=2)
    command = [*unwrap_module.worker_command(), str(os.getpid()), "3000"]
    answer = subprocess.run(command, input=given.getvalue(), capture_output=True, timeout=600, check=True)
    with np.load(io.BytesIO(answer.stdout), allow_pickle=False) as found:
        assert found["uv"].shape == (12, 3, 2) and found["indices"].shape == (12, 3)


STARTS_A_WORKER = """
import os, signal, subprocess
from dreamfusion_engine.mesh.uv.unwrap import worker_command
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup, which ignores it
child = subprocess.Popen([*worker_command(), str(os.getpid()), "3000"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limits of time end the orphan")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGHUP])
def test_the_worker_dies_with_its_parent(number: signal.Signals) -> None:
    """The worker waits for its input, which the test alone could end: nothing but the death signal can."""
    reading, writing = os.pipe()
    command = [sys.executable, "-c", STARTS_A_WORKER]
    with subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        os.close(reading)
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(number)
        assert parent.wait(timeout=PATIENCE) == -number
        worker.wait(timeout=PATIENCE)  # raises while it lives
    os.close(writing)


@pytest.mark.parametrize("mesh", [icosphere(3), lattice_torus(48, 24), cube(), helix()])
def test_box_charts_do_not_overlap_and_are_not_mirrored(mesh: Mesh) -> None:
    chart, flat = box_charts(*mesh)
    uv, chart = packed_without_overlap(*mesh, chart, flat, texture=512, padding=2)
    assert_good(uv)
    assert (uv_areas(uv) > 0.0).all()


def test_a_ramp_that_winds_over_itself_is_cut() -> None:
    vertices, triangles = helix()
    chart, flat = box_charts(vertices, triangles)
    before = len(np.unique(chart))
    assert len(overlapping_pairs(flat)) > 0
    uv, after = packed_without_overlap(vertices, triangles, chart, flat, texture=512, padding=2)
    assert len(overlapping_pairs(uv)) == 0
    assert before < len(np.unique(after)) <= before + 8


def test_a_cube_has_six_charts_and_connected_charts_follow_labels() -> None:
    vertices, triangles = cube()
    assert len(np.unique(box_charts(vertices, triangles)[0])) == 6
    assert len(np.unique(connected_charts(triangles, np.zeros(12, np.int64)))) == 1
    two = joined(cube(), cube((3.0, 0.0, 0.0)))
    assert len(np.unique(connected_charts(two[1], np.zeros(24, np.int64)))) == 2


def test_packed_charts_keep_their_shape_and_their_distance() -> None:
    generator = np.random.default_rng(0)
    flat = generator.random((30, 3, 2)) * generator.random((30, 1, 1)) + generator.random((30, 1, 2)) * 50.0
    uv = pack(np.arange(30, dtype=np.int32), flat, texture=256, padding=6)
    length = lambda x: np.linalg.norm(np.roll(x, -1, 1) - x, axis=-1)  # noqa: E731
    scale = length(uv.astype(np.float64)) / length(flat)
    np.testing.assert_allclose(scale, scale.mean(), rtol=1e-3)
    assert (np.sign(uv_areas(uv)) == np.sign(uv_areas(flat))).all()
    low, high = uv.min(1) * 256, uv.max(1) * 256
    for i in range(30):
        gap = np.maximum(low[i] - high, low - high[i]).max(1)
        assert np.delete(gap, i).min() > 6.0 - 1e-2


def test_more_charts_than_their_padding_has_room_for_still_get_a_place() -> None:
    flat = np.tile(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), (500, 1, 1))
    uv = pack(np.arange(500, dtype=np.int32), flat, texture=64, padding=8)
    assert_good(uv)
    assert (uv_areas(uv) > 0.0).all()


def test_triangles_without_area_get_their_place() -> None:
    vertices, triangles = icosphere(2)
    # A vertex on the middle of an edge of one neighbour only: a closed surface with a triangle of no area.
    a, b, c = triangles[0]
    middle = len(vertices)
    vertices = np.concatenate([vertices, [0.5 * (vertices[a] + vertices[b])]])
    triangles = np.concatenate([triangles[1:], [[a, middle, c], [middle, b, c], [a, b, middle]]]).astype(np.int32)
    assert topology.is_manifold(triangles)
    for seconds in (60.0, 0.1):
        found = unwrap(vertices, triangles, texture=256, padding=4, seconds=seconds)
        assert_good(found.uv)
        assert len(found.uv) == len(triangles)
    flat = np.zeros((1, 3, 2))
    assert uv_areas(with_area(np.zeros(1, np.int32), flat)[1])[0] > 0.0


def test_a_triangle_that_was_left_out_lies_on_its_neighbours_edge() -> None:
    vertices = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.4, 0.0, 0.0]])
    triangles = np.array([[0, 1, 2], [1, 0, 3]], np.int32)
    uv = np.array([[[0.2, 0.2], [0.8, 0.2], [0.2, 0.8]], [[0.0, 0.0]] * 3], np.float32)
    found, chart = lost_triangles_beside_neighbours(vertices, triangles, uv, np.array([5, 9], np.int32))
    np.testing.assert_array_equal(found[1], np.array([[0.8, 0.2], [0.2, 0.2], [0.2, 0.2]], np.float32))
    assert chart.tolist() == [5, 5]
