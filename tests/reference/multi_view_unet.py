"""A multi-view unet written from the papers, with the names of weights that published folders have.

Latent diffusion's unet (arXiv 2112.10752) with the two changes of MVDream (arXiv 2308.16512, section 3.1): "3D
self-attention", in which every pixel sees those of all views, and an embedding of the camera's matrix by two layers,
added to the embedding of the time. Attention is a plain softmax here, and nothing is shared with diffusers.

With `ip_dim` it is ImageDream's (arXiv 2312.02201, section 3.3): attention to the prompt is to tokens of a picture too,
with keys and values of their own, and both are added. The resampler that makes the tokens is that of IP-Adapter.
"""

from __future__ import annotations

import copy
import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VIEWS = 4
# Of a resampler's sizes published configs give only the tokens; the rest are tests' own names.
RESAMPLED = ("encoder_width", "context_dim", "context_dim", "ip_dim", "resampler_layers", "resampler_heads")


class ResBlock(nn.Module):
    def __init__(self, before: int, after: int, told: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(32, before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(told, after))
        inner = nn.Conv2d(after, after, 3, padding=1)
        self.out_layers = nn.Sequential(nn.GroupNorm(32, after), nn.SiLU(), nn.Identity(), inner)
        self.skip_connection = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        inside = self.in_layers(x) + self.emb_layers(told)[:, :, None, None]
        out: Tensor = self.skip_connection(x) + self.out_layers(inside)
        return out


def attended(queries: Tensor, keys: Tensor, values: Tensor, head: int) -> Tensor:
    """softmax(q k^T / sqrt(head)) v, head by head."""
    parts = []
    for q, k, v in zip(*(each.split(head, -1) for each in (queries, keys, values)), strict=True):
        weights = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(head), -1)
        parts.append(weights @ v)
    return torch.cat(parts, -1)


class Attention(nn.Module):
    def __init__(self, width: int, told: int, head: int, pictured: bool = False) -> None:
        super().__init__()
        self.head = head
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k, self.to_v = (nn.Linear(told, width, bias=False) for _ in range(2))
        if pictured:
            self.to_k_ip, self.to_v_ip = (nn.Linear(told, width, bias=False) for _ in range(2))
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x: Tensor, told: Tensor, picture: Tensor | None = None) -> Tensor:
        seen = attended(self.to_q(x), self.to_k(told), self.to_v(told), self.head)
        if picture is not None:
            seen = seen + attended(self.to_q(x), self.to_k_ip(picture), self.to_v_ip(picture), self.head)
        out: Tensor = self.to_out(seen)
        return out


