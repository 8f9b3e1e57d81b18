"""A client of `mcp` for tests that speaks JSON-RPC itself, so that it can also say what no SDK would."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

ROOT = Path(__file__).resolve().parents[2]
FAKE_ENGINE = ROOT / "tests" / "fakes" / "fake_engine.py"
PATIENCE = 600.0  # seconds for what will come unless something hangs, on a busy machine too
VERSION = "2025-06-18"


class AgentClient:
    """One server process on a folder. Use as a context manager: the process is killed at the end."""

    def __init__(self, folder: Path, log: Path, **variables: str) -> None:
        self.log = log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(FAKE_ENGINE), "mcp", "--folder", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin, self.stdout = cast(BinaryIO, self.process.stdin), cast(BinaryIO, self.process.stdout)
        self.progress: list[dict[str, Any]] = []
        self.complaints: list[dict[str, Any]] = []
        self._answers: dict[Any, queue.Queue[dict[str, Any]]] = {}
        self._asked = 0
        self.reads = threading.Event()
        self.reads.set()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> AgentClient:
        hello = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        self.server = self.ask("initialize", **hello)["result"]
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                stream.close()

    def say(self, message: dict[str, Any]) -> None:
        self.raw(json.dumps(message).encode() + b"\n")

    def raw(self, data: bytes) -> None:
        self.stdin.write(data)
        self.stdin.flush()

    def begin(self, method: str, **params: Any) -> int:
        """Send a request; returns its id."""
        self._asked += 1
        self._answers[self._asked] = queue.Queue()
        self.say({"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params})
        return self._asked

    def answer(self, number: int) -> dict[str, Any]:
        """The answer to a request."""
        return self._answers[number].get(timeout=PATIENCE)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        return self.answer(self.begin(method, **params))

    def begin_call(self, tool: str, arguments: dict[str, Any]) -> int:
        return self.begin("tools/call", name=tool, arguments=arguments, _meta={"progressToken": tool})

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers: its structured content, with "error" in it where it refused."""
        found = self.answer(self.begin_call(tool, arguments))["result"]
        said: dict[str, Any] = {**found["structuredContent"], "error": bool(found.get("isError"))}
        return said | {"content": found["content"]}

    def made(self, prompt: str, steps: int = 20, **more: Any) -> str:
        """Begin a run; returns its name."""
        settings = {"optimize": {"steps": steps}}
        said = self.call("generate", prompt=prompt, model="model", settings=settings, **more)
        assert not said["error"], said
        return str(said["run"])

    def wait_until_training(self, run: str) -> None:
        """Wait until a run has begun and told progress."""
        while not [m for m in self.call("watch", run=run, seconds=0)["messages"] if m["type"] == "progress"]:
            pass

    def watched(self, run: str) -> dict[str, Any]:
        """What is said of a run once it is over."""
        while (said := self.call("watch", run=run, seconds=20))["state"] in ("asked", "queued", "running"):
            pass
        return said

    def _listen(self) -> None:
        for line in self.stdout:
            message = json.loads(line)
            if message.get("method") == "notifications/progress":
                self.progress.append(message["params"])
            elif message.get("id") in self._answers:
                self._answers[message["id"]].put(message)
            else:
                self.complaints.append(message)
            self.reads.wait()
