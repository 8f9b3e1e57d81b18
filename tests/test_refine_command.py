"""The command `refine`: what is asked is done or refused on one screen, before anything is written.

Of: dreamfusion_engine/cli, dreamfusion_engine/request/refine.py, dreamfusion_engine/commands/arguments.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_engine import counting_refine
from reference.glb_builder import square
from reference.paper_model import write_paper_model
from reference.refusal import refusal

from dreamfusion_engine import cli
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.refine import STEPS_SHARE
from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.refine import checked_refine_request


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_paper_model(tmp_path / "model", words=("a", "red", "mug"))


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    path = tmp_path / "my mug.glb"
    path.write_bytes(square().data())
    return path


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def ask(*words: Any, refine: Any = counting_refine) -> int:
    """The exit code of the command in this process, with the counting run."""
    return cli.main(["refine", *map(str, words)], refine=refine)


def refused(words: list[Any], capsys: pytest.CaptureFixture[str], refine: Any = counting_refine) -> str:
    return refusal(lambda: ask(*words, refine=refine), capsys)


def test_a_run_ends_with_its_files_named(model: Path, mesh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(mesh, "A red mug", "--model", model, "--steps", "12", "--seed", "3") == 0
    folder = Path.cwd() / "outputs" / "my-mug-a-red-mug-refined-3"
    assert (folder / "source.glb").read_bytes() == mesh.read_bytes()
    said = capsys.readouterr()
    assert str(folder) in said.out and "mesh.glb" in said.out and "12/12" in said.err


def test_a_run_that_refines_has_fewer_steps_and_light_from_the_start_unless_asked(model: Path, mesh: Path) -> None:
    def configured(preset_name: str = "standard", **more: Any) -> Any:
        settings = {"model": str(model), **more}
        asked = checked_refine_request("a mug", mesh, preset_name=preset_name, settings=settings)
        assert asked.paint is None
        return asked.config

    made = preset("standard", "a mug").optimize
    plain = configured()
    assert plain.optimize.steps == round(STEPS_SHARE * made.steps)
    assert plain.optimize.albedo_until == plain.optimize.levels_until == 0.0
    assert plain.guidance.scale == 2.5 and plain.guidance.t_max[0] <= 0.5
    assert configured(optimize={"steps": 7}).optimize.steps == 7
    assert configured(refine={"steps": 9}).optimize.steps == 9
    given = configured(guidance={"scale": 4.0, "t_max": [0.9, 0.4]}, optimize={"learning_rate": 0.02})
    assert given.guidance.scale == 4.0 and given.guidance.t_max == (0.9, 0.4)
    assert given.optimize.learning_rate == 0.02


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--set", "refine.uv=maybe"], "'maybe'"),
        (["--set", "refine.strength=200"], "refine.strength"),
        (["--set", "refine.strength=NaN"], "refine.strength"),
        (["--set", "refine.strenght=1"], "Did you mean 'refine.strength'?"),
        (["--set", "refine=3"], "'refine'"),
        (["--set", "paint.uv=new"], "'paint'"),
        (["--output", "m" * 300], "too long"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_setting_is_refused(
    words: list[str], reason: str, model: Path, mesh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason in refused([mesh, "a mug", "--model", model, *words], capsys)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"solid ball", "does not begin"), (square().data()[:-7], "whole glTF"), (None, "No such file")],
)
def test_what_is_no_mesh_is_refused(
    data: Any, reason: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.glb"
    if data is not None:
        path.write_bytes(data)
    assert reason in refused([path, "a mug", "--model", model], capsys)


def test_json_lines_carry_progress_and_the_result(model: Path, mesh: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ask(mesh, "a mug", "--model", model, "--steps", "3", "--json") == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert lines[1]["type"] == "progress" and lines[-1]["type"] == "result"
    assert lines[-1]["report"]["refine"] == {"strength": preset("standard", "a").refine.strength}


def test_results_of_other_kinds_are_not_replaced(model: Path, mesh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("o").mkdir()
    words = [mesh, "a mug", "--model", model, "--output", "o"]
    others: list[tuple[dict[str, object], str]] = [({}, "object"), ({"paint": {}}, "texture")]
    for found, said in others:
        Path("o/result.json").write_text(json.dumps({"prompt": "a mug", "seed": 0, **found}))
        assert f"the {said} for 'a mug'" in refused(words, capsys)
    Path("o/result.json").write_text(json.dumps({"prompt": "a mug", "seed": 0, "refine": {}}))
    assert "without this mesh" in refused(words, capsys)
    Path("o/source.glb").write_bytes(mesh.read_bytes())
    assert ask(*words, "--steps", "2") == 0
    Path("o/result.json").write_text(json.dumps({"prompt": "a mug", "seed": 0, "refine": {}}))
    with pytest.raises(EngineError) as taken:
        checked_request("a mug", settings={"model": str(model)}, output=Path("o"))
    assert "the refinement for 'a mug'" in taken.value.why
