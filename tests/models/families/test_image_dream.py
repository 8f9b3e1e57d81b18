"""ImageDream by diffusers' own classes says what its published pipeline says, re-computed; and what is refused of it.

Of: dreamfusion_engine/models/families/image_dream.py, dreamfusion_engine/models/image_dream.py.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from reference.live_tensors import LiveTensors
from reference.tiny_image_dream import STATE, TOKENS, TinyImageDream, write_image_dream
from reference.tiny_mvdream import CONFIG
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from dreamfusion_engine.config.recipes import IMAGE_DREAM
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.guidance.camera_matrices import camera_matrices
from dreamfusion_engine.guidance.pictured_prompt import PicturedPrompt
from dreamfusion_engine.hub.selection import used_parts
from dreamfusion_engine.models.catalogue import known_model
from dreamfusion_engine.models.clip_folder import CLIP_MEAN, CLIP_STD
from dreamfusion_engine.models.families.image_dream import (
    ImageDream,
    attend_to_picture,
    clip_pixels,
    first_attention,
    resampler,
)
from dreamfusion_engine.models.families.views_together import let_views_see_each_other
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.multi_view import OUR_NAMES, stock_config
from dreamfusion_engine.models.operations import denoiser_operations
from dreamfusion_engine.models.pipeline_folder import model_facts, open_pipeline
from dreamfusion_engine.models.sizes import denoiser_live, read_sizes
from dreamfusion_engine.models.teacher import Conditioning

CPU = torch.device("cpu")
IMAGE = torch.randint(0, 256, (1, 3, 16, 16), generator=torch.Generator().manual_seed(5)) / 255.0
PUBLISHED: dict[str, Any] = {
    **CONFIG,
    "image_size": 32,
    "model_channels": 320,
    "channel_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attention_resolutions": [4, 2, 1],
    "num_head_channels": 64,
    "context_dim": 1024,
    "ip_dim": 16,
    "ip_weight": 1.0,
}
RESAMPLER_NUMBERS = 48_541_696  # of the published one, of its sizes: 1280, 1024, 16 tokens, 4 layers, 12 heads of 64


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TinyImageDream]:
    folder = tmp_path_factory.mktemp("imagedream") / "model"
    return folder, write_image_dream(folder)


@pytest.fixture(scope="module")
def teacher(model: tuple[Path, TinyImageDream]) -> ImageDream:
    made = load_teacher(open_pipeline(model[0]), CPU)
    assert isinstance(made, ImageDream)
    return made


def asked(teacher: ImageDream, image: Tensor = IMAGE) -> tuple[Tensor, Tensor, Conditioning, Conditioning]:
    """Noisy latents and times of two groups of views, and what is told without and with prompt and picture."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, 4, 8, 8, generator=generator)
    turns = torch.arange(4) * 0.5 * math.pi
    camera = camera_matrices(torch.cat([turns + 0.3, turns + 1.1]), torch.tensor([0.0, 0.08]).repeat_interleave(4))
    words = teacher.encode_prompts(["blue clay", "a red mug"])
    told = PicturedPrompt(_Words(words, camera), teacher.encode_picture(image))
    seen = told.embeddings(torch.zeros(8), torch.zeros(8), "albedo")
    return x, torch.tensor([700, 120]).repeat_interleave(4), seen.uncond, seen.cond


class _Words:
    """A ViewConditioning of given words and cameras: the first row without the prompt, the second with it."""

    def __init__(self, words: Conditioning, camera: Tensor) -> None:
        self._without, self._with = (words.rows([row] * len(camera)).seen_from(camera) for row in (0, 1))

    def unconditional(self, count: int) -> Conditioning:
        return self._without

    def of_views(self, views: Any, shading: Any) -> Conditioning:
        return self._with

    def of_cameras(self, azimuth: Tensor, elevation: Tensor, shading: Any) -> Conditioning:
        return self._with

    def embeddings(self, azimuth: Tensor, elevation: Tensor, shading: Any) -> Any:
        from dreamfusion_engine.guidance.prompt_conditioning import PromptEmbeddings

        return PromptEmbeddings(uncond=self._without, cond=self._with)


