"""A flood of downloads becomes a queue: two at a time, each with an end of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.hub.download import Downloaded
from dreamfusion_engine.server import download_job
from dreamfusion_engine.server.download_job import AT_ONCE, MOST_WAITING, Downloads

PATIENCE = 60.0


class Line:
    """The way to the hub: every download waits in it until it is let go, or cancelled."""

    def __init__(self) -> None:
        self.begun: queue.Queue[str] = queue.Queue()
        self.go = threading.Semaphore(0)

    def download(self, name: str, address: object, *, control: Callable[[], str], **_: object) -> Downloaded:
        self.begun.put(name)
        while not self.go.acquire(timeout=0.01):
            if control() == "cancel":
                raise Cancelled("cancelled", what="a", why="b", fix="c")
        return Downloaded(Path("there"), 1, 2, 3, (), "mit")


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    made = Line()
    monkeypatch.setattr(download_job, "download_model", made.download)
    yield made
    made.go.release(10_000)


@pytest.fixture
def said() -> queue.Queue[tuple[str, Mapping[str, Any]]]:
    return queue.Queue()


def test_a_thousand_downloads_take_two_threads_and_all_end(
    line: Line, said: queue.Queue[tuple[str, Mapping[str, Any]]]
) -> None:
    before = set(threading.enumerate())  # of earlier tests, some of which end meanwhile
    downloads = Downloads(lambda name, message: said.put((name, message)))
    for number in range(1000):
        downloads.begin(str(number), "someone/tiny", "main")
    assert len(set(threading.enumerate()) - before) == AT_ONCE and downloads.busy
    assert "999" in downloads and "1000" not in downloads
    line.go.release(1000)
    ends = [said.get(timeout=PATIENCE) for _ in range(1000)]
    assert {name for name, _ in ends} == {str(number) for number in range(1000)}
    assert {message["type"] for _, message in ends} == {"downloaded"}


def test_one_that_waits_is_cancelled_at_once_and_never_begins(
    line: Line, said: queue.Queue[tuple[str, Mapping[str, Any]]]
) -> None:
    downloads = Downloads(lambda name, message: said.put((name, message)))
    for name in ("a", "b", "c", "d"):
        downloads.begin(name, f"someone/{name}", "main")
    assert {line.begun.get(timeout=PATIENCE) for _ in range(AT_ONCE)} == {"someone/a", "someone/b"}
    downloads.cancel("c")
    name, message = said.get(timeout=PATIENCE)
    assert (name, message["type"]) == ("c", "cancelled")
    downloads.cancel("a")
    assert said.get(timeout=PATIENCE)[0] == "a"
    assert line.begun.get(timeout=PATIENCE) == "someone/d"
    downloads.cancel("c")
    assert said.empty(), "an end is said once"


def test_no_more_may_wait_than_anybody_wants(line: Line) -> None:
    downloads = Downloads(lambda name, message: None)
    for number in range(AT_ONCE):
        downloads.begin(f"first {number}", "someone/tiny", "main")
        line.begun.get(timeout=PATIENCE)
    for number in range(MOST_WAITING):
        assert not downloads.full
        downloads.begin(str(number), "someone/tiny", "main")
    assert downloads.full
    downloads.end()
