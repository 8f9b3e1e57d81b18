"""Listings are bounded in pages, bytes, files and time; what a hub says is read, or refused as the engine refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.hostile_hub import ABOUT, COMMIT, HostileHub, running_hostile_hub

from dreamfusion_engine.errors import Cancelled, EngineError
from dreamfusion_engine.hub import api
from dreamfusion_engine.hub.address import HubAddress
from dreamfusion_engine.hub.api import Listing, read_listing


@pytest.fixture
def hub() -> Iterator[HostileHub]:
    with running_hostile_hub(HostileHub()) as started:
        yield started


def listing(hub: HostileHub, token: str = "", **words: Callable[..., object]) -> Listing:
    address = HubAddress(endpoint=hub.address, cache=Path("unused"), token=token)
    return read_listing(address, "someone/tiny", **words)  # type: ignore[arg-type]


def refusal(hub: HostileHub) -> EngineError:
    with pytest.raises(EngineError) as caught:
        listing(hub)
    assert caught.value.code == "model.network" and len(caught.value.why) < 400
    return caught.value


def line(path: str = "a.json", **changes: object) -> dict[str, object]:
    return {"type": "file", "path": path, "size": 3, "oid": "0" * 40, **changes}


def page(*lines: object) -> bytes:
    return json.dumps(lines).encode()


def test_pages_of_the_same_place_are_followed(hub: HostileHub) -> None:
    following = f'<{hub.address}/tree/x?page=1>; rel="next"'
    hub.listing = lambda number: (page(line(f"{number}.json")), "" if number else following)
    found = listing(hub, token="hf_secret")
    assert (found.commit, set(found.files)) == (COMMIT, {"0.json", "1.json"})
    assert {token for _, token in hub.asked} == {"Bearer hf_secret"}


@pytest.mark.parametrize(
    "there", ["http://localhost:{port}/x", "http://127.0.0.1:1/x", "file:///etc/passwd", "//evil/x"]
)
def test_a_listing_that_goes_on_elsewhere_is_refused_unasked(hub: HostileHub, there: str) -> None:
    """A page over http of an https hub once got the token in clear."""
    there = there.format(port=hub.address.rpartition(":")[2])
    hub.listing = lambda number: (page(line()), f'<{there}>; rel="next"')
    assert "another place" in refusal(hub).why
    assert len(hub.asked) == 2


def test_pages_without_end_are_given_up(hub: HostileHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PAGES", 5)
    hub.listing = lambda number: (page(), f'</tree/x?page={number + 1}>; rel="next"')
    assert "more files" in refusal(hub).why
    assert len(hub.asked) == 6


def test_files_without_number_are_given_up(hub: HostileHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "FILES_LIMIT", 10)
    hub.listing = lambda number: (page(*(line(f"{i}.json") for i in range(11))), "")
    assert "more files" in refusal(hub).why


def test_an_answer_that_does_not_end_is_given_up(hub: HostileHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ANSWER_LIMIT", 1000)
    hub.listing = lambda number: (b" " * 100_000, "")
    assert "larger than 1,000 bytes" in refusal(hub).why


def test_a_hub_that_drips_is_given_up_in_time(hub: HostileHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte comes long before a network's silence is too long; together they would take an hour and a half."""
    monkeypatch.setattr(api, "LISTING_S", 0.5)
    hub.drip = 100_000
    assert "too slowly" in refusal(hub).why


def test_a_listing_is_cancelled_in_the_middle_of_an_answer(hub: HostileHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LISTING_S", math.inf)  # nothing but the wish to stop breaks it off
    hub.drip = 1200
    wanted: list[bool] = []

    def check(_: int) -> None:
        if wanted:
            raise Cancelled("cancelled", what="a", why="b", fix="c")

    def stop() -> bool:
        wanted.append(True)
        return True

    with pytest.raises(Cancelled):
        listing(hub, check=check, stop=stop)
    assert hub.dripped < hub.drip, "the answer was read to its end"


def test_cancel_is_asked_between_pages(hub: HostileHub) -> None:
    hub.listing = lambda number: (page(), f'</tree/x?page={number + 1}>; rel="next"')

    def check(_: int) -> None:
        if len(hub.asked) == 4:
            raise Cancelled("cancelled", what="a", why="b", fix="c")

    with pytest.raises(Cancelled):
        listing(hub, check=check)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b"{}",
        b"[1]",
        b'[{"type": "file"}]',
        b"\xff",
        page(line(size=1)).replace(b'"size": 1', b'"size": 1e999'),
        page(line(size=1)).replace(b'"size": 1', b'"size": 1' + b"0" * 400),
        page(line(size=1.5)),
        page(line(size=True)),
        page(line(size="3")),
        page(line(size=-1)),
        page(line(size=1 << 60)),
        page(line(oid="x")),
        page(line(oid=["0" * 40])),
        page(line(lfs=[1])),
        page(line("../evil.json")),
        page(line("")),
        page(line("a" * 1001)),
        page(line("\x1b[2J.json")),
        page(line("\x9b2J.json")),
        page(line("\ud800.json")),
    ],
    ids=range(21),
)
def test_a_listing_that_makes_no_sense_is_refused_in_words(hub: HostileHub, content: bytes) -> None:
    hub.listing = lambda number: (content, "")
    assert "makes no sense" in refusal(hub).what


@pytest.mark.parametrize("about", [b"[]", b"{}", b'{"sha": 1e999}', b'{"sha": ["x"]}', b"[" * 100_000, b""])
def test_a_model_without_a_commit_is_refused_in_words(hub: HostileHub, about: bytes) -> None:
    hub.about = about
    assert "makes no sense" in refusal(hub).what


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"cardData": {"license": "\x1b[2J\x1b]0;owned\x07mit"}}, "\\x1b[2J\\x1b]0;owned\\x07mit"),
        ({"tags": ["license:\x9b31mmit"]}, "\\x9b31mmit"),
        ({"cardData": {"license": "x" * 5000}}, "x" * 100 + "..."),
        ({"cardData": {"license": ["mit"]}, "tags": {"a": 1}}, ""),
        ({"cardData": {"license": "openrail"}}, "openrail"),
    ],
)
def test_a_licences_name_cannot_command_a_terminal(hub: HostileHub, said: dict[str, object], kept: str) -> None:
    hub.about = json.dumps({**json.loads(ABOUT), **said}).encode()
    assert listing(hub).license == kept
