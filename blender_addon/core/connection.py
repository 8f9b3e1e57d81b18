"""The engine's process: started, spoken to and ended without ever keeping Blender waiting.

Four threads serve one engine, none of which touches bpy: one starts the process and waits for its end, one reads
messages into a bounded inbox, one writes commands, one copies standard error to the log. So neither a slow start, nor
a full pipe, nor a flood of output is felt by the caller.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from .byte_source import ByteSource
from .endings import (
    babble_trouble,
    damaged_result_trouble,
    exit_trouble,
    silence_trouble,
    start_trouble,
    version_trouble,
)
from .engine_log import EngineLog, copy_lines
from .inbox import Inbox
from .job import Trouble
from .payload import payload_fault
from .process_group import ProcessGroup
from .protocol import EVENTS, PROTOCOL_VERSION, DamagedFrame, Frame, encode, read_frame

BABBLE_LIMIT = 200  # lines in a row that are no message: a login banner is shorter, a broken stream is longer
# After a message that comes before the last one of its kind was looked at. A flood is held back by the pipe, instead of
# taking Python's lock from Blender's main thread; an engine that sends a picture every two seconds never notices.
FLOOD_PAUSE_S = 0.005
GRACE_S = 10.0  # for the engine to write a checkpoint after it was asked to end
_COMPLAINT_S = 6.0  # three heartbeats
_EXIT_AFTER_SILENCE_S = 1.0  # for a process that has closed its output to end


class EngineProcess:
    """One engine: a child process over pipes. Every method returns at once, but `close`, which says how long it takes.

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

        log: file for what the engine writes to its standard error; rotated. environ: of the child, default this
        process's. folder: working directory. secrets: texts that are blotted out of the log. local: whether the engine
        sees this machine's files. name: of the client, for the engine's log.
        """
        self.local = local
        self.log = EngineLog(log, secrets)
        self.started = time.monotonic()
        self._command = list(command)
        self._environ = environ
        self._folder = folder
        self._inbox = Inbox()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._group: ProcessGroup | None = None
        self._source: ByteSource | None = None
        self._trouble: Trouble | None = None
        self._complaint: Trouble | None = None  # said before it was ready
        self._spoke = False
        self._wished = False  # the end was asked for
        self._ready = False
        self._died = threading.Event()  # the process is gone
        self._ended = threading.Event()  # ... and all that it said has been read
        self._kill_now = threading.Event()
        self.send({"type": "hello", "protocol": PROTOCOL_VERSION, "client": name})
        threading.Thread(target=self._live, name="dreamfusion-engine", daemon=True).start()

    def __repr__(self) -> str:
        return f"<EngineProcess pid={self.pid} ended={self.ended}>"

    @property
    def pid(self) -> int | None:
        """The process's number; None before it was started and when it could not be."""
        group = self._group
        return None if group is None else group.process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended, or never began. What it said before may still wait in `receive`."""
        return self._ended.is_set()

    @property
    def trouble(self) -> Trouble | None:
        """Why the process ended or is being ended; None while all is well and after an end that was asked for."""
        return self._trouble

    @property
    def heard(self) -> float:
        """time.monotonic() of the last sign of life that made sense; of the start when there was none yet."""
        source = self._source
        return self.started if source is None else max(self.started, source.heard)

    @property
    def spoke(self) -> bool:
        """Whether a whole message has come."""
        return self._spoke

    def stalled(self, limit_s: float, silent_s: float) -> Trouble | None:
        """The trouble of an engine that has not greeted and says nothing since `silent_s` seconds, past `limit_s`.

        One that has complained instead of greeting has less time: it will say no more.
        """
        if self._complaint is not None and silent_s > _COMPLAINT_S:
            return self._complaint
        return silence_trouble(silent_s, "", ready=False) if silent_s > limit_s else None

    def send(self, message: Mapping[str, Any]) -> None:
        """Queue one message for the engine; it is lost when the engine has ended."""
        self._outbox.put(encode(message))

    def receive(self) -> Frame | None:
        """The next frame that has arrived, or None. Heartbeats do not arrive here; see `heard`."""
        return self._inbox.get()

    @property
    def waiting(self) -> int:
        """The number of frames that have arrived and were not received yet."""
        return len(self._inbox)

    def end(self, grace_s: float = GRACE_S) -> None:
        """Ask the engine to end; after `grace_s` terminate it, and then kill it. Returns at once."""
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
        """End the process and wait for that, `timeout_s` seconds at most; by then it has been killed."""
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
        with self._lock:
            self._source = ByteSource(cast(BinaryIO, stdout))
            self._group = group
        reader = threading.Thread(target=self._read, args=(self._source,), name="dreamfusion-reader", daemon=True)
        listener = threading.Thread(target=copy_lines, args=(stderr, self.log), name="dreamfusion-log", daemon=True)
        writer = threading.Thread(target=self._write, args=(stdin,), name="dreamfusion-writer", daemon=True)
        for thread in (reader, listener, writer):
            thread.start()
        if self._kill_now.is_set():  # asked for while it was being started
            group.kill()
        code = group.wait()
        self._died.set()
        self._outbox.put(None)
        # Everything that held the pipes is gone with the group, so both streams are at their end, or soon will be. A
        # grandchild in a group of its own (an ssh master) can hold them open; then what was read has to do.
        reader.join(2.0)
        listener.join(0.5)
        self.log.say(f"Ended with exit code {code}.")
        if not self._wished:
            self._blame(exit_trouble(code, self.log.tail(), local=self.local, ready=self._ready))
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
        """The first trouble is the cause of the others."""
        if self._trouble is None:
            self._trouble = trouble

    # The reader's thread.

    def _read(self, source: ByteSource) -> None:
        babble = 0
        while True:
            try:
                frame = read_frame(cast(BinaryIO, source), EVENTS)
            except DamagedFrame as damage:
                babble += 1
                time.sleep(FLOOD_PAUSE_S / 5)
                if babble <= 20:
                    self.log.say(f"Not a message: {damage.why}")
                if damage.lost:
                    break
                if babble > BABBLE_LIMIT:
                    self._blame(babble_trouble(damage.why))
                    self._kill()
                    return
                continue
            except (OSError, ValueError):  # closed under us
                break
            if frame is None:
                break
            babble = 0
            source.message_came()
            self._spoke = True
            if not self._greeted(frame):
                self._kill()
                return
            checked = self._checked(frame)
            if checked is not None and self._inbox.put(checked):
                time.sleep(FLOOD_PAUSE_S)
        # The engine has closed its output. It is no use to anybody without, so it has a moment to end.
        if not self._died.wait(_EXIT_AFTER_SILENCE_S):
            if not self._wished:
                self._blame(babble_trouble("It closed its output and went on running."))
            self._kill()

    def _checked(self, frame: Frame) -> Frame | None:
        """The frame if Blender should see it. Pictures and meshes are looked at here, where it keeps nobody waiting."""
        if frame.message["type"] == "heartbeat":
            return None
        why = payload_fault(frame)
        if why is None:
            return frame
        self.log.say(f"A damaged '{frame.message['type']}': {why}")
        if frame.message["type"] != "result":
            return None
        trouble = damaged_result_trouble(why)
        return Frame({"type": "failed", "id": frame.message["id"], **trouble.to_json()})

    def _greeted(self, frame: Frame) -> bool:
        """Whether the conversation can go on after this frame."""
        message = frame.message
        if message["type"] == "ready":
            if message["protocol"] != PROTOCOL_VERSION:
                self._blame(version_trouble(message["protocol"], PROTOCOL_VERSION))
                return False
            self._ready = True
        elif message["type"] == "failed" and message.get("id") is None and not self._ready:
            if message["code"] == "protocol.version":
                self._blame(
                    Trouble(
                        "engine.version",
                        "The add-on and the engine do not fit together.",
                        message["why"],
                        "Update the engine: press Install Engine. If that does not help, update the add-on.",
                    )
                )
                return False
            self._complaint = Trouble.from_json(message)
            self.log.say(str(self._complaint))
        return True

    # The writer's thread.

    def _write(self, stdin: BinaryIO) -> None:
        """Write what is in the outbox until the None that closes the pipe; the engine sees that as our end."""
        try:
            while True:
                data = self._outbox.get()
                if data is None:
                    break
                view = memoryview(data)
                while view:
                    view = view[os.write(stdin.fileno(), view) :]
        except (OSError, ValueError):  # the engine has gone; its end is noticed elsewhere
            pass
        finally:
            try:
                stdin.close()
            except OSError:
                self.log.say("The pipe to the engine was closed by the other side.")
