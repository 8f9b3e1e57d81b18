"""Single files of Stable Diffusion 3 and Flux: their parts, in whole files and completed by a base, teach as before.

Of: dreamfusion_engine/models/single_file/read.py, dreamfusion_engine/models/single_file/convert.py.
"""

from __future__ import annotations

import json
import os
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.joint_checkpoint import flux_state, named_state, sd3_state
from reference.ldm_checkpoint import clip_state, vae_state
from reference.tiny_families import LATENT, PROMPTS, VARIANTS, spread_out
from safetensors.torch import save_file

from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.models.catalogue import catalogue
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import PipelineFolder, open_pipeline
from dreamfusion_engine.models.safetensors_header import read_header
from dreamfusion_engine.models.single_file.configs import denoiser_config
from dreamfusion_engine.models.single_file.convert import ready_model
from dreamfusion_engine.models.single_file.read import read_single_file

pytestmark = pytest.mark.slow

WIDTH = 32  # of the tiny Flux
KEYS = {"text_encoder": "text_encoders.clip_l.transformer.", "text_encoder_2": "text_encoders.clip_g.transformer."}
T5 = "text_encoders.t5xxl.transformer."
Made = Callable[[str], tuple[Any, Path]]


@pytest.fixture(scope="module", autouse=True)
def narrow_flux() -> Any:
    """diffusers' conversion of Flux, whose code holds the real model's width, for the tiny one's."""
    from diffusers.loaders import single_file_model

    found = single_file_model.SINGLE_FILE_LOADABLE_CLASSES["FluxTransformer2DModel"]
    real = found["checkpoint_mapping_fn"]
    narrow = tuple(WIDTH if value == 3072 else value for value in real.__code__.co_consts)
    assert narrow != real.__code__.co_consts
    function = types.FunctionType(real.__code__.replace(co_consts=narrow), real.__globals__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(found, "checkpoint_mapping_fn", function)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, small_flux: None) -> Made:
    """A tiny pipeline of a variant, its weights in half precision, and the folder of it."""
    kept: dict[str, tuple[Any, Path]] = {}

    def make(variant: str) -> tuple[Any, Path]:
        if variant not in kept:
            pipeline = VARIANTS[variant]()
            if variant == "sd3":  # files have no projection of the first CLIP, because it is none
                encoder = pipeline.text_encoder
                encoder.config.projection_dim = encoder.config.hidden_size
                encoder.text_projection = torch.nn.Linear(WIDTH, WIDTH, bias=False)
                encoder.text_projection.weight.data = torch.eye(WIDTH)
                pipeline.transformer = wider(pipeline.transformer)
            for module in pipeline.components.values():
                if isinstance(module, torch.nn.Module):
                    module.load_state_dict({name: value.half() for name, value in module.state_dict().items()})
            folder = tmp_path_factory.mktemp(variant) / "model"
            pipeline.save_pretrained(folder)
            kept[variant] = pipeline, folder
        return kept[variant]

    return make


def wider(transformer: Any) -> Any:
    """A transformer like 3.5's: normed attention, a second one in its first block, and both CLIPs' widths together."""
    config = {**transformer.config, "pooled_projection_dim": 32 + 24}
    torch.manual_seed(11)
    return spread_out(type(transformer)(**{**config, "qk_norm": "rms_norm", "dual_attention_layers": (0,)}))


def state_of(variant: str, pipeline: Any, parts: tuple[str, ...], prefix: str = "model.diffusion_model.") -> Any:
    """Some parts of a pipeline under the names that files give them."""
    three = variant.startswith("sd3")
    state = (sd3_state if three else flux_state)(pipeline.transformer, prefix)
    if "vae" in parts:  # whole files of the two name it differently
        latents = vae_state(pipeline.vae)
        state |= latents if three else {f"vae.{name.partition('.')[2]}": value for name, value in latents.items()}
    if "text_encoder" in parts:
        encoder = clip_state(pipeline.text_encoder, KEYS["text_encoder"])
        state |= {name: value for name, value in encoder.items() if "text_projection" not in name}
    if three and "text_encoder_2" in parts:
        state |= named_state(pipeline.text_encoder_2, KEYS["text_encoder_2"])
    last = "text_encoder_3" if three else "text_encoder_2"
    if last in parts:
        state |= named_state(getattr(pipeline, last), T5)
    return {name: value.half().contiguous().clone() for name, value in state.items()}


