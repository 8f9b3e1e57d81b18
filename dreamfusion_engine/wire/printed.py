"""What a command prints with --json: messages of the wire, one a line, and those of a batch, after a first line.

They have no "id", because a command does one thing, and no bytes. The meaning of the wire's own is in protocol.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from dreamfusion_engine import __version__
from dreamfusion_engine.wire.protocol import EVENTS, PROTOCOL_VERSION, encode

# Of the wire, those that only a conversation needs are not printed.
_CONVERSATION = ("ready", "models", "devices", "queued", "started", "paused", "resumed", "heartbeat", "cut_out", "bye")
BATCH: dict[str, dict[str, str]] = {
    # A line of the list that is left out. why, fix: for people.
    "batch_line": {"line": "count", "text": "str", "why": "str", "fix": "str"},
    # An object of a batch began or came to an end. state: began, done, failed, stopped or died. where: the machine. At
    # its end also seconds that it ran, score: share of the views in which the judge found the object, and trouble:
    # code, what, why and fix, or {}.
    "batch_job": {
        "name": "str",
        "prompt": "str",
        "seed": "count",
        "state": "str",
        "where": "str",
        "seconds": "seconds?",
        "score": "float?",
        "trouble": "object?",
    },
    # Where the batch is, after each of these. done, failed, running, total: objects. places: how many may run at once.
    # share: of all its work, 0 to 1.
    "batch_progress": {
        "done": "count",
        "failed": "count",
        "running": "count",
        "total": "count",
        "places": "count",
        "share": "float",
        "eta_s": "seconds?",
    },
    # The end of a batch. left_out: lines of the list. stopped: whether a person stopped it.
    "batch": {
        "folder": "str",
        "done": "count",
        "failed": "count",
        "waiting": "count",
        "left_out": "count",
        "stopped": "bool",
    },
}
PRINTED: dict[str, dict[str, str]] = {
    # The first line. protocol: rises when an older reader would not survive what follows. command: such as generate.
    "hello": {"protocol": "count", "engine": "str", "command": "str"},
    **{
        name: {field: spec for field, spec in fields.items() if field not in ("id", "bytes")}
        for name, fields in EVENTS.items()
        if name not in _CONVERSATION
    },
    **BATCH,
}
# In a batch a note may be about one of its objects.
PRINTED["note"] = {**PRINTED["note"], "name": "str?"}


class JsonLines:
    """The lines of a command, on a stream that only they are written to. The first one is written at once."""

    def __init__(self, stream: BinaryIO, command: str, *, follows: bool = False) -> None:
        """Begin.

        stream: binary, for writing.
        command: str, which speaks.
        follows: bool, whether another process of the same run says the first line.
        """
        self._stream = stream
        self.gone = False  # whether nobody reads any more
        if not follows:
            self.say({"type": "hello", "protocol": PROTOCOL_VERSION, "engine": __version__, "command": command})

    def say(self, message: Mapping[str, Any]) -> None:
        """Write a message; once the reader has gone, nothing.

        message: of PRINTED, with its "type".
        """
        if self.gone:
            return
        try:
            self._stream.write(encode(message))
            self._stream.flush()
        except (OSError, ValueError):  # a closed pipe, or a closed stream
            self.gone = True
