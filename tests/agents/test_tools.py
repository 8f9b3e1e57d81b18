"""The tools through a real server process, in front of the real `serve`, whose methods only count.

Of: dreamfusion_engine/agents/tools.py, dreamfusion_engine/agents/server.py, dreamfusion_engine/agents/results.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.shapes import ball_glb, png
from pictures.painting import bytes_of, disc
from reference.agent_client import AgentClient
from reference.tiny_zero123 import write_zero123

from dreamfusion_engine import __version__
from dreamfusion_engine.agents.declared import TOOLS
from dreamfusion_engine.wire.printed import PRINTED
from dreamfusion_engine.wire.protocol import PROTOCOL_VERSION, check_message


def test_the_server_says_what_it_is_and_what_it_can(client: AgentClient) -> None:
    assert client.server["serverInfo"] == {"name": "dreamfusion-engine", "title": "DreamFusion", "version": __version__}
    assert "list_models" in client.server["instructions"]
    listed = client.ask("tools/list")["result"]["tools"]
    assert [tool["name"] for tool in listed] == list(TOOLS)
    assert all(tool["inputSchema"]["additionalProperties"] is False for tool in listed)
    assert all(tool["annotations"]["openWorldHint"] is False for tool in listed)


def test_the_models_are_those_of_the_machine(client: AgentClient) -> None:
    (starter,) = [model for model in client.call("list_models")["models"] if model["name"] == "starter"]
    assert "hamburger" in starter["kinds"] and starter["license"] == "GPL-3.0-or-later" and "picture" not in starter


def test_an_object_is_made_watched_and_fetched(client: AgentClient, folder: Path) -> None:
    run = client.made("a red mug", steps=40)
    client.progress.clear()
    said = client.watched(run)
    assert said["state"] == "done" and said["protocol"] == PROTOCOL_VERSION
    assert {"note", "progress", "result"} <= {message["type"] for message in said["messages"]}
    for message in said["messages"]:
        check_message(message, PRINTED)
    shares = [told["progress"] for told in client.progress]
    assert shares == sorted(set(shares)) and shares[-1] == 100.0, "progress only rises"
    result = client.call("result", run=run)
    files = {file["name"]: file for file in result["files"]}
    assert Path(files["mesh.glb"]["path"]) == folder / run / "mesh.glb" and files["mesh.glb"]["bytes"] > 0
    links = [part for part in result["content"] if part["type"] == "resource_link"]
    assert links[0]["uri"] == (folder / run / "mesh.glb").as_uri() and links[0]["mimeType"] == "model/gltf-binary"
    assert result["report"]["prompt"] == "a red mug"
    assert json.loads(result["content"][0]["text"])["run"] == run


def test_a_mesh_in_the_folder_is_painted_refined_and_begun_from(client: AgentClient, folder: Path) -> None:
    (folder / "ball.glb").write_bytes(ball_glb("a", 200))
    words = {"prompt": "a mug", "model": "model", "settings": {"optimize": {"steps": 5}}}
    for task in ("texture", "refine"):
        run = client.call(task, mesh="ball.glb", **words)["run"]
        assert run.startswith("ball-a-mug-0") and client.watched(run)["state"] == "done", task
    run = client.call("generate", begin_from="ball.glb", **words)["run"]
    assert client.watched(run)["state"] == "done"


def test_a_second_model_paints_the_object(client: AgentClient, folder: Path) -> None:
    words = {"prompt": "a grey mug", "model": "model", "settings": {"optimize": {"steps": 5}}}
    run = client.call("generate", texture_model="model", **words)["run"]
    assert client.watched(run)["state"] == "done"
    request = json.loads((folder / run / "request.json").read_text())
    assert request["settings"]["texture"] == {"model": str(folder / "model")}
    assert client.call("generate", texture_model="/etc", **words)["code"] == "input.outside_folder"
    twice = {**words, "settings": {"texture": {"model": "model"}}}
    assert client.call("generate", texture_model="model", **twice)["code"] == "input.argument"


def test_a_run_is_stopped_with_a_checkpoint_and_goes_on(client: AgentClient, folder: Path) -> None:
    run = client.made("a green mug", steps=100_000)
    client.wait_until_training(run)
    stopped = client.call("cancel", run=run)
    assert stopped["state"] == "cancelled" and (folder / run / "checkpoint").is_dir()
    assert client.call("result", run=run)["code"] == "input.unfinished"
    request = json.loads((folder / run / "request.json").read_text())
    assert request["settings"]["optimize"]["steps"] == 100_000
    request["settings"]["optimize"]["steps"] = 300
    (folder / run / "request.json").write_text(json.dumps(request))
    assert client.call("resume", run=run)["state"] in ("queued", "running")
    assert client.watched(run)["state"] == "done"
    assert client.call("resume", run=run)["code"] == "input.finished"


def test_a_run_that_waits_is_cancelled_before_it_begins_and_resume_begins_it(client: AgentClient) -> None:
    first, second = client.made("a blue mug", steps=100_000), client.made("a pink mug", steps=5)
    assert client.call("watch", run=second, seconds=0)["state"] == "queued"
    assert client.call("cancel", run=second)["state"] == "cancelled"
    client.call("cancel", run=first)
    client.call("resume", run=second)
    assert client.watched(second)["state"] == "done"


def put_pictures(folder: Path) -> None:
    """Pictures in the allowed folder, and one beside it."""
    mask = disc(64, 64)
    red = bytes_of(np.concatenate([np.full((64, 64, 3), (0.8, 0.1, 0.1), np.float32), mask[..., None]], -1))
    grey, inside = bytes_of(np.full((64, 64, 3), 0.5, np.float32)), folder / "pictures"
    inside.mkdir(exist_ok=True)
    for path, data in (
        (inside / "red mug.png", red),
        (inside / "grey.png", grey),
        (inside / "mask.png", bytes_of(mask)),
    ):
        path.write_bytes(data)
    (folder.parent / "secret.png").write_bytes(red)


def test_pictures_in_the_folder_lead_a_run_each_with_its_view(client: AgentClient, folder: Path) -> None:
    put_pictures(folder)
    pictures = [
        {"file": "pictures/red mug.png"},
        {"file": "pictures/grey.png", "view": "30,20", "mask": "pictures/mask.png"},
    ]
    said = client.watched(client.made("a red mug", steps=5, pictures=pictures))
    (result,) = [message for message in said["messages"] if message["type"] == "result"]
    assert said["state"] == "done" and result["report"]["pictures"] == ["front", "30, 20 degrees"]


def test_a_run_of_pictures_that_never_began_still_has_them(client: AgentClient, folder: Path) -> None:
    put_pictures(folder)
    first = client.made("a grey mug", steps=100_000)
    pictures = [{"file": "pictures/red mug.png", "view": "left"}]
    run = client.made("a jug", steps=5, pictures=pictures)
    assert client.call("cancel", run=run)["state"] == "cancelled"
    client.call("cancel", run=first)
    (folder / "pictures" / "red mug.png").unlink()
    assert client.call("resume", run=run)["state"] in ("queued", "running")
    said = client.watched(run)
    (result,) = [message for message in said["messages"] if message["type"] == "result"]
    assert said["state"] == "done" and result["report"]["pictures"] == ["left"]
    request = json.loads((folder / run / "request.json").read_text())
    for changed in ([{"file": "../../secret.png", "view": [0, 0], "mask": ""}], [{"file": 3}], 7):
        (folder / run / "request.json").write_text(json.dumps({**request, "pictures": changed}))
        (folder / run / "result.json").unlink(missing_ok=True)
        assert client.call("resume", run=run)["code"] in ("input.outside_folder", "input.picture")


@pytest.mark.slow
def test_a_run_without_a_prompt_is_named_after_its_first_picture(client: AgentClient, folder: Path) -> None:
    put_pictures(folder)
    write_zero123(folder / "told")
    settings = {"optimize": {"steps": 5}, "reference": {"pose": "zero123"}}
    said = client.call("generate", model="told", pictures=[{"file": "pictures/red mug.png"}], settings=settings)
    assert said["run"] == "red-mug-0" and client.watched(said["run"])["state"] == "done"
    assert client.call("generate", pictures=[{"file": "pictures/red mug.png"}])["code"] == "input.prompt_missing"
    assert client.call("generate")["code"] == "input.prompt_empty"


@pytest.mark.parametrize("task", ["generate", "texture"])
def test_a_run_of_a_mesh_that_never_began_still_has_it(client: AgentClient, folder: Path, task: str) -> None:
    mesh = folder / f"given-{task}.glb"
    mesh.write_bytes(ball_glb("b", 200))
    first = client.made("a grey mug", steps=100_000)
    words = {"prompt": "a jug", "model": "model", "settings": {"optimize": {"steps": 5}}}
    run = client.call(task, **words, **{"begin_from" if task == "generate" else "mesh": mesh.name})["run"]
    assert client.call("cancel", run=run)["state"] == "cancelled"
    client.call("cancel", run=first)
    mesh.unlink()
    client.call("resume", run=run)
    assert client.watched(run)["state"] == "done"
    told = "begun-from.glb" if task == "generate" else "mesh.glb"  # of the methods that only count
    assert (folder / run / told).read_bytes() == ball_glb("b", 200)


def test_the_newest_picture_is_shown_while_a_run_is_at_work(client: AgentClient) -> None:
    run = client.made("a white mug", steps=100_000)
    while (seen := client.call("look", run=run))["error"]:
        assert seen["code"] == "input.no_picture"
    (picture,) = [part for part in seen["content"] if part["type"] == "image"]
    assert picture["mimeType"] == "image/png" and seen["bytes"] == len(png(16, 16, 200))
    client.call("cancel", run=run)


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("generate", {"prompt": ""}, "input.prompt_empty"),
    ("generate", {"prompt": "a mug", "model": "model", "settings": {"optimise": {}}}, "input.unknown_setting"),
    ("generate", {"prompt": "a mug", "model": "../outside-model"}, "input.outside_folder"),
    ("generate", {"prompt": "a mug", "model": "someone/not-here"}, "model.not_downloaded"),
    ("generate", {"prompt": "a mug", "begin_from": "../secret.glb"}, "input.outside_folder"),
    ("generate", {"prompt": "a mug", "settings": {"judge": "/etc"}}, "input.outside_folder"),
    ("generate", {"prompt": "a mug", "output": "/tmp/x"}, "input.argument"),
    ("generate", {"prompt": "a mug", "settings": {"model": "model"}}, "input.argument"),
    ("generate", {"prompt": "a mug", "preset": "ultra"}, "input.argument"),
    ("generate", {"prompt": "a mug", "pictures": [{"file": "../secret.png"}]}, "input.outside_folder"),
    ("generate", {"prompt": "a mug", "pictures": [{"file": "model"}]}, "input.picture"),
    ("generate", {"prompt": "a mug", "pictures": [{"file": "nothing.png"}]}, "input.no_file"),
    ("generate", {"prompt": "a mug", "pictures": [{"file": "model/model_index.json"}]}, "input.picture"),
    ("generate", {"prompt": "a mug", "pictures": [{"file": "model", "view": "below"}]}, "input.picture_view"),
    ("generate", {"prompt": "a mug", "pictures": [{"file": "model"}] * 17}, "input.argument"),
    ("texture", {"mesh": "a.glb", "prompt": "a mug", "pictures": []}, "input.argument"),
    ("texture", {"mesh": "../secret.glb", "prompt": "a mug"}, "input.outside_folder"),
    ("texture", {"mesh": "model/model_index.json", "prompt": "a mug", "model": "model"}, "input.mesh"),
    ("refine", {"mesh": "model", "prompt": "a mug", "model": "model"}, "input.mesh"),
    ("watch", {"run": "../../etc"}, "input.no_run"),
    ("watch", {"run": "a-red-mug-0", "seconds": 1e9}, "input.argument"),
    ("cancel", {"run": "nothing"}, "input.no_run"),
    ("resume", {"run": "model"}, "input.no_run"),
    ("result", {"run": "."}, "input.no_run"),
    ("look", {"run": "nothing"}, "input.no_run"),
    ("rm", {"path": "/"}, "input.tool"),
]


@pytest.mark.parametrize(("tool", "arguments", "code"), BAD, ids=str)
def test_bad_input_is_refused_in_three_parts_and_leaves_nothing(
    client: AgentClient, folder: Path, tool: str, arguments: dict[str, Any], code: str
) -> None:
    before = sorted(path.name for path in folder.iterdir())
    said = client.call(tool, **arguments)
    assert said["error"] and said["code"] == code and said["what"] and said["why"] and said["fix"]
    text = said["content"][0]["text"]
    assert "why: " in text and "fix: " in text and "Traceback" not in text
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.slow
def test_a_run_that_fails_says_so_and_the_next_one_works(client: AgentClient) -> None:
    said = client.watched(client.made("an empty mug", steps=20))
    (failed,) = [message for message in said["messages"] if message["type"] == "failed"]
    assert said["state"] == "failed" and failed["code"] == "run.empty" and said["words"] == "The object vanished."
    assert "The object vanished. Opacity is 0." in client.call("result", run=said["run"])["why"]
    assert client.watched(client.made("a brown mug", steps=5))["state"] == "done"


@pytest.mark.slow
def test_all_runs_are_listed_with_their_states(client: AgentClient, folder: Path) -> None:
    run = client.made("an orange mug", steps=5)
    client.watched(run)
    listed = client.call("list_runs")
    assert listed["folder"] == str(folder)
    assert {"run": run, "state": "done"} in listed["runs"]
    assert all(each["run"] not in ("model", "ball.glb") for each in listed["runs"])
