"""What was made of something else is replaced by no run: not in its folder, and not by a job of the same queue."""

from __future__ import annotations

import dataclasses
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures.painting import bytes_of, disc
from reference.glb_builder import square
from reference.paper_model import write_paper_model
from reference.tiny_zero123 import write_zero123

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.run_folder import INPUTS, SOURCE
from dreamfusion_engine.pictures.prepare import CutOut
from dreamfusion_engine.pictures.viewpoint import Viewpoint
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.request.taken import check_apart, check_same_inputs
from dreamfusion_engine.request.texture import checked_texture_request
from dreamfusion_engine.run.pictures import keep_pictures
from dreamfusion_engine.server.server import Server
from dreamfusion_engine.wire.protocol import EVENTS, read_frame

FRONT = CutOut(png=b"front", viewpoint=Viewpoint())
BACK = CutOut(png=b"back", viewpoint=Viewpoint(180.0))
MESH = b"glTF mesh"


def made(folder: Path, mesh: bytes = b"", pictures: tuple[CutOut, ...] = ()) -> Path:
    """A folder with a finished result of these inputs."""
    folder.mkdir(exist_ok=True)
    (folder / "result.json").write_text(json.dumps({"prompt": "a mug", "seed": 0}), encoding="utf-8")
    if mesh:
        (folder / SOURCE).write_bytes(mesh)
    keep_pictures(pictures, folder)
    return folder


@pytest.mark.parametrize(
    ("mesh", "pictures"), [(b"", ()), (MESH, ()), (b"", (FRONT,)), (MESH, (FRONT, BACK))], ids=range(4)
)
def test_the_same_inputs_may_be_made_again_and_all_others_not(
    mesh: bytes, pictures: tuple[CutOut, ...], tmp_path: Path
) -> None:
    folder = made(tmp_path / "o", mesh, pictures)
    check_same_inputs(folder, mesh, pictures)
    turned = dataclasses.replace(FRONT, viewpoint=Viewpoint(10.0))
    for other in (
        (b"", ()),
        (MESH, ()),
        (b"glTF Mesh", ()),
        (MESH + b"x", pictures),
        (mesh, (FRONT,)),
        (mesh, (turned,)),
        (mesh, (dataclasses.replace(FRONT, png=b"other"),)),
        (mesh, (FRONT, BACK)),
        (mesh, (BACK, FRONT)),
    ):
        if other != (mesh, pictures):
            with pytest.raises(InputError, match="folder is taken") as caught:
                check_same_inputs(folder, *other)
            assert caught.value.code == "input.output_taken" and "was made" in caught.value.why and caught.value.fix


def test_a_folder_without_a_result_is_free(tmp_path: Path) -> None:
    folder = made(tmp_path / "o", MESH, (FRONT,))
    (folder / "result.json").unlink()
    check_same_inputs(folder)
    check_same_inputs(tmp_path / "nowhere", MESH)


def test_somebodys_own_files_are_not_written_over(tmp_path: Path) -> None:
    """A folder that no run has worked in, such as that of a project, with a file by the name of a result."""
    own = tmp_path / "project"
    own.mkdir()
    for name, pictures in (("mesh.glb", ()), ("views.png", ()), ("turntable.mp4", ()), ("input-0.png", (FRONT,))):
        (own / name).write_bytes(b"of an artist")
        with pytest.raises(InputError, match="folder is taken") as caught:
            check_same_inputs(own, b"", pictures)
        assert name in caught.value.why and "move the file" in caught.value.fix
        (own / name).unlink()
    (own / "input-0.png").write_bytes(b"of an artist")
    check_same_inputs(own)  # it writes no pictures
    (own / "mesh.glb").write_bytes(b"of a run that was killed")
    (own / "checkpoint").mkdir()
    check_same_inputs(own, b"", (FRONT,))


