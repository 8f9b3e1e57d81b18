"""The functions for scripts: what they take and refuse, what a caller hears, and how a caller stops them.

The methods themselves are replaced by ones that count. tests/test_automation.py runs the real ones.
"""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_engine import counting_generate, counting_refine, counting_texture
from fakes.shapes import ball_glb
from reference.paper_model import write_paper_model

import dreamfusion_engine
from dreamfusion_engine import generate, refine, texture
from dreamfusion_engine.errors import Cancelled, InputError, RunError
from dreamfusion_engine.events import Event, Progress

STEPS = {"optimize": {"steps": 30}}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, count in (("generate", counting_generate), ("texture", counting_texture), ("refine", counting_refine)):
        monkeypatch.setattr(f"dreamfusion_engine.tasks.{name}.{name}", count)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(write_paper_model(tmp_path / "model"))


@pytest.mark.slow
def test_an_object_comes_with_its_files_and_its_progress(model: str) -> None:
    heard: list[Event] = []
    result = generate("a red mug", model=model, seed=3, settings=STEPS, progress=heard.append)
    assert Path(result.folder) == Path("outputs/a-red-mug-3").resolve() and Path(result.files["mesh"]).is_file()
    assert [event.step for event in heard if isinstance(event, Progress)] == list(range(1, 31))
    assert result.report["seed"] == 3


@pytest.mark.slow
def test_another_model_paints_the_object(model: str) -> None:
    settings = {**STEPS, "texture": {"steps": 5}}
    result = generate("a red mug", model=model, texture_model=Path(model), settings=settings)
    assert result.report["texture"] == {"model": model}


@pytest.mark.slow
def test_a_mesh_is_painted_and_refined(model: str, tmp_path: Path) -> None:
    mesh = tmp_path / "ball.glb"
    mesh.write_bytes(ball_glb("a", 200))
    painted = texture(mesh, "a mug", model=model, settings=STEPS)
    assert painted.folder.endswith("ball-a-mug-texture-0")
    better = refine(str(mesh), "a mug", model=model, settings=STEPS, output="better")
    assert Path(better.folder) == tmp_path / "better"


@pytest.mark.slow
def test_a_run_stops_when_it_is_asked_to_and_goes_on(model: str, tmp_path: Path) -> None:
    steps: list[int] = []

    def note(event: Event) -> None:
        if isinstance(event, Progress):
            steps.append(event.step)

    with pytest.raises(Cancelled):
        generate("a mug", model=model, settings=STEPS, output="o", progress=note, cancelled=lambda: bool(steps))
    assert steps == [1] and (tmp_path / "o" / "checkpoint").is_dir()
    generate("a mug", model=model, settings=STEPS, output="o", progress=note, resume=True)
    assert steps == list(range(1, 31)), "no step was made twice"


@pytest.mark.slow
@pytest.mark.parametrize("raised", [ZeroDivisionError, KeyboardInterrupt])
def test_what_a_caller_raises_comes_out_and_the_run_has_a_checkpoint(
    raised: type[BaseException], model: str, tmp_path: Path
) -> None:
    def break_down(event: Event) -> None:
        raise raised

    with pytest.raises(raised):
        generate("a mug", model=model, settings=STEPS, output="o", progress=break_down)
    assert (tmp_path / "o" / "checkpoint").is_dir()
    with pytest.raises(raised):
        generate("a mug", model=model, settings=STEPS, output="p", cancelled=lambda: break_down(None))  # type: ignore
    assert not (tmp_path / "p" / "mesh.glb").exists()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"prompt": ""}, "input.prompt_empty"),
    ({"preset": "ultra"}, "input.preset"),
    ({"seed": -1}, "input.setting"),
    ({"seed": 1, "settings": {"seed": 2}}, "input.setting"),
    ({"settings": {"optimise": {}}}, "input.unknown_setting"),
    ({"begin_from": "nothing.glb"}, "input.mesh"),
    ({"texture_model": "starter", "settings": {"texture": {"model": "starter"}}}, "input.setting"),
    ({"settings": {"texture": {"steps": 4}}}, "input.setting"),
    ({"images": ["nothing.png"]}, "input.picture"),
    ({"images": "car.png@front"}, "input.argument"),
    ({"images": [5]}, "input.argument"),
    ({"images": None}, "input.argument"),
    ({"prompt": None}, "input.argument"),
    ({"prompt": b"a mug"}, "input.argument"),
    ({"preset": None}, "input.argument"),
    ({"settings": ["optimize"]}, "input.argument"),
    ({"settings": {5: 6}}, "input.unknown_setting"),
    ({"settings": {"optimize": {5: 6}}}, "input.unknown_setting"),
    ({"output": 5}, "input.argument"),
    ({"output": ""}, "input.argument"),
    ({"begin_from": " "}, "input.argument"),
    ({"begin_from": b"glTF"}, "input.argument"),
    ({"progress": 5}, "input.argument"),
    ({"cancelled": True}, "input.argument"),
]


