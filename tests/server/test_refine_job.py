"""A job that refines a mesh, through a real process: what comes with it, what comes back, and that it goes on.

Of: dreamfusion_engine/server/server.py, dreamfusion_engine/request/refine.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_engine import SMALL_MESH
from reference.glb_builder import square
from reference.paper_model import write_paper_model
from reference.wire_client import FAKE_ENGINE, Client

from dreamfusion_engine.wire.protocol import write_frame


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    model = write_paper_model(tmp_path / "model")
    with Client(tmp_path, model=model, command=[sys.executable, str(FAKE_ENGINE), "--small-meshes"]) as engine:
        engine.hello()
        yield engine


def refine(client: Client, name: str, mesh: bytes, *, steps: int = 5, settings: Any = None, **fields: Any) -> None:
    asked = {"model": str(client.model), "optimize": {"steps": steps}, **(settings or {})}
    write_frame(client.stdin, {"type": "refine", "id": name, "prompt": "a mug", "settings": asked, **fields}, mesh)


@pytest.mark.slow
def test_the_mesh_goes_in_and_another_comes_back_with_previews_between(client: Client, tmp_path: Path) -> None:
    given = square().data()
    refine(client, "a", given, settings={"refine": {"strength": 0.25}})
    assert client.wait_for("queued", "a").message["output"] == str(tmp_path / "outputs" / "a-mug-refined-0")
    assert client.wait_for("mesh_preview", "a").data
    result = client.wait_for("result", "a")
    assert result.data.startswith(b"glTF") and result.data != given
    report = result.message["report"]
    assert report["refine"] == {"strength": 0.25} and report["mesh_bytes"] == len(given) and report["steps"] == 5


@pytest.mark.slow
def test_a_run_goes_on_without_the_mesh(client: Client, tmp_path: Path) -> None:
    folder = str(tmp_path / "out")
    refine(client, "a", square().data(), steps=500, output=folder)
    client.wait_for("preview", "a")
    client.send("cancel", id="a")
    client.wait_for("cancelled", "a")
    refine(client, "b", b"", steps=500, output=folder, resume=True)
    assert client.wait_for("progress", "b").message["step"] > 10
    client.send("finish", id="b")
    assert client.wait_for("result", "b").data


@pytest.mark.slow
def test_a_field_of_another_command_is_passed_over(client: Client, tmp_path: Path) -> None:
    for number, seeds in enumerate(({"first": 0, "count": 4}, None, 5)):
        refine(client, f"job-{number}", square().data(), seeds=seeds, output=str(tmp_path / f"out-{number}"))
        assert client.wait_for("result", f"job-{number}").data


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mesh", "settings", "code"),
    [
        (b"", {}, "input.mesh"),
        (b"solid ball", {}, "input.mesh"),
        (bytes(SMALL_MESH + 1), {}, "input.mesh"),
        (square().data(), {"refine": {"strength": 900}}, "input.setting"),
        (square().data(), {"paint": {"uv": "new"}}, "input.unknown_setting"),
    ],
    ids=["none", "another format", "too large", "a bad setting", "of another kind of run"],
)
def test_what_cannot_be_refined_is_refused_at_once(client: Client, mesh: bytes, settings: Any, code: str) -> None:
    refine(client, "a", mesh, settings=settings)
    failed = client.wait_for("failed", "a").message
    assert failed["code"] == code and failed["what"] and failed["why"] and failed["fix"]
    assert "Traceback" not in client.log.read_text()
