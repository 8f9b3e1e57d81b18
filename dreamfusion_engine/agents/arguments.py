"""What tools take, declared once: from it come the JSON Schema that clients see, and the check of what they send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dreamfusion_engine.config.presets import nearest
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened

LONGEST = 4000  # characters of a text; the engine has limits of its own for prompts
SETTINGS_BYTES = 1 << 16

Type = Literal["string", "integer", "number", "boolean", "object", "array"]
_CLASSES: dict[Type, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


@dataclass(frozen=True, kw_only=True)
class Argument:
    """An argument of a tool.

    type: of JSON.
    says: str, what it is.
    default: its value where it is left out; None where it must be given or has none.
    needed: bool, whether it must be given.
    low, high: of a number.
    choices: the texts that it may be; none: any.
    entries: of an array, Argument by name of each entry, which is an object; `high` says how many there may be.
    """

    type: Type
    says: str
    default: Any = None
    needed: bool = False
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    entries: Mapping[str, Argument] = field(default_factory=dict)

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        said: dict[str, Any] = {"type": self.type, "description": self.says}
        if self.type == "string":
            said["maxLength"] = LONGEST
        if self.type in ("integer", "number"):
            said |= {"minimum": self.low, "maximum": self.high}
        if self.type == "array":
            said |= {"items": input_schema(self.entries), "maxItems": int(self.high)}
        if self.choices:
            said["enum"] = list(self.choices)
        if self.default is not None:
            said["default"] = self.default
        return said

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value; '' for nothing.

        value: as JSON gave it.
        """
        if not isinstance(value, _CLASSES[self.type]) or (isinstance(value, bool) and self.type != "boolean"):
            return f"it must be of the type {self.type}"
        if isinstance(value, str) and len(value) > LONGEST:
            return f"it has {len(value):,} characters; {LONGEST:,} are the most"
        if isinstance(value, int | float) and self.type != "boolean" and not self.low <= value <= self.high:
            return f"it must be from {self.low:,} to {self.high:,}"
        if self.choices and value not in self.choices:
            return f"it must be one of {', '.join(self.choices)}"
        if isinstance(value, list):
            return self._entries_fault(value)
        if isinstance(value, dict) and len(json.dumps(value)) > SETTINGS_BYTES:
            return f"it has more than {SETTINGS_BYTES:,} bytes"
        return ""

    def _entries_fault(self, value: list[Any]) -> str:
        if len(value) > self.high:
            return f"it has {len(value):,} entries; {self.high:,} are the most"
        for number, each in enumerate(value):
            if not isinstance(each, dict):
                return f"entry {number + 1} must be of the type object"
            try:
                checked(self.entries, each)
            except InputError as error:
                return f"entry {number + 1}: {error.why.rstrip('.')}"
        return ""


Arguments = Mapping[str, Argument]


def input_schema(arguments: Arguments) -> dict[str, Any]:
    """Return the JSON Schema of a tool's arguments.

    arguments: Argument by name.
    """
    return {
        "type": "object",
        "properties": {name: argument.schema() for name, argument in arguments.items()},
        "required": [name for name, argument in arguments.items() if argument.needed],
        "additionalProperties": False,
    }


def checked(arguments: Arguments, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a client gave, with the defaults of what it left out.

    arguments: Argument by name.
    given: as JSON gave it.
    Raises InputError input.argument.
    """
    for name in given:
        if name not in arguments:
            close = nearest(name, list(arguments))
            raise _refused(f"There is no argument {shortened(repr(name))}.", f"Did you mean {close}? " if close else "")
    values: dict[str, Any] = {}
    for name, argument in arguments.items():
        value = given.get(name)
        if value is None:
            if argument.needed:
                raise _refused(f"The argument '{name}' is missing: {argument.says}.")
            values[name] = argument.default
            continue
        fault = argument.fault(value)
        if fault:
            raise _refused(f"'{name}' cannot be {shortened(repr(value))}: {fault}.")
        values[name] = [checked(argument.entries, each) for each in value] if argument.type == "array" else value
    return values


def _refused(why: str, guess: str = "") -> InputError:
    return InputError(
        "input.argument",
        what="The arguments of the tool cannot be used.",
        why=why,
        fix=f"{guess}The tool's input schema says what it takes.",
    )
