"""`generate --image FILE@VIEW`: what is asked of the engine, and what is refused before it begins.

Of: dreamfusion_engine/request/generate.py, dreamfusion_engine/cli, dreamfusion_engine/tasks/generate.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures.painting import bytes_of, disc
from reference.tiny_image_dream import write_image_dream
from reference.tiny_zero123 import write_zero123

from dreamfusion_engine import cli
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Result
from dreamfusion_engine.mesh.gltf.read import read_gltf
from dreamfusion_engine.run.pictures import keep_pictures

MASK = disc(96, 96)
ROUND = bytes_of(np.concatenate([np.full((96, 96, 3), (0.8, 0.1, 0.1), np.float32), MASK[..., None]], -1))
FLAT = bytes_of(np.full((96, 96, 3), 0.5, np.float32))
NOTHING = bytes_of(np.zeros((96, 96, 4), np.float32))


class Spy:
    """Takes the place of generate.generate."""

    def __init__(self) -> None:
        self.config: GenerateConfig | None = None
        self.more: dict[str, Any] = {}

    def __call__(self, config: GenerateConfig, output: Path, **more: Any) -> Result:
        self.config, self.more = config, more
        return Result(folder=str(output), files={})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pictures, where the command is given."""
    for name, data in (("round", ROUND), ("flat", FLAT), ("nothing", NOTHING), ("mask", bytes_of(MASK))):
        (tmp_path / f"{name}.png").write_bytes(data)
    (tmp_path / "cut.png").write_bytes(ROUND[:150])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(*words: str) -> tuple[int, Spy]:
    """The exit code, and what generate was asked."""
    spy = Spy()
    return cli.main(["generate", *words, "--output", "out"], generate=spy), spy


def test_pictures_reach_the_engine_cut_out_with_their_views(here: Path) -> None:
    words = ("--image", "round.png@left", "--image", "flat.png@10,20", "--mask", "mask.png", "--image", "round.png")
    code, spy = asked("a mug", *words, "--set", "reference.mask=5")
    assert code == 0 and spy.config is not None
    assert [each.viewpoint.text for each in spy.more["pictures"]] == ["left", "10, 20 degrees", "front"]
    assert [each.by for each in spy.more["pictures"]] == ["alpha", "mask", "alpha"]
    assert spy.config.reference.mask == 5.0


