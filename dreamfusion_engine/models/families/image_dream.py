"""ImageDream: MVDream that is told a picture of the object beside the prompt (Wang & Shi 2023, arXiv 2312.02201).

No code of its publishers is needed. The unet is MVDream's; attention to the picture's tokens and the resampler that
makes them are classes of diffusers, made for IP-Adapter (arXiv 2308.06721). G: groups; V: the 4 views of a group.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamfusion_engine.models.families.given_picture import clip_normalised, refuse_not_finite
from dreamfusion_engine.models.families.mvdream import MVDream, first_names
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.text import with_encoder
from dreamfusion_engine.models.families.views_together import let_views_see_each_other
from dreamfusion_engine.models.family import IMAGE_ENCODER
from dreamfusion_engine.models.image_dream import HEAD, PICTURE_KEYS, PICTURE_VALUES, RESAMPLER, resampler_sizes
from dreamfusion_engine.models.multi_view import BESIDE, MULTI_VIEW_UNET, OUR_NAMES, STOCK_UNET, VIEWS
from dreamfusion_engine.models.teacher import Conditioning, resize_square
from dreamfusion_engine.models.told_picture import encoder_sizes

ENCODER_CLASS = "CLIPVisionModel"
_WEIGHT = {  # of the resampler, by its name in the folder: its name in diffusers' class
    r"(latents|proj_in\.\w+|proj_out\.\w+|norm_out\.\w+)": r"\1",
    r"layers\.(\d+)\.0\.norm1\.(\w+)": r"layers.\1.ln0.\2",
    r"layers\.(\d+)\.0\.norm2\.(\w+)": r"layers.\1.ln1.\2",
    r"layers\.(\d+)\.0\.to_q\.weight": r"layers.\1.attn.to_q.weight",
    r"layers\.(\d+)\.0\.to_out\.weight": r"layers.\1.attn.to_out.0.weight",
    r"layers\.(\d+)\.1\.0\.(\w+)": r"layers.\1.ff.0.\2",
    r"layers\.(\d+)\.1\.1\.weight": r"layers.\1.ff.1.net.0.proj.weight",
    r"layers\.(\d+)\.1\.3\.weight": r"layers.\1.ff.1.net.2.weight",
}
_KEYS_AND_VALUES = re.compile(r"layers\.(\d+)\.0\.to_kv\.weight")
_ATTENTION = re.compile(r"(down|up)_blocks\.(\d+)\.attentions\.(\d+)\.(.+)\.attn2")
_MIDDLE = re.compile(r"mid_block\.attentions\.0\.(.+)\.attn2")


@dataclass(frozen=True, kw_only=True)
class PicturePrompt:
    """A picture in the model's terms.

    tokens: float32[1, K, D], which follow those of the prompt.
    without: float32[1, K, D], the same without the picture: what the resampler makes of zeros.
    latents: float32[1, C, h, w], as the model denoises them; zeros without the picture.
    """

    tokens: Tensor
    without: Tensor
    latents: Tensor


class ImageDream(MVDream):
    """MVDreamPipeline with a unet that is told a picture: groups of four views, and the picture as a fifth frame."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._tokens: int = parts.config("unet")["picture_tokens"]

    def _load_denoiser(self) -> nn.Module:
        config = {name: value for name, value in self.parts.config("unet").items() if name not in OUR_NAMES}
        layers = int(config["layers_per_block"])

        def attend(network: Any, state: dict[str, Tensor]) -> None:
            attend_to_picture(network, state, layers, self._tokens)

        network: Any = self.parts.original_network(
            "unet", MULTI_VIEW_UNET, STOCK_UNET, config, without_picture, self._memory_format, attend
        )
        let_views_see_each_other(network, VIEWS + BESIDE)
        joined: nn.Module = network
        return joined

    @torch.no_grad()
    def encode_picture(self, image: Tensor) -> PicturePrompt:
        """Return a picture in the model's terms. The encoder and the resampler come and go with this call.

        image: float32[1, 3, H, H] in [0, 1], sRGB, the object over the background that renders have.
        Raises SetupError model.damaged where the numbers are not finite.
        """
        image = image.to(self.device)
        pixels, _ = encoder_sizes(self.parts.folder.path)
        seen = clip_pixels(image, pixels).to(self.parts.text_dtype)

        def read(encoder: Any) -> tuple[Tensor, ...]:
            return (encoder(pixel_values=seen, output_hidden_states=True).hidden_states[-2].float(),)

        (states,) = with_encoder(self.parts, IMAGE_ENCODER, ENCODER_CLASS, read)
        with self.parts.foreign_errors():
            network = resampler(self._resampler_weights()).to(self.device)
        tokens, without = network(torch.cat([states, torch.zeros_like(states)])).split(1)
        latents = self.to_model_space(resize_square(image, self.image_size))
        refuse_not_finite(tokens, without, latents)
        return PicturePrompt(tokens=tokens, without=without, latents=latents)

    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        assert told.picture is not None and told.camera is not None
        words, picture = told.tokens.tensor_split([-self._tokens], 1)
        output: Tensor = self.denoiser(
            _with_frame(x, told.picture).contiguous(memory_format=self._memory_format),
            _with_frame(t, t),
            encoder_hidden_states=(_with_frame(words, words), (_with_frame(picture, picture),)),
            class_labels=_with_frame(told.camera, torch.zeros_like(told.camera)),
            return_dict=False,
        )[0]
        return output.unflatten(0, (-1, VIEWS + BESIDE))[:, :VIEWS].flatten(0, 1)

    def _resampler_weights(self) -> dict[str, Tensor]:
        """Its weights by their names in the folder; the rest of the unet stays on the disk."""
        from safetensors import safe_open

        found: dict[str, Tensor] = {}
        for file in self.parts.folder.weights["unet"].files:
            with safe_open(file, framework="pt") as stream:
                names = [name for name in stream.keys() if name.startswith(RESAMPLER)]  # noqa: SIM118 (no iterator)
                found |= {name.removeprefix(RESAMPLER): stream.get_tensor(name).float() for name in names}
        return found


