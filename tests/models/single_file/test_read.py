"""Single files are told by their headers, converted to the very same weights, or refused by what they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from models.single_file.headers import WHOLE, file_with, refusal
from reference.ldm_checkpoint import clip_state, hidden_open_clip_state, open_clip_state, unet_state, vae_state
from reference.tiny_pipeline import WORDS, tiny_tokenizer
from safetensors.torch import save_file

from dreamfusion_engine.hub.download import CONFIGS
from dreamfusion_engine.models.catalogue import catalogue
from dreamfusion_engine.models.pipeline_folder import locate_model, model_facts, open_pipeline
from dreamfusion_engine.models.single_file.convert import ready_model
from dreamfusion_engine.models.single_file.read import read_single_file

COMMIT = "b" * 40


def clip(cls: Any, width: int, layers: int, seed: int) -> Any:
    from transformers import CLIPTextConfig

    torch.manual_seed(seed)
    config = CLIPTextConfig(
        vocab_size=len(WORDS) + 3,
        hidden_size=width,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        projection_dim=width,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )
    return cls(config).eval()


def parts(architecture: str) -> dict[str, Any]:
    """The parts of a tiny pipeline with the block structure, and the widths that tell the architecture."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(1)
    xl, second = architecture == "sdxl", architecture == "sd2"
    width = 1024 if second else 768  # by which files of Stable Diffusion 1 and 2 are told apart
    cross = "CrossAttnDownBlock2D"
    down = ("DownBlock2D", cross, cross) if xl else (cross, cross, cross, "DownBlock2D")
    up = tuple(kind.replace("Down", "Up") for kind in reversed(down))
    extra: dict[str, Any] = {"use_linear_projection": second}
    if xl:
        extra = {
            "transformer_layers_per_block": (1, 2, 2),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + 24,
            "use_linear_projection": True,
        }
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32, 32) if xl else (16, 16, 32, 32),
        down_block_types=down,
        up_block_types=up,
        cross_attention_dim=16 + 24 if xl else width,
        attention_head_dim=8,
        norm_num_groups=8,
        **extra,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=8,
    )
    made: dict[str, Any] = {"unet": unet, "vae": vae}
    made["text_encoder"] = clip(CLIPTextModel, 16 if xl else width, 2, 2)
    if xl:
        made["text_encoder_2"] = clip(CLIPTextModelWithProjection, 24, 2, 3)
    return made


