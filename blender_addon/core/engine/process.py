"""The engine's process: starts it, speaks to it and ends it without making Blender wait.

Four threads serve one engine. None of them touches bpy. One starts the process and waits for its end, one reads
messages into a bounded inbox, one writes commands, one copies standard error to the log. So the caller never waits for
a slow start, a full pipe or a flood of output.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..job import Trouble
from ..protocol import PROTOCOL_VERSION, Frame, encode
from .byte_source import ByteSource
from .inbox import Inbox
from .log import EngineLog, copy_lines
from .process_group import ProcessGroup
from .reader import WireReader
from .troubles import babble_trouble, exit_trouble, silence_trouble, start_trouble

GRACE_S = 10.0  # for the engine to write a checkpoint after it was asked to end
_COMPLAINT_S = 6.0  # three heartbeats
_PIECE = 1 << 20  # bytes written at a time
_EXIT_AFTER_SILENCE_S = 1.0  # for a process that has closed its output to end


class EngineProcess:
    """One engine: a child process over pipes. Every method returns at once, except `close`, which has a limit.

    A missing interpreter and the like show as an ended process with `trouble`, not as an exception.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
        secrets: Sequence[str] = (),
        local: bool = True,
        name: str = "DreamFusion",
    ) -> None:
        """Start `command` and say hello.

        command: words that start the engine's server.
        log: Path of the file for the engine's standard error; it is rotated.
        environ: variables of the child; None for those of this process.
        folder: Path of the working directory.
        secrets: texts that are hidden in the log.
        local: bool, whether the engine sees this machine's files.
        name: str, of the client, for the engine's log.
        """
        self.local = local
        self.log = EngineLog(log, secrets)
        self.started = self._taken = time.monotonic()  # the second: when it last took a piece of data
        self._command = list(command)
        self._environ = environ
        self._folder = folder
        self._inbox = Inbox()
        self._outbox: queue.SimpleQueue[bytes | tuple[dict[str, Any], bytes] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._group: ProcessGroup | None = None
        self._source: ByteSource | None = None
        self._reader: WireReader | None = None
        self._trouble: Trouble | None = None
        self._wished = False  # the end was asked for
        self._died = threading.Event()  # the process is gone
        self._ended = threading.Event()  # ... and all that it said has been read
        self._kill_now = threading.Event()
        self.send({"type": "hello", "protocol": PROTOCOL_VERSION, "client": name})
        threading.Thread(target=self._live, name="dreamfusion-engine", daemon=True).start()

    def __repr__(self) -> str:
        return f"<EngineProcess pid={self.pid} ended={self.ended}>"

    @property
    def pid(self) -> int | None:
        """The process's number; None before the start and when the start failed."""
        group = self._group
        return None if group is None else group.process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended, or never began. Messages from before may still wait in `receive`."""
        return self._ended.is_set()

    @property
    def trouble(self) -> Trouble | None:
        """Why the process ended or is being ended; None while all is well and after an end that was asked for."""
        return self._trouble

    @property
    def heard(self) -> float:
        """time.monotonic() of the last valid sign of life, or of the start when there was none yet.

        A sign of life is a message, or that data which is being sent is taken.
        """
        source = self._source
        return max(self._taken, self.started if source is None else source.heard)

    def stalled(self, limit_s: float, silent_s: float) -> Trouble | None:
        """The trouble of an engine that has not greeted and is silent for too long; None within the limit.

        limit_s: float, seconds of silence that are allowed.
        silent_s: float, seconds of silence so far.

        An engine that has sent a complaint instead of a greeting has less time, because it will say no more.
        """
        complaint = None if self._reader is None else self._reader.complaint
        if complaint is not None and silent_s > _COMPLAINT_S:
            return complaint
        return silence_trouble(silent_s, "", ready=False) if silent_s > limit_s else None

    def send(self, message: Mapping[str, Any], data: bytes = b"") -> None:
        """Queue one message, and the data that it carries, for the engine. It is lost when the engine has ended."""
        # Half a gigabyte of meshes is put together by the writer's thread, so that Blender does not wait for it.
        self._outbox.put((dict(message), data) if data else encode(message))

    def receive(self) -> Frame | None:
        """The next frame that has arrived, or None. Heartbeats do not arrive here; see `heard`."""
        return self._inbox.get()

    @property
    def waiting(self) -> int:
        """The number of frames that have arrived and are not received yet."""
        return len(self._inbox)

    def end(self, grace_s: float = GRACE_S) -> None:
        """Ask the engine to end. Returns at once.

        grace_s: float, seconds after which it is terminated, and then killed.
        """
        with self._lock:
            if self._wished:
                return
            self._wished = True
        self.send({"type": "shutdown"})
        self._outbox.put(None)
        threading.Thread(target=self._see_to_the_end, args=(grace_s,), name="dreamfusion-end", daemon=True).start()

    def kill(self) -> None:
        """End the process and its children now."""
        with self._lock:
            self._wished = True
        self._kill()

    def close(self, timeout_s: float = 1.8) -> None:
        """End the process and wait for its end. When this returns, it has at least been killed.

        timeout_s: float, the longest wait in seconds.
        """
        self.end(grace_s=max(0.0, timeout_s - 0.6))
        if not self._died.wait(max(0.0, timeout_s - 0.3)):
            self._kill()
            self._died.wait(0.3)
        self.log.close()

    # The thread of the process.

    def _live(self) -> None:
        self.log.say(f"Starting: {' '.join(self._command)}")
        try:
            group = ProcessGroup(self._command, self._environ, self._folder)
        except (OSError, ValueError) as error:
            folder_gone = self._folder is not None and not self._folder.is_dir()
            self._blame(start_trouble(error, str(self._folder) if folder_gone else self._command[0]))
            self.log.say(f"It could not be started: {error}")
            self._died.set()
            self._ended.set()
            return
        stdin, stdout, stderr = group.process.stdin, group.process.stdout, group.process.stderr
        assert stdin is not None and stdout is not None and stderr is not None
        source = ByteSource(cast(BinaryIO, stdout))
        wire = WireReader(source, self._inbox, self.log, self._died)
        with self._lock:
            self._source, self._reader, self._group = source, wire, group
        reader = threading.Thread(target=self._read, args=(wire,), name="dreamfusion-reader", daemon=True)
        listener = threading.Thread(target=copy_lines, args=(stderr, self.log), name="dreamfusion-log", daemon=True)
        writer = threading.Thread(target=self._write, args=(stdin,), name="dreamfusion-writer", daemon=True)
        for thread in (reader, listener, writer):
            thread.start()
        if self._kill_now.is_set():  # asked for while it was being started
            group.kill()
        code = group.wait()
        self._died.set()
        self._outbox.put(None)
        # The group that held the pipes is gone, so both streams end now or soon. But a
        # grandchild in a group of its own (an ssh master) can hold them open. Then nothing more is read.
        reader.join(0.5)
        listener.join(0.5)
        self.log.say(f"Ended with exit code {code}.")
        if not self._wished:
            self._blame(exit_trouble(code, self.log.tail(), local=self.local, ready=wire.ready))
        for thread, stream in ((reader, stdout), (listener, stderr)):
            if not thread.is_alive():  # never while the thread still reads
                stream.close()
        self._ended.set()
        self.log.close()

    def _see_to_the_end(self, grace_s: float) -> None:
        if self._died.wait(grace_s):
            return
        group = self._group
        if group is not None:
            group.terminate()
        if not self._died.wait(0.3):
            self._kill()

    def _kill(self) -> None:
        self._kill_now.set()
        with self._lock:
            group = self._group
        if group is not None and not self._died.is_set():
            group.kill()

    def _blame(self, trouble: Trouble) -> None:
        """Keep the first trouble, which is the cause of the others."""
        if self._trouble is None:
            self._trouble = trouble

    # The reader's thread.

    def _read(self, reader: WireReader) -> None:
        reader.run()
        if reader.trouble is not None:
            self._blame(reader.trouble)
            self._kill()
        elif not self._died.wait(_EXIT_AFTER_SILENCE_S):
            # The process has closed its output and did not end in the time that it had. Without output it is useless.
            if not self._wished:
                self._blame(babble_trouble("It closed its output and went on running."))
            self._kill()

    # The writer's thread.

    def _write(self, stdin: BinaryIO) -> None:
        """Write what is in the outbox, until a None closes the pipe. The engine takes that for the client's end."""
        try:
            while True:
                item = self._outbox.get()
                if item is None:
                    break
                carries = isinstance(item, tuple)
                view = memoryview(encode(*item) if isinstance(item, tuple) else item)
                del item
                while view:
                    view = view[os.write(stdin.fileno(), view[:_PIECE]) :]
                    if carries:  # the engine takes what is sent, and has no job yet that would make it speak
                        self._taken = time.monotonic()
        except (OSError, ValueError):  # the engine has gone; its end is noticed elsewhere
            pass
        finally:
            try:
                stdin.close()
            except OSError:
                self.log.say("The pipe to the engine was closed by the other side.")
