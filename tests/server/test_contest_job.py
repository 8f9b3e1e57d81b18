"""A contest through a real process: where it stands, and a person's choice of its winner.

Of: dreamfusion_engine/server/server.py, dreamfusion_engine/server/job.py, dreamfusion_engine/server/work.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reference.paper_model import write_paper_model
from reference.wire_client import Client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path, model=write_paper_model(tmp_path / "model")) as engine:
        engine.hello()
        yield engine


def ask(client: Client, name: str, *, steps: int = 5, first: int = 3, count: int = 4) -> None:
    settings = {"model": str(client.model), "optimize": {"steps": steps}}
    seeds = {"first": first, "count": count}
    client.send("contest", id=name, prompt="a mug", settings=settings, seeds=seeds)


@pytest.mark.slow
def test_a_contest_tells_where_it_stands_and_takes_the_choice_of_a_person(client: Client) -> None:
    ask(client, "a", steps=100_000)
    standing = client.wait_for("standing", "a").message
    assert standing["judge"] == "a coin" and [row["seed"] for row in standing["seeds"]] == [3, 4, 5, 6]
    client.send("choose", id="a", seed=5)
    assert client.wait_for("result", "a").message["report"]["seed"] == 5


@pytest.mark.slow
def test_a_choice_that_cannot_be_is_refused_and_the_contest_goes_on(client: Client) -> None:
    ask(client, "a", steps=100_000)
    client.wait_for("standing", "a")
    for seed in (2, 7, 1 << 53):
        client.send("choose", id="a", seed=seed)
        failed = client.wait_for("failed").message
        assert (failed["id"], failed["code"]) == (None, "protocol.seed") and failed["fix"]
    client.send("choose", id="nobody", seed=3)
    assert client.wait_for("failed").message["code"] == "protocol.id"
    client.send("choose", id="a", seed="3")
    failed = client.wait_for("failed").message
    assert (failed["id"], failed["code"]) == (None, "protocol.field")
    client.generate("b", "a mug", steps=3)
    client.send("choose", id="b", seed=0)
    assert client.wait_for("failed").message["code"] == "protocol.seed", "a plain run has no seeds to choose from"
    client.send("finish", id="a")
    assert client.wait_for("result", "a").message["report"]["seed"] == 3
    assert "Traceback" not in client.log.read_text()
