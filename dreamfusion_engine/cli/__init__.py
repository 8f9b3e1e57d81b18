"""The command `dreamfusion-engine`: it makes objects, lists settings and models, downloads, serves. Only it prints.

Exit codes: 0 done; 2 bad input or set-up; 3 the run failed; 130 cancelled, a checkpoint is kept.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Mapping, Sequence

from dreamfusion_engine.batch.serve_place import ServePlace
from dreamfusion_engine.cli import batch, download, lists, mcp, run
from dreamfusion_engine.commands import console
from dreamfusion_engine.commands.arguments import parser
from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.hub.address import cache_folder
from dreamfusion_engine.server.work import Maker
from dreamfusion_engine.wire.messages import error_message


def main(argv: Sequence[str] | None = None, **makers: Maker) -> int:
    """Run the command line and return its exit code.

    argv: str words without the program's name; None for sys.argv's.
    makers: by task, functions that stand in for the engine's own, such as generate=...; these are imported once the
        request has been found good.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        options = parser(arguments).parse_args(arguments)
        if options.command is None:
            parser().print_help()
            return 2
        if getattr(options, "cache", None):
            os.environ["HF_HUB_CACHE"] = os.path.abspath(cache_folder({"HF_HUB_CACHE": options.cache}))
        if options.command == "generate":
            return run.generate(options, arguments, makers)
        if options.command == "texture":
            return run.texture(options, arguments, makers)
        if options.command == "refine":
            return run.refine(options, arguments, makers)
        if options.command == "batch":
            return batch.batch(options, arguments)
        if options.command == "mcp":
            return mcp.mcp(options)
        if options.command == "settings":
            return lists.settings(options)
        if options.command == "models":
            return lists.models(options)
        if options.command == "download":
            return download.download(options, arguments)
        if options.command == "messages":
            return lists.messages(options)
        if options.command == "doctor":
            return lists.doctor(options)
        return _serve(options, makers)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return Cancelled.exit_code
    except Exception as error:  # the last net: bugs too are shown on one screen, with their log
        if _reader_gone(error):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return Cancelled.exit_code
        ours = as_engine_error(error)
        if "--json" in arguments:
            print(json.dumps(error_message(ours)))
        else:
            console.tell(console.error_text(ours))
        return ours.exit_code


def _reader_gone(error: Exception) -> bool:
    """Whether whoever read our output has gone: head, less, more, a closed window. Windows calls that EINVAL."""
    at_a_pipe = isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and at_a_pipe)


def _serve(options: argparse.Namespace, makers: Mapping[str, Maker]) -> int:
    commands, wire = console.claim_stdin(), console.claim_stdout()
    from dreamfusion_engine.server.server import serve

    elsewhere = None if options.on == "local" else ServePlace(options.on)
    return serve(makers=makers, stdin=commands, stdout=wire, output_root=options.output_root, elsewhere=elsewhere)