@pytest.fixture(scope="module", params=["sd1", "sd2", "sdxl"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    """An architecture, the parts of a model of it, and a cache that holds its configs."""
    from diffusers import DDIMScheduler, EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline

    architecture = str(request.param)
    cache = tmp_path_factory.mktemp(architecture)
    modules = parts(architecture)
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    pipeline: Any
    if architecture in ("sd1", "sd2"):
        pipeline = StableDiffusionPipeline(
            **modules,
            tokenizer=tiny_tokenizer(77),
            scheduler=DDIMScheduler(**schedule, steps_offset=1, clip_sample=False),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    else:
        pipeline = StableDiffusionXLPipeline(
            **modules,
            tokenizer=tiny_tokenizer(77),
            tokenizer_2=tiny_tokenizer(77),
            scheduler=EulerDiscreteScheduler(**schedule),
            add_watermarker=False,
        )
    snapshot = configs_of(architecture, cache)
    repository = snapshot.parents[1]
    pipeline.save_pretrained(snapshot)
    for weights in snapshot.rglob("*.safetensors"):
        weights.unlink()
    (repository / "refs").mkdir()
    (repository / "refs" / CONFIGS).write_text(COMMIT)
    return architecture, modules, cache


def configs_of(architecture: str, cache: Path) -> Path:
    """Where `made` has put the configs of an architecture."""
    base = next(model for model in catalogue() if model.architecture == architecture)
    return cache / f"models--{base.id.replace('/', '--')}" / "snapshots" / COMMIT


def state_of(architecture: str, modules: dict[str, Any]) -> dict[str, torch.Tensor]:
    state = {**unet_state(modules["unet"]), **vae_state(modules["vae"])}
    if architecture == "sd1":
        state |= clip_state(modules["text_encoder"])
    elif architecture == "sd2":
        state |= hidden_open_clip_state(modules["text_encoder"])
    else:
        state |= clip_state(modules["text_encoder"], "conditioner.embedders.0.transformer.")
        state |= open_clip_state(modules["text_encoder_2"])
    return {name: value.half().contiguous().clone() for name, value in state.items()}


def save(architecture: str, state: dict[str, torch.Tensor], path: Path) -> Path:
    """A single file; one of Stable Diffusion 2 that says, as ModelSpec does, that it predicts noise."""
    says = {"modelspec.architecture": "stable-diffusion-v2-512"} if architecture == "sd2" else None
    save_file(state, path, metadata=says)
    return path


@pytest.mark.slow
def test_a_file_becomes_a_folder_with_the_very_same_weights(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, modules, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    path = save(architecture, state_of(architecture, modules), tmp_path / "my model.safetensors")
    found = read_single_file(path)
    assert (found.architecture, found.converted, found.borrowed) == (architecture, False, ())
    assert found.prediction == ("epsilon" if architecture == "sd2" else None)
    assert not model_facts(str(path)).card.closed_vocabulary
    assert refusal(lambda: locate_model(str(path))).code == "model.not_converted"
    notes: list[Any] = []
    folder = ready_model(str(path), report=notes.append)
    assert [note.code for note in notes] == ["model.converting"]
    pipeline = open_pipeline(folder)
    for part, module in modules.items():
        assert pipeline.weights[part].dtype == "F16"
        back = type(module).from_pretrained(folder / part, local_files_only=True).state_dict()
        want = module.state_dict()
        assert set(back) == set(want)
        for name, value in want.items():
            assert torch.equal(back[name].half(), value.half()), name
    assert ready_model(str(path), report=notes.append) == folder == locate_model(str(path)) and len(notes) == 1
    assert not list(folder.parent.glob("new-*")), "nothing half made is left"
    scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler.get("prediction_type", "epsilon") == "epsilon"


@pytest.mark.slow
def test_a_fine_tune_on_v_says_so_in_its_folder(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, modules, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    path = tmp_path / "v.safetensors"
    save_file({**state_of(architecture, modules), "v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}, path)
    base = configs_of(architecture, cache)  # named, because the catalogue's for v of Stable Diffusion 2 is another
    folder = ready_model(str(path), str(base))
    scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler["prediction_type"] == "v_prediction" and scheduler["rescale_betas_zero_snr"] is True


def test_a_weight_that_is_missing_is_named_and_nothing_stays(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, modules, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    state = state_of(architecture, modules)
    del state["model.diffusion_model.middle_block.1.proj_in.weight"]
    save(architecture, state, tmp_path / "holed.safetensors")
    before = set(cache.rglob("model_index.json"))
    assert refusal(lambda: ready_model(str(tmp_path / "holed.safetensors"))).code == "model.damaged"
    assert set(cache.rglob("model_index.json")) == before


def test_too_little_room_is_told_before_the_conversion(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, modules, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    save(architecture, state_of(architecture, modules), tmp_path / "m.safetensors")
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr("dreamfusion_engine.machine.disk.shutil.disk_usage", lambda _: usage)
    assert refusal(lambda: ready_model(str(tmp_path / "m.safetensors"))).code == "input.disk_full"


def test_a_stray_tensor_of_a_lora_leaves_a_whole_model_a_model(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, modules, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    state = state_of(architecture, modules) | {"lora_unet_down_blocks_0.lora_up.weight": torch.zeros(4, 4)}
    path = save(architecture, state, tmp_path / "stray.safetensors")
    assert read_single_file(path).architecture == architecture
    assert open_pipeline(ready_model(str(path))).weights["unet"].parameters > 0


def test_a_part_of_which_too_little_is_there_is_damage_and_no_bug(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """diffusers finds no part of its own in what is left of the text encoder, and says so by an error of its own."""
    architecture, modules, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    begins = ("cond_stage_model.", "conditioner.embedders.0.")
    state = state_of(architecture, modules)
    last = [name for name in state if name.startswith(begins) and name.endswith(".weight")][-1]
    state = {name: value for name, value in state.items() if not name.startswith(begins) or name == last}
    path = save(architecture, state, tmp_path / "rest.safetensors")
    assert refusal(lambda: ready_model(str(path))).code == "model.damaged"


def test_a_base_must_be_there_and_of_the_files_family(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, _, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    path = file_with(tmp_path / "x.safetensors", WHOLE)
    for base, told in (("nowhere", "Check the path"), ("some/model", "download some/model --configs")):
        error = refusal(lambda base=base: read_single_file(path, base))  # type: ignore[misc]
        assert error.code == "model.base" and told in error.fix
    (tmp_path / "plain").mkdir()
    assert refusal(lambda: read_single_file(path, str(tmp_path / "plain"))).code == "model.base"
    if architecture == "sdxl":
        error = refusal(lambda: read_single_file(path, str(configs_of(architecture, cache))))
        assert error.code == "model.base" and "StableDiffusionXLPipeline" in error.why
    else:
        assert read_single_file(path, str(configs_of(architecture, cache))).base == configs_of(architecture, cache)
