"""A job whose texture is another model's, through a real process: it reaches the run, or is refused at once.

Of: dreamfusion_engine/server/server.py, dreamfusion_engine/request/texture_stage.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reference.paper_model import write_paper_model
from reference.wire_client import Client

from dreamfusion_engine.wire.protocol import write_frame


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path, model=write_paper_model(tmp_path / "model")) as engine:
        engine.hello()
        yield engine


def ask(client: Client, name: str, texture: Any) -> None:
    settings = {"model": str(client.model), "optimize": {"steps": 3}, "texture": texture}
    write_frame(client.stdin, {"type": "generate", "id": name, "prompt": "a mug", "settings": settings})


@pytest.mark.slow
def test_a_texture_model_reaches_the_run_and_one_that_cannot_be_is_refused_at_once(client: Client) -> None:
    ask(client, "a", {"model": "starter"})
    assert client.wait_for("result", "a").message["report"]["texture"] == {"model": "starter"}
    ask(client, "b", {"model": "/nowhere"})
    failed = client.wait_for("failed", "b").message
    assert failed["code"] == "model.missing" and "texture model" in failed["why"] and "--texture-model" in failed["fix"]
    ask(client, "c", {"model": "starter", "of_the_future": 1})
    assert client.wait_for("failed", "c").message["code"] == "input.unknown_setting"
