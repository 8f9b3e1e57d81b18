"""What the add-on's "Install Engine" runs, in a Python of its own: looks at the machine, or makes the environment.

  python -I addon_child.py look     --environment FOLDER
  python -I addon_child.py install  --environment FOLDER --torch auto|cpu|cuda|rocm|mps|xpu

It writes JSON objects to stdout, one a line. The last one is "plan", "done", "failed" or "cancelled". When stdin ends,
because Blender ends or cancels, the installation stops.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path

OLDEST, NEWEST = (3, 10), (3, 13)  # the Pythons that constraints.txt is made for


def main(arguments: list[str]) -> int:
    """Run one command.

    arguments: words of the command line.
    Returns 0 for success, 1 for a failure or a cancellation.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["look", "install"])
    parser.add_argument("--environment", required=True)
    parser.add_argument("--torch", choices=["auto", "cpu", "cuda", "rocm", "mps", "xpu"], default="auto")
    options = parser.parse_args(arguments)
    os.environ["DREAMFUSION_ENVIRONMENT"] = options.environment  # read when the set-up's modules are imported
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from installer.processes import SetupCancelled, SetupFailed, Told
    from installer.python import CONSTRAINTS
    from installer.telling import JsonLines

    teller = JsonLines(packages=CONSTRAINTS.read_text(encoding="utf-8").count("=="))
    Told.teller = teller
    try:
        if options.command == "look":
            teller.emit(type="plan", **plan(options.torch))
        else:
            threading.Thread(target=listen, args=(teller,), daemon=True).start()
            from installer.environment import make_environment

            teller.emit(type="done", python=str(make_environment(torch=options.torch)))
    except SetupFailed as failure:
        teller.emit(type="failed", what=failure.what, why=failure.why, fix=failure.fix)
        return 1
    except SetupCancelled:
        teller.emit(type="cancelled")
        return 1
    return 0


def plan(torch: str) -> dict[str, object]:
    """What would be made here, by which Python, for which device.

    torch: str, 'auto' or a build.
    Raises SetupFailed where it cannot work.
    """
    from installer.environment import check_machine, fingerprint, free_room, read_stamp
    from installer.processes import ENVIRONMENT, SetupFailed
    from installer.python import base_python
    from installer.torch_choice import DISK, DOWNLOAD, choose

    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        what = "This Python is not one that the engine runs on."
        raise SetupFailed(what, f"{sys.executable} is Python {version[0]}.{version[1]}.", "Use Python 3.10 to 3.13.")
    choice = choose(torch)
    check_machine(choice.build)
    stamp = read_stamp() or {}
    return {
        "python": base_python(),
        "version": sys.version.split()[0],
        "environment": str(ENVIRONMENT),
        "device": choice.device,
        "kind": choice.build,
        "why": choice.why,
        "download_gb": DOWNLOAD[choice.build],
        "disk_gb": DISK[choice.build],
        "free_gb": round(free_room() / 1e9, 1),
        "ready": stamp.get("complete") is True and stamp.get("fingerprint") == fingerprint(),
    }


def listen(teller: object) -> None:
    """Wait for the end of stdin, then cancel the set-up."""
    sys.stdin.buffer.read()
    teller.cancel()  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
