"""Programs that the engine starts: their environment, and their end together with the engine.

Other processes need other environments: the add-on's `core/clean_environment.py` takes away what Blender's Python set,
and the set-up's `installer/processes.py` also what would make pip install elsewhere.
"""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY", re.IGNORECASE)
ANSWER_LIMIT = 1 << 16  # bytes of what another program prints
_PR_SET_PDEATHSIG = 1  # prctl(2)
# With -c Python looks for modules in "", the folder in which it starts, first. sys is built in.
_RUN = (
    "import sys; sys.path[:] = [place for place in sys.path if place]; import runpy; "
    "runpy.run_module('{}', run_name='__main__', alter_sys=True)"
)
# What start_new_session is on Windows, where subprocess ignores that; and no window of its own.
APART: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)


def child_environment(
    changes: Mapping[str, str] | None = None, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment without any variable named like a secret, such as HF_TOKEN: no child process needs one.

    changes: variables to add.
    environ: the environment.
    """
    return {name: value for name, value in environ.items() if not _SECRET.search(name)} | dict(changes or {})


def engine_child_environment() -> dict[str, str]:
    """Return `child_environment` for a Python that imports this engine, from wherever it lies."""
    return child_environment({"PYTHONPATH": import_path()})


def import_path(given: str | None = None) -> str:
    """Return a PYTHONPATH by which a child imports this engine, wherever it starts.

    An empty entry of what is set means the folder in which the child starts, and is left out.

    given: str, the PYTHONPATH that is set; None: this process's.
    """
    said = os.environ.get("PYTHONPATH", "") if given is None else given
    kept = [os.path.abspath(entry) for entry in said.split(os.pathsep) if entry]
    return os.pathsep.join(dict.fromkeys([str(Path(__file__).resolve().parents[2]), *kept]))


def module_words(module: str) -> list[str]:
    """Return the words that run a module as `python -m` does, but import nothing from the folder in which they start.

    There may be a json.py in it. Python has an option for that, -P, from 3.11 on only; and -I would leave out packages
    that a user has installed for himself, and PYTHONPATH.

    module: str, its dotted name; of a package, its __main__.
    """
    return [sys.executable or "python3", "-c", _RUN.format(module)]


def bounded_answer(command: Sequence[str], seconds: float) -> str:
    """Return what a program that is not ours prints, "" where it is not there, fails or takes too long.

    One that prints more than ANSWER_LIMIT is ended, and what was read is its answer. The set-up has the same
    (`installer/processes.py`): it asks drivers before there is an engine to import, and the installed engine has no
    set-up beside it. What is mended in one is mended in the other.

    command: its words.
    seconds: float, for all of it.
    """
    until = time.monotonic() + seconds
    try:
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
        )
    except OSError:
        return ""
    said: list[bytes] = []

    def read() -> None:
        assert program.stdout is not None
        said.append(program.stdout.read(ANSWER_LIMIT + 1))

    # A program that it has started may hold the pipe open for ever, so nobody but a thread waits for the end of that.
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(seconds)
    with contextlib.suppress(subprocess.TimeoutExpired):
        if said and len(said[0]) <= ANSWER_LIMIT:
            program.wait(max(0.0, until - time.monotonic()))
    code = program.poll()
    if code is None:
        program.kill()
        program.wait()
    if said and program.stdout is not None:
        program.stdout.close()
    whole = bool(said) and (code == 0 or len(said[0]) > ANSWER_LIMIT)
    return said[0][:ANSWER_LIMIT].decode("utf-8", "replace") if whole else ""


def end_with(parent: int, *, seconds: float, processor_seconds: float) -> None:
    """End this child process when its parent ends, and at the latest after the limits. The child calls it.

    Native code that holds Python's lock for minutes is ended too: nothing here waits for Python. Linux sends the signal
    when the parent dies; elsewhere the two limits end the orphan.

    parent: int, number of the process that started it.
    seconds: float, limit of time.
    processor_seconds: float, limit of computing, over all threads.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=open(os.devnull, "w"))  # noqa: SIM115  open for ever
    if sys.platform == "win32":
        return
    import resource

    limit = math.ceil(processor_seconds)
    with contextlib.suppress(ValueError, OSError):  # somebody has set a lower one
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the signal was asked for
        os._exit(1)