def configs(folder: Path, target: Path) -> Path:
    """The small files of a pipeline folder, as `download --configs` fetches them."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            (target / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(folder)).write_bytes(path.read_bytes())
    return target


def teaches_as(made: Path, before: Path) -> None:
    """Both folders' teachers read prompts and predict noise alike, to 1e-4."""
    teachers = [load_teacher(open_pipeline(folder), torch.device("cpu")) for folder in (before, made)]
    told = [teacher.encode_prompts(PROMPTS) for teacher in teachers]
    for name, value in told[0].tensors().items():
        torch.testing.assert_close(told[1].tensors()[name], value, rtol=0, atol=1e-4)
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(3, 3, 2 * LATENT, 2 * LATENT, generator=generator)
    with torch.no_grad():
        x = [teacher.to_model_space(picture) for teacher in teachers]
        torch.testing.assert_close(x[1], x[0], rtol=0, atol=1e-4)
        t = torch.tensor([20, 500, 900])
        seen = [teacher.predict_noise(x[0], t, words) for teacher, words in zip(teachers, told, strict=True)]
    assert float(seen[0].std()) > 0.1
    torch.testing.assert_close(seen[1], seen[0], rtol=0, atol=1e-4)


ALL = ("vae", "text_encoder", "text_encoder_2", "text_encoder_3")


