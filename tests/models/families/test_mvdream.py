"""MVDream by diffusers' own classes says what a unet written from its paper says."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.live_tensors import LiveTensors
from reference.multi_view_unet import MultiViewUNet
from reference.tiny_adapters import factors_for, peft, write
from reference.tiny_mvdream import CONFIG, write_mvdream
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from dreamfusion_engine.config.stages import AdaptersConfig
from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.guidance.camera_matrices import camera_matrices
from dreamfusion_engine.models.adapters.files import read_adapters
from dreamfusion_engine.models.adapters.fit import check_adapters
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.mvdream import MVDream
from dreamfusion_engine.models.families.views_together import let_views_see_each_other
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.multi_view import stock_config
from dreamfusion_engine.models.operations import denoiser_operations
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.models.sizes import denoiser_live, read_sizes
from dreamfusion_engine.models.teacher import Conditioning

CPU = torch.device("cpu")
PUBLISHED: dict[str, Any] = {
    **CONFIG,
    "image_size": 32,
    "model_channels": 320,
    "channel_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attention_resolutions": [4, 2, 1],
    "num_head_channels": 64,
    "context_dim": 1024,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MultiViewUNet]:
    folder = tmp_path_factory.mktemp("mvdream") / "model"
    _, network = write_mvdream(folder)
    return folder, network


@pytest.fixture(scope="module")
def teacher(model: tuple[Path, MultiViewUNet]) -> Adapter:
    return load_teacher(open_pipeline(model[0]), CPU)


def eight_views(teacher: Adapter) -> tuple[Tensor, Tensor, Conditioning]:
    """Noisy latents, times and what the model is told of two groups of views, of two prompts."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, 4, 8, 8, generator=generator)
    turns = torch.arange(4) * 0.5 * math.pi
    azimuth, elevation = torch.cat([turns + 0.3, turns + 1.1]), torch.tensor([0.2, 0.5]).repeat_interleave(4)
    told = teacher.encode_prompts(["a red mug", "a white hamburger"]).rows([0] * 4 + [1] * 4)
    t = torch.tensor([700, 120]).repeat_interleave(4)
    return x, t, told.seen_from(camera_matrices(azimuth, elevation))


@pytest.mark.slow
@torch.no_grad()
def test_the_noise_is_that_of_a_unet_written_from_the_paper(
    model: tuple[Path, MultiViewUNet], teacher: Adapter
) -> None:
    x, t, told = eight_views(teacher)
    assert told.camera is not None
    theirs = model[1](x, t, told.tokens, told.camera)
    assert float(theirs.std()) > 1e-2, "a silent network would agree with anything"
    torch.testing.assert_close(teacher.predict_noise(x, t, told), theirs, atol=1e-5, rtol=1e-5)
    apart = model[1](x, t, told.tokens, told.camera, views=1)
    assert float((apart - theirs).abs().max()) > 1e-3, "the views see each other"


@torch.no_grad()
def test_views_of_a_group_see_each_other_and_no_other_group(teacher: Adapter) -> None:
    x, t, told = eight_views(teacher)
    whole = teacher.predict_noise(x, t, told)
    changed = x.clone()
    changed[2] += 1.0
    moved = (teacher.predict_noise(changed, t, told) - whole).abs().amax(dim=(1, 2, 3))
    assert float(moved[:4].min()) > 1e-4 and float(moved[4:].max()) == 0.0
    alone = teacher.predict_noise(x[4:], t[4:], told.rows([4, 5, 6, 7]))
    torch.testing.assert_close(whole[4:], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_it_is_told_the_cameras_and_the_order_of_views_means_nothing(teacher: Adapter) -> None:
    x, t, told = eight_views(teacher)
    order = [3, 1, 0, 2, 5, 4, 7, 6]
    torch.testing.assert_close(
        teacher.predict_noise(x[order], t[order], told.rows(order)),
        teacher.predict_noise(x, t, told)[order],
        atol=1e-5,
        rtol=1e-5,
    )
    assert told.camera is not None
    elsewhere = told.seen_from(told.camera[order])
    difference = teacher.predict_noise(x, t, elsewhere) - teacher.predict_noise(x, t, told)
    assert float(difference.abs().max()) > 1e-4


def test_the_text_encoder_the_latents_and_the_schedule_are_stable_diffusions(
    model: tuple[Path, MultiViewUNet], teacher: Adapter
) -> None:
    assert isinstance(teacher, MVDream) and teacher.image_size == 16 and teacher.prediction == "epsilon"
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64).square()
    torch.testing.assert_close(teacher.schedule.alpha, (1.0 - betas).cumprod(0).sqrt().float(), atol=1e-5, rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in teacher.denoiser.parameters())


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_weights_in_half_precision_say_nearly_the_same(
    model: tuple[Path, MultiViewUNet], teacher: Adapter, dtype: torch.dtype
) -> None:
    half = load_teacher(open_pipeline(model[0]), CPU)
    half.parts.dtype = dtype
    x, t, told = eight_views(teacher)
    whole, found = teacher.predict_noise(x, t, told), half.predict_noise(x, t, told)
    assert {each.dtype for each in half.denoiser.parameters()} == {dtype} and found.dtype == torch.float32
    assert 0.0 < float((found - whole).abs().max()) < 0.1 * float(whole.abs().max())


