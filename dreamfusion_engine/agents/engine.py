"""The engine's process as a client sees it: `serve`, started when it is needed, and told by the messages of the wire.

A process of its own computes, so that a run that crashes, or takes all memory, leaves the conversation as it is. In a
session of its own it outlives whoever kills this process, for as long as it takes to write the checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from dreamfusion_engine.errors import EngineError, RunError, SetupError
from dreamfusion_engine.inputs.outside_text import first_line
from dreamfusion_engine.machine.child_process import APART, import_path, module_words
from dreamfusion_engine.wire.pipe_reader import PipeReader
from dreamfusion_engine.wire.protocol import EVENTS, PROTOCOL_VERSION, DamagedFrame, read_frame, write_frame

PROGRAM = tuple(module_words("dreamfusion_engine"))
BABBLE = 100  # lines in a row that are no message, after which the stream counts as lost

Hear = Callable[[dict[str, Any], bytes], None]


class Engine:
    """One engine's process.

    folder: Path in which it works; runs that name no other folder write there.
    hear: called from a thread of its own with every message and its bytes; the last one is {"type": "gone"}.
    Raises SetupError where no process can be started.
    """

    def __init__(self, folder: Path, hear: Hear) -> None:
        self._hear = hear
        self._lock = threading.Lock()
        environment = {**os.environ, "PYTHONPATH": import_path(), "HF_HUB_OFFLINE": "1"}
        try:
            # In a place of its own: an agent may have put anything into the folder.
            self._place = tempfile.mkdtemp(prefix="dreamfusion-")
            self._process = subprocess.Popen(
                [*PROGRAM, "serve", "--output-root", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                cwd=self._place,
                bufsize=0,
                start_new_session=True,
                creationflags=APART,
            )
        except OSError as error:
            raise SetupError(
                "setup.engine_process",
                what="The engine's process cannot be started.",
                why=first_line(str(error)),
                fix="Close other programs if memory is short. `dreamfusion-engine doctor` checks the rest.",
            ) from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin = cast(BinaryIO, self._process.stdin)
        self._stdout = cast(BinaryIO, PipeReader(cast(BinaryIO, self._process.stdout)))
        self.gone = False
        self.send({"type": "hello", "protocol": PROTOCOL_VERSION, "client": "mcp"})
        threading.Thread(target=self._listen, name="engine", daemon=True).start()

    def send(self, message: Mapping[str, Any], data: bytes = b"") -> None:
        """Say something; where the process has gone, nothing.

        message: of COMMANDS.
        data: bytes that follow.
        """
        with self._lock, contextlib.suppress(OSError, ValueError):
            write_frame(self._stdin, message, data)

    def end(self, seconds: float) -> None:
        """Let it stop its run with a checkpoint, and end.

        seconds: float, for which to wait. It ends by itself later where that was too short.
        """
        self.send({"type": "shutdown"})
        with contextlib.suppress(OSError):
            self._stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def _listen(self) -> None:
        babble = 0
        while babble < BABBLE:
            try:
                frame = read_frame(self._stdout, EVENTS)
            except DamagedFrame as damage:
                babble += 1
                if damage.lost:
                    break
                continue
            except (OSError, ValueError):
                break
            if frame is None:
                break
            babble = 0
            self._hear(frame.message, frame.data)
        self.gone = True
        with contextlib.suppress(OSError):
            self._stdin.close()  # whatever still runs there ends
        code = self._process.wait()
        with contextlib.suppress(OSError):
            os.rmdir(self._place)
        self._hear({"type": "gone", "code": code}, b"")


def engine_gone(code: int) -> EngineError:
    """Return the error of runs whose engine has gone.

    code: int, exit code of its process; negative: the signal that ended it.
    """
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return RunError(
        "run.engine_gone",
        what="The engine's process ended before the run did.",
        why=f"It ended {how}. Was memory short, or did somebody end it?",
        fix="The tool resume goes on from the last checkpoint, in a new process.",
    )
