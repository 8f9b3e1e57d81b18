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
    """Base of the errors that an artist can meet.

    code: str, a stable dotted name, such as ``input.prompt_empty``, that programs may test.
    what: str, what happened, one sentence.
    why: str, the cause, with the offending value.
    fix: str, what the artist can do about it.
    """

    exit_code = 1

    def __init__(self, code: str, *, what: str, why: str, fix: str) -> None:
        self.code = code
        self.what, self.why, self.fix = (shown(text, LONGEST) for text in (what, why, fix))
        super().__init__(self.what, self.why, self.fix)

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  fix: {self.fix}"

    def to_json(self) -> dict[str, str]:
        """Return the error as the protocol's ``failed`` message carries it: code, what, why and fix."""
        return {"code": self.code, "what": self.what, "why": self.why, "fix": self.fix}


class InputError(EngineError):
    """A prompt, setting, file or folder from the caller cannot be used."""

    exit_code = 2


class SetupError(EngineError):
    """The machine or the installation lacks something: a model, a device, a package."""

    exit_code = 2


class RunError(EngineError):
    """The run began well and failed before its end."""

    exit_code = 3


class Cancelled(EngineError):
    """The caller stopped the run. It is no failure: the last checkpoint is kept."""

    exit_code = 130
