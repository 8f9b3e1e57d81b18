"""Small files that say nonsense are refused with the folder, before anything is loaded, in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reference.tiny_families import KINDS, Case

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.guidance.model_sizes import read_sizes
from dreamfusion_engine.guidance.pipeline_folder import open_pipeline


@pytest.fixture
def folder(cases: Callable[[str], Case], tmp_path: Path) -> Path:
    """A copy of a tiny Stable Diffusion, to be changed."""
    shutil.copytree(cases("sd").folder, tmp_path / "model")
    return tmp_path / "model"


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def refusal(folder: Path) -> SetupError:
    with pytest.raises(SetupError) as caught:
        open_pipeline(folder)
    assert caught.value.exit_code == 2 and caught.value.fix
    return caught.value


@pytest.mark.parametrize("size", [0, -8, 1, 100_000, "8", [8, 12], True, 8.0])
def test_a_resolution_that_no_model_has_is_refused(size: Any, folder: Path) -> None:
    change(folder / "unet" / "config.json", sample_size=size)
    error = refusal(folder)
    assert error.code == "model.unsupported" and "resolution" in error.what and "unet/config.json" in error.why


@pytest.mark.parametrize("blocks", [[], None, [0], ["16"], 16])
def test_an_autoencoder_of_no_blocks_is_damaged(blocks: Any, folder: Path) -> None:
    change(folder / "vae" / "config.json", block_out_channels=blocks)
    error = refusal(folder)
    assert error.code == "model.damaged" and "vae/config.json" in error.why


@pytest.mark.parametrize("steps", [0, 1, -1000, "1000", None])
def test_a_noise_schedule_of_no_steps_is_damaged(steps: Any, folder: Path) -> None:
    change(folder / "scheduler" / "scheduler_config.json", num_train_timesteps=steps)
    assert refusal(folder).code == "model.damaged"


def test_a_tokenizer_without_a_vocabulary_and_a_missing_scheduler_are_named(folder: Path) -> None:
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.rename(folder / "elsewhere.json")
    error = refusal(folder)
    assert error.code == "model.incomplete" and "scheduler_config.json is missing" in error.why
    (folder / "elsewhere.json").rename(scheduler)
    (folder / "tokenizer" / "tokenizer.json").unlink()
    error = refusal(folder)
    assert error.code == "model.incomplete" and "tokenizer holds no vocabulary" in error.why


@pytest.mark.parametrize(
    "values",
    [{"block_out_channels": []}, {"block_out_channels": "wide"}, {"down_block_types": None}, {"layers_per_block": []}],
)
def test_a_denoisers_config_from_which_no_size_follows_is_damaged(values: dict[str, Any], folder: Path) -> None:
    change(folder / "unet" / "config.json", **values)
    with pytest.raises(SetupError) as caught:
        read_sizes(folder)
    assert caught.value.code == "model.damaged"


@pytest.mark.parametrize("kind", KINDS)
def test_every_familys_own_files_make_sense(kind: str, cases: Callable[[str], Case]) -> None:
    assert open_pipeline(cases(kind).folder).components
