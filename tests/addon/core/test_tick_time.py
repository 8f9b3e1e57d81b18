"""The bar: a tick costs the main thread 10 ms at the 99th percentile, whatever the engine sends."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from addon.core.driving import STALL_S, driving

from blender_addon.core.job import JobState, Recipe


def percentile_99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def test_ticks_stay_short_under_a_flood_of_pictures_and_meshes(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.queue.add(Recipe("a flood of mugs", settings={"optimize": {"steps": 100_000}}))
        driver.until(lambda: job.step > 0)
        driver.ticks.clear()
        driver.work.clear()
        driver.changes.clear()
        until = time.monotonic() + 4.0
        driver.until(lambda: time.monotonic() > until)
        ticks, pictures = list(driver.ticks), driver.kinds(job).count("picture")
        driver.queue.cancel(job)
        driver.over(job)
        work = list(driver.work)
    for name, seconds in (("ticks", ticks), ("of them computing", work)):
        print(
            f"\n{len(seconds)} {name}: p99 {percentile_99(seconds) * 1e3:.2f} ms, longest {max(seconds) * 1e3:.2f} ms"
        )
    assert len(ticks) > 50 and pictures > 20
    assert percentile_99(ticks) <= 0.010
    assert max(work) <= 0.050 and max(ticks) < STALL_S


def test_ticks_stay_short_while_a_result_of_30_mib_comes(tmp_path: Path) -> None:
    with driving(tmp_path, "--remote", local=False) as driver:
        job = driver.over(driver.queue.add(Recipe("a huge mug")))
        assert job.state is JobState.DONE and job.result is not None and job.result.stat().st_size > 30 << 20
        ticks = list(driver.ticks)
    longest, computing = max(ticks), max(driver.work)
    print(f"\nlongest tick {longest * 1e3:.2f} ms, computing at most {computing * 1e3:.2f} ms")
    assert computing <= 0.010
    assert longest < STALL_S


def test_ticks_stay_short_with_a_long_history(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        jobs = [
            driver.queue.add(Recipe(f"a mug {number}", settings={"optimize": {"steps": 3}})) for number in range(300)
        ]
        for job in jobs[3:]:
            driver.queue.cancel(job)
        driver.tick()
        driver.ticks.clear()
        driver.work.clear()
        driver.over(jobs[2])
        assert jobs[2].state is JobState.DONE
        ticks = list(driver.ticks)
    assert percentile_99(ticks) <= 0.010


def test_the_newest_state_is_shown_after_the_main_thread_was_blocked(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.queue.add(Recipe("a mug", settings={"optimize": {"steps": 100_000}}))
        driver.until(lambda: job.step > 0)
        time.sleep(1.5)  # a render, a file being opened
        before = job.step
        driver.changes.clear()
        changes = driver.tick()
        assert job.step > before + 20
        assert len(changes) <= 5  # not one for every step that was missed
        driver.queue.cancel(job)
        driver.over(job)