@pytest.mark.parametrize("content", ["", "{", "7", "[7]", '[{"azimuth_deg": "x", "elevation_deg": 0}]', "[{}]"])
def test_pictures_that_nobody_can_read_are_replaced_by_none(content: str, tmp_path: Path) -> None:
    folder = made(tmp_path / "o", b"", (FRONT,))
    (folder / INPUTS).write_text(content, encoding="utf-8")
    for pictures in ((), (FRONT,)):
        with pytest.raises(InputError, match="folder is taken"):
            check_same_inputs(folder, b"", pictures)


def test_every_kind_of_run_looks(tmp_path: Path) -> None:
    settings, mesh = {"model": str(write_paper_model(tmp_path / "model"))}, square().data()
    folder = made(tmp_path / "o", b"glTF other")
    with pytest.raises(InputError, match="folder is taken") as caught:
        checked_request("a mug", settings=settings, output=folder, blockout=mesh)
    assert "another mesh" in caught.value.why
    (folder / "result.json").write_text(json.dumps({"prompt": "a mug", "seed": 0, "paint": {}}), encoding="utf-8")
    with pytest.raises(InputError, match="folder is taken"):
        checked_texture_request("a mug", mesh, settings=settings, output=folder)
    (folder / SOURCE).write_bytes(mesh)
    assert checked_texture_request("a mug", mesh, settings=settings, output=folder).output == folder


def run(folder: Path, **changes: Any) -> Request:
    return Request(**{"config": preset("draft", "a mug"), "output": folder, "resume": False, **changes})


def test_a_job_of_other_inputs_has_a_folder_of_its_own(tmp_path: Path) -> None:
    first = run(tmp_path, mesh=MESH)
    check_apart("generate", run(tmp_path, mesh=MESH), [("generate", first)])
    check_apart("generate", run(tmp_path / "other"), [("generate", first)])
    check_apart("generate", run(tmp_path, resume=True), [("generate", first)])
    seeds = SeedRange(first=0, count=2)
    for task, other in (
        ("generate", run(tmp_path)),
        ("texture", run(tmp_path, mesh=MESH)),
        ("generate", run(tmp_path, mesh=MESH, pictures=(FRONT,))),
        ("generate", run(tmp_path, mesh=MESH, seeds=seeds)),
        ("generate", run(tmp_path, mesh=MESH, config=preset("draft", "a cup"))),
    ):
        with pytest.raises(InputError, match="folder is taken") as caught:
            check_apart(task, other, [("generate", first)])
        assert caught.value.code == "input.output_taken" and "waits or runs" in caught.value.why


def test_a_job_that_goes_on_has_the_inputs_of_its_folder(tmp_path: Path) -> None:
    folder = made(tmp_path / "o", MESH)
    goes_on = [("generate", run(folder, resume=True))]
    check_apart("generate", run(folder, mesh=MESH), goes_on)
    with pytest.raises(InputError, match="folder is taken"):
        check_apart("generate", run(folder), goes_on)


@pytest.mark.slow
def test_a_second_picture_in_the_queue_is_refused_and_one_with_a_seed_of_its_own_is_taken(tmp_path: Path) -> None:
    """Of: dreamfusion_engine/server/server.py."""
    write_zero123(tmp_path / "told")
    stdout = BytesIO()
    server = Server({}, BytesIO(), stdout, tmp_path / "outputs")
    mask = disc(96, 96)
    for name, level, seed in (("a", 0.4, 0), ("b", 0.4, 0), ("c", 0.7, 0), ("d", 0.7, 1)):
        png = bytes_of(np.concatenate([np.full((96, 96, 3), level, np.float32), mask[..., None]], -1))
        settings = {"model": str(tmp_path / "told"), "reference": {"pose": "zero123"}, "seed": seed}
        message = {"type": "generate", "id": name, "prompt": "", "settings": settings}
        server._queue({**message, "pictures": [{"bytes": len(png)}]}, png)
    said = []
    stdout.seek(0)
    while (frame := read_frame(stdout, EVENTS)) is not None:
        said.append((frame.message["type"], frame.message["id"], frame.message.get("code", "")))
    assert said == [
        ("queued", "a", ""),
        ("queued", "b", ""),
        ("failed", "c", "input.output_taken"),
        ("queued", "d", ""),
    ]
