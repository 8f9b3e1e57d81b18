"""The lists of models that the server sends, and the models that the client named by folder or file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dreamfusion_engine.commands.doctor import known_speed, machine, model_lists, speed_is_known
from dreamfusion_engine.commands.given_models import bounded_json, given_model
from dreamfusion_engine.errors import EngineError, InputError
from dreamfusion_engine.wire.messages import MODELS_BYTES, models_message

MOST_GIVEN = 24  # models that one client may ask about by path: their lines and the lists fit one message
_LONGEST = 4096  # characters of a path

Given = tuple[tuple[str, str], ...]  # models and their bases


class ModelNews:
    """The lists as the client last got them, and whether they must be sent again."""

    def __init__(self) -> None:
        self._given: Given = ()
        self._with_speed = False  # the last list had times: the device's speed was known

    def ask(self, message: Mapping[str, Any]) -> None:
        """Take over which models a message `models` names.

        Raises InputError protocol.field.
        """
        given = message.get("given")
        if given is not None:
            self._given = checked(given)

    def fields(self) -> tuple[dict[str, Any], int]:
        """Return the fields of `models` and `ready`, and how many models' lines have no room in them.

        Raises SetupError for a broken starter.
        """
        self._with_speed = speed_is_known()
        room = machine()
        here, to_get = model_lists(room)
        given = [bounded_json(given_model(name, room, base)) for name, base in self._given]
        lines = sorted([*here, *to_get], key=lambda line: not line.usable)
        space = MODELS_BYTES - (len(json.dumps(given)) if given else 0)
        said, left_out = models_message([(line.usable, line.to_json()) for line in lines], space)
        return (said | {"given": given} if given else said), left_out

    def measure(self) -> None:
        """Measure how fast the device is, unless that is known."""
        known_speed()

    @property
    def due(self) -> bool:
        """Return whether times are known now and were not when the last list was made. True once."""
        try:
            return not self._with_speed and speed_is_known()
        except EngineError:
            return False


def checked(given: list[Any]) -> Given:
    """Check the field `given` of a message `models`.

    Raises InputError protocol.field.
    """
    if len(given) > MOST_GIVEN:
        raise _refusal(f"'given' has {len(given)} models, and at most {MOST_GIVEN} are answered.")
    return tuple((_text(entry, "model"), _text(entry, "base")) for entry in given)


def _text(entry: Any, name: str) -> str:
    text = (entry.get(name) or "") if isinstance(entry, dict) else None
    if not isinstance(text, str) or len(text) > _LONGEST or (name == "model" and not text.strip()):
        raise _refusal(f"An entry of 'given' is no model: {str(entry)[:60]}")
    return text


def _refusal(why: str) -> InputError:
    return InputError(
        "protocol.field",
        what="The engine cannot do what a message asks.",
        why=why,
        fix="Update the add-on and the engine to the same version; if they are, this is a bug worth reporting.",
    )
