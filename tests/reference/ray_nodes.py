"""Ray clusters on the loopback of this machine: nodes as processes that a test can kill."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240.0  # seconds for what comes unless something hangs
OPEN = {"RAY_AUTH_MODE": "disabled"}  # else a token that some other Ray left in the home folder decides who may enter


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Node:
    """One node of a cluster, with one core. Its head's port is the cluster's address."""

    def __init__(self, port: int, *, head: bool, cache: Path, **variables: str) -> None:
        self.port, self.head = port, head
        self._temporary = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets have short paths
        words = ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={self._temporary}"]
        if not head:
            words = [f"--address=127.0.0.1:{port}"]
        limits = ["--num-cpus=1", "--memory=8000000000", "--object-store-memory=100000000"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
            + ["--node-ip-address=127.0.0.1", *limits, *words],
            stdin=subprocess.DEVNULL,
            stdout=(Path(self._temporary) / "said.txt").open("wb"),
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "DREAMFUSION_CACHE": str(cache)}
            | OPEN
            | variables,
            start_new_session=True,
        )
        until = time.monotonic() + PATIENCE
        while b"Ray runtime started" not in (Path(self._temporary) / "said.txt").read_bytes():
            assert time.monotonic() < until and self._process.poll() is None, "the node did not come up"
            time.sleep(0.2)

    def kill(self) -> None:
        """End all of its processes at once, as a power cut does."""
        ours: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            top = psutil.Process(self._process.pid)
            ours = [top, *top.children(recursive=True)]
        for each in ours:
            with contextlib.suppress(psutil.Error):
                each.kill()
        self._process.wait(timeout=PATIENCE)
        shutil.rmtree(self._temporary, ignore_errors=True)
