"""Small files that say nonsense are refused with the folder, before anything is loaded, in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reference.tiny_families import VARIANTS, Case

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.models.sizes import read_sizes


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


@pytest.mark.parametrize("steps", [0, 1, -1000, "1000", None, 10**9, 1000.0])
def test_a_noise_schedule_of_no_steps_is_damaged(steps: Any, folder: Path) -> None:
    change(folder / "scheduler" / "scheduler_config.json", num_train_timesteps=steps)
    assert refusal(folder).code == "model.damaged"


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("text_encoder", {"num_hidden_layers": 10**7}),
        ("text_encoder", {"text_config": {"num_hidden_layers": 10**7}}),
        ("text_encoder", {"max_position_embeddings": 10**12}),
        ("unet", {"layers_per_block": 10**9}),
        ("unet", {"transformer_layers_per_block": [1, [1, 10**7]]}),
        ("unet", {"block_out_channels": [16] * 1001}),
        ("vae", {"layers_per_block": 10**7}),
    ],
)
def test_a_network_that_could_not_be_built_is_damaged(part: str, values: dict[str, Any], folder: Path) -> None:
    """Some hung for minutes while they were loaded."""
    change(folder / part / "config.json", **values)
    error = refusal(folder)
    assert error.code == "model.damaged" and f"{part}/config.json" in error.why


@pytest.mark.parametrize(
    "values",
    [
        {"attn_implementation": "evil/kernel"},
        {"_attn_implementation": "evil/kernel:fn"},
        {"text_config": {"attn_implementation": {"": "evil/kernel"}}},
        {"experts_implementation": "evil/kernel"},
        {"auto_map": {"AutoModel": "evil--code.Model"}},
        {"quantization_config": {"quant_method": "mxfp4"}},
        {"transformers_weights": "other.safetensors"},
    ],
)
def test_a_config_that_names_code_is_refused(values: dict[str, Any], folder: Path) -> None:
    """transformers fetches a kernel from the hub for the first."""
    change(folder / "text_encoder" / "config.json", **values)
    error = refusal(folder)
    assert error.code == "model.unsupported" and "code" in error.what and "text_encoder/config.json" in error.why


def test_what_transformers_writes_of_its_own_attention_is_harmless(folder: Path) -> None:
    harmless = {"attn_implementation": "sdpa", "_attn_implementation_autoset": True, "quantization_config": None}
    change(folder / "text_encoder" / "config.json", **harmless)
    assert open_pipeline(folder).components


def test_an_adapter_beside_a_text_encoder_does_not_bring_another_model(folder: Path) -> None:
    (folder / "text_encoder" / "adapter_config.json").write_text('{"base_model_name_or_path": "evil/model"}')
    assert refusal(folder).code == "model.unsupported"


@pytest.mark.parametrize("values", [{"beta_start": float("nan")}, {"trained_betas": [0.1] * 10_001}])
def test_a_schedule_of_no_numbers_is_damaged(values: dict[str, Any], folder: Path) -> None:
    path = folder / "scheduler" / "scheduler_config.json"
    change(path, lambda_min_clipped=float("-inf"))  # as diffusers itself writes it
    assert open_pipeline(folder).components
    change(path, **values)
    assert refusal(folder).code == "model.damaged"


def test_a_tokenizers_class_is_a_name_and_its_limit_may_be_none(folder: Path) -> None:
    path = folder / "tokenizer" / "tokenizer_config.json"
    change(path, model_max_length=int(1e30))
    assert open_pipeline(folder).components
    change(path, tokenizer_class="../../Evil")
    error = refusal(folder)
    assert error.code == "model.damaged" and "../../Evil" in error.why
    change(path, tokenizer_class="CLIPTokenizer", auto_map={"AutoTokenizer": ["evil.Tokenizer", None]})
    assert refusal(folder).code == "model.unsupported"


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


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_familys_own_files_make_sense(variant: str, cases: Callable[[str], Case]) -> None:
    assert open_pipeline(cases(variant).folder).components
