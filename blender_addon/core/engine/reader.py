"""The thread that reads the engine's messages, checks them and their data, and puts them into the inbox."""

from __future__ import annotations

import threading
from typing import BinaryIO, cast

from ..job import Trouble
from ..phrase import phrase
from ..protocol import EVENTS, PROTOCOL_VERSION, DamagedFrame, Frame, read_frame
from .byte_source import ByteSource
from .inbox import Inbox
from .log import EngineLog
from .payload import payload_fault
from .sound_message import sound_message
from .troubles import babble_trouble, damaged_cut_out_trouble, damaged_result_trouble, version_trouble

BABBLE_LIMIT = 200  # lines in a row that are no message: a login banner is shorter, a broken stream is longer
_LOGGED = 20  # of these lines go into the log
# The pause after a message that replaces one nobody has looked at yet; a fifth of it after a line of babble. So the
# pipe holds back a flood, which would take Python's lock from Blender's main thread. An engine that sends a
# picture every two seconds never notices.
FLOOD_PAUSE_S = 0.005
_DAMAGED = {"result": damaged_result_trouble, "cut_out": damaged_cut_out_trouble}  # for which somebody waits


class WireReader:
    """Reads one engine's messages until the stream ends or can no longer be understood."""

    def __init__(self, source: ByteSource, inbox: Inbox, log: EngineLog, died: threading.Event) -> None:
        """source: ByteSource to read from.
        inbox: Inbox that gets the frames.
        log: EngineLog for what is no message.
        died: Event that is set when the process is gone; the rest of the pipe is then read without pauses.
        """
        self.ready = False  # the engine has greeted
        self.complaint: Trouble | None = None  # said instead of a greeting
        self.trouble: Trouble | None = None  # why reading ended before the stream did
        self._source = source
        self._inbox = inbox
        self._log = log
        self._died = died

    def run(self) -> None:
        """Read until the end. Sets `trouble` when the stream goes on but the conversation cannot."""
        babble = 0
        while self.trouble is None:
            try:
                frame = read_frame(cast(BinaryIO, self._source), EVENTS)
                if frame is not None:
                    frame = Frame(sound_message(frame.message, self._log.blot), frame.data)
            except DamagedFrame as damage:
                if damage.lost:
                    self._log.say(f"Not a message: {damage.why}")
                    return
                babble += 1
                self._babble(damage, babble)
                continue
            except (OSError, ValueError):  # closed under us
                return
            if frame is None:
                return
            babble = 0
            self._source.message_came()
            self._heed(frame.message)
            if self.trouble is not None:
                return
            checked = self._checked(frame)
            if checked is not None and self._inbox.put(checked):
                self._died.wait(FLOOD_PAUSE_S)

    def _babble(self, damage: DamagedFrame, count: int) -> None:
        if count <= _LOGGED:
            self._log.say(f"Not a message: {damage.why}")
        if count > BABBLE_LIMIT:
            self.trouble = babble_trouble(self._log.blot.text(damage.why))
        self._died.wait(FLOOD_PAUSE_S / 5)

    def _heed(self, message: dict[str, object]) -> None:
        """Note a greeting, or the failure that came instead of one."""
        if message["type"] == "ready":
            if message["protocol"] != PROTOCOL_VERSION:
                self.trouble = version_trouble(message["protocol"], PROTOCOL_VERSION)
            self.ready = True
        elif message["type"] == "failed" and message.get("id") is None:
            said = Trouble.from_json(message)
            self._log.say(str(said))
            if not self.ready and said.code == "protocol.version":
                fix = phrase("Update the engine: press Install Engine. If that does not help, update the add-on.")
                self.trouble = Trouble(
                    "engine.version", "The add-on and the engine do not fit together.", said.why, fix
                )
            elif not self.ready:
                self.complaint = said

    def _checked(self, frame: Frame) -> Frame | None:
        """The frame if Blender should see it. Pictures and meshes are checked in this thread, so that nobody waits."""
        if frame.message["type"] == "heartbeat":
            return None
        why = payload_fault(frame)
        if why is None:
            return frame
        self._log.say(f"A damaged '{frame.message['type']}': {why}")
        trouble = _DAMAGED.get(frame.message["type"])
        if trouble is None:
            return None
        return Frame({"type": "failed", "id": frame.message["id"], **trouble(why).to_json()})
