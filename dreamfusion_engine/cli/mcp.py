"""The command that serves agents."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dreamfusion_engine.commands import console
from dreamfusion_engine.errors import SetupError

EXTRA = 'python -m pip install "mcp>=2.3,<3"'  # what the extra `mcp` of pyproject.toml asks for


def mcp(options: argparse.Namespace) -> int:
    """Serve a client of the Model Context Protocol on standard input and output, and return the exit code.

    options: of the command.
    Raises SetupError without the protocol's SDK, InputError for a folder that cannot be used.
    """
    if sys.stdin.isatty():
        console.tell("Waiting for a client of the Model Context Protocol on standard input: see docs/automation.md.")
    commands, wire = console.claim_stdin(), console.claim_stdout()
    try:
        from dreamfusion_engine.agents.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise SetupError(
            "setup.mcp",
            what="The SDK of the Model Context Protocol is not installed.",
            why="`mcp` needs the package mcp, and the engine's environment has none. Nothing else needs it.",
            fix=f"Run {EXTRA} with the engine's Python.",
        ) from error
    return serve(Path(options.folder), commands, wire)
