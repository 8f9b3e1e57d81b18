"""A whole run, from prompt to GLB, with a folder of every family and with a single file, at tiny size.

What comes out is no object worth looking at; that it comes out is tested here. Bit-for-bit repetition and resuming:
test_real_run.py.

Of: dreamfusion_engine/models/families, dreamfusion_engine/tasks/generate.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures.painting import bytes_of, disc
from reference.stable_diffusion_2 import write_stable_diffusion_2
from reference.tiny_adapters import factors_for, kohya, write
from reference.tiny_families import LATENT, VARIANTS
from reference.tiny_multi_view_pixel import write_multi_view_pixel
from reference.tiny_mvdream import write_mvdream_file
from reference.tiny_zero123 import write_zero123
from reference.wire_client import PATIENCE

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.recipes import MULTI_VIEW_RECIPE
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.cache_folder import FOLDER_VARIABLE
from dreamfusion_engine.models.families import flux
from dreamfusion_engine.pictures.given import GivenPicture
from dreamfusion_engine.pictures.viewpoint import Viewpoint
from dreamfusion_engine.request.generate import checked_request

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SETTINGS: dict[str, Any] = {
    "optimize": {"steps": 4, "views": 1, "resolution": [16, 16]},
    "field": {"levels": 2},
    "mesh": {"resolution": 24, "texture": 64, "triangles": 200},
}
# IF is in test_real_run.py; Stable Diffusion below as a file, in guidance/test_economy_families.py as a folder.
FAMILIES = ["sdxl", "pixart", "sd3", "flux-dev"]


def whole(folder: Path) -> dict[str, Any]:
    """result.json of a run that left everything it promises."""
    assert (folder / "mesh.glb").read_bytes()[:4] == b"glTF"
    report: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return report


@pytest.mark.parametrize("variant", FAMILIES)
def test_every_familys_folder_leads_from_a_prompt_to_a_mesh(
    variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dreamfusion_engine.tasks import generate as engine

    monkeypatch.setattr(flux, "LATENT_SIZE", LATENT)
    for name in ("write_turntable", "write_views"):  # seconds of each run, whatever the model
        monkeypatch.setattr(engine, name, lambda mesh, path, *more: path.touch())
    VARIANTS[variant]().save_pretrained(tmp_path / "model")
    config = preset("draft", "a red mug", {**SETTINGS, "model": str(tmp_path / "model"), "device": "cpu"})
    engine.generate(config, tmp_path / "out")
    assert whole(tmp_path / "out")["steps"] == 4


def test_a_model_that_is_told_a_picture_leads_from_it_to_a_mesh_without_a_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dreamfusion_engine.tasks import generate as engine

    for name in ("write_turntable", "write_views"):
        monkeypatch.setattr(engine, name, lambda mesh, path, *more: path.touch())
    write_zero123(tmp_path / "model")
    given = {**SETTINGS, "model": str(tmp_path / "model"), "device": "cpu", "reference": {"pose": "zero123"}}
    colour = np.full((96, 96, 3), (0.8, 0.1, 0.1), np.float32)
    data = bytes_of(np.concatenate([colour, disc(96, 96)[..., None]], -1))
    asked = checked_request(
        "",
        preset_name="draft",
        settings=given,
        output=tmp_path / "out",
        pictures=[GivenPicture(data=data, viewpoint=Viewpoint(270.0, 10.0), name="car.png")],
    )
    engine.generate(asked.config, asked.output, pictures=asked.pictures)
    report = whole(asked.output)
    assert report["steps"] == 4 and report["prompt"] == "" and report["judge"] is None
    assert report["pictures"][0]["azimuth_deg"] == 270.0
    assert b'"Object"' in (asked.output / "mesh.glb").read_bytes()
    again = checked_request("", preset_name="draft", settings=given, output=asked.output, resume=True)
    engine.generate(again.config, again.output, resume=True)
    with pytest.raises(InputError, match="needs a picture"):  # as a script may ask for it
        engine.generate(asked.config, tmp_path / "other")


def test_a_multi_view_model_leads_from_a_prompt_to_a_mesh_as_folder_and_as_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two groups of four views a step, one after another; the recipe's own words for what is not wanted."""
    from dreamfusion_engine.tasks import generate as engine

    for name in ("write_turntable", "write_views"):
        monkeypatch.setattr(engine, name, lambda mesh, path, *more: path.touch())
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    file, base = tmp_path / "my peacock.safetensors", tmp_path / "base"
    write_mvdream_file(file, base)
    optimize = {**SETTINGS["optimize"], "views": 8}
    settings = {**SETTINGS, "optimize": optimize, "memory": {"views_at_once": 4}, "device": "cpu", "negative": ""}
    reports = []
    for model, more in ((base, {}), (file, {"base": str(base)})):
        given = {**settings, "model": str(model), **more}
        request = checked_request("a red mug", preset_name="draft", settings=given, output=tmp_path / model.stem)
        engine.generate(request.config, request.output)
        reports.append(whole(request.output))
        assert reports[-1]["steps"] == 4 and reports[-1]["config"]["recipe"] == "MVDreamPipeline"
        assert reports[-1]["config"]["negative"] and reports[-1]["config"]["camera"]["group"] == 4
        engine.generate(request.config, request.output, resume=True)
    with pytest.raises(InputError, match="(?s).*multiple of 4") as caught:
        given = {**settings, "model": str(base), "optimize": {"views": 6}}
        checked_request("a red mug", preset_name="draft", settings=given, output=tmp_path / "refused")
    assert caught.value.code == "input.setting" and not (tmp_path / "refused").exists()


