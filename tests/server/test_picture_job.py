"""A job with pictures, through a real process.

Of: dreamfusion_engine/server/server.py, dreamfusion_engine/request/generate.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures.painting import bytes_of, disc
from reference.glb_builder import square
from reference.paper_model import write_paper_model
from reference.tiny_zero123 import write_zero123
from reference.wire_client import Client

from dreamfusion_engine.wire.protocol import write_frame

MASK = disc(64, 96)
ROUND = bytes_of(np.concatenate([np.full((64, 96, 3), 0.4, np.float32), MASK[..., None]], -1))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path, model=write_paper_model(tmp_path / "model")) as engine:
        engine.hello()
        yield engine


def generate(
    client: Client,
    name: str,
    pictures: list[Any],
    data: bytes,
    prompt: str = "a mug",
    settings: dict[str, Any] | None = None,
    **more: Any,
) -> None:
    settings = {"model": str(client.model), "optimize": {"steps": 3}, **more} if settings is None else settings
    message = {"type": "generate", "id": name, "prompt": prompt, "pictures": pictures, "settings": settings}
    write_frame(client.stdin, message, data)


@pytest.mark.slow
def test_pictures_reach_the_run_beside_a_blockout(client: Client) -> None:
    mesh, mask = square().data(), bytes_of(MASK)
    pictures = [{"bytes": len(ROUND), "view": "left"}, {"bytes": len(ROUND), "view": [10, 20], "mask": len(mask)}]
    generate(client, "a", pictures, mesh + ROUND + ROUND + mask)
    report = client.wait_for("result", "a").message["report"]
    assert report["pictures"] == ["left", "10, 20 degrees"]
    assert report["blockout_bytes"] == len(mesh)


@pytest.mark.slow
def test_a_picture_without_a_prompt_is_a_job_for_a_model_that_is_told_one(client: Client, tmp_path: Path) -> None:
    write_zero123(tmp_path / "told")
    told = {"model": str(tmp_path / "told"), "reference": {"pose": "zero123"}}
    one = [{"bytes": len(ROUND), "view": "left"}]
    generate(client, "a", one, ROUND, prompt="", settings=told)
    message = client.wait_for("result", "a").message
    assert message["report"]["pictures"] == ["left"] and Path(message["folder"]).name == "object-0"
    for name, settings, pictures, code in (
        ("b", told, [], "input.picture_missing"),
        ("c", {"model": told["model"]}, one, "input.pose"),
        ("d", told, [*one, {"bytes": len(ROUND)}], "input.picture"),
    ):
        generate(client, name, pictures, len(pictures) * ROUND, prompt="", settings=settings)
        assert client.wait_for("failed", name).message["code"] == code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pictures", "data", "more", "code"),
    [
        ([{"bytes": len(ROUND) + 1}], ROUND, {}, "protocol.pictures"),
        ([{"bytes": len(ROUND)}], b"junk" + ROUND, {}, "input.mesh"),
        ([{"bytes": len(ROUND)}, {"bytes": len(ROUND)}], 2 * ROUND, {}, "input.picture_twice"),
        ([{"bytes": 9}], b"no bitmap", {}, "input.picture"),
        ([{"bytes": len(ROUND)}], ROUND, {"prompt": " "}, "input.prompt_missing"),
        ([{"bytes": len(ROUND)}], ROUND, {"reference": {"mask": -1}}, "input.setting"),
        ([], b"", {"reference": {"mask": 1}}, "input.setting"),
    ],
)
def test_bad_input_is_refused_and_the_next_job_runs(
    client: Client, pictures: list[Any], data: bytes, more: dict[str, Any], code: str
) -> None:
    generate(client, "a", pictures, data, **more)
    said = client.wait_for("failed", "a").message
    assert said["code"] == code and said["why"] and said["fix"]
    generate(client, "b", [{"bytes": len(ROUND)}], ROUND)
    assert client.wait_for("result", "b").message["report"]["pictures"] == ["front"]
