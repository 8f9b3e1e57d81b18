"""A stand-in for the command `generate` that only counts, with the standard library alone: it starts at once.

It keeps a checkpoint every ten steps, stops with one on Ctrl-C or where nobody reads, and goes on with --resume. Its
`mesh` depends on every step. A model that is no folder here is an error, as is the word "crash" in the prompt.
FAKE_ENGINE_DISK=full makes every disk full. With --hold=FILE or FAKE_ENGINE_HOLD=FILE it waits after half of its
steps for as long as there is FILE, so that a test decides what comes first.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

STEP_SECONDS = 0.004
HELD_SECONDS = 0.05  # between two looks whether it may go on


def say(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def option(name: str, otherwise: str = "") -> str:
    """The value of --name=VALUE or of --name VALUE."""
    words = sys.argv
    for at, word in enumerate(words):
        if word.startswith(f"--{name}="):
            return word.partition("=")[2]
        if word == f"--{name}":
            return words[at + 1]
    return otherwise


def save(path: Path, step: int, digest: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_name(".checkpoint.json")
    whole.write_text(json.dumps([step, digest]))
    os.replace(whole, path)


def main() -> int:
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: stopped.append(number))
    prompt, seed, output = sys.argv[-1], int(option("seed")), Path(option("output"))
    model = json.loads(os.environ.get("DREAMFUSION_CARRIED", "{}")).get(option("model"), option("model"))
    trouble = "" if not model or Path(model).is_dir() else "model.missing"
    trouble = "input.disk_full" if os.environ.get("FAKE_ENGINE_DISK") == "full" else trouble
    trouble = "internal.bug" if "crash" in prompt.split() else trouble
    if trouble:
        say(type="failed", code=trouble, what="It cannot begin.", why="No space left on device.", fix="Mend it.")
        return 2
    checkpoint = output / "checkpoint" / "checkpoint.json"
    step, digest = 0, hashlib.sha256(f"{prompt}/{seed}".encode()).hexdigest()
    if "--resume" in sys.argv:
        step, digest = json.loads(checkpoint.read_text())
    total = int(option("steps"))
    hold = option("hold", os.environ.get("FAKE_ENGINE_HOLD", ""))
    try:
        while step < total:
            while step == total // 2 and hold and Path(hold).exists() and not stopped:
                time.sleep(HELD_SECONDS)
                say(type="progress", stage="train", step=step, total=total)  # or it never learns that nobody reads
            if stopped:
                save(checkpoint, step, digest)
                say(type="cancelled", what="Stopped.", why="It was asked to.", fix="Use --resume.")
                return 130
            time.sleep(STEP_SECONDS)
            step, digest = step + 1, hashlib.sha256(digest.encode()).hexdigest()
            say(type="progress", stage="train", step=step, total=total)
            if step % 10 == 0:
                save(checkpoint, step, digest)
    except BrokenPipeError:
        save(checkpoint, step, digest)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 130
    output.mkdir(parents=True, exist_ok=True)
    (output / "mesh.glb").write_text(digest)
    (output / "result.json").write_text(json.dumps({"prompt": prompt, "seed": seed}))
    say(type="result", folder=str(output), files={}, report={"judge": {"score": 0.5}})
    return 0


if __name__ == "__main__":
    sys.exit(main())
