"""The command `texture`: what is asked is done or refused on one screen, before anything is written.

Of: dreamfusion_engine/cli, dreamfusion_engine/request/texture.py, dreamfusion_engine/commands/arguments.py.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.fake_engine import counting_texture
from reference.glb_builder import Glb, square
from reference.paper_model import write_paper_model
from reference.refusal import refusal

from dreamfusion_engine import cli
from dreamfusion_engine.cli.options import run_settings
from dreamfusion_engine.commands.advised_command import CALLED_AS
from dreamfusion_engine.commands.arguments import parser
from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.errors import Cancelled, EngineError
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.mesh import MESH_LIMIT
from dreamfusion_engine.request.texture import checked_texture_request


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_paper_model(tmp_path / "model", words=("a", "red", "mug", "crash"))


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    path = tmp_path / "my mug.glb"
    path.write_bytes(square().data())
    return path


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def ask(*words: Any, texture: Any = counting_texture) -> int:
    """The exit code of the command in this process, with the counting run."""
    return cli.main(["texture", *map(str, words)], texture=texture)


def refused(words: list[Any], capsys: pytest.CaptureFixture[str], texture: Any = counting_texture) -> str:
    return refusal(lambda: ask(*words, texture=texture), capsys)


def test_a_run_ends_with_its_files_named(model: Path, mesh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(mesh, "A red mug", "--model", model, "--steps", "12", "--seed", "3") == 0
    folder = Path.cwd() / "outputs" / "my-mug-a-red-mug-texture-3"
    assert (folder / "mesh.glb").read_bytes() == mesh.read_bytes()
    said = capsys.readouterr()
    assert str(folder) in said.out and "mesh.glb" in said.out and "12/12" in said.err


def test_every_option_reaches_the_run(model: Path, mesh: Path, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def spy(config: Any, paint: Any, data: bytes, output: Path, **rest: Any) -> Any:
        seen.update(config=config, paint=paint, data=data, output=output, resume=rest["resume"])
        return counting_texture(config, paint, data, output, **rest)

    words = [mesh, "a mug", "--model", model, "--output", tmp_path / "o", "--seed", "9", "--preset", "draft"]
    words += ["--set", "paint.uv=new", "--set", "paint.front_deg=-90", "--set", "paint.samples=1", "--resume"]
    words += ["--part", "Roof tiles", "--shape"]
    assert ask(*words, texture=spy) == 0
    assert seen["paint"] == PaintConfig(uv="new", front_deg=-90.0, samples=1, part="Roof tiles", shape=True)
    assert seen["config"].seed == 9 and seen["config"].preset == "draft"
    assert seen["data"] == mesh.read_bytes() and seen["output"] == tmp_path / "o" and seen["resume"] is True


def test_a_run_that_paints_has_fewer_steps_and_light_from_the_start_unless_asked(model: Path, mesh: Path) -> None:
    def configured(*words: str) -> Any:
        options = parser().parse_args(["texture", str(mesh), "a mug", "--model", str(model), *words])
        asked = checked_texture_request(
            options.prompt, Path(options.mesh), settings=run_settings(options), preset_name=options.preset
        )
        return asked.config.optimize

    made = checked_request("a mug", settings={"model": str(model)}).config.optimize
    painted = configured()
    assert painted.steps == round(0.4 * made.steps) and painted.albedo_until == painted.textureless == 0.0
    assert configured("--steps", "7").steps == 7
    assert configured("--set", "optimize.albedo_until=0.5").albedo_until == 0.5


def test_a_part_keeps_the_recipes_guidance_also_when_it_is_resumed(mesh: Path, tmp_path: Path) -> None:
    def scale(data: bytes, settings: dict[str, Any] | None = None, **more: Any) -> float:
        return checked_texture_request("a red mug", data, settings=settings, **more).config.guidance.scale

    whole = square()
    marked = whole.copy()
    marked.document["meshes"][0]["primitives"][0]["attributes"]["_PART"] = marked.array([0.0, 1.0, 1.0, 0.0])
    assert scale(whole.data()) == 2.5 and scale(marked.data()) == 7.0
    assert scale(whole.data(), {"paint": {"part": "handle"}}) == 7.0
    assert scale(marked.data(), {"guidance": {"scale": 4.0}}) == 4.0
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "source.glb").write_bytes(marked.data())
    assert scale(b"", output=tmp_path / "run", resume=True) == 7.0


def text_file(folder: Path) -> Path:
    path = folder / "mug.gltf"
    path.write_text(json.dumps({"asset": {"version": "2.0"}}))
    return path


def cut_off(folder: Path) -> Path:
    path = folder / "cut.glb"
    path.write_bytes(square().data()[:-7])
    return path


def header(folder: Path) -> Path:
    path = folder / "header.glb"
    path.write_bytes(square().data()[:12])
    return path


def twelve(folder: Path) -> Path:
    """A file of twelve bytes that says so itself."""
    path = folder / "twelve.glb"
    path.write_bytes(b"glTF" + (2).to_bytes(4, "little") + (12).to_bytes(4, "little"))
    return path


def first_version(folder: Path) -> Path:
    path = folder / "old.glb"
    path.write_bytes(b"glTF" + (1).to_bytes(4, "little") + (12).to_bytes(4, "little"))
    return path


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a file that is not there": (lambda folder: folder / "absent.glb", "No such file"),
    "a folder": (lambda folder: folder, "it is a folder"),
    "no file at all": (lambda folder: os.devnull, "it is no file"),
    "an empty name": (lambda folder: "", "it is a folder"),
    "a text file": (text_file, "does not begin as one does"),
    "a file that is cut off": (cut_off, "not that of a whole glTF"),
    "the first 12 bytes of a file": (header, "not that of a whole glTF"),
    "glTF 1": (first_version, "not that of a whole glTF"),
    "a name of 300 letters": (lambda folder: folder / (300 * "m"), "too long"),
    "a name with a zero byte": (lambda folder: "m\0.glb", "null"),
    "an unknown user": (lambda folder: "~nobody-of-that-name/m.glb", "there is no user"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_mesh_is_refused(name: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, reason = BAD[name]
    said = refused([made(tmp_path), "a mug", "--model", model], capsys)
    assert reason in said and "glTF" in said and "300" not in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--part", ""], "--part: nothing was given"),
        (["--part", "Roof", "--set", "paint.part=Wall"], "contradict"),
        (["--part", "Roof", "--set", "paint=5"], "contradict"),
        (["--part", "Roof", "--shape", "--set", "paint.shape=false"], "contradict"),
    ],
    ids=" ".join,
)
def test_a_bad_part_is_refused(
    words: list[str], reason: str, model: Path, mesh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason in refused([mesh, "a mug", "--model", model, *words], capsys)


def test_the_mesh_that_was_given_is_not_written_over(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mesh.glb"
    mine.write_bytes(square().data())
    said = refused([mine, "a mug", "--model", model, "--output", tmp_path], capsys)
    assert "would write over" in said and mine.read_bytes() == square().data()


def no_numbers() -> bytes:
    made = Glb()
    made.node([{"attributes": {"POSITION": made.array(np.full((3, 3), np.nan))}}])
    return made.data()


def no_triangles() -> bytes:
    made = Glb()
    made.node([{"mode": 0, "attributes": {"POSITION": made.array(np.eye(3))}}])
    return made.data()


@pytest.mark.parametrize(
    ("data", "reason"),
    [(no_numbers(), "at no place"), (no_triangles(), "no triangles"), (twelve, "")],
    ids=["vertices that are no numbers", "no triangles", "12 bytes"],
)
def test_what_only_the_reader_finds_is_refused_before_anything_is_written(
    data: Any, reason: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data(tmp_path) if callable(data) else tmp_path / "bad.glb"
    if not callable(data):
        path.write_bytes(data)
    assert reason in refused([path, "a mug", "--model", model, "--device", "cpu"], capsys, texture=None)


def test_a_mesh_over_the_limit_is_refused_unread(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "huge.glb"
    with path.open("wb") as file:
        file.truncate(MESH_LIMIT + 1)  # takes no room
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("it was read"))
    said = refused([path, "a mug", "--model", model], capsys)
    assert "too large" in said and "the limit is 256 MiB" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--set", "paint.uv=maybe"], "'maybe'"),
        (["--set", "paint.nothing=1"], "paint.nothing"),
        (["--set", "paint.front=90"], "Did you mean 'paint.front_deg'?"),
        (["--set", "paint.front_deg=NaN"], "paint.front_deg"),
        (["--set", "paint.front_deg=400"], "paint.front_deg"),
        (["--set", "paint.samples=2.5"], "paint.samples"),
        (["--set", "paint.samples=0"], "paint.samples"),
        (["--set", "paint=3"], "'paint'"),
        (["--set", "paint=3", "--set", "paint.uv=new"], "contradict"),
        (["--set", "optimize=3"], "optimize"),
        (["--seed", "-1"], "seed"),
        (["--output", "m" * 300], "too long"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_setting_is_refused(
    words: list[str], reason: str, model: Path, mesh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason in refused([mesh, "a mug", "--model", model, *words], capsys)


def test_settings_of_painting_mean_nothing_to_generate(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["generate", "a mug", "--model", str(model), "--set", "paint.uv=new"]) == 2
    said = capsys.readouterr().err
    assert "'paint'" in said and "why:" in said and "fix:" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["m.glb"], "PROMPT"),
        ([], "MESH.glb, PROMPT"),
        (["m.glb", "-mug"], "two dashes: dreamfusion-engine texture -- MESH.glb -mug"),
        (["m.glb", "a mug", "--sead", "1"], "Did you mean --seed?"),
        (["m.glb", ""], "empty"),
    ],
    ids=str,
)
def test_a_bad_command_line_is_refused(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("m.glb").write_bytes(square().data())
    assert reason in refused(words, capsys)


def test_a_prompt_that_begins_with_a_dash_goes_after_two(model: Path, mesh: Path) -> None:
    seen: list[str] = []

    def spy(config: Any, *given: Any, **rest: Any) -> Any:
        seen.append(config.prompt)
        return counting_texture(config, *given, **rest)

    words = ["--model", model, "--steps", "2", "--output", "o", "--", mesh, "-red mug"]
    assert ask(*words, texture=spy) == 0
    assert seen == ["-red mug"]


def test_an_empty_folder_cannot_be_resumed(
    model: Path, mesh: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real method, which is asked last of all: the paper model has no weights to load."""

    def painted(config: Any, paint: Any, data: bytes, output: Path, **rest: Any) -> Any:
        from dreamfusion_engine.tasks import texture

        return texture.texture(config, paint, b"", output, **rest)

    Path("empty").mkdir()
    words = [mesh, "a mug", "--model", model, "--output", "empty", "--resume", "--device", "cpu"]
    said = refused(words, capsys, texture=painted)
    assert "no run to resume" in said and "source.glb" in said


