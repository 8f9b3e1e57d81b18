"""The add-on's time on Blender's main thread: ticks, insertion, the growing mesh, and the news of a death.

    python benchmarks/speed/addon_ticks.py [--json] [--blender 5.2] [--window] [ROW ...]

The scenes are those of the tests, in the Blenders that the tests use, with an engine that only pretends to compute.
Each figure is given twice: on the clock, which other programs stretch, and in processor time, which they stretch less.
The bars here are those of an otherwise idle machine. Tests allow five times as much, in processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from addon.blenders import Blender, Session, blenders, windowed  # noqa: E402
from addon.core.driving import driving, wait_for  # noqa: E402
from addon.scene.shapes import write_body  # noqa: E402

from blender_addon.core.job import Recipe  # noqa: E402

SCENES = ROOT / "tests" / "addon"
# Seconds of the main thread: a tick at the 99th percentile, the longest one, the one that inserts 50,000 triangles, the
# first after Blender's start; and from the engine's death to a failed job.
TICK, LONGEST, INSERTION, FIRST, DEATH = 0.010, 0.050, 0.500, 0.100, 1.0

Row = dict[str, Any]


def figures(seconds: Sequence[float], bar: float) -> Row:
    """Median, 99th percentile and longest in milliseconds, n, and the bar of the 99th percentile.

    seconds: the times.
    bar: float, seconds.
    """
    ordered = sorted(seconds)
    found = {"median": statistics.median(ordered), "p99": ordered[int(0.99 * (len(ordered) - 1))]}
    found |= {"longest": ordered[-1], "bar": bar}
    return {**{name: round(1e3 * value, 2) for name, value in found.items()}, "n": len(ordered)}


def of_run(session: Session) -> dict[str, Row]:
    """Ticks of a run with a growing mesh of 10,000 triangles and an object of 50,000."""
    facts = session.run(SCENES / "ui" / "scripts" / "ticks.py").facts
    usual = [tick for tick in facts["ticks"] if not tick[2]]
    last = [tick for tick in facts["ticks"] if tick[2]]
    rows = {"first tick, processor": figures([facts["first"]], FIRST)}
    for place, clock in enumerate(("clock", "processor")):
        rows[f"tick, {clock}"] = figures([tick[place] for tick in usual], TICK)
        rows[f"tick with an insertion, {clock}"] = figures([tick[place] for tick in last], INSERTION)
    return rows


def of_insertion(session: Session) -> dict[str, Row]:
    """Time of insertions of 50,000 triangles with a texture of 2048 pixels."""
    file = write_body(session.folder / "large.glb", 158, 160, 2048)
    facts = session.run(SCENES / "scene" / "scripts" / "insertion.py", str(file)).facts
    return {
        "insertion, clock": figures(facts["wall"], INSERTION),
        "insertion, processor": figures(facts["cpu"], INSERTION),
    }


def of_preview(session: Session) -> dict[str, Row]:
    """Time to take a growing mesh of 10,000 triangles, and to show it, each in a tick of its own."""
    file = write_body(session.folder / "growing.glb", 70, 72)
    cpu = session.run(SCENES / "scene" / "scripts" / "preview.py", str(file), str(session.folder)).facts["fifty"]["cpu"]
    take, show = zip(*cpu, strict=True)
    return {"take a mesh, processor": figures(take, TICK), "show a mesh, processor": figures(show, TICK)}


def of_window(session: Session) -> dict[str, Row]:
    """Ticks of the real engine's run in Blender's window, with an artist at mouse and keyboard."""
    script = SCENES / "window" / "first_object.py"
    ticks = session.run(script, window=True, timeout=2000, DREAMFUSION_TEST_STEPS="150").facts["ticks"]
    rows = {}
    for place, clock in enumerate(("clock", "processor")):
        rows[f"tick in the window, {clock}"] = figures([tick[place] for tick in ticks if not tick[2]], TICK)
        rows[f"insertion in the window, {clock}"] = figures([tick[place] for tick in ticks if tick[2]], INSERTION)
    return rows


def of_queue(folder: Path) -> dict[str, Row]:
    """The queue's part of a tick, without Blender: a long history, a flood, a large result, and the news of a death."""
    rows = {}
    with driving(folder / "history") as driver:
        jobs = [driver.queue.add(Recipe(f"a mug {number}")) for number in range(300)]
        for job in jobs[3:]:
            driver.queue.cancel(job)
        driver.tick()
        driver.ticks.clear()
        driver.over(jobs[2])
        rows["queue with 300 jobs, clock"] = figures(driver.ticks, TICK)
    with driving(folder / "flood") as driver:
        flood = driver.queue.add(Recipe("a flood of mugs", settings={"optimize": {"steps": 100_000}}))
        driver.until(lambda: len(driver.ticks) > 200 and flood.step > 0)
        rows["queue in a flood, clock"] = figures(driver.ticks, TICK)
        rows["queue in a flood, processor"] = figures(driver.work, TICK)
    with driving(folder / "huge", "--remote", local=False) as driver:
        driver.over(driver.queue.add(Recipe("a huge mug")))
        rows["queue while 30 MiB come, clock"] = figures(driver.ticks, TICK)
    rows["death noticed, clock"] = figures([seconds_to_a_death(folder / str(number)) for number in range(5)], DEATH)
    return rows


