"""Fixtures of the agents' tests: a folder with a model in it, and a server on it whose methods only count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reference.agent_client import AgentClient
from reference.paper_model import write_paper_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The allowed folder. Beside it lies what must not be read."""
    root = tmp_path_factory.mktemp("agents")
    (root / "secret.glb").write_bytes(b"glTF secret")
    write_paper_model(root / "objects" / "model")
    write_paper_model(root / "outside-model")
    return root / "objects"


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[AgentClient]:
    with AgentClient(folder, folder.parent / "log.txt") as agent:
        yield agent