def test_the_advice_to_resume_is_the_same_command(
    model: Path, mesh: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CALLED_AS, raising=False)

    def stopped(config: Any, paint: Any, mesh: bytes, output: Path, **rest: Any) -> Any:
        (output / "checkpoint").mkdir(parents=True, exist_ok=True)
        (output / "checkpoint" / "checkpoint.json").write_text("{}")
        raise Cancelled("cancelled", what="Stopped.", why="It was asked to.", fix="Use --resume.")

    words = [mesh, "a red mug", "--model", model, "--set", "paint.front_deg=90"]
    assert ask(*words, texture=stopped) == 130
    advice = capsys.readouterr().err.splitlines()[-1].strip()
    if os.name != "nt":
        assert shlex.split(advice) == [
            sys.executable, "-m", "dreamfusion_engine", "texture", *map(str, words), "--resume"
        ]  # fmt: skip
    assert ask("--model", model, "--", mesh, "a red mug", texture=stopped) == 130
    advice = capsys.readouterr().err.splitlines()[-1].strip()
    if os.name != "nt":
        assert shlex.split(advice)[4:] == ["--model", str(model), "--resume", "--", str(mesh), "a red mug"]


def test_what_fails_inside_is_told_with_its_code(model: Path, mesh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(mesh, "a crash", "--model", model) == 3
    said = capsys.readouterr().err
    assert "why:" in said and "fix:" in said


def test_json_lines_carry_progress_and_the_result(model: Path, mesh: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ask(mesh, "a mug", "--model", model, "--steps", "3", "--json") == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["type"] for line in lines][1:2] == ["texture_preview"] and lines[-1]["type"] == "result"
    assert lines[-1]["report"]["paint"]["uv"] == "keep"


def test_a_finished_object_is_not_painted_over_and_the_other_way_round(
    model: Path, mesh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("o").mkdir()
    Path("o/result.json").write_text(json.dumps({"prompt": "a mug", "seed": 0}))
    words = [mesh, "a mug", "--model", model, "--output", "o"]
    assert "the object for 'a mug'" in refused(words, capsys)
    Path("o/result.json").write_text(json.dumps({"prompt": "a mug", "seed": 0, "paint": {}}))
    assert "without this mesh" in refused(words, capsys)
    Path("o/source.glb").write_bytes(mesh.read_bytes())
    assert ask(*words, "--steps", "2") == 0
    Path("o/result.json").write_text(json.dumps({"prompt": "a mug", "seed": 0, "paint": {}}))
    with pytest.raises(EngineError) as taken:
        checked_request("a mug", settings={"model": str(model)}, output=Path("o"))
    assert taken.value.code == "input.output_taken" and "the texture for 'a mug'" in taken.value.why
