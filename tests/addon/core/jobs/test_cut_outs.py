"""Cut-outs before a run: asked for, answered beside a run, and told where there is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from addon.core.driving import SCRIPTED_ENGINE, Driver, add, driving
from fakes.shapes import cut_out_png, png

from blender_addon.core.given_pictures import MOST, GivenPicture
from blender_addon.core.job import JobState

COUNTING = [sys.executable, str(SCRIPTED_ENGINE.with_name("fake_engine.py")), "serve"]
ROOT = SCRIPTED_ENGINE.parents[2]
PHOTO = GivenPicture(b"a photo")


def answers(driver: Driver) -> list[tuple[str, bytes]]:
    return [(change.name, change.data) for change in driver.changes if change.topic == "cut_out"]


def test_an_engine_is_started_for_it_and_it_comes_beside_a_run(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        cut_outs = driver.queue.cut_outs
        cut_outs.ask("one", PHOTO)
        assert cut_outs.waits("one") and driver.queue.busy
        driver.until(lambda: not cut_outs.active)
        assert answers(driver) == [("one", cut_out_png(64))] and len(driver.engines) == 1
        job = add(driver, "a mug", 100_000)
        driver.until(lambda: job.step > 5)
        cut_outs.ask("two", PHOTO)
        driver.until(lambda: not cut_outs.active)
        assert answers(driver)[1:] == [("two", cut_out_png(64))] and job.state is JobState.RUNNING


@pytest.mark.parametrize(
    ("options", "data", "code"),
    [
        ((), b"nothing", "input.picture_no_object"),
        ((), b"torn", "input.picture"),
        (("--old",), b"a photo", "engine.version"),
        (("--complain",), b"a photo", "setup.package"),
    ],
)
def test_why_there_is_none_is_told(tmp_path: Path, options: tuple[str, ...], data: bytes, code: str) -> None:
    with driving(tmp_path, *options) as driver:
        cut_outs = driver.queue.cut_outs
        cut_outs.ask("one", GivenPicture(data))
        driver.until(lambda: not cut_outs.active)
        assert answers(driver) == [("one", b"")]
        trouble = cut_outs.troubles["one"]
        assert trouble.code == code and trouble.what and trouble.fix


def test_asked_again_only_the_last_answer_counts_and_there_are_few_at_once(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        cut_outs = driver.queue.cut_outs
        cut_outs.ask("one", GivenPicture(b"nothing"))
        cut_outs.ask("one", PHOTO)
        driver.until(lambda: not cut_outs.active)
        assert answers(driver) == [("one", cut_out_png(64))] and cut_outs.troubles == {}
        for number in range(3 * MOST):
            cut_outs.ask(str(number), PHOTO)
        driver.until(lambda: not cut_outs.active)
        assert len(answers(driver)) == 1 + MOST and not cut_outs.waits("0")


def test_the_death_of_the_engine_ends_the_wait(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        add(driver, "die")
        driver.queue.cut_outs.ask("one", GivenPicture(b"a photo"))
        driver.until(lambda: not driver.queue.cut_outs.active)


def test_a_queue_that_waits_for_a_button_does_not_let_it_wait(tmp_path: Path) -> None:
    with driving(tmp_path, "--complain") as driver:
        add(driver, "a mug")
        driver.until(lambda: driver.queue.held)
        driver.queue.cut_outs.ask("one", PHOTO)
        driver.until(lambda: not driver.queue.cut_outs.active)
        assert driver.queue.held and driver.queue.cut_outs.troubles["one"].code == "setup.package"


@pytest.mark.slow
def test_the_real_server_cuts_out(tmp_path: Path) -> None:
    with driving(tmp_path, command=COUNTING, environ={"PYTHONPATH": str(ROOT)}) as driver:
        cut_outs = driver.queue.cut_outs
        cut_outs.ask("plain", GivenPicture(png(64, 64, 9)))
        cut_outs.ask("cut", GivenPicture(cut_out_png(64)))
        driver.until(lambda: not cut_outs.active)
        assert cut_outs.troubles["plain"].code == "input.picture_no_object"
        (good,) = [data for name, data in answers(driver) if name == "cut"]
        assert good.startswith(b"\x89PNG")
