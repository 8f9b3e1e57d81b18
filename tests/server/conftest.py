"""Fixtures of the server's tests: an engine's process, and one that was greeted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reference.paper_model import write_paper_model
from reference.wire_client import Client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path, model=write_paper_model(tmp_path / "model")) as engine:
        yield engine


@pytest.fixture
def greeted(client: Client) -> Client:
    client.hello()
    return client