def test_a_multi_view_pixel_model_leads_from_a_prompt_to_a_mesh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dreamfusion_engine.tasks import generate as engine

    for name in ("write_turntable", "write_views"):
        monkeypatch.setattr(engine, name, lambda mesh, path, *more: path.touch())
    write_multi_view_pixel(tmp_path / "model")
    optimize = {**SETTINGS["optimize"], "views": 4}
    given = {**SETTINGS, "optimize": optimize, "model": str(tmp_path / "model"), "device": "cpu"}
    request = checked_request("a red mug", preset_name="draft", settings=given, output=tmp_path / "out")
    engine.generate(request.config, request.output)
    report = whole(tmp_path / "out")
    assert report["steps"] == 4 and report["config"]["recipe"] == MULTI_VIEW_RECIPE
    assert report["config"]["camera"]["group"] == 4


def test_a_run_with_adapters_keeps_them_in_its_result_and_resumes_with_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dreamfusion_engine.tasks import generate as engine

    for name in ("write_turntable", "write_views"):
        monkeypatch.setattr(engine, name, lambda mesh, path, *more: path.touch())
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    pipeline = VARIANTS["sd"]()
    pipeline.save_pretrained(tmp_path / "model")
    lora, word = tmp_path / "clay.safetensors", tmp_path / "<jug>.safetensors"
    write(lora, kohya(factors_for(pipeline.unet, "unet", ("to_q", "to_v"))))
    write(word, {"emb_params": torch.ones(2, 32)})

    def configured(weight: float) -> GenerateConfig:
        adapters = {"lora": [[str(lora), weight]], "embeddings": [str(word)]}  # as the protocol's settings say it
        settings = {**SETTINGS, "model": str(tmp_path / "model"), "device": "cpu", "adapters": adapters}
        return checked_request("a red <jug>", preset_name="draft", settings=settings, output=tmp_path / "o").config

    engine.generate(configured(0.5), tmp_path / "out")
    report = whole(tmp_path / "out")
    kept = report["config"]["adapters"]
    assert kept == {"lora": [[str(lora), 0.5]], "embeddings": [str(word)]} and report["weights"]
    assert len(list((tmp_path / "cache" / "embeddings").iterdir())) == 1
    with pytest.raises(InputError) as caught:
        engine.generate(configured(0.25), tmp_path / "out", resume=True)
    assert caught.value.code == "checkpoint.other_run" and "adapters" in str(caught.value)
    write(lora, kohya(factors_for(pipeline.unet, "unet", ("to_q", "to_v"), seed=9)))
    with pytest.raises(InputError) as caught:
        engine.generate(configured(0.5), tmp_path / "out", resume=True)
    assert caught.value.code == "checkpoint.other_run" and "another diffusion model" in caught.value.what
    assert len(list((tmp_path / "cache" / "embeddings").iterdir())) == 3, "other content, other embeddings"


def test_the_real_command_goes_from_a_single_file_to_a_mesh(tmp_path: Path) -> None:
    """A file of Stable Diffusion 2 that does not say what it predicts, completed by a base that does, without a hub."""
    file = tmp_path / "my peacock.safetensors"
    write_stable_diffusion_2(file, tmp_path / "base")
    for weights in (tmp_path / "base").rglob("*.safetensors"):  # its configs and vocabularies are enough
        weights.unlink()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_CACHE": str(tmp_path / "cache")}

    def run(*more: str) -> tuple[int, list[dict[str, object]]]:
        words = [sys.executable, "-m", "dreamfusion_engine", "generate", "a red mug", "--model", str(file), "--json"]
        words += ["--output", str(tmp_path / "out"), "--device", "cpu", *more]
        for stage, values in SETTINGS.items():
            words += [word for key, value in values.items() for word in ("--set", f"{stage}.{key}={json.dumps(value)}")]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=10 * PATIENCE)
        assert "Traceback" not in done.stderr and "Loading" not in done.stderr, done.stderr
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    code, said = run()
    assert code == 2 and said[-1]["code"] == "model.prediction" and not (tmp_path / "out").exists()
    code, said = run("--base", str(tmp_path / "base"))
    assert code == 0 and said[-1]["type"] == "result", said[-1]
    assert "model.converting" in [message.get("code") for message in said]
    assert whole(tmp_path / "out")["steps"] == 4
    assert {"turntable.mp4", "views.png"} <= {path.name for path in (tmp_path / "out").iterdir()}
    scheduler = next((tmp_path / "cache" / "dreamfusion-files").rglob("scheduler_config.json"))
    assert json.loads(scheduler.read_text())["prediction_type"] == "v_prediction"
