"""What a command says when it ends before it is done: on the screen, or as a line of JSON."""

from __future__ import annotations

from dreamfusion_engine.commands import console
from dreamfusion_engine.errors import Cancelled, EngineError
from dreamfusion_engine.wire.messages import error_message
from dreamfusion_engine.wire.printed import JsonLines

GO_ON = "To go on where it stopped"


def told_early_end(error: EngineError, lines: JsonLines | None, advice: str, command: str) -> int:
    """Tell why a command ended, and return its exit code.

    error: EngineError that ended it.
    lines: JsonLines of a program that reads; None: a person does.
    advice: str, what the next command does; said to a person who stopped this one.
    command: str, the next command.
    """
    if lines is not None:
        lines.say(error_message(error))
    else:
        console.tell(console.error_text(error))
        if isinstance(error, Cancelled):
            console.tell(f"\n{advice}:\n  {command}")
    return error.exit_code
