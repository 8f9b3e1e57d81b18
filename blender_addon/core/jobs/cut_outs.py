"""What the engine would take for the object in a picture, asked for before a run."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from ..engine.host import EngineHost
from ..given_pictures import MOST, GivenPicture
from ..job import Trouble
from ..phrase import phrase
from ..protocol import Frame
from .changes import Change, Changes


@dataclass
class _Question:
    """name: what the UI calls the picture. picture: None once it was sent."""

    name: str
    picture: GivenPicture | None


class CutOuts:
    """The pictures whose cut-outs are wanted. They wait until there is an engine, which answers beside a run."""

    def __init__(self, host: EngineHost, changes: Changes) -> None:
        self.troubles: dict[str, Trouble] = {}  # why there is no cut-out, by name, until somebody takes it
        self._host = host
        self._changes = changes
        self._asked: dict[str, _Question] = {}  # by the id of the message

    @property
    def active(self) -> bool:
        """Whether any is wanted, and so an engine is needed."""
        return bool(self._asked)

    def waits(self, name: str) -> bool:
        """Whether the cut-out of a picture is wanted and not here yet."""
        return any(question.name == name for question in self._asked.values())

    def ask(self, name: str, picture: GivenPicture) -> None:
        """Have an object cut out as soon as there is an engine. An older question of that name does not count any more.

        The answer is a change 'cut_out'.

        name: str, what the answer is called.
        picture: GivenPicture; its view does not matter.
        """
        others = [key for key, question in self._asked.items() if question.name != name]
        self._asked = {key: self._asked[key] for key in others[-(MOST - 1) :]}
        self._asked[f"cut-out-{uuid.uuid4().hex[:12]}"] = _Question(name, picture)
        self.troubles.pop(name, None)

    def go_on(self) -> None:
        """Ask a ready engine."""
        if self._host.state != "ready":
            return
        for key, question in self._asked.items():
            picture, question.picture = question.picture, None
            if picture is not None:
                message = {"type": "cut_out", "id": key, "mask": len(picture.mask)}
                self._host.send(message, picture.data + picture.mask)

    def take(self, frame: Frame) -> bool:
        """Handle a message of the engine. Returns whether it was about a cut-out."""
        message = frame.message
        name = message.get("id")
        if name in self._asked and message["type"] == "cut_out":
            self._changes.say(Change(None, "cut_out", name=self._asked.pop(name).name, data=frame.data))
        elif name in self._asked and message["type"] == "failed":
            self._fail(name, Trouble.from_json(message))
        elif message["type"] == "failed" and name is None and message["code"] == "protocol.unknown" and self.active:
            fix = phrase(
                "Install the engine again, or update it where it runs. A run cuts out the object without it too."
            )
            for key in list(self._asked):
                self._fail(key, Trouble("engine.version", "This engine cannot show cut-outs.", "It is older.", fix))
        else:
            return message["type"] == "cut_out"  # one that nobody wants any more
        return True

    def fail(self, trouble: Trouble | None) -> None:
        """Fail all, because the engine is gone or cannot be had."""
        for key in list(self._asked) if trouble is not None else ():
            self._fail(key, trouble)

    def _fail(self, key: str, trouble: Trouble | None) -> None:
        name = self._asked.pop(key).name
        if trouble is not None:
            self.troubles[name] = trouble
        self._changes.say(Change(None, "cut_out", name=name))
