"""The command line: what is asked is done or refused on one screen, and nothing is lost on the way."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_engine import counting_generate
from reference.paper_model import paper_tensors, write_paper_model
from reference.wire_client import FAKE_ENGINE

from dreamfusion_engine import cli
from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.request.output import folder_name

WORDS = ("a", "red", "mug", "hamburger", "crash", "memory", "full", "empty", "noisy")


ROOT = FAKE_ENGINE.parents[2]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_paper_model(tmp_path / "model", words=WORDS)


def ask(*arguments: str) -> int:
    """The exit code of a command in this process, with the counting run."""
    return cli.main(arguments, generate=counting_generate)


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_run_ends_with_its_files_named(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ask("generate", "A red mug", "--model", str(model), "--steps", "12", "--seed", "3") == 0
    folder = tmp_path / "outputs" / "a-red-mug-3"
    assert (folder / "mesh.glb").is_file()
    said = capsys.readouterr()
    assert str(folder) in said.out and "mesh.glb" in said.out
    assert "12/12" in said.err and "it/s" in said.err and "ETA" in said.err and "MiB" in said.err
    assert "note: The object is rather flat." in said.err


def test_every_option_reaches_the_configuration(model: Path, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def spy(config: Any, output: Path, **rest: Any) -> Any:
        seen.update(config=config, output=output, resume=rest["resume"])
        return counting_generate(config, output, **rest)

    words = ["generate", "a mug", "--model", str(model), "--output", str(tmp_path / "o"), "--seed", "9"]
    words += ["--preset", "draft", "--negative", "red", "--steps", "11", "--device", "cpu", "--resume"]
    for assignment in ("mesh.texture=2048", "guidance.weighting=uniform", "optimize.resolution=[16,32]"):
        words += ["--set", assignment]
    assert cli.main(words, generate=spy) == 0
    config = seen["config"]
    assert (config.prompt, config.seed, config.preset, config.negative) == ("a mug", 9, "draft", "red")
    assert (config.device, config.model, config.optimize.steps) == ("cpu", str(model), 11)
    assert (config.mesh.texture, config.guidance.weighting, config.optimize.resolution) == (2048, "uniform", (16, 32))
    assert config.mesh.triangles == 10_000, "the preset's other settings stay"
    assert seen["output"] == tmp_path / "o" and seen["resume"] is True


def test_an_adapter_for_a_pixel_space_model_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lora, word = tmp_path / "lora.safetensors", tmp_path / "word.safetensors"
    lora.write_bytes(paper_tensors({"unet.x.lora_A.weight": (2, 4), "unet.x.lora_B.weight": (4, 2)}))
    word.write_bytes(paper_tensors({"emb_params": (2, 4)}))
    for option, file in (("--lora", lora), ("--embedding", word)):
        assert ask("generate", "a mug", "--model", str(model), option, str(file)) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "DeepFloyd IF, first stage" in said and file.name in said
    pickle = tmp_path / "word.pt"
    pickle.write_bytes(b"")
    assert ask("generate", "a mug", "--model", str(model), "--embedding", str(pickle)) == 2
    assert "is a Python pickle" in " ".join(capsys.readouterr().err.split())


BAD: list[tuple[str, list[str], str]] = [
    ("no command that exists", ["generat", "a mug"], "Did you mean generate?"),
    ("no prompt", ["generate"], "PROMPT"),
    ("an unknown option", ["generate", "a mug", "--sead", "1"], "Did you mean --seed?"),
    ("a prompt that looks like an option", ["generate", "-mug"], "dashes: dreamfusion-engine generate -- -mug"),
    ("a prompt that looks like two", ["generate", "-hamburger", "--steps", "3"], "generate -- -hamburger"),
    ("no prompt beside an option", ["generate", "--seed", "3"], "PROMPT. fix: See:"),
    ("a seed that is no number", ["generate", "a mug", "--seed", "three"], "'three'"),
    ("a negative seed", ["generate", "a mug", "--seed=-1"], "seed"),
    ("an empty prompt", ["generate", ""], "empty"),
    ("blanks", ["generate", "  \t "], "empty"),
    ("a very long prompt", ["generate", "mug " * 2500], "too long"),
    ("more words than the model reads tokens", ["generate", "red " * 77 + "mug"], "78 words; the model reads 77"),
    ("control characters", ["generate", "a \x07mug"], "U+0007"),
    ("a negative prompt with control characters", ["generate", "a mug", "--negative", "\x1b["], "U+001B"),
    ("an unknown word", ["generate", "a red muq"], "mug"),
    ("an unknown word in the negative prompt", ["generate", "a mug", "--negative", "blurry"], "blurry"),
    ("an unknown preset", ["generate", "a mug", "--preset", "ultra"], "draft, standard, high"),
    ("no steps", ["generate", "a mug", "--steps", "0"], "steps"),
    ("a negative size", ["generate", "a mug", "--set", "mesh.texture=-1024"], "texture"),
    ("an unknown setting", ["generate", "a mug", "--set", "mesh.txture=1024"], "mesh.texture"),
    ("an unreadable setting", ["generate", "a mug", "--set", "texture"], "STAGE.KEY=VALUE"),
    ("settings that contradict", ["generate", "a mug", "--set", "mesh=1", "--set", "mesh.texture=64"], "mesh"),
    ("two methods", ["generate", "a mug", "--method", "clip-mesh", "--set", "method=field"], "--method"),
    ("a method that needs another model", ["generate", "a mug", "--method", "clip-mesh"], "CLIP"),
    ("an unknown method", ["generate", "a mug", "--method", "mesh"], "'clip-mesh'"),
    ("steps beside a broken group", ["generate", "a mug", "--set", "optimize=1", "--steps", "5"], "optimize"),
    ("an unknown device", ["generate", "a mug", "--device", "cuda:x"], "cuda"),
    ("a LoRA that is not there", ["generate", "a mug", "--lora", "no/such.safetensors:0.5"], "no/such.safetensors"),
    ("a LoRA that is another file", ["generate", "a mug", "--lora", __file__], "safetensors file"),
    ("a weight that is no number", ["generate", "a mug", "--lora", "x.safetensors:much"], "'much'"),
    ("a weight of nan", ["generate", "a mug", "--lora", "x.safetensors:nan"], "'nan'"),
    ("an infinite weight", ["generate", "a mug", "--lora", "x.safetensors:-inf"], "'-inf'"),
    ("a weight out of range", ["generate", "a mug", "--lora", "x.safetensors:1e9"], "[-10, 10]"),
    ("a LoRA without a name", ["generate", "a mug", "--lora", ":0.5"], "adapters.lora"),
    ("a list of LoRAs that is none", ["generate", "a mug", "--set", "adapters.lora=5"], "adapters.lora"),
    ("a LoRA without a weight in a list", ["generate", "a mug", "--set", 'adapters.lora=[["a"]]'], "2 values"),
    ("an absent embedding", ["generate", "a mug", "--embedding", "no/such.safetensors"], "no/such.safetensors"),
    ("an absent model", ["generate", "a mug", "--model", "no/such/folder"], "no/such/folder"),
    ("a model that is a file", ["generate", "a mug", "--model", __file__], "file"),
    ("a folder that is no pipeline", ["generate", "a mug", "--model", str(Path(__file__).parent)], "model_index.json"),
    ("an output that is a file", ["generate", "a mug", "--output", __file__], "is a file"),
    ("a seed among the settings", ["generate", "a mug", "--set", "seed=7"], "--seed"),
    ("a seed among those of a batch", ["batch", "list.txt", "--output", "o", "--set", "seed=7"], "Use --seeds VALUE"),
    ("a negative among the settings", ["generate", "a mug", "--set", "negative=mud"], "--negative"),
    ("a device among the settings", ["generate", "a mug", "--set", "device=cpu"], "--device"),
    ("a model among the settings", ["generate", "a mug", "--set", "model=starter"], "--model"),
    ("a base among the settings", ["generate", "a mug", "--set", "base=owner/model"], "--base"),
    ("steps twice", ["generate", "a mug", "--set", "optimize.steps=9", "--steps", "5"], "--set optimize.steps"),
    ("LoRAs twice", ["generate", "a mug", "--set", "adapters.lora=[]", "--lora", "a"], "--set adapters.lora"),
    ("words twice", ["generate", "a mug", "--set", "adapters.embeddings=[]", "--embedding", "a"], "--set adapters.emb"),
    ("a prompt among the settings", ["generate", "a mug", "--set", "prompt={}"], "as the PROMPT"),
    ("a preset among the settings", ["generate", "a mug", "--set", "preset=ultra"], "as --preset"),
    ("a preset that is a group", ["generate", "a mug", "--set", "preset={}"], "as --preset"),
    ("a number above all", ["generate", "a mug", "--set", f"optimize.learning_rate=1{'0' * 400}"], "a finite number"),
    ("a number above all of two kinds", ["generate", "a mug", "--set", f"mesh.iso=1{'0' * 400}"], "a finite number"),
    ("brackets without end", ["generate", "a mug", "--set", f"optimize.steps={'[' * 100_000}"], "a whole number"),
    ("a long output", ["generate", "a mug", "--output", f"out/{'x' * 300}"], "File name too long"),
    ("a text for a model", ["generate", "a mug", "--model", "pasted text " * 33], "File name too long"),
    ("a text for a cache", ["models", "--cache", "pasted text " * 33], "File name too long"),
    ("a cache of an unknown user", ["models", "--cache", "~no-such-user/x"], "no user 'no-such-user'"),
    ("an id too long for a hub", ["download", "owner/" + "x" * 300], "is not the id"),
    ("an output inside a file", ["generate", "a mug", "--output", str(Path(__file__) / "x")], "output folder"),
]


@pytest.mark.parametrize(("words", "told"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_is_refused_on_one_screen_and_leaves_nothing(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    whole = words[0] != "generate" or len(words) < 2 or "--model" in words
    assert ask(*words, *([] if whole else ["--model", str(model)])) == 2
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0].startswith("error: ") and len(lines) <= 24 and "Traceback" not in said.err
    assert any(line.startswith("  why: ") for line in lines) and any(line.startswith("  fix: ") for line in lines)
    assert told in " ".join(said.err.split())
    assert files_in(place) == set()


@pytest.mark.parametrize("begun", [False, True], ids=["before training", "in training"])
def test_only_a_run_that_left_a_checkpoint_is_advised_to_resume(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], begun: bool
) -> None:
    def stopped(config: Any, output: Path, **rest: Any) -> Any:
        (output / "checkpoint").mkdir(parents=True)
        if begun:
            (output / "checkpoint" / "checkpoint.json").write_text("{}")
        raise Cancelled("run.cancelled", what="Stopped.", why="You asked for it.", fix="Go on.")

    words = ["generate", "a mug", "--model", str(model), "--output", str(tmp_path / "o")]
    assert cli.main(words, generate=stopped) == 130
    said = capsys.readouterr().err
    assert ("--resume" in said) == ("where it stopped" in said) == begun
    assert shlex.join(words) in said


def test_bad_input_is_json_when_json_is_asked(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("generate", "a mug", "--model", str(model), "--preset", "x", "--json") == 2
    failed = json.loads(capsys.readouterr().out)
    assert failed["type"] == "failed" and failed["code"] == "input.preset" and set(failed) >= {"what", "why", "fix"}


def test_bad_input_is_refused_before_torch_is_loaded(tmp_path: Path, model: Path) -> None:
    code = (
        "import sys; from dreamfusion_engine.cli import main\n"
        f"code = main(['generate', 'a purple mug', '--model', {str(model)!r}])\n"
        "print(code, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert run.stdout.strip() == "2 False False" and "'purple'" in run.stderr


def test_a_prompt_that_is_not_utf8_is_refused(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("generate", "a \udcff mug", "--model", str(model), "--output", str(tmp_path / "o")) == 2
    assert "not UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_an_unwritable_output_is_refused(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dreamfusion_engine.request.output.tempfile.TemporaryFile", refuse)
    assert ask("generate", "a mug", "--model", str(model), "--output", str(tmp_path / "o" / "p")) == 2
    assert "Permission denied" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "o").exists()


def test_a_nearly_full_disk_is_refused(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("dreamfusion_engine.machine.disk.shutil.disk_usage", lambda _: real._replace(free=5 << 20))
    assert ask("generate", "a mug", "--model", str(model), "--output", str(tmp_path / "o")) == 2
    assert "5 MiB left" in capsys.readouterr().err


def test_the_result_of_another_prompt_is_not_replaced(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--model", str(model), "--output", str(tmp_path / "o"), "--steps", "3")
    assert ask("generate", "a mug", *words) == 0
    before = (tmp_path / "o" / "mesh.glb").read_bytes()
    assert ask("generate", "a hamburger", *words) == 2
    assert "taken" in capsys.readouterr().err
    assert (tmp_path / "o" / "mesh.glb").read_bytes() == before
    assert ask("generate", "a mug", *words) == 0, "the same prompt and seed may be made again"


@pytest.mark.parametrize(
    ("word", "code", "told"),
    [("empty", 3, "vanished"), ("memory", 3, "memory ran out"), ("full", 2, "disk is full"), ("crash", 3, "bug")],
)
def test_a_failed_run_says_why(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], word: str, code: int, told: str
) -> None:
    words = ("--model", str(model), "--output", str(tmp_path / "o"))
    assert ask("generate", f"a {word} mug", *words) == code
    said = capsys.readouterr()
    assert told in said.err and "Traceback" not in said.err and "why:" in said.err and "fix:" in said.err


def test_a_bug_leaves_its_traceback_in_a_log(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "o").mkdir()
    assert ask("generate", "a crash mug", "--model", str(model), "--output", str(tmp_path / "o")) == 3
    logs = list((tmp_path / "o").glob("error-*.log"))
    assert len(logs) == 1 and "division by a carrot" in logs[0].read_text() and "Traceback" in logs[0].read_text()
    assert logs[0].name in capsys.readouterr().err


def test_a_run_that_wrote_nothing_leaves_no_folder(tmp_path: Path, model: Path) -> None:
    from dreamfusion_engine.errors import RunError

    def fail(config: Any, output: Path, **_: Any) -> Any:
        output.mkdir(parents=True)
        raise RunError("run.empty", what="a", why="b", fix="c")

    words = ["generate", "a mug", "--model", str(model), "--output", str(tmp_path / "x" / "y")]
    assert cli.main(words, generate=fail) == 3
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a hamburger", "a-hamburger-0"),
        ("  A red MUG!! with/../a handle", "a-red-mug-with-a-handle-0"),
        ("赤い マグ", "赤い-マグ-0"),
        ("???", "object-0"),
        ("../../etc/passwd", "etc-passwd-0"),
        ("con", "con-0"),
        ("x" * 300, "x" * 60 + "-0"),
    ],
)
def test_the_default_folder_is_a_safe_name(prompt: str, name: str) -> None:
    assert folder_name(prompt, 0) == name


def test_help_and_version_answer(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["generate", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        assert caught.value.code == 0
    assert "--negative" in capsys.readouterr().out
    assert cli.main([]) == 2