def test_without_a_picture_there_is_none(here: Path) -> None:
    code, spy = asked("a mug")
    assert code == 0 and spy.more["pictures"] == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a mug", "--image", "round.png@frnt"), "'frnt'"),
        (("a mug", "--image", "round.png@0,100"), "[-90, 90]"),
        (("a mug", "--image", "round.png", "--image", "round.png@front"), "one view"),
        (("a mug", "--image", "round.png@0,2", "--image", "round.png@358,0"), "one view"),
        (("a mug", "--image", "missing.png"), "missing.png"),
        (("a mug", "--image", "cut.png"), "broken"),
        (("a mug", "--image", "nothing.png"), "transparent"),
        (("a mug", "--image", "flat.png"), "--mask"),
        (("a mug", "--image", "round.png", "--mask", "flat.png"), "mask shows no object"),
        (("a mug", "--mask", "mask.png"), "A mask has no picture"),
        (("a mug", "--mask", "mask.png", "--image", "round.png"), "A mask has no picture"),
        (("a mug", "--image", "round.png", "--mask", "mask.png", "--mask", "mask.png"), "A mask has no picture"),
        (("--image", "round.png"), "in words"),
        (("  ", "--image", "round.png"), "in words"),
        (("a mug", "--image", ""), "--image: nothing was given"),
        (("a mug", "--image", "round.png", "--mask", ""), "--mask: nothing was given"),
        (("a mug", "--set", "reference.mask=5"), "--image"),
        (("a mug", "--image", "round.png", "--set", "reference.mask=-5"), "reference.mask"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    words: tuple[str, ...], said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, spy = asked(*words)
    assert code == 2 and spy.config is None
    assert said in capsys.readouterr().err
    assert not (here / "out").exists()


def test_a_prompt_is_still_needed_without_pictures(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked()[0] == 2
    assert "PROMPT" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_run_shows_its_pictures_measures_them_and_can_be_resumed_without_them(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = ["--preset", "draft", "--steps", "30", "--set", "mesh.resolution=48", "--set", "mesh.texture=128"]
    words = ["generate", "a red mug", "--output", "out", "--json", *settings, "--set", "reference.resolution=24"]
    assert cli.main([*words, "--image", "round.png@front"]) == 0
    shown = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    begin = [each["type"] for each in shown].index("progress")
    assert [each["name"] for each in shown[:begin] if each["type"] == "preview"] == ["input-0"]
    report = json.loads((here / "out" / "result.json").read_text())
    assert report["pictures"][0]["view"] == "front" and report["pictures"][0]["psnr"] > 5.0
    first = (here / "out" / "mesh.glb").read_bytes()
    assert len(read_gltf(first).primitives[0].vertices) > 100
    assert cli.main([*words, "--resume"]) == 0
    assert (here / "out" / "mesh.glb").read_bytes() == first
    assert cli.main([*words, "--resume", "--set", "reference.texture=0"]) == 0
    without = json.loads((here / "out" / "result.json").read_text())["pictures"][0]
    assert without["psnr"] < report["pictures"][0]["psnr"] and without["mask_iou"] == report["pictures"][0]["mask_iou"]
    assert cli.main([*words, "--resume", "--image", "round.png@back"]) == 2
    assert "other pictures" in "".join(capfd.readouterr())  # standard output was given away before


def test_a_model_that_is_told_a_picture_needs_no_prompt_and_says_what_else_it_needs(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_zero123(here / "told")
    model = ("--model", "told", "--set", "reference.pose=stable-zero123")
    code, spy = asked("--image", "round.png@left", *model)
    assert code == 0 and spy.config is not None and spy.config.prompt == ""
    assert spy.config.recipe == "stable-zero123" and spy.more["pictures"][0].viewpoint.text == "left"
    for words, what in (
        (("a car", *model), "needs a picture"),
        (("--image", "round.png", "--image", "round.png@left", *model), "takes one picture"),
        (("--image", "round.png", "--model", "told"), "not known which poses"),
        (("--image", "flat.png", *model), "No object was found"),
        (("--image", "round.png"), "without a prompt"),
    ):
        code, spy = asked(*words)
        said = capsys.readouterr().err
        assert code == 2 and what in said and "fix:" in said and spy.config is None
    assert not (here / "out").exists()


def test_without_a_prompt_another_picture_does_not_replace_a_result(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both have the name of the first one's file, as the folder has, and the same empty prompt."""
    write_zero123(here / "told")
    model = ("--image", "round.png", "--model", "told", "--set", "reference.pose=stable-zero123")
    code, spy = asked(*model)
    assert code == 0
    (here / "out").mkdir()
    (here / "out" / "result.json").write_text(json.dumps({"prompt": "", "seed": 0}))
    keep_pictures(spy.more["pictures"], here / "out")
    assert asked(*model)[0] == 0, "the same again"
    (here / "round.png").write_bytes(bytes_of(np.concatenate([np.zeros((96, 96, 3), np.float32), MASK[..., None]], -1)))
    code, spy = asked(*model)
    assert code == 2 and spy.config is None and "from another picture" in capsys.readouterr().err


@pytest.mark.slow
def test_a_model_that_is_told_a_picture_and_words_leads_from_them_to_a_mesh(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the command, with a prompt and without; two groups of four views a step, one after another."""
    from dreamfusion_engine.tasks import generate as engine

    for name in ("write_turntable", "write_views"):  # seconds of each run, whatever the model
        monkeypatch.setattr(engine, name, lambda mesh, path, *more: path.touch())
    write_image_dream(here / "told")
    small = {"optimize.steps": 3, "optimize.views": 8, "optimize.resolution": [16, 16], "field.levels": 2}
    small |= {"mesh.resolution": 24, "mesh.texture": 64, "mesh.triangles": 200, "reference.resolution": 16}
    small |= {"memory.views_at_once": 4}
    words = ["--model", "told", "--device", "cpu", "--preset", "draft", "--json", "--image", "round.png@left"]
    words += [word for name, value in small.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    for prompt, output in ((["a red mug"], "with"), ([], "without")):
        assert cli.main(["generate", *prompt, *words, "--output", output]) == 0, capfd.readouterr()
        report = json.loads((here / output / "result.json").read_text())
        assert report["steps"] == 3 and report["prompt"] == "".join(prompt)
        assert report["config"]["recipe"] == "ImageDreamPipeline" and report["pictures"][0]["azimuth_deg"] == 270.0
        assert len(read_gltf((here / output / "mesh.glb").read_bytes()).primitives[0].vertices) > 10
    assert cli.main(["generate", *words, "--output", "without", "--resume"]) == 0
