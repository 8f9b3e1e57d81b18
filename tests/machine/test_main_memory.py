"""The machine's memory, and what is said where there is too little of it to begin: with real limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from reference.wire_client import PATIENCE, Client

from dreamfusion_engine.errors import RunError
from dreamfusion_engine.machine import main_memory
from dreamfusion_engine.wire.protocol import PROTOCOL_VERSION

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
HAS_LIMITS = pytest.mark.skipif(sys.platform != "linux", reason="a limit of addresses is kept on Linux only")
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
os.execv(sys.executable, [sys.executable, "-m", "dreamfusion_engine", *sys.argv[2:]])
"""


def limited(mib: int, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The engine with so many MiB of addresses."""
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(mib * MIB), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@HAS_LIMITS
@pytest.mark.parametrize("mib", [500, 700, 1300])
def test_a_run_with_too_little_memory_to_start_says_so_in_its_own_words(tmp_path: Path, mib: int) -> None:
    """Otherwise, at these limits: OpenBLAS gives up with exit code 1; it spins for ever; Rust aborts."""
    run = limited(mib, tmp_path, "generate", "a red mug", "--json")
    failed = json.loads(run.stdout.splitlines()[-1])
    assert (run.returncode, failed["type"], failed["code"]) == (3, "failed", "run.out_of_memory"), run.stderr
    assert "ulimit" in failed["why"] and "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []


@HAS_LIMITS
@pytest.mark.parametrize("words", [["models", "--json"], ["doctor", "--json"]])
def test_whatever_needs_torch_says_it(tmp_path: Path, words: list[str]) -> None:
    run = limited(600, tmp_path, *words)
    assert run.returncode in (2, 3) and "Traceback" not in run.stderr
    assert "too little memory to start" in json.dumps(json.loads(run.stdout))


@HAS_LIMITS
def test_the_server_says_it_to_its_client(tmp_path: Path) -> None:
    with Client(tmp_path, command=[sys.executable, "-c", LIMITED, str(600 * MIB)]) as client:
        client.send("hello", protocol=PROTOCOL_VERSION)
        assert client.wait_for("failed").message["code"] == "run.out_of_memory"
        client.send("shutdown")
        assert client.wait_end() == 0


@HAS_LIMITS
def test_addresses_are_counted_from_the_limit_and_what_is_held() -> None:
    code = "import sys, os; from dreamfusion_engine.machine.main_memory import address_room; print(address_room())"
    assert int(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).stdout) == sys.maxsize
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({2048 * MIB}, {2048 * MIB})); {code}"
    left = int(subprocess.run([sys.executable, "-c", limit], cwd=ROOT, capture_output=True).stdout)
    assert 1024 * MIB < left < 2048 * MIB


def test_a_machine_without_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    main_memory.check_room_to_start()
    monkeypatch.setattr(main_memory, "container_room", lambda: 100 * MIB)
    with pytest.raises(RunError) as caught:
        main_memory.check_room_to_start()
    assert caught.value.code == "run.out_of_memory" and "100 MiB" in caught.value.why
    monkeypatch.setitem(sys.modules, "torch", main_memory)
    main_memory.check_room_to_start()  # what is loaded needs no room


def test_a_container_s_limit_counts_without_the_files_that_are_only_cached(tmp_path: Path) -> None:
    assert main_memory.container_room(tmp_path) == sys.maxsize
    (tmp_path / "memory").mkdir()
    for name, text in (
        ("limit_in_bytes", "1000\n"),
        ("usage_in_bytes", "900\n"),
        ("stat", "total_inactive_file 300\n"),
    ):
        (tmp_path / "memory" / f"memory.{name}").write_text(text)
    assert main_memory.container_room(tmp_path) == 400
    for name, text in (("max", "2000\n"), ("current", "1500\n"), ("stat", "active_file 9\ninactive_file 200\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert main_memory.container_room(tmp_path) == 700, "the newer groups first"
    (tmp_path / "memory.max").write_text("max\n")
    assert main_memory.container_room(tmp_path) == 400


def test_a_container_s_limit_bounds_what_a_run_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < main_memory.available_bytes() <= psutil.virtual_memory().total == main_memory.total_bytes()
    monkeypatch.setattr(main_memory, "container_room", lambda: MIB)
    assert main_memory.available_bytes() == MIB
