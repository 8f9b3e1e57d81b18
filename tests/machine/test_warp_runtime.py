from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import warp as wp

from dreamfusion_engine.machine import warp_runtime

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]


@wp.kernel(enable_backward=False)
def count_visits(begin: int, visits: wp.array(dtype=int), where: wp.array(dtype=int)) -> None:
    i = begin + wp.tid()
    visits[i] = visits[i] + 1
    where[i] = i


@wp.kernel(enable_backward=False)
def swap_ends(begin: int, rows: wp.array(dtype=wp.vec3)) -> None:
    i = begin + wp.tid()
    rows[i] = wp.vec3(rows[i][2], rows[i][1], rows[i][0])


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("items", [0, 1, 7, 64, 4097])
def test_every_item_runs_exactly_once(items: int, threads: int, set_threads: Callable[[int], None]) -> None:
    set_threads(threads)
    visits = torch.zeros(items, dtype=torch.int32)
    where = torch.full((items,), -1, dtype=torch.int32)
    warp_runtime.launch(count_visits, items, [visits, where], device=CPU, grain=3)
    assert (visits == 1).all()
    assert torch.equal(where, torch.arange(items, dtype=torch.int32))


def test_kernels_write_into_the_tensor_itself() -> None:
    rows = torch.arange(12.0).view(2, 2, 3)
    warp_runtime.launch(swap_ends, 4, [warp_runtime.vectors(rows)], device=CPU)
    assert torch.equal(rows, torch.arange(12.0).view(2, 2, 3).flip(-1))


def test_a_tensor_whose_memory_is_out_of_order_is_refused() -> None:
    with pytest.raises(RuntimeError):
        warp_runtime.array(torch.zeros(4, 6).t())
    with pytest.raises(RuntimeError):
        warp_runtime.vectors(torch.zeros(4, 4))  # 16 numbers are not whole vectors of 3
    with pytest.raises(RuntimeError):
        warp_runtime.vectors(torch.zeros(4, 3, dtype=torch.float64))  # twice as large as a kernel would read


@pytest.mark.parametrize(("threads", "owners"), [(1, 1), (2, 2), (3, 2), (6, 4), (8, 8)])
def test_sums_have_as_many_owners_as_the_power_of_two_within_the_threads(
    threads: int, owners: int, set_threads: Callable[[int], None]
) -> None:
    set_threads(threads)
    assert warp_runtime.owners() == owners


def _python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
def test_starting_and_compiling_write_nothing_to_stdout_or_stderr_which_works_after_them(tmp_path: Path) -> None:
    code = (
        "import sys, torch\n"
        "from dreamfusion_engine.render.march import march\n"
        "ray = torch.tensor([[0.0, -3.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])\n"
        "march(*ray, torch.ones(8, dtype=torch.uint8), step=0.5, jitter=torch.zeros(1), max_samples=9)\n"
        "sys.stderr.write('heard')\n"
    )
    done = _python(code, WARP_CACHE_PATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "heard")


@pytest.mark.slow
def test_a_kernel_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code = (
        "from dreamfusion_engine.errors import SetupError\n"
        "try:\n    import dreamfusion_engine.machine.warp_runtime\n"
        "except SetupError as error:\n    print(error.code, 'WARP_CACHE_PATH' in error.fix)\n"
    )
    assert _python(code, WARP_CACHE_PATH=str(blocked / "kernels")).stdout == "setup.kernel_cache True\n"
