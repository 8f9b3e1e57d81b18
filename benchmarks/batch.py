"""What a batch costs beside its runs, and what a second process brings.

    python benchmarks/batch.py [--objects 4] [--steps 40] [--on HOST:PORT] [--json]
    python benchmarks/batch.py --idle 10

The same objects of the built-in model in the preset draft: one run after another, each by the command `generate`; by
`batch --jobs 1`; by `batch --jobs 2`; and on a Ray cluster where one is named. Seconds are by the clock, so other
programs on the machine count. Processor seconds are of all processes that ended, and leave a cluster's out. Every mesh
must be the same bit for bit, or the program fails. --idle has runs that do nothing, and measures the batch's own
process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dreamfusion_engine import cli  # noqa: E402
from dreamfusion_engine.batch import engine_process  # noqa: E402

ENGINE = [sys.executable, "-m", "dreamfusion_engine"]
PROMPTS = ("a hamburger", "a red mug", "a cactus", "a robot", "a snowman", "a blue chair", "a pumpkin", "a rocket")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to make the objects: seconds by the clock, and processor seconds."""

    name: str
    seconds: float
    processor: float


def timed(name: str, commands: list[list[str]]) -> Row:
    """Return what commands take, one after another."""
    before, began = os.times(), time.perf_counter()
    for command in commands:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        run = subprocess.run(command, capture_output=True, text=True, env=environment)
        if run.returncode:
            raise SystemExit(f"{name}: {run.stderr[-2000:]}")
    seconds, after = time.perf_counter() - began, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Row(name=name, seconds=round(seconds, 1), processor=round(spent, 1))


def measure(objects: int, steps: int, place: str, folder: Path) -> list[Row]:
    """Return the rows; raise SystemExit where meshes differ."""
    size = ["--preset=draft", "--device=cpu", f"--steps={steps}", "--set=judge=off"]
    prompts = PROMPTS[:objects]
    lines = folder / "list.txt"
    lines.write_text("\n".join(prompts), encoding="utf-8")
    alone = [
        [*ENGINE, "generate", text, f"--output={folder / 'alone' / str(i)}", *size] for i, text in enumerate(prompts)
    ]
    ways = {"batch --jobs 1": ["--jobs=1"], "batch --jobs 2": ["--jobs=2"]}
    ways |= {f"batch --on {place}": [f"--on={place}"]} if place else {}
    rows = [timed("one after another", alone)]
    for name, words in ways.items():
        output = folder / name.replace(" ", "").replace("/", "")
        rows.append(timed(name, [[*ENGINE, "batch", str(lines), f"--output={output}", "--threads=1", *size, *words]]))
        for i, text in enumerate(prompts):
            made = output / f"{text.replace(' ', '-')}-0" / "mesh.glb"
            if made.read_bytes() != (folder / "alone" / str(i) / "mesh.glb").read_bytes():
                raise SystemExit(f"{name}: the mesh of {text!r} is another one")
    return rows


def own_cost(objects: int, folder: Path) -> float:
    """Return the processor seconds of the batch's own process for runs that do nothing."""
    vars(engine_process)["PROGRAM"] = (sys.executable, str(ROOT / "tests" / "fakes" / "quick_engine.py"))
    lines, output = folder / f"{objects}.txt", folder / str(objects)
    lines.write_text("a red mug\n", encoding="utf-8")
    words = ["batch", str(lines), f"--output={output}", f"--seeds=0-{objects - 1}"]
    words += ["--device=cpu", "--steps=1", "--jobs=2"]
    before = os.times()
    if cli.main(words):
        raise SystemExit("the batch failed")
    after = os.times()
    return after.user + after.system - before.user - before.system


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=4, choices=range(1, len(PROMPTS) + 1))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--on", default="", metavar="HOST:PORT")
    parser.add_argument("--idle", type=int, default=0, metavar="N", help="runs that do nothing")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.idle:
        with tempfile.TemporaryDirectory() as folder:
            begin, one, many = (own_cost(count, Path(folder)) for count in (2, 1, 1 + options.idle))
        print(f"{begin:.2f} s with what is loaded once; then one object {one:.3f} s, {1 + options.idle} {many:.3f} s")
        print(f"{1e3 * (many - one) / options.idle:.1f} ms an object")
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options.objects, options.steps, options.on, Path(folder))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    first = rows[0]
    for row in rows:
        extra = (row.processor - first.processor) / options.objects
        print(f"{row.name:<28} {row.seconds:8.1f} s  {row.processor:8.1f} processor s  {extra:+6.2f} an object")
    print(f"--jobs 2 is {rows[1].seconds / rows[2].seconds:.2f} times as fast as --jobs 1")


if __name__ == "__main__":
    main()
