"""Everything that is measured on a graphics card, by one command: runs the other benchmarks there, one after another.

    python benchmarks/card.py [--device cuda] [--output card.json] [--only NAME ...]

Each benchmark runs in a process of its own with `--json`. Its report goes under its name into one file, which is
written after each. If one fails, its last words go there, and the next begins. With several cards `processes` compares
one with two.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]

# The program and its arguments, what matters most first.
RUNS: dict[str, list[str]] = {
    "whole_step": ["speed/whole_step.py"],
    "whole_step_standard": ["speed/whole_step.py", "--views", "2", "--resolution", "48"],
    "whole_step_unrecorded": ["speed/whole_step.py", "--no-graphs"],
    "generate": ["generate.py", "--preset", "draft", "standard"],
    "step": ["speed/step.py"],
    "render": ["speed/render.py"],
    "surface": ["surface.py"],
    "extract": ["speed/extract.py"],
    "processes": ["speed/processes.py"],
    "scaling": ["speed/scaling.py"],
    "training": ["speed/training.py", "--pixels", "64", "--batch", "64"],
}
_WORDS = 2000  # characters kept of what a failed program said


def run(arguments: list[str], device: str) -> dict[str, Any]:
    """Run one benchmark. Returns its report, or how it failed, and the seconds that it took.

    arguments: words of its command line.
    device: str, such as 'cuda'.
    """
    command = [sys.executable, str(ROOT / "benchmarks" / arguments[0]), *arguments[1:], "--json", "--device", device]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = round(time.perf_counter() - start, 1)
    if done.returncode:
        return {"seconds": seconds, "failed": done.stderr[-_WORDS:]}
    return {"seconds": seconds, "report": json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--output", type=Path, default=Path("card.json"))
    parser.add_argument("--only", nargs="+", choices=tuple(RUNS), default=list(RUNS))
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name in options.only:
        arguments = list(RUNS[name])
        if name == "processes" and torch.cuda.device_count() < 2:
            arguments += ["--rows", "0", "2", "3"]  # the rows of one process
        found[name] = run(arguments, options.device)
        options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        said = "failed: " + found[name]["failed"] if "failed" in found[name] else "done"
        sys.stdout.write(f"{name}: {said} ({found[name]['seconds']} s)\n")
        sys.stdout.flush()
    if any("failed" in row for row in found.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
