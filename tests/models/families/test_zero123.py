"""Zero123 by diffusers' own classes says what its published pipeline says, re-computed; and what is refused of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.live_tensors import LiveTensors
from reference.tiny_families import LATENT
from reference.tiny_zero123 import ASHAWKEY, KXIC, TinyZero123, write_zero123
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.hub.selection import used_parts
from dreamfusion_engine.models.catalogue import catalogue, known_model
from dreamfusion_engine.models.families.zero123 import Zero123
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.operations import denoiser_operations
from dreamfusion_engine.models.pipeline_folder import model_facts, open_pipeline
from dreamfusion_engine.models.sizes import denoiser_live, read_sizes
from dreamfusion_engine.models.teacher import Conditioning

CPU = torch.device("cpu")
IMAGE = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))
PUBLISHED: dict[str, Any] = {  # unet/config.json of the published folders, as far as it decides the network
    "sample_size": 32,
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}


@pytest.fixture(scope="module", params=[KXIC, ASHAWKEY], ids=["kxic", "ashawkey"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TinyZero123]:
    folder = tmp_path_factory.mktemp("zero123") / "model"
    return folder, write_zero123(folder, request.param)


@pytest.fixture(scope="module")
def teacher(model: tuple[Path, TinyZero123]) -> Zero123:
    made = load_teacher(open_pipeline(model[0]), CPU)
    assert isinstance(made, Zero123)
    return made


def asked() -> tuple[Tensor, Tensor, Tensor]:
    """Noisy latents of three views, their times, and poses."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, LATENT, LATENT, generator=generator)
    return x, torch.tensor([900, 400, 30]), torch.randn(3, 4, generator=generator)


@pytest.mark.slow
@torch.no_grad()
def test_the_noise_is_that_of_the_published_pipeline(model: tuple[Path, TinyZero123], teacher: Zero123) -> None:
    x, t, pose = asked()
    without, told = model[1].noise(x, t, 2.0 * IMAGE - 1.0, pose)
    assert float((told - without).abs().max()) > 1e-2, "the picture says something"
    picture = teacher.encode_picture(IMAGE)
    rows = Conditioning.join([teacher.told_nothing(picture, 3), teacher.told(picture, pose)])
    found = teacher.predict_noise(x.repeat(2, 1, 1, 1), t.repeat(2), rows)
    torch.testing.assert_close(found, torch.cat([without, told]), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@torch.no_grad()
def test_picture_and_pose_are_both_told(teacher: Zero123) -> None:
    x, t, pose = asked()
    picture, other = teacher.encode_picture(IMAGE), teacher.encode_picture(1.0 - IMAGE)
    whole = teacher.predict_noise(x, t, teacher.told(picture, pose))
    for changed in (teacher.told(other, pose), teacher.told(picture, pose.flip(0))):
        assert float((teacher.predict_noise(x, t, changed) - whole).abs().max()) > 1e-4
    latents = Conditioning(tokens=teacher.told(picture, pose).tokens, picture=teacher.told(other, pose).picture)
    assert float((teacher.predict_noise(x, t, latents) - whole).abs().max()) > 1e-4, "the latents alone"


@pytest.mark.slow
def test_a_picture_of_another_size_is_brought_to_the_models(teacher: Zero123) -> None:
    large = IMAGE.repeat_interleave(4, -1).repeat_interleave(4, -2)
    one, other = teacher.encode_picture(IMAGE), teacher.encode_picture(large)
    torch.testing.assert_close(one.latents, other.latents, atol=1e-5, rtol=1e-5)
    assert teacher.image_size == 16 and teacher.prediction == "epsilon"


def test_the_sizes_are_counted_with_the_encoder_as_what_comes_and_goes(model: tuple[Path, TinyZero123]) -> None:
    sizes, networks = read_sizes(model[0]), model[1]
    assert sizes.denoiser == sum(each.numel() for each in networks.unet.parameters())
    assert sizes.vae == sum(each.numel() for each in networks.vae.parameters())
    assert sizes.text_encoders == sum(each.numel() for each in networks.encoder.parameters())
    assert sizes.pixels == 16


def test_a_download_takes_the_encoder_of_pictures_here_and_nowhere_else(model: tuple[Path, TinyZero123]) -> None:
    index = json.loads((model[0] / "model_index.json").read_text(encoding="utf-8"))
    parts = open_pipeline(model[0]).weights
    assert used_parts(index) == {*parts, "scheduler"} and "image_encoder" in parts
    assert used_parts({"unet": ["a", "b"], "image_encoder": ["a", "b"]}) == {"unet"}


@pytest.mark.slow
def test_arithmetic_and_memory_are_those_of_the_published_size() -> None:
    """On torch's meta device and as fake tensors: shapes without numbers."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network = UNet2DConditionModel.from_config(PUBLISHED).eval()
        network(torch.randn(1, 8, 32, 32), torch.tensor(1), torch.randn(1, 1, 768))
    known = [each for each in catalogue() if each.pose]
    for each in known:
        assert each.sizes.denoiser == pytest.approx(sum(w.numel() for w in network.parameters()), rel=1e-3)
        assert each.sizes.denoiser_operations == pytest.approx(counter.get_total_flops(), rel=0.01)
        assert each.sizes.denoiser_live == denoiser_live(PUBLISHED, 32)
    assert len(known) == 3 and denoiser_operations(PUBLISHED, 32) == pytest.approx(counter.get_total_flops(), rel=0.01)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        fake = UNet2DConditionModel.from_config(PUBLISHED).eval().requires_grad_(False)
        told = torch.randn(8, 1, 768)
        latents, times = torch.randn(8, 8, 32, 32), torch.ones(8, dtype=torch.long)
        with LiveTensors(fake) as live:
            fake(latents, times, told)
    assert live.peak / 4 / 8 == pytest.approx(denoiser_live(PUBLISHED, 32), rel=0.05)


def test_the_catalogue_says_the_poses_and_a_folder_of_ones_own_does_not(model: tuple[Path, TinyZero123]) -> None:
    assert {each.pose for each in catalogue() if each.pose} == {"zero123", "stable-zero123"}
    stable = known_model("ashawkey/stable-zero123-diffusers")
    assert stable is not None and stable.pose == "stable-zero123"
    assert model_facts(str(model[0])).pose is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda folder: _config(folder / "unet", in_channels=4), "model.unsupported"),
        (lambda folder: _config(folder / "unet", cross_attention_dim=48), "model.damaged"),
        (lambda folder: _config(folder / "image_encoder", projection_dim=20), "model.damaged"),
        (lambda folder: _config(folder / "image_encoder", projection_dim="many"), "model.damaged"),
        (lambda folder: _config(folder / "image_encoder", image_size=0), "model.damaged"),
        (lambda folder: shutil.rmtree(folder / "image_encoder"), "model.incomplete"),
        (lambda folder: _cut_bias(folder / "cc_projection"), "model.damaged"),
    ],
)
def test_parts_that_do_not_fit_are_refused_before_anything_is_loaded(
    change: Callable[[Path], None], code: str, tmp_path: Path
) -> None:
    write_zero123(tmp_path / "model")
    change(tmp_path / "model")
    with pytest.raises(SetupError) as refused:
        open_pipeline(tmp_path / "model")
    assert refused.value.code == code and str(tmp_path) in refused.value.why


def _config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def _cut_bias(folder: Path) -> None:
    path = folder / "diffusion_pytorch_model.safetensors"
    save_file({name: each for name, each in load_file(path).items() if not name.endswith("bias")}, path)