class Resampling(nn.Module):
    """Queries attend to a picture's states and to themselves."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q = nn.Linear(width, 64 * heads, bias=False)
        self.to_kv = nn.Linear(width, 2 * 64 * heads, bias=False)
        self.to_out = nn.Linear(64 * heads, width, bias=False)

    def forward(self, states: Tensor, queries: Tensor) -> Tensor:
        states, queries = self.norm1(states), self.norm2(queries)
        keys, values = self.to_kv(torch.cat([states, queries], 1)).chunk(2, -1)
        out: Tensor = self.to_out(attended(self.to_q(queries), keys, values, 64))
        return out


class Resampler(nn.Module):
    """States of a picture [B, N, reads] to tokens [B, tokens, makes]."""

    def __init__(self, reads: int, width: int, makes: int, tokens: int, layers: int, heads: int) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(1, tokens, width))
        self.proj_in, self.proj_out = nn.Linear(reads, width), nn.Linear(width, makes)
        self.norm_out = nn.LayerNorm(makes)
        feed = [nn.Linear(width, 4 * width, bias=False), nn.GELU(), nn.Linear(4 * width, width, bias=False)]
        self.layers = nn.ModuleList(
            nn.ModuleList([Resampling(width, heads), nn.Sequential(nn.LayerNorm(width), *copy.deepcopy(feed))])
            for _ in range(layers)
        )

    def forward(self, states: Tensor) -> Tensor:
        queries, seen = torch.cat([self.latents] * len(states)), self.proj_in(states)
        for layer in self.layers:
            attention, feed = cast(nn.ModuleList, layer)
            queries = queries + attention(seen, queries)
            queries = queries + feed(queries)
        out: Tensor = self.norm_out(self.proj_out(queries))
        return out


class Gated(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, -1)
        out: Tensor = value * F.gelu(gate)
        return out


class TransformerBlock(nn.Module):
    def __init__(self, width: int, context: int, head: int, pictured: bool) -> None:
        super().__init__()
        self.attn1, self.attn2 = Attention(width, width, head), Attention(width, context, head, pictured)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.ff = nn.ModuleDict(
            {"net": nn.Sequential(Gated(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))}
        )

    def forward(self, x: Tensor, context: Tensor, views: int, picture: Tensor | None) -> Tensor:
        seen = self.norm1(x)
        together = torch.stack([torch.cat(list(group)) for group in seen.split(views)])  # every view's pixels in a row
        attended = self.attn1(together, together)
        x = x + torch.cat([torch.stack(list(group.chunk(views))) for group in attended])
        x = x + self.attn2(self.norm2(x), context, picture)
        out: Tensor = x + self.ff["net"](self.norm3(x))
        return out


class SpatialTransformer(nn.Module):
    def __init__(self, width: int, context: int, head: int, pictured: bool) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(32, width, eps=1e-6)
        self.proj_in, self.proj_out = nn.Linear(width, width), nn.Linear(width, width)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, context, head, pictured)])

    def forward(self, x: Tensor, context: Tensor, views: int, picture: Tensor | None) -> Tensor:
        batch, width, rows, columns = x.shape
        pixels = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        for block in self.transformer_blocks:
            pixels = block(pixels, context, views, picture)
        return x + self.proj_out(pixels).transpose(1, 2).reshape(batch, width, rows, columns)


class Halved(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(width, width, 3, stride=2, padding=1)


class Doubled(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)


class MultiViewUNet(nn.Module):
    """The unet of a config as published folders have it."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        first, context, head = config["model_channels"], config["context_dim"], config["num_head_channels"]
        self.first, told, layers = first, 4 * first, config["num_res_blocks"]
        pictured = bool(config.get("ip_dim"))
        if pictured:
            self.image_embed = Resampler(*(config[name] for name in RESAMPLED))
        widths = [first * factor for factor in config["channel_mult"]]
        self.time_embed = nn.Sequential(nn.Linear(first, told), nn.SiLU(), nn.Linear(told, told))
        self.camera_embed = nn.Sequential(nn.Linear(config["camera_dim"], told), nn.SiLU(), nn.Linear(told, told))
        self.input_blocks = nn.ModuleList([nn.ModuleList([nn.Conv2d(config["in_channels"], first, 3, padding=1)])])
        self.output_blocks = nn.ModuleList()
        left, width = [first], first
        for level, after in enumerate(widths):
            attends = 2**level in config["attention_resolutions"]
            for _ in range(layers):
                block: list[nn.Module] = [ResBlock(width, after, told)]
                block += [SpatialTransformer(after, context, head, pictured)] if attends else []
                self.input_blocks.append(nn.ModuleList(block))
                width = after
                left.append(width)
            if level + 1 < len(widths):
                self.input_blocks.append(nn.ModuleList([Halved(width)]))
                left.append(width)
        self.middle_block = nn.ModuleList(
            [
                ResBlock(width, width, told),
                SpatialTransformer(width, context, head, pictured),
                ResBlock(width, width, told),
            ]
        )
        for level, after in reversed(list(enumerate(widths))):
            attends = 2**level in config["attention_resolutions"]
            for number in range(layers + 1):
                block = [ResBlock(width + left.pop(), after, told)]
                block += [SpatialTransformer(after, context, head, pictured)] if attends else []
                block += [Doubled(after)] if level and number == layers else []
                self.output_blocks.append(nn.ModuleList(block))
                width = after
        self.out = nn.Sequential(
            nn.GroupNorm(32, first), nn.SiLU(), nn.Conv2d(first, config["out_channels"], 3, padding=1)
        )

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        context: Tensor,
        camera: Tensor,
        views: int = VIEWS,
        picture: Tensor | None = None,
    ) -> Tensor:
        """The noise in x float32[(b views), C, h, w]; t int64[(b views)]; camera float32[(b views), 16].

        picture: float32[(b views), tokens, D], of `image_embed`.
        """
        half = self.first // 2
        angles = t[:, None] * torch.exp(-math.log(10_000.0) * torch.arange(half) / half)
        told = self.time_embed(torch.cat([angles.cos(), angles.sin()], 1)) + self.camera_embed(camera)
        left = []
        for block in self.input_blocks:
            x = self._through(block, x, told, context, views, picture)
            left.append(x)
        x = self._through(self.middle_block, x, told, context, views, picture)
        for block in self.output_blocks:
            x = self._through(block, torch.cat([x, left.pop()], 1), told, context, views, picture)
        out: Tensor = self.out(x)
        return out

    @staticmethod
    def _through(block: Any, x: Tensor, told: Tensor, context: Tensor, views: int, picture: Tensor | None) -> Tensor:
        for layer in block:
            if isinstance(layer, ResBlock):
                x = layer(x, told)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context, views, picture)
            elif isinstance(layer, Halved):
                x = layer.op(x)
            elif isinstance(layer, Doubled):
                x = layer.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            else:
                x = layer(x)
        return x