@pytest.mark.parametrize("variant", ["sd3", "flux-dev", "flux-schnell"])
def test_a_whole_file_with_configs_only_teaches_as_its_folder_does(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    pipeline, folder = made(variant)
    save_file(state_of(variant, pipeline, ALL), tmp_path / "m.safetensors")
    base = configs(folder, tmp_path / "configs")
    found = read_single_file(tmp_path / "m.safetensors", str(base))
    assert found.borrowed == () and found.architecture == variant.partition("-")[0]
    teaches_as(ready_model(str(tmp_path / "m.safetensors"), str(base)), folder)


@pytest.mark.parametrize(("variant", "prefix"), [("sd3", "model.diffusion_model."), ("sd3", ""), ("flux-dev", "")])
def test_a_file_with_the_denoiser_alone_takes_the_rest_from_its_base(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str, prefix: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    pipeline, folder = made(variant)
    path = tmp_path / "m.safetensors"
    save_file(state_of(variant, pipeline, (), prefix), path)
    converted = ready_model(str(path), str(folder))
    teaches_as(converted, folder)
    lent = next((folder / "vae").glob("*.safetensors"))
    assert os.path.samefile(lent, converted / "vae" / lent.name), "a link, not a copy"
    assert read_single_file(path, str(folder)).converted


def test_a_base_with_configs_only_cannot_lend_parts(made: Made, tmp_path: Path) -> None:
    pipeline, folder = made("flux-dev")
    save_file(state_of("flux-dev", pipeline, ("vae",)), tmp_path / "m.safetensors")
    base = configs(folder, tmp_path / "configs")
    with pytest.raises(EngineError) as caught:
        read_single_file(tmp_path / "m.safetensors", str(base))
    error = caught.value
    assert (error.code, error.exit_code) == ("model.incomplete", 2)
    assert "denoiser, autoencoder" in error.why and "no first text encoder, no second text encoder" in error.why
    assert "--base" in error.fix


def test_without_any_base_the_download_that_completes_the_file_is_named(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    known = {model.architecture: model.id for model in catalogue()}
    for variant, parts, code, words in (
        ("flux-dev", (), "model.incomplete", f"download {known['flux']} ("),
        ("sd3", ALL, "model.configs", f"download {known['sd3']} --configs"),
    ):
        save_file(state_of(variant, made(variant)[0], parts), tmp_path / "m.safetensors")
        with pytest.raises(EngineError) as caught:
            read_single_file(tmp_path / "m.safetensors")
        assert caught.value.code == code and words in caught.value.fix


def test_stable_diffusion_3_without_t5_is_whole(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    pipeline, folder = made("sd3")
    save_file(state_of("sd3", pipeline, ALL[:3]), tmp_path / "m.safetensors")
    converted = open_pipeline(ready_model(str(tmp_path / "m.safetensors"), str(configs(folder, tmp_path / "configs"))))
    assert "text_encoder_3" not in converted.components and "text_encoder_2" in converted.components
    told = load_teacher(converted, torch.device("cpu")).encode_prompts(["a red mug"])
    assert float(told.tokens[:, 77:].abs().max()) == 0.0


def test_the_weights_say_how_large_a_model_is_and_how_it_is_told(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One base serves every size: here each file is completed by a base whose config says something else."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    for variant in ("sd3", "flux-dev", "flux-schnell"):
        pipeline, folder = made(variant)
        path = tmp_path / f"{variant}.safetensors"
        save_file(state_of(variant, pipeline, ()), path)
        said = json.loads((folder / "transformer" / "config.json").read_text())
        wrong = {**said, "num_layers": 7, "num_attention_heads": 99, "guidance_embeds": variant == "flux-schnell"}
        wrong |= {"qk_norm": None, "dual_attention_layers": [3], "pos_embed_max_size": 1, "joint_attention_dim": 5}
        known = {name: value for name, value in wrong.items() if name in said}
        back = denoiser_config(read_single_file(path, str(folder)).architecture, read_header(path), known)
        assert back == said
        # The other Flux's noise is shifted in another way; the file decides here too.
        if variant.startswith("flux"):
            other = made("flux-schnell" if variant == "flux-dev" else "flux-dev")[1]
            scheduler = ready_model(str(path), str(other)) / "scheduler" / "scheduler_config.json"
            assert json.loads(scheduler.read_text())["use_dynamic_shifting"] is (variant == "flux-dev")


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [(torch.float8_e4m3fn, "F16"), (torch.float8_e5m2, "F16"), (torch.bfloat16, "BF16"), (torch.float32, "F16")],
)
def test_plain_floats_of_any_size_become_half_precision(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, stored: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    for variant in ("flux-dev", "sd3"):
        pipeline, folder = made(variant)
        before = {name: value.to(dtype) for name, value in state_of(variant, pipeline, ALL).items()}
        path = tmp_path / f"{variant}.safetensors"
        save_file(before, path)
        converted = open_pipeline(ready_model(str(path), str(folder)))
        assert {part: weights.dtype for part, weights in converted.weights.items()} == dict.fromkeys(
            converted.weights, stored
        )
        assert worst_change(converted, pipeline, dtype) == 0.0


def worst_change(converted: PipelineFolder, pipeline: Any, dtype: torch.dtype) -> float:
    """The largest difference of a transformer's weight to what its type in the file leaves of it."""
    from safetensors.torch import load_file

    after = load_file(converted.weights["transformer"].files[0])
    before = pipeline.transformer.state_dict()
    assert set(after) == set(before)
    return max(float((after[name].float() - before[name].to(dtype).float()).abs().max()) for name in after)


def test_quantised_files_are_refused_by_what_they_are(made: Made, tmp_path: Path) -> None:
    pipeline, folder = made("flux-dev")
    state = state_of("flux-dev", pipeline, ())
    scaled = {**state, "double_blocks.0.img_attn.qkv.scale_weight": torch.ones(1)}
    whole_numbers = {name: value.to(torch.int8) for name, value in state.items()}
    for tensors in (scaled, whole_numbers):
        save_file(tensors, tmp_path / "q.safetensors")
        with pytest.raises(EngineError) as caught:
            read_single_file(tmp_path / "q.safetensors", str(folder))
        assert caught.value.code == "model.unsupported" and "quantised" in caught.value.why


def test_a_file_and_a_base_that_do_not_fit_name_the_base_and_leave_nothing(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    pipeline, folder = made("flux-dev")
    state = state_of("flux-dev", pipeline, ALL)
    holed = {name: value for name, value in state.items() if name != "model.diffusion_model.txt_in.weight"}
    other = {**state, "vae.encoder.conv_in.weight": torch.zeros(5, 3, 3, 3)}
    unknown = {name: value for name, value in state.items() if "encoder.conv_in" not in name}
    for tensors in (holed, other, unknown):
        save_file(tensors, tmp_path / "m.safetensors")
        with pytest.raises(EngineError) as caught:
            ready_model(str(tmp_path / "m.safetensors"), str(folder))
        assert (caught.value.code, caught.value.exit_code) == ("model.damaged", 2)
        assert str(folder) in caught.value.why and "--base" in caught.value.fix
        assert not list((tmp_path / "cache").rglob("model_index.json"))