def _with_frame(views: Tensor, frame: Tensor) -> Tensor:
    """Rows of views [G V, ...] and after those of each group one more: the first of the group's rows in `frame`."""
    groups, beside = (rows.unflatten(0, (-1, VIEWS)) for rows in (views, frame))
    return torch.cat([groups, beside[:, :BESIDE]], 1).flatten(0, 1)


def clip_pixels(image: Tensor, pixels: int) -> Tensor:
    """Return images as OpenCLIP sees them in this pipeline, float32[B, 3, pixels, pixels].

    image: float32[B, 3, H, H] in [0, 1]; it is resized bicubically, with a filter against aliasing.
    pixels: int, side.
    """
    resized = F.interpolate(image, (pixels, pixels), mode="bicubic", align_corners=False, antialias=True)
    return clip_normalised(resized.clamp(0.0, 1.0))


def resampler(weights: dict[str, Tensor]) -> Any:
    """Return the resampler: states of a picture float32[B, N, E] to tokens float32[B, K, D].

    weights: by their names in the folder, after RESAMPLER.
    Raises ValueError for weights that do not fit each other.
    Source: IP-Adapter, arXiv 2308.06721; ImageDream, arXiv 2312.02201, section 3.3.
    """
    from diffusers.models.embeddings import IPAdapterPlusImageProjection

    sizes = resampler_sizes({name: tuple(each.shape) for name, each in weights.items()})
    network: Any = IPAdapterPlusImageProjection(
        embed_dims=sizes.reads,
        output_dims=sizes.makes,
        hidden_dims=sizes.width,
        depth=sizes.layers,
        dim_head=HEAD,
        heads=sizes.heads,
        num_queries=sizes.tokens,
        ffn_ratio=sizes.inner // sizes.width,
    )
    state: dict[str, Tensor] = {}
    for name, each in weights.items():
        both = _KEYS_AND_VALUES.fullmatch(name)
        if both is not None:
            for which, part in zip("kv", each.chunk(2), strict=True):
                state[f"layers.{both[1]}.attn.to_{which}.weight"] = part
        else:
            pattern = next(pattern for pattern in _WEIGHT if re.fullmatch(pattern, name))
            state[re.sub(pattern, _WEIGHT[pattern], name)] = each
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def without_picture(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of MVDream's unet among those of ImageDream's, by the names that diffusers reads.

    state: weights by their names in the folder.
    """
    others = (PICTURE_KEYS, PICTURE_VALUES)
    return first_names(
        {name: each for name, each in state.items() if not (name.startswith(RESAMPLER) or name.endswith(others))}
    )


def attend_to_picture(network: Any, state: dict[str, Tensor], layers: int, tokens: int) -> None:
    """Let every attention to the prompt attend to the picture's tokens too, and add both at weight 1.

    network: UNet2DConditionModel, changed in place.
    state: weights by their names in the folder.
    layers: int, residual blocks of a level on the way down.
    tokens: int, of a picture.
    Raises KeyError for keys or values that are not there.
    Source: arXiv 2312.02201, section 3.3, with lambda = 1.
    """
    from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0

    for name, attention in network.named_modules():
        if not name.endswith(".attn2"):
            continue
        first = first_attention(name, layers).removesuffix("attn2")
        dtype = attention.to_k.weight.dtype
        keys, values = (state[first + kind].detach().to(dtype) for kind in (PICTURE_KEYS, PICTURE_VALUES))
        inner, width = keys.shape
        processor: Any = IPAdapterAttnProcessor2_0(inner, width, num_tokens=(tokens,), scale=1.0)
        processor.to_k_ip[0].weight = nn.Parameter(keys, requires_grad=False)
        processor.to_v_ip[0].weight = nn.Parameter(values, requires_grad=False)
        attention.set_processor(processor)


def first_attention(name: str, layers: int) -> str:
    """Return an attention's name in the model's first program, where all blocks of a way are numbered in one row.

    name: str, of an attention to the prompt in diffusers' unet.
    layers: int, residual blocks of a level on the way down.
    Raises KeyError for a name that is of none.
    """
    middle = _MIDDLE.fullmatch(name)
    if middle is not None:
        return f"middle_block.1.{middle[1]}.attn2"
    found = _ATTENTION.fullmatch(name)
    if found is None:
        raise KeyError(name)
    way, level, number, rest = found[1], int(found[2]), int(found[3]), found[4]
    at = level * (layers + 1) + number
    return f"input_blocks.{at + 1}.1.{rest}.attn2" if way == "down" else f"output_blocks.{at}.1.{rest}.attn2"
