"""A job that paints meshes, through a real process: what comes with it, what comes back, and what it may hold.

Of: dreamfusion_engine/server/server.py, dreamfusion_engine/request/texture.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_engine import PNG, SMALL_MESH, SMALL_MESHES
from reference.glb_builder import Glb, square
from reference.paper_model import write_paper_model
from reference.wire_client import FAKE_ENGINE, Client

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.server.job import Job
from dreamfusion_engine.server.server import Server
from dreamfusion_engine.wire.protocol import write_frame


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    model = write_paper_model(tmp_path / "model")
    command = [sys.executable, str(FAKE_ENGINE), "--small-meshes"]
    with Client(tmp_path, model=model, command=command) as engine:
        engine.hello()
        yield engine


def mesh_of(size: int) -> bytes:
    """A GLB of about `size` bytes."""
    made: Glb = square()
    made.view(bytes(size - len(made.data()) - 100))
    return made.data()


def paint(client: Client, name: str, mesh: bytes, *, steps: int = 5, paint: Any = None, **fields: Any) -> None:
    settings: dict[str, Any] = {"model": str(client.model), "optimize": {"steps": steps}}
    if paint is not None:
        settings["paint"] = paint
    message = {"type": "texture", "id": name, "prompt": "a mug", "settings": settings, **fields}
    write_frame(client.stdin, message, mesh)


def refusal(client: Client, name: str | None) -> dict[str, Any]:
    said = client.wait_for("failed", name).message
    assert said["what"] and said["why"] and said["fix"]
    assert "Traceback" not in client.log.read_text()
    return said


@pytest.mark.slow
def test_the_mesh_goes_in_and_comes_back_with_previews_between(client: Client, tmp_path: Path) -> None:
    given = mesh_of(1500)
    paint(client, "a", given, paint={"uv": "new", "front_deg": 90})
    assert client.wait_for("queued", "a").message["output"] == str(tmp_path / "outputs" / "a-mug-texture-0")
    preview = client.wait_for("texture_preview", "a")
    assert preview.data == PNG and preview.message["part"] == 3 and preview.message["step"] == 0
    result = client.wait_for("result", "a")
    assert result.data == given
    report = result.message["report"]
    assert report["paint"] == asdict(PaintConfig(uv="new", front_deg=90.0))
    assert report["steps"] == 5 and report["mesh_bytes"] == len(given)


@pytest.mark.slow
def test_a_run_goes_on_without_the_mesh(client: Client, tmp_path: Path) -> None:
    given, folder = mesh_of(1500), str(tmp_path / "out")
    paint(client, "a", given, steps=500, output=folder)
    client.wait_for("preview", "a")
    client.send("cancel", id="a")
    client.wait_for("cancelled", "a")
    paint(client, "b", b"", steps=500, output=folder, resume=True)
    assert client.wait_for("progress", "b").message["step"] > 10
    client.send("finish", id="b")
    assert client.wait_for("result", "b").data == given


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mesh", "said"),
    [(b"", "does not begin"), (b"solid ball", "does not begin"), (square().data()[:-3], "whole glTF")],
    ids=["none", "another format", "cut off"],
)
def test_a_message_without_a_mesh_is_refused_at_once(client: Client, mesh: bytes, said: str) -> None:
    paint(client, "a", mesh)
    failed = refusal(client, "a")
    assert failed["code"] == "input.mesh" and said in failed["why"]
    paint(client, "b", mesh_of(1500))
    client.wait_for("result", "b")


@pytest.mark.slow
def test_a_mesh_over_the_limit_is_refused(client: Client) -> None:
    paint(client, "a", mesh_of(SMALL_MESH + 500))
    failed = refusal(client, "a")
    assert failed["code"] == "input.mesh" and "too large" in failed["what"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "name"),
    [({"uv": "maybe"}, "uv"), ({"nothing": 1}, "nothing"), ({"samples": 9}, "samples"), (3, "paint"), ([], "paint")],
    ids=str,
)
def test_settings_that_painting_cannot_have_are_refused_by_name(client: Client, values: Any, name: str) -> None:
    paint(client, "a", mesh_of(1500), paint=values)
    failed = refusal(client, "a")
    assert failed["code"] in ("input.setting", "input.unknown_setting") and name in failed["what"] + failed["why"]


@pytest.mark.slow
def test_settings_of_painting_mean_nothing_to_an_object(client: Client) -> None:
    settings = {"model": str(client.model), "paint": {"uv": "new"}}
    client.send("generate", id="a", prompt="a mug", settings=settings)
    assert "paint" in refusal(client, "a")["what"]


@pytest.mark.slow
def test_meshes_that_wait_are_bounded_and_a_cancelled_one_makes_room(client: Client, tmp_path: Path) -> None:
    large = mesh_of(SMALL_MESH - 200)
    assert 2 * len(large) > SMALL_MESHES > len(large)
    paint(client, "running", mesh_of(1500), steps=5000, output=str(tmp_path / "0"))
    client.wait_for("started", "running")
    paint(client, "waiting", large, output=str(tmp_path / "1"))
    client.wait_for("queued", "waiting")
    paint(client, "too much", large, output=str(tmp_path / "2"))
    assert refusal(client, "too much")["code"] == "protocol.full"
    client.send("cancel", id="waiting")
    client.wait_for("cancelled", "waiting")
    paint(client, "again", large, output=str(tmp_path / "3"))
    client.wait_for("queued", "again")
    client.send("cancel", id="running")
    client.wait_for("cancelled", "running")
    assert client.wait_for("result", "again").data == large
    paint(client, "last", large, output=str(tmp_path / "4"))
    assert client.wait_for("result", "last").data == large


def test_a_job_that_is_cancelled_while_it_waits_lets_its_mesh_go(tmp_path: Path) -> None:
    """It stays in the queue until its turn comes, which can be hours later."""

    def never(*given: Any, **more: Any) -> Any:
        raise AssertionError("nothing runs")

    server = Server({"texture": never}, BytesIO(), BytesIO(), tmp_path)
    asked = Request(config=preset("draft", "a mug"), output=tmp_path, resume=False, paint=PaintConfig(), mesh=b"long")
    job = server._jobs["a"] = Job("a", "texture", asked)
    server._steer("cancel", "a")
    assert job.state == "over" and job.request.mesh == b""


@pytest.mark.slow
def test_a_folder_with_an_object_is_not_painted_over(client: Client, tmp_path: Path) -> None:
    client.generate("object", "a mug", output=str(tmp_path / "out"))
    client.wait_for("result", "object")
    paint(client, "a", mesh_of(1500), output=str(tmp_path / "out"))
    failed = refusal(client, "a")
    assert failed["code"] == "input.output_taken" and "the object for 'a mug'" in failed["why"]
