"""A multi-view pixel model: what is none is refused by name, and its arithmetic is that of torch's counter."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.tiny_multi_view_pixel import multi_view_unet, write_multi_view_pixel
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.guidance.camera_matrices import camera_matrices
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.multi_view_pixel import MultiViewPixel
from dreamfusion_engine.models.families.views_together import AttentionTogether, let_views_see_each_other
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.multi_view import stock_config
from dreamfusion_engine.models.operations import denoiser_operations
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pixel") / "model"
    write_multi_view_pixel(folder)
    return folder


@pytest.fixture(scope="module")
def teacher(model: Path) -> Adapter:
    made = load_teacher(open_pipeline(model), CPU)
    assert made.denoiser is not None and made.encode_prompts(["a red mug"]) is not None  # loads the libraries
    return made


@pytest.mark.slow
@torch.no_grad()
def test_views_of_a_group_see_each_other_and_the_cameras_are_told(teacher: Adapter) -> None:
    assert isinstance(teacher, MultiViewPixel) and teacher.image_size == 16
    x, t = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.full((8,), 600)
    angles = torch.arange(8) * 0.5 * math.pi + 0.2, torch.full((8,), 0.3)
    told = teacher.encode_prompts(["a red mug"]).rows([0] * 8).seen_from(camera_matrices(*angles))
    whole = teacher.predict_noise(x, t, told)
    changed = x.clone()
    changed[1] += 1.0
    moved = (teacher.predict_noise(changed, t, told) - whole).abs().amax(dim=(1, 2, 3))
    assert float(moved[:4].min()) > 1e-5 and float(moved[4:].max()) == 0.0
    elsewhere = told.seen_from(camera_matrices(angles[0] + 1.0, angles[1]))
    assert float((teacher.predict_noise(x, t, elsewhere) - whole).abs().max()) > 1e-4


def test_views_can_be_parted_again() -> None:
    network = multi_view_unet()
    plain = {name: type(each) for name, each in network.attn_processors.items()}
    for views in (4, 2):
        let_views_see_each_other(network, views)
        joined = {name: each for name, each in network.attn_processors.items() if isinstance(each, AttentionTogether)}
        assert joined and all(".attn1." in name for name in joined)
        assert not any(isinstance(each.inner, AttentionTogether) for each in joined.values())
    let_views_see_each_other(network, 1)
    assert {name: type(each) for name, each in network.attn_processors.items()} == plain


def test_its_arithmetic_counts_the_views_that_each_pixel_sees(model: Path) -> None:
    config = json.loads((model / "unet" / "config.json").read_text(encoding="utf-8"))
    network = multi_view_unet()
    let_views_see_each_other(network, 4)
    network.to("meta")  # shapes without numbers
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.randn(4, 3, 16, 16), torch.tensor(1), torch.randn(4, 77, 32), class_labels=torch.randn(4, 16))
    counted = stock_config(config)
    assert counted["views_together"] == 4
    assert denoiser_operations(counted, 16) == pytest.approx(counter.get_total_flops() / 4, rel=0.02)
    assert denoiser_operations(counted, 16) > denoiser_operations(config, 16)


def of_weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        file = folder / "unet" / "diffusion_pytorch_model.safetensors"
        save_file(change(load_file(file)), file)

    return changed


def of_config(**settings: Any) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        file = folder / "unet" / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))

    return changed


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (
            of_weights(lambda state: {name: each for name, each in state.items() if "class_embedding" not in name}),
            "model.damaged",
            "lacks class_embedding.linear_1.weight",
        ),
        (
            of_weights(lambda state: {**state, "class_embedding.linear_1.weight": torch.zeros(64, 12)}),
            "model.damaged",
            r"shape \[64, 12\], not \[64, 16\]",
        ),
        (of_config(class_embed_type=None), "model.unsupported", "no embedding of cameras"),
        (of_config(projection_class_embeddings_input_dim=12), "model.unsupported", "no embedding of cameras"),
        (of_config(block_out_channels="wide"), "model.damaged", "gives the blocks"),
        (of_config(block_out_channels=[]), "model.damaged", "gives the blocks"),
    ],
)
def test_what_is_no_multi_view_model_is_refused_before_its_weights_are_read(
    model: Path, tmp_path: Path, change: Callable[[Path], None], code: str, said: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    change(folder)
    with pytest.raises(SetupError, match=f"(?s).*{said}") as caught:
        open_pipeline(folder)
    assert caught.value.code == code
