"""A download through the real server and a hub on this machine, as the preferences show and steer it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from addon.core.driving import SCRIPTED_ENGINE, Driver, driving
from fakes.fake_hub import FakeHub, running_hub, tiny_files

from blender_addon.core.jobs.model_download import ModelDownload

COUNTING = [sys.executable, str(SCRIPTED_ENGINE.with_name("fake_engine.py")), "serve"]
ROOT = SCRIPTED_ENGINE.parents[2]


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with running_hub(FakeHub(files=tiny_files())) as started:
        yield started


@pytest.fixture
def driver(hub: FakeHub, tmp_path: Path) -> Iterator[Driver]:
    environ = {"PYTHONPATH": str(ROOT), "HF_ENDPOINT": hub.address, "HF_HUB_CACHE": str(tmp_path / "cache")}
    with driving(tmp_path, command=COUNTING, environ={**environ, "HF_HUB_OFFLINE": "0", "HF_TOKEN": ""}) as made:
        yield made


def last(driver: Driver) -> ModelDownload:
    download = driver.queue.downloads.last
    assert download is not None
    return download


@pytest.mark.slow
def test_a_model_is_fetched_without_a_job_and_offered_models_are_known(driver: Driver) -> None:
    queue = driver.queue
    queue.downloads.ask("someone/tiny")
    assert last(driver).state == "waiting" and queue.busy and "Waiting" in last(driver).text
    driver.until(lambda: not last(driver).active)
    assert last(driver).state == "done" and last(driver).share == 1.0 and last(driver).total > 9000
    assert "download" in {change.topic for change in driver.changes}
    # What has come is listed anew; its paper weights make it a broken one, which is what the list says.
    driver.until(lambda: "someone/tiny" in {line["name"] for line in queue.suggestions})
    assert all(line["state"] and line["size_mb"] for line in queue.suggestions if line["state"] != "broken")
    assert len(driver.engines) == 1


@pytest.mark.slow
def test_it_is_stopped_and_asked_again(driver: Driver, hub: FakeHub) -> None:
    hub.stop.set()
    driver.queue.downloads.ask("someone/tiny")
    driver.until(lambda: any(one.path.startswith("/content/") for one in hub.asked))
    driver.queue.downloads.ask("someone/other")
    assert last(driver).model == "someone/tiny", "one at a time"
    driver.queue.stop_engine()
    assert driver.queue.engine_state == "ready", "the engine is needed"
    driver.queue.downloads.stop()
    assert last(driver).text == "Stopping..."
    driver.until(lambda: last(driver).state == "cancelled")
    hub.stop.clear()
    driver.queue.downloads.ask("someone/tiny")
    driver.until(lambda: last(driver).state == "done")


@pytest.mark.slow
def test_a_refusal_is_told_in_the_engines_words(driver: Driver, hub: FakeHub) -> None:
    hub.gate = "gated"
    driver.queue.downloads.ask("someone/tiny")
    driver.until(lambda: not last(driver).active)
    trouble = last(driver).trouble
    assert last(driver).state == "failed" and trouble is not None and trouble.code == "model.gated"


def test_one_that_waits_is_stopped_at_once_and_a_dead_engine_ends_it(tmp_path: Path) -> None:
    with driving(tmp_path, command=[sys.executable, "-c", "raise SystemExit(7)"]) as driver:
        driver.queue.downloads.ask("someone/tiny")
        driver.queue.downloads.stop()
        assert last(driver).state == "cancelled"
        driver.queue.downloads.ask("someone/tiny")
        driver.until(lambda: not last(driver).active)
        assert last(driver).state == "failed" and last(driver).trouble is not None


def test_its_line_tells_bytes_speed_and_time() -> None:
    download = ModelDownload("a/b")
    download.state = "running"
    assert "Asking" in download.text
    message = {"type": "progress", "id": download.id, "step": 400_000_000, "total": 2_100_000_000, "rate": 1.2e7}
    assert download.take({**message, "eta_s": 141.6}) and not download.take({**message, "id": "other"})
    assert download.text == "0.4 of 2.1 GB, 12 MB/s, 2:22 left" and round(download.share, 2) == 0.19
