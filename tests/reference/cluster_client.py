"""A client of an engine whose jobs go to a cluster, where the scripted engine makes them."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reference.wire_client import FAKE_ENGINE, Client

ENGINE = FAKE_ENGINE.with_name("cluster_engine.py")


class Door:
    """What answers where the head would."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self._open = True
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                self._socket.accept()[0].close()

    def close(self) -> None:
        """Answer no more."""
        self._open = False
        self._thread.join()
        self._socket.close()


class ClusterClient(Client):
    """The engine `serve --on ADDRESS`. Its jobs write into folders of `folder` that have their names."""

    def __init__(self, folder: Path, address: str) -> None:
        super().__init__(folder, command=[sys.executable, str(ENGINE)], more=["--on", address])
        self.folder = folder

    def __enter__(self) -> ClusterClient:
        return self

    def ask(self, name: str, prompt: str = "a mug", *, steps: int = 30, output: str = "", **fields: Any) -> None:
        """Ask for an object. output: name of the folder; the job's own by default."""
        settings = {"device": "cpu", "optimize": {"steps": steps}}
        place = str(self.folder / (output or name))
        self.send("generate", id=name, prompt=prompt, settings=settings, output=place, **fields)

    def saved(self, name: str) -> int:
        """The step of a job's checkpoint that is here; 0 for none."""
        path = self.folder / name / "checkpoint" / "checkpoint.json"
        return int(json.loads(path.read_text(encoding="utf-8"))["step"]) if path.is_file() else 0

    def until(self, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message for which something holds."""
        while True:
            frame = self.next()
            assert frame is not None, self.log.read_text()
            if true(frame.message):
                return frame.message