def seconds_to_a_death(folder: Path) -> float:
    """Seconds from the engine's death to its job's failure."""
    with driving(folder) as driver:
        job = driver.queue.add(Recipe("a mug", settings={"optimize": {"steps": 100_000}}))
        driver.until(lambda: job.step > 5)
        pid = driver.engines[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        began = time.perf_counter()

        def over() -> bool:
            driver.tick()
            return job.state.over

        wait_for(over)
        return time.perf_counter() - began


IN_BLENDER: dict[str, Callable[[Session], dict[str, Row]]] = {
    "run": of_run,
    "insertion": of_insertion,
    "preview": of_preview,
}


def chosen(series: str) -> Blender:
    """The Blender of a series, by default the newest.

    Raises SystemExit.
    """
    found = [blender for blender in blenders() if series in ("", blender.series)]
    if not found:
        here = ", ".join(blender.series for blender in blenders()) or "none"
        raise SystemExit(
            f"There is no Blender {series} here.\n  why: There are: {here}.\n"
            "  fix: python3 install.py test makes the environments that hold one."
        )
    return found[-1]


def main() -> None:
    """Measure and print the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of: queue, {', '.join(IN_BLENDER)}")
    parser.add_argument("--blender", default="", metavar="SERIES", help="such as 4.5; by default the newest at hand")
    parser.add_argument("--window", action="store_true", help="also a run in Blender's window, which takes minutes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wanted = options.rows or ["queue", *IN_BLENDER]
    unknown = sorted(set(wanted) - {"queue", *IN_BLENDER})
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}; there are queue, {', '.join(IN_BLENDER)}")
    report: dict[str, dict[str, Row]] = {}
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            if name == "queue":
                report["without Blender"] = of_queue(Path(folder))
            else:
                session = Session(chosen(options.blender), Path(folder))
                report.setdefault(f"Blender {session.series}", {}).update(IN_BLENDER[name](session))
    window = windowed()
    if options.window and window is not None:
        with tempfile.TemporaryDirectory() as folder:
            report["window"] = of_window(Session(window, Path(folder)))
    if options.json:
        print(json.dumps({"load": os.getloadavg() if hasattr(os, "getloadavg") else None, "rows": report}))
        return
    for place, rows in report.items():
        for name, row in rows.items():
            shown = f"median {row['median']:>7}  p99 {row['p99']:>7}  longest {row['longest']:>7}  bar {row['bar']:>6}"
            print(f"{place:<16} {name:<34} {shown}  n {row['n']}", flush=True)


if __name__ == "__main__":
    main()