@pytest.mark.slow
def test_its_arithmetic_counts_the_views_that_each_pixel_sees() -> None:
    """The published size, on torch's meta device: shapes without numbers."""
    from diffusers import UNet2DConditionModel

    config = stock_config(PUBLISHED)
    plain = {name: value for name, value in config.items() if name != "views_together"}
    with torch.device("meta"), torch.no_grad():
        network = UNet2DConditionModel.from_config(plain).eval()
        let_views_see_each_other(network, 4)
        with FlopCounterMode(display=False) as counter:
            network(
                torch.randn(4, 4, 32, 32), torch.tensor(1), torch.randn(4, 77, 1024), class_labels=torch.randn(4, 16)
            )
    assert denoiser_operations(config, 32) == pytest.approx(counter.get_total_flops() / 4, rel=0.01)
    assert denoiser_operations(config, 32) > 1.1 * denoiser_operations(plain, 32)
    assert sum(each.numel() for each in network.parameters()) == 867_572_164


def test_its_sizes_are_read_from_the_published_config(model: tuple[Path, MultiViewUNet]) -> None:
    sizes = read_sizes(model[0])
    assert sizes.denoiser == sum(each.numel() for each in model[1].parameters())
    assert sizes.pixels == 16 and sizes.denoiser_live > 0 and sizes.denoiser_operations > 0 and not sizes.transformer


def test_loras_and_learned_words_are_refused_by_the_name_of_the_family(
    model: tuple[Path, MultiViewUNet], tmp_path: Path
) -> None:
    network = load_teacher(open_pipeline(model[0]), CPU).denoiser
    lora = write(tmp_path / "clay.safetensors", peft(factors_for(network, "unet", ("to_q", "to_v"))))
    word = write(tmp_path / "<jug>.safetensors", {"emb_params": torch.ones(2, 32)})
    pipeline = open_pipeline(model[0])
    for files in (AdaptersConfig(lora=((str(lora), 1.0),)), AdaptersConfig(embeddings=(str(word),))):
        with pytest.raises(InputError, match="family MVDream"):
            check_adapters(read_adapters(files), pipeline.family, pipeline)


@pytest.mark.slow
def test_its_memory_is_that_of_a_picture_although_views_see_each_other() -> None:
    """The published size, on fake tensors: numbers alive at once in a call, for one of eight pictures."""
    from diffusers import UNet2DConditionModel

    config = stock_config(PUBLISHED)
    with FakeTensorMode(allow_non_fake_inputs=True):
        plain = {name: value for name, value in config.items() if name != "views_together"}
        network = UNet2DConditionModel.from_config(plain).eval().requires_grad_(False)
        let_views_see_each_other(network, 4)
        told = {"encoder_hidden_states": torch.randn(8, 77, 1024), "class_labels": torch.randn(8, 16)}
        latents, times = torch.randn(8, 4, 32, 32), torch.ones(8, dtype=torch.long)
        with torch.no_grad(), LiveTensors(network) as live:
            network(latents, times, **told)
    assert live.peak / 4 / 8 == pytest.approx(denoiser_live(config, 32), rel=0.05)


def without_camera(folder: Path) -> None:
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: each for name, each in load_file(file).items() if not name.startswith("camera_embed")}, file)


def another_camera(folder: Path) -> None:
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({**load_file(file), "camera_embed.0.weight": torch.zeros(128, 12)}, file)


def changed(**settings: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "unet" / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))

    return change


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (without_camera, "model.damaged", "lacks camera_embed.0.weight"),
        (another_camera, "model.damaged", r"shape \[128, 12\], not \[128, 16\]"),
        (changed(ip_dim=16), "model.incomplete", "image_encoder"),
        (changed(camera_dim=12), "model.unsupported", "12 numbers"),
        (changed(camera_dim=None), "model.unsupported", "numbers"),
        (changed(num_head_channels=12), "model.unsupported", "do not divide"),
        (changed(num_head_channels=0), "model.unsupported", "do not divide"),
        (changed(use_scale_shift_norm=True), "model.unsupported", "use_scale_shift_norm"),
        (changed(channel_mult=[]), "model.unsupported", "multi-view"),
        (changed(channel_mult="wide"), "model.unsupported", "multi-view"),
        (changed(model_channels="wide"), "model.unsupported", "multi-view"),
        (changed(attention_resolutions=3), "model.unsupported", "multi-view"),
        (changed(image_size=[8, 9]), "model.unsupported", "no square picture"),
        (changed(_class_name="UNet2DConditionModel"), "model.unsupported", "MultiViewUNetModel"),
    ],
)
def test_what_is_no_mvdream_is_refused_before_its_weights_are_read(
    model: tuple[Path, MultiViewUNet], tmp_path: Path, change: Callable[[Path], None], code: str, said: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model[0], folder)
    change(folder)
    with pytest.raises(SetupError, match=f"(?s).*{said}") as caught:
        open_pipeline(folder)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["middle_block.1.proj_in.weight", "input_blocks.1.0.in_layers.2.weight"])
@pytest.mark.parametrize("shape", [None, (3, 3)])
def test_weights_that_are_missing_or_of_another_shape_are_found_when_they_are_loaded(
    model: tuple[Path, MultiViewUNet], tmp_path: Path, name: str, shape: tuple[int, ...] | None
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model[0], folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    state = {key: each for key, each in load_file(file).items() if key != name}
    save_file(state if shape is None else {**state, name: torch.zeros(shape)}, file)
    teacher = load_teacher(open_pipeline(folder), CPU)
    with pytest.raises(SetupError) as caught:
        _ = teacher.denoiser
    assert caught.value.code == "model.damaged"
