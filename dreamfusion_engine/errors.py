"""The one family of errors: every failure an artist can meet says what, why and how to fix it.

    EngineError
    |-- InputError      bad prompt, setting, file or folder          exit 2
    |-- SetupError      missing or damaged model, device, package    exit 2
    |-- RunError        the run itself failed (empty, non-finite,
    |                   out of memory)                               exit 3
    `-- Cancelled       stopped on request; a checkpoint is kept     exit 130

Foreign exceptions (OSError, torch's out of memory, ...) are mapped to these once, where they enter.
"""

from __future__ import annotations

from dreamfusion_engine.inputs.outside_text import shown

LONGEST = 4000  # characters of each text; what it repeats of an input may be a whole file that was pasted


class EngineError(Exception):
    """Base of the family.

    code: stable dotted name, such as ``input.prompt_empty``, that programs may test.
    what: what happened, one sentence.
    why: the cause, with the offending value.
    fix: what the artist can do about it.
    """

    exit_code = 1

    def __init__(self, code: str, *, what: str, why: str, fix: str) -> None:
        self.code = code
        self.what, self.why, self.fix = (shown(text, LONGEST) for text in (what, why, fix))
        super().__init__(self.what, self.why, self.fix)

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  fix: {self.fix}"

    def to_json(self) -> dict[str, str]:
        """The error as the ``failed`` message of the protocol carries it."""
        return {"code": self.code, "what": self.what, "why": self.why, "fix": self.fix}


class InputError(EngineError):
    """Something the caller gave is not usable."""

    exit_code = 2


class SetupError(EngineError):
    """Something the machine or installation lacks."""

    exit_code = 2


class RunError(EngineError):
    """The run started well and failed on the way."""

    exit_code = 3


class Cancelled(EngineError):
    """The caller asked to stop. Not a failure: what was reached is kept."""

    exit_code = 130
