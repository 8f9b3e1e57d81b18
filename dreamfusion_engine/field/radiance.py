"""The radiance field: density and colour at a point, from a hash grid, a small MLP and an initial blob.

Axis letters: N points, R rays, L levels, F features.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from dreamfusion_engine.config.stages import FieldConfig
from dreamfusion_engine.field.decoder import Blob, decode_points
from dreamfusion_engine.field.hash_grid import HashGrid

DENSITY_EXPONENT = 15.0  # the largest x of e^x, as in decoder_kernels.py
FIRST_LEVELS = 0.5  # share of the levels that is open from the start


def blob_density_bias(points: Tensor, height: float, radius: float) -> Tensor:
    """b = height (1 - |x| / radius), added to the density before its activation; float32[N].

    It is the initial blob in the middle of the empty box.

    points: float32[N, 3], world units, x.
    height: float.
    radius: float, world units.
    Source: DreamFusion, arXiv 2209.14988, App. A.2, in the linear form of public re-implementations.
    """
    return height - (height / radius) * torch.linalg.vector_norm(points, dim=-1)


def level_weights(levels: int, fraction: float, device: torch.device | str = "cpu") -> Tensor:
    """w_l = (1 - cos(pi clamp(a - l, 0, 1))) / 2, float32[L]: a window that opens fine levels smoothly.

    a runs from half of the levels to all of them while the fraction runs from 0 to 1.

    levels: int, L.
    fraction: float in [0, 1].
    device: of the result.
    Source: Nerfies, arXiv 2011.12948, eq. 8, with hash-grid levels in place of frequencies.
    """
    first = max(1, math.ceil(FIRST_LEVELS * levels))
    opened = first + min(max(fraction, 0.0), 1.0) * (levels - first)
    return 0.5 - 0.5 * torch.cos(math.pi * (opened - torch.arange(levels, device=device)).clamp(0.0, 1.0))


class BoundedExp(torch.autograd.Function):
    """e^x, which stays at e^15 above; its gradient is its value there too, so that a density can come down again.

    Source: instant-ngp (arXiv 2201.05989), whose densities have this activation.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        value = torch.exp(x.clamp_max(DENSITY_EXPONENT))
        ctx.save_for_backward(value)
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (value,) = ctx.saved_tensors
        result: Tensor = gradient * value
        return result


class RadianceField(nn.Module):
    """Density (1 / world unit) and albedo (sRGB in [0, 1]) in the box [-1, 1]^3; density is 0 outside.

    config: FieldConfig, sizes and the blob.
    seed: int, of every initial value.
    device: of the parameters.
    """

    level_weight: Tensor

    def __init__(self, config: FieldConfig, *, seed: int, device: torch.device | str = "cpu") -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.config = config
        self.grid = HashGrid(
            levels=config.levels,
            features=config.features,
            log2_table=config.log2_table,
            base=config.base_resolution,
            finest=config.finest_resolution,
            generator=generator,
        )
        self.hidden = _linear(config.levels * config.features, config.hidden, generator)
        self.out = _linear(config.hidden, 4, generator)
        # Adam moves a weight by about its learning rate whatever the gradient's size, so the gain sets how soon a
        # surface can be solid; of 1, 10, 20 and 30, measured on photographs of known objects, 20 and 30 close
        # silhouettes soonest and 30 ends noisier.
        self.blob = Blob(
            gain=config.density_gain,
            height=config.blob_density,
            slope=config.blob_density / config.blob_radius,
            activation=config.activation,
        )
        self.sky = None
        if config.background == "learned":
            self.sky = nn.Sequential(_linear(9, 16, generator), nn.ReLU(), _linear(16, 3, generator), nn.Sigmoid())
        self.register_buffer("level_weight", torch.ones(config.levels))
        self.to(device)

    def open_levels(self, fraction: float) -> None:
        """Open the hash grid's levels up to `fraction` in [0, 1]; 1: all. Later calls may raise or lower it."""
        self.level_weight.copy_(level_weights(self.config.levels, fraction, self.level_weight.device))

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return density float32[N] and albedo float32[N, 3] at points float32[N, 3]."""
        points = self._folded(points)
        if self._in_one_pass(points):
            return self._decode(points, albedo=True)
        raw = self._raw(points)
        return self._activated_density(raw, points), torch.sigmoid(raw[:, 1:])

    def density(self, points: Tensor) -> Tensor:
        """Return density float32[N], 1 / world unit, at points float32[N, 3]."""
        points = self._folded(points)
        if self._in_one_pass(points):
            return self._decode(points, albedo=False)[0]
        return self._activated_density(self._raw(points), points)

    def background(self, directions: Tensor) -> Tensor:
        """Return learned background colours float32[R, 3] in (0, 1).

        directions: float32[R, 3], unit length.
        Raises ValueError where the configuration's background is not 'learned'.
        """
        if self.sky is None:
            raise ValueError("This field has no learned background: FieldConfig.background is 'random'.")
        waves = [directions, torch.sin(3.0 * directions), torch.cos(3.0 * directions)]
        colours: Tensor = self.sky(torch.cat(waves, -1))
        return colours

    def _folded(self, points: Tensor) -> Tensor:
        """(|x|, y, z) where left and right are mirror images: both ask, and teach, the same place."""
        if self.config.symmetry == "none":
            return points
        return torch.cat([points[:, :1].abs(), points[:, 1:]], -1)

    def _in_one_pass(self, points: Tensor) -> bool:
        """Whether the CPU kernels apply: they give no gradient to points."""
        return points.device.type == "cpu" and not points.requires_grad

    def _decode(self, points: Tensor, *, albedo: bool) -> tuple[Tensor, Tensor]:
        layers = (self.hidden.weight, self.hidden.bias, self.out.weight, self.out.bias)
        return decode_points(points.contiguous(), self.grid, self.level_weight, layers, self.blob, albedo=albedo)

    def _raw(self, points: Tensor) -> Tensor:
        raw: Tensor = self.out(torch.relu(self.hidden(self.grid(points, self.level_weight))))
        return raw

    def _activated_density(self, raw: Tensor, points: Tensor) -> Tensor:
        bias = blob_density_bias(points, self.config.blob_density, self.config.blob_radius)
        inside = (points.abs().amax(-1) <= 1.0).to(raw.dtype)
        value = self.blob.gain * raw[:, 0] + bias
        activated = BoundedExp.apply(value) if self.config.activation == "exp" else nn.functional.softplus(value)
        density: Tensor = activated * inside
        return density


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with weights U(-1, 1) / sqrt(inputs) from the generator and no initial bias."""
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.copy_((2.0 * torch.rand(outputs, inputs, generator=generator) - 1.0) / math.sqrt(inputs))
        layer.bias.zero_()
    return layer
