"""A job that begins from a blockout, through a real process: the mesh comes with it, and its settings need one.

Of: dreamfusion_engine/server/server.py, dreamfusion_engine/request/generate.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reference.glb_builder import square
from reference.paper_model import write_paper_model
from reference.wire_client import Client

from dreamfusion_engine.wire.protocol import write_frame


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path, model=write_paper_model(tmp_path / "model")) as engine:
        engine.hello()
        yield engine


def generate(client: Client, name: str, mesh: bytes, start: dict[str, Any] | None = None) -> None:
    settings: dict[str, Any] = {"model": str(client.model), "optimize": {"steps": 3}}
    if start is not None:
        settings["start"] = start
    write_frame(client.stdin, {"type": "generate", "id": name, "prompt": "a mug", "settings": settings}, mesh)


@pytest.mark.slow
def test_the_blockout_reaches_the_run_with_its_lock(client: Client) -> None:
    mesh = square().data()
    generate(client, "a", mesh, {"lock": 0.8})
    report = client.wait_for("result", "a").message["report"]
    assert (report["blockout_bytes"], report["lock"]) == (len(mesh), 0.8)


@pytest.mark.slow
def test_a_run_from_nothing_has_none(client: Client) -> None:
    generate(client, "a", b"")
    assert "blockout_bytes" not in client.wait_for("result", "a").message["report"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mesh", "start", "code"),
    [
        (b"", {"lock": 0.5}, "input.setting"),
        (b"no mesh at all", None, "input.mesh"),
        (square().data(), {"lock": 2}, "input.setting"),
        (square().data(), {"front_deg": "left"}, "input.setting"),
    ],
)
def test_bad_input_is_refused_and_the_next_job_runs(
    client: Client, mesh: bytes, start: dict[str, Any] | None, code: str
) -> None:
    generate(client, "a", mesh, start)
    said = client.wait_for("failed", "a").message
    assert said["code"] == code and said["why"] and said["fix"]
    generate(client, "b", square().data())
    assert client.wait_for("result", "b").message["report"]["blockout_bytes"] > 0
