"""A job whose card is gone fails with a reason, and goes on in another engine: the old one can give it no more work.

Of: blender_addon/core/jobs/queue.py.
"""

from __future__ import annotations

from pathlib import Path

from addon.core.driving import add, driving

from blender_addon.core.job import JobState


def test_the_engine_ends_with_its_card_and_the_next_job_gets_a_new_one(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        lost, after = add(driver, "an unplugged mug", 30), add(driver, "a mug", 10)
        assert driver.over(lost).state is JobState.FAILED
        assert lost.trouble is not None and lost.trouble.code == "run.device_lost"
        assert driver.over(after).state is JobState.DONE, driver.story()
        assert len(driver.engines) == 2


def test_after_other_failures_the_engine_stays(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        failed, after = add(driver, "a mug to fail", 30), add(driver, "a mug", 10)
        assert driver.over(failed).state is JobState.FAILED
        assert driver.over(after).state is JobState.DONE, driver.story()
        assert len(driver.engines) == 1
