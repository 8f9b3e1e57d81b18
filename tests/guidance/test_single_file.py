"""Single files are told by their headers, converted to the very same weights, or refused by what they are."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.ldm_checkpoint import clip_state, open_clip_state, unet_state, vae_state
from reference.tiny_pipeline import WORDS, tiny_tokenizer
from safetensors.torch import save_file

from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.guidance import single_file_conversion
from dreamfusion_engine.guidance.catalogue import catalogue
from dreamfusion_engine.guidance.pipeline_folder import locate_model, model_card, open_pipeline
from dreamfusion_engine.guidance.single_file import read_single_file
from dreamfusion_engine.guidance.single_file_conversion import ready_model
from dreamfusion_engine.hub.download import CONFIGS

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
    xl = architecture == "sdxl"
    cross = "CrossAttnDownBlock2D"
    down = ("DownBlock2D", cross, cross) if xl else (cross, cross, cross, "DownBlock2D")
    up = tuple(kind.replace("Down", "Up") for kind in reversed(down))
    extra: dict[str, Any] = {}
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
        cross_attention_dim=16 + 24 if xl else 768,
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
    made["text_encoder"] = clip(CLIPTextModel, 16 if xl else 768, 2, 2)
    if xl:
        made["text_encoder_2"] = clip(CLIPTextModelWithProjection, 24, 2, 3)
    return made


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    """An architecture, the parts of a model of it, and a cache that holds its configs."""
    from diffusers import DDIMScheduler, EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline

    architecture = str(request.param)
    cache = tmp_path_factory.mktemp(architecture)
    modules = parts(architecture)
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    pipeline: Any
    if architecture == "sd1":
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
    base = next(model for model in catalogue() if model.architecture == architecture)
    repository = cache / f"models--{base.id.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    pipeline.save_pretrained(snapshot)
    for weights in snapshot.rglob("*.safetensors"):
        weights.unlink()
    (repository / "refs").mkdir()
    (repository / "refs" / CONFIGS).write_text(COMMIT)
    return architecture, modules, cache


def state_of(architecture: str, modules: dict[str, Any]) -> dict[str, torch.Tensor]:
    state = {**unet_state(modules["unet"]), **vae_state(modules["vae"])}
    if architecture == "sd1":
        state |= clip_state(modules["text_encoder"])
    else:
        state |= clip_state(modules["text_encoder"], "conditioner.embedders.0.transformer.")
        state |= open_clip_state(modules["text_encoder_2"])
    return {name: value.half().contiguous().clone() for name, value in state.items()}


def refusal(action: Callable[[], object]) -> EngineError:
    with pytest.raises(EngineError) as caught:
        action()
    assert caught.value.exit_code == 2 and caught.value.fix
    return caught.value


def test_a_file_becomes_a_folder_with_the_very_same_weights(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, modules, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    path = tmp_path / "my model.safetensors"
    save_file(state_of(architecture, modules), path)
    found = read_single_file(path)
    assert (found.architecture, found.prediction, found.converted) == (architecture, "epsilon", False)
    assert not model_card(str(path)).closed_vocabulary
    assert refusal(lambda: locate_model(str(path))).code == "model.not_converted"
    notes: list[Any] = []
    folder = ready_model(str(path), notes.append)
    assert [note.code for note in notes] == ["model.converting"]
    pipeline = open_pipeline(folder)
    for part, module in modules.items():
        assert pipeline.weights[part].dtype == "F16"
        back = type(module).from_pretrained(folder / part, local_files_only=True).state_dict()
        want = module.state_dict()
        assert set(back) == set(want)
        for name, value in want.items():
            assert torch.equal(back[name].half(), value.half()), name
    assert ready_model(str(path), notes.append) == folder == locate_model(str(path)) and len(notes) == 1
    assert not list(folder.parent.glob("new-*")), "nothing half made is left"


def test_a_fine_tune_on_v_says_so_in_its_folder(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, modules, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    path = tmp_path / "v.safetensors"
    save_file({**state_of(architecture, modules), "v_pred": torch.zeros(0)}, path)
    folder = ready_model(str(path))
    assert json.loads((folder / "scheduler" / "scheduler_config.json").read_text())["prediction_type"] == "v_prediction"


def test_a_weight_that_is_missing_is_named_and_nothing_stays(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, modules, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    state = state_of(architecture, modules)
    del state["model.diffusion_model.middle_block.1.proj_in.weight"]
    save_file(state, tmp_path / "holed.safetensors")
    before = set(cache.rglob("model_index.json"))
    assert refusal(lambda: ready_model(str(tmp_path / "holed.safetensors"))).code == "model.damaged"
    assert set(cache.rglob("model_index.json")) == before


def test_too_little_room_is_told_before_the_conversion(
    made: tuple[str, dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, modules, cache = made
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    save_file(state_of(architecture, modules), tmp_path / "m.safetensors")
    usage = single_file_conversion.shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(single_file_conversion.shutil, "disk_usage", lambda _: usage)
    assert refusal(lambda: ready_model(str(tmp_path / "m.safetensors"))).code == "input.disk_full"


def file_with(path: Path, tensors: dict[str, tuple[int, ...]]) -> Path:
    """A safetensors file of zeros with these names and shapes."""
    header, at = {}, 0
    for name, shape in tensors.items():
        size = 2
        for length in shape:
            size *= length
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))
    return path


UNET = "model.diffusion_model."
ATTENTION = f"{UNET}input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
WHOLE = {
    f"{UNET}input_blocks.0.0.weight": (8, 4, 3, 3),
    ATTENTION: (8, 768),
    "first_stage_model.encoder.conv_in.weight": (8, 3, 3, 3),
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": (768,),
}


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"lora_unet_down_blocks_0.lora_up.weight": (4, 4)}, "LoRA"),
        ({"unet.down_blocks.0.to_q.lora.up.weight": (4, 4)}, "LoRA"),
        ({"control_model.time_embed.0.weight": (4, 4)}, "ControlNet"),
        ({f"{UNET}joint_blocks.0.context_block.mlp.fc1.weight": (4, 4)}, "Stable Diffusion 3"),
        ({"double_blocks.0.img_attn.qkv.weight": (4, 4)}, "Flux"),
        ({**WHOLE, f"{UNET}input_blocks.0.0.weight": (8, 9, 3, 3)}, "inpainting"),
        ({ATTENTION: (8, 1024), "cond_stage_model.model.ln_final.weight": (4,)}, "Stable Diffusion 2"),
        ({"conditioner.embedders.0.model.ln_final.weight": (4,)}, "refiner"),
        ({"down_blocks.0.resnets.0.conv1.weight": (4, 4)}, "one part"),
        ({"encoder.conv_in.weight": (4, 4)}, "no architecture"),
        ({}, "no architecture"),
    ],
)
def test_other_files_are_refused_by_what_they_are(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]], told: str
) -> None:
    error = refusal(lambda: read_single_file(file_with(tmp_path / "x.safetensors", tensors)))
    assert error.code == "model.unsupported" and told in error.why


@pytest.mark.parametrize("lost", ["first_stage_model.", "cond_stage_model."])
def test_a_file_without_all_parts_names_the_one_that_is_missing(tmp_path: Path, lost: str) -> None:
    tensors = {name: shape for name, shape in WHOLE.items() if not name.startswith(lost)}
    error = refusal(lambda: read_single_file(file_with(tmp_path / "x.safetensors", tensors)))
    assert error.code == "model.incomplete" and ("autoencoder" if "first" in lost else "text encoder") in error.why


def test_without_configs_the_command_that_gets_them_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    error = refusal(lambda: read_single_file(file_with(tmp_path / "x.safetensors", WHOLE)))
    base = next(model for model in catalogue() if model.architecture == "sd1")
    assert error.code == "model.configs" and f"download {base.id} --configs" in error.fix


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("m.ckpt", b"PK", "model.pickled"),
        ("m.PT", b"PK", "model.pickled"),
        ("m.bin", b"PK", "model.pickled"),
        ("m.gguf", b"GGUF", "model.not_folder"),
        ("m.safetensors", b"", "model.damaged"),
        ("m.safetensors", b"\x80\x02}q\x00" * 9, "model.damaged"),
    ],
)
def test_files_of_other_kinds_are_refused_before_anything_is_opened(
    tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert refusal(lambda: locate_model(str(tmp_path / name))).code == code