@torch.no_grad()
def test_the_noise_is_that_of_the_published_pipeline(model: tuple[Path, TinyImageDream], teacher: ImageDream) -> None:
    x, t, without, told = asked(teacher)
    assert told.camera is not None
    words = tuple(each.tokens[:, :-TOKENS] for each in (without, told))
    plain, prompted = model[1].noise(x, t, 2.0 * IMAGE - 1.0, (words[0], words[1]), told.camera)
    assert float((prompted - plain).abs().max()) > 1e-2, "prompt and picture say something"
    found = teacher.predict_noise(x.repeat(2, 1, 1, 1), t.repeat(2), Conditioning.join([without, told]))
    torch.testing.assert_close(found, torch.cat([plain, prompted]), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_resampler_is_the_published_one(model: tuple[Path, TinyImageDream]) -> None:
    network = model[1].unet.image_embed
    states = torch.randn(2, 9, STATE, generator=torch.Generator().manual_seed(1))
    states = torch.cat([states, torch.zeros_like(states[:1])])
    found, wanted = resampler(dict(network.state_dict()))(states), network(states)
    assert float((wanted[0] - wanted[2]).abs().max()) > 0.1 and found.shape == (3, TOKENS, 32)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@torch.no_grad()
def test_the_fifth_frame_is_the_picture_itself_with_a_camera_of_zeros(teacher: ImageDream) -> None:
    heard: dict[str, Tensor] = {}
    network = teacher.denoiser

    def listener(x: Tensor, t: Tensor, class_labels: Tensor, **more: Any) -> Any:
        heard.update(x=x, t=t, camera=class_labels)
        return network(x, t, class_labels=class_labels, **more)

    x, t, without, told = asked(teacher)
    picture = teacher.encode_picture(IMAGE)
    for each, latents in ((told, picture.latents), (without, torch.zeros_like(picture.latents))):
        teacher.denoiser = listener  # type: ignore[assignment]
        try:
            teacher.predict_noise(x, t, each)
        finally:
            teacher.denoiser = network
        frames, cameras = heard["x"].view(2, 5, 4, 8, 8), heard["camera"].view(2, 5, 16)
        assert torch.equal(frames[:, :4].flatten(0, 1), x) and each.camera is not None
        assert torch.equal(frames[:, 4], latents.expand(2, -1, -1, -1))
        assert float(cameras[:, 4].abs().max()) == 0.0 and torch.equal(cameras[:, :4].flatten(0, 1), each.camera)
        assert heard["t"].tolist() == [700] * 5 + [120] * 5
    mean = teacher.to_model_space(IMAGE)
    assert torch.equal(picture.latents, mean) and float(mean.std()) > 0.0, "scaled as what is denoised"


def test_the_cameras_are_the_published_ones() -> None:
    """get_camera of the published program: azimuth 0 at -Y, a quarter turn on at +X, rows of camera to world."""
    found = camera_matrices(torch.tensor([0.0, 0.5 * math.pi]), torch.zeros(2)).view(2, 4, 4)
    front = [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, -1.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    right = [[0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    torch.testing.assert_close(found, torch.tensor([front, right]), atol=1e-6, rtol=0.0)


@pytest.mark.slow
@torch.no_grad()
def test_words_tokens_and_frame_are_each_told_and_groups_apart(teacher: ImageDream) -> None:
    x, t, without, told = asked(teacher)
    other = asked(teacher, 1.0 - IMAGE)[3]
    whole = teacher.predict_noise(x, t, told)
    texts = torch.cat([without.tokens[:, :-TOKENS], told.tokens[:, -TOKENS:]], 1)
    for changes in ({"picture": other.picture}, {"tokens": other.tokens}, {"tokens": texts}):
        changed = Conditioning.from_tensors({**told.tensors(), **changes})  # type: ignore[dict-item]
        assert float((teacher.predict_noise(x, t, changed) - whole).abs().max()) > 1e-4
    moved = x.clone()
    moved[2] += 1.0
    difference = (teacher.predict_noise(moved, t, told) - whole).abs().amax(dim=(1, 2, 3))
    assert float(difference[:4].min()) > 1e-4 and float(difference[4:].max()) == 0.0


def test_clip_sees_the_picture_as_the_published_preprocessing_shows_it() -> None:
    """Pillow's bicubic filter, which rounds to 256 levels."""
    large = torch.nn.functional.interpolate(IMAGE, (56, 56), mode="bilinear", antialias=True).clamp(0.0, 1.0)
    levels = (255.0 * large[0].permute(1, 2, 0) + 0.5).byte().numpy()
    theirs = np.asarray(Image.fromarray(levels).resize((20, 20), Image.Resampling.BICUBIC), np.float32) / 255.0
    found = clip_pixels(torch.from_numpy(levels.astype(np.float32) / 255.0).permute(2, 0, 1)[None], 20)
    back = found[0].permute(1, 2, 0).numpy() * np.array(CLIP_STD, np.float32) + np.array(CLIP_MEAN, np.float32)
    assert float(np.abs(back - theirs).max()) < 2.0 / 255.0


def test_a_folder_is_told_from_mvdreams_by_its_unet(model: tuple[Path, TinyImageDream], tmp_path: Path) -> None:
    facts, sizes, networks = model_facts(str(model[0])), read_sizes(model[0]), model[1]
    assert facts.family == facts.recipe == IMAGE_DREAM and facts.pose is None
    embed = sum(each.numel() for each in networks.unet.image_embed.parameters())
    assert sizes.denoiser == sum(each.numel() for each in networks.unet.parameters()) - embed
    assert sizes.text_encoders == max(
        sum(each.numel() for each in networks.encoder.parameters()),
        open_pipeline(model[0]).weights["text_encoder"].parameters,
    )
    index = json.loads((model[0] / "model_index.json").read_text(encoding="utf-8"))
    assert index["_class_name"] == "MVDreamPipeline" and "image_encoder" in used_parts(index)
    assert "image_encoder" not in used_parts({**index, "image_encoder": [None, None]})


@pytest.mark.slow
def test_arithmetic_and_memory_are_those_of_the_published_size() -> None:
    """On torch's meta device and as fake tensors: shapes without numbers, for each of the four views of a group."""
    from diffusers import UNet2DConditionModel

    config = stock_config(PUBLISHED)
    known = known_model("ashawkey/imagedream-ipmv-diffusers")
    assert known is not None and known.sizes.denoiser_live == denoiser_live(config, 32)

    def built() -> Any:
        network = UNet2DConditionModel.from_config({k: v for k, v in config.items() if k not in OUR_NAMES}).eval()
        attend_to_picture(network, _Shapes(network), 2, 16)
        let_views_see_each_other(network, 5)
        return network.requires_grad_(False)

    def told() -> dict[str, Any]:
        texts = torch.randn(5, 77, 1024), (torch.randn(5, 16, 1024),)
        return {"encoder_hidden_states": texts, "class_labels": torch.randn(5, 16)}

    with torch.device("meta"), torch.no_grad():
        network = built()
        with FlopCounterMode(display=False) as counter:
            network(torch.randn(5, 4, 32, 32), torch.tensor(1), **told())
    flops = counter.get_total_flops() / 4
    assert denoiser_operations(config, 32) == pytest.approx(flops, rel=0.01)
    assert known.sizes.denoiser_operations == pytest.approx(flops, rel=0.01)
    numbers = sum(each.numel() for each in network.parameters())
    assert known.sizes.denoiser == pytest.approx(numbers, rel=1e-3)
    assert numbers + RESAMPLER_NUMBERS == 941_672_900, "with which the published file of 1.88 GB is in half precision"
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        fake = built()
        latents, times, more = torch.randn(5, 4, 32, 32), torch.ones(5, dtype=torch.long), told()
        with LiveTensors(fake) as live:
            fake(latents, times, **more)
    assert live.peak / 4 / 4 == pytest.approx(denoiser_live(config, 32), rel=0.05)


class _Shapes(dict[str, Tensor]):
    """Keys and values for the picture, as large as those for the prompt, by their names in the first program."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        for name, attention in network.named_modules():
            if name.endswith(".attn2"):
                first = first_attention(name, 2)
                self[f"{first}.to_k_ip.weight"] = self[f"{first}.to_v_ip.weight"] = attention.to_k.weight


def _config(part: str, **changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / part / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")

    return change


def _weights(change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        path = folder / "unet" / "diffusion_pytorch_model.safetensors"
        save_file(change(load_file(path)), path)

    return changed


def _without(end: str) -> Callable[[Path], None]:
    return _weights(lambda state: {name: each for name, each in state.items() if not name.endswith(end)})


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (_config("unet", ip_dim=4), "model.damaged", "makes 3 tokens"),
        (_config("unet", ip_dim="many"), "model.unsupported", "tokens"),
        (_config("unet", ip_weight=0.5), "model.unsupported", "ip_weight"),
        (_config("image_encoder", hidden_size=32), "model.damaged", "states of 24"),
        (_config("image_encoder", image_size=0), "model.damaged", "image_size"),
        (_without("middle_block.1.transformer_blocks.0.attn2.to_v_ip.weight"), "model.damaged", "to_v_ip"),
        (_without("image_embed.layers.1.1.3.weight"), "model.damaged", r"layers\.1\.1\.3\.weight"),
        (_without("image_embed.latents"), "model.damaged", "latents"),
        (_weights(lambda state: {**state, "image_embed.more": torch.zeros(2)}), "model.damaged", "more"),
        (_weights(lambda state: {**state, "image_embed.latents": torch.zeros(1, 0, 32)}), "model.damaged", "0 tokens"),
        (lambda folder: shutil.rmtree(folder / "image_encoder"), "model.incomplete", "image_encoder"),
    ],
)
def test_parts_that_do_not_fit_are_refused_before_anything_is_loaded(
    model: tuple[Path, TinyImageDream], change: Callable[[Path], None], code: str, said: str, tmp_path: Path
) -> None:
    shutil.copytree(model[0], tmp_path / "model")
    change(tmp_path / "model")
    with pytest.raises(SetupError, match=f"(?s).*{said}") as refused:
        open_pipeline(tmp_path / "model")
    assert refused.value.code == code and str(tmp_path) in refused.value.why
