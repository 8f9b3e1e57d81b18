"""Facts about the packed denoiser: eight bits give back what was packed, as a pipeline folder that loads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dreamfusion_engine.models.pipeline_folder import open_pipeline
from training.eight_bits import from_bytes, in_bytes
from training.latent.autoencoder import AutoencoderPlan, AutoencoderTrainer
from training.latent.model import LatentModel, LatentSize, save_latent_pipeline
from training.latent.packed import pack, unpack
from training.starter.objects.kinds import kinds_named

SIZE = LatentSize(channels=(8, 16, 32), heads=2)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline folder with random weights, about two kinds."""
    folder = tmp_path_factory.mktemp("pipeline")
    plan = AutoencoderPlan(pixels=32, channels=(8, 8, 16), groups=4, images=10, batch=2)
    vae = AutoencoderTrainer(plan, torch.device("cpu")).averaged_model()
    torch.manual_seed(1)
    save_latent_pipeline(LatentModel(SIZE, 8), vae, folder, kinds_named("mug, snowman"), {"images": 7})
    return folder


def weights(folder: Path, part: str) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for file in sorted((folder / part).glob("*.safetensors")):
        tensors |= load_file(file)
    return tensors


def test_every_element_comes_back_within_half_of_a_step_of_its_row() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(64, 8, 3, 3, generator=generator) * torch.logspace(-6, 3, 64)[:, None, None, None]
    vector = torch.randn(10_000, generator=generator)
    packed = in_bytes({"matrix": matrix, "vector": vector, "zero": torch.zeros(128, 64)})
    assert packed["matrix"].dtype == torch.int8
    back = from_bytes(packed)
    step = matrix.flatten(1).abs().amax(1) / 127.0
    assert bool(((back["matrix"] - matrix).flatten(1).abs() <= 0.5001 * step[:, None]).all())
    assert torch.equal(back["vector"], vector.half().float()), "vectors keep half precision"
    assert torch.equal(back["zero"], torch.zeros(128, 64))


def test_the_folder_comes_back_with_the_same_parts_and_opens_as_a_pipeline(pipeline: Path, tmp_path: Path) -> None:
    pack(pipeline, tmp_path / "denoiser.safetensors", SIZE)
    folder = unpack(tmp_path / "folder", tmp_path / "denoiser.safetensors", pipeline / "vae")
    assert open_pipeline(folder).family == "StableDiffusionPipeline"
    assert open_pipeline(folder).card.kinds == ("mug", "snowman")
    for part in ("text_encoder", "vae"):
        before, after = weights(pipeline, part), weights(folder, part)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before), part
    before, after = weights(pipeline, "unet"), weights(folder, "unet")
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.allclose(after[name].float(), tensor.float(), atol=float(tensor.abs().max()) / 200), name


def test_a_folder_of_another_size_is_refused(pipeline: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of shape"):
        pack(pipeline, tmp_path / "denoiser.safetensors")
    assert not (tmp_path / "denoiser.safetensors").exists()