@pytest.mark.parametrize(("words", "code"), BAD, ids=lambda value: str(value))
def test_bad_input_is_refused_before_anything_is_written(words: dict[str, Any], code: str, model: str) -> None:
    before = list(Path.cwd().rglob("*"))
    with pytest.raises(InputError) as caught:
        generate(**{"prompt": "a mug", "model": model, **words})
    assert caught.value.code == code and caught.value.fix
    assert list(Path.cwd().rglob("*")) == before


@pytest.mark.slow
def test_one_run_at_a_time_computes_in_a_process(model: str, tmp_path: Path) -> None:
    """From any thread; the second one is refused, and the first goes on."""
    refused: list[str] = []

    def again(event: Event) -> None:
        if isinstance(event, Progress) and event.step == 1:
            with pytest.raises(RunError) as caught:
                refine(tmp_path / "ball.glb", "a cup", model=model, settings=STEPS, output="second")
            refused.append(caught.value.code)

    (tmp_path / "ball.glb").write_bytes(ball_glb("a", 200))
    with ThreadPoolExecutor(1) as other:
        result = other.submit(
            generate, "a mug", model=Path(model), settings=STEPS, output=tmp_path / "o", progress=again
        ).result(timeout=600)
    assert refused == ["run.at_work"] and result.folder == str(tmp_path / "o") and not (tmp_path / "second").exists()
    assert generate("a mug", model=model, settings=STEPS, output="third").files


@pytest.mark.slow
def test_a_failure_is_the_engines_own_error(model: str) -> None:
    with pytest.raises(RunError) as caught:
        generate("an empty mug", model=model, settings=STEPS)
    assert caught.value.code == "run.empty"
    with pytest.raises(RunError) as caught:
        generate("a crash", model=model, settings=STEPS)
    assert caught.value.code == "internal.bug" and isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_mesh_that_the_run_would_write_over_is_spared(model: str, tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    mesh = tmp_path / "o" / "mesh.glb"
    mesh.write_bytes(ball_glb("a", 200))
    with pytest.raises(InputError):
        texture(mesh, "a mug", model=model, settings=STEPS, output="o")


def test_importing_the_functions_loads_no_torch_and_their_names_stay() -> None:
    """A module of the same name would take a function's place once it is loaded: they are in a room of their own."""
    code = "import sys; from dreamfusion_engine import generate, texture; assert 'torch' not in sys.modules"
    root = Path(dreamfusion_engine.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=600)
    for name in ("generate", "texture", "refine"):
        assert importlib.util.find_spec(f"dreamfusion_engine.{name}") is None
    assert {"generate", "texture", "refine"} <= set(dir(dreamfusion_engine))
    with pytest.raises(ImportError):
        from dreamfusion_engine import regenerate  # type: ignore[attr-defined]  # noqa: F401


@pytest.mark.parametrize("function", [generate, texture, refine], ids=lambda function: function.__name__)
def test_every_argument_is_typed_and_explained(function: Any) -> None:
    said = " ".join(inspect.getdoc(function).split())  # type: ignore[union-attr]
    for name, parameter in inspect.signature(function).parameters.items():
        assert parameter.annotation is not inspect.Parameter.empty
        assert f"{name}:" in said or f"{name}," in said, name
