"""The space that a model denoises in: pixels in [-1, 1], or an autoencoder's latents."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from dreamfusion_engine.machine.backends import backend_of
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.teacher import resize_square


class Space(Protocol):
    """Turns images into what a model denoises.

    size: int, pixels along a side of the model's images.
    """

    size: int

    def encode(self, image: Tensor, posterior: Tensor | None = None) -> Tensor:
        """Return what is denoised, float32[B, C, h, w]; differentiable.

        image: float32[B, 3, H, W] in [0, 1].
        posterior: float32[B, C, h, w], standard normal noise to sample latents with; None: the mean.
        """
        ...


class PixelSpace:
    """Pixels themselves: x = 2 I - 1."""

    def __init__(self, size: int) -> None:
        self.size = size

    def encode(self, image: Tensor, posterior: Tensor | None = None) -> Tensor:
        return 2.0 * resize_square(image, self.size) - 1.0


def posterior_sample(mean: Tensor, std: Tensor, noise: Tensor) -> Tensor:
    """mu + s eta: a sample of N(mu, s^2) from standard normal noise eta.

    mean: float[B, C, h, w], mu.
    std: float[B, C, h, w], s.
    noise: float[B, C, h, w], eta.
    Source: Kingma & Welling 2013, arXiv 1312.6114.
    """
    return mean + std * noise


class LatentSpace:
    """The latents of an autoencoder: z = (E(2 I - 1) - m) k, with E the mean of its posterior (arXiv 2112.10752).

    k is its scaling factor and m its shift, which give latents a spread near 1 (there, App. D.1). An autoencoder may
    give
    them for each channel instead: z = k (E - mean) / std. The mean replaces a sample because score distillation adds
        its
    own noise; with noise given, E is the sample that it makes. The network is loaded on first use.
    """

    def __init__(self, parts: Parts, pixels: int) -> None:
        self.size = pixels
        self._parts = parts
        # A card's half-precision convolutions want channels last; a CPU's are as fast either way.
        wanted = parts.device.type != "cpu" and backend_of(parts.device).channels_last
        self._memory_format = torch.channels_last if wanted else torch.contiguous_format

    @cached_property
    def vae(self) -> Any:
        """The autoencoder.

        Raises SetupError model.damaged.
        """
        return self._parts.network("vae", "AutoencoderKL", self._memory_format)

    @cached_property
    def _scale(self) -> tuple[Tensor, Tensor]:
        """m and k, each float32[1, C or 1, 1, 1]; copied to the device once, not in every step."""
        config, device = self.vae.config, self._parts.device
        factor = float(config.scaling_factor)
        mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
        if mean is None or std is None:
            mean, std = [getattr(config, "shift_factor", None) or 0.0], [1.0]
        shift, spread = (torch.tensor(value, device=device).view(1, -1, 1, 1) for value in (mean, std))
        return shift, factor / spread

    def unscaled(self, image: Tensor) -> Tensor:
        """Return the mean latents E of images, neither shifted nor scaled, float32[B, C, h, w].

        image: float32[B, 3, H, W] in [0, 1].
        """
        encoded = self._encoded(image)
        latents: Tensor = encoded.latent_dist.mode() if "latent_dist" in encoded else encoded.latents
        return latents.float()

    def _encoded(self, image: Tensor) -> Any:
        dtype = next(self.vae.parameters()).dtype
        picture = (2.0 * resize_square(image, self.size) - 1.0).to(dtype)
        return self.vae.encode(picture.contiguous(memory_format=self._memory_format))

    def encode(self, image: Tensor, posterior: Tensor | None = None) -> Tensor:
        encoded = self._encoded(image)
        # A tiny autoencoder has no posterior, only latents.
        latents = encoded.latent_dist.mode() if "latent_dist" in encoded else encoded.latents
        latents = latents.float()
        if posterior is not None and "latent_dist" in encoded:
            latents = posterior_sample(latents, encoded.latent_dist.std.float(), posterior)
        shift, scale = self._scale
        z: Tensor = (latents - shift) * scale
        return z


def vae_scale(parts: Parts) -> int:
    """Return the pixels along a side of one latent."""
    blocks = parts.config("vae").get("block_out_channels", ())
    return 2 ** max(len(blocks) - 1, 0)


def latent_pixels(parts: Parts, beside: int = 0) -> int:
    """Return the pixels along a side of the pictures that a denoiser of latents was trained on.

    beside: int, latents of given pictures that it reads beside those that it denoises.
    Raises SetupError model.unsupported where the denoiser does not fit the autoencoder, as an inpainting model's.
    """
    denoiser, vae = parts.config(parts.family.denoiser), parts.config("vae")
    size, channels, latents = denoiser.get("sample_size"), denoiser.get("in_channels"), vae.get("latent_channels", 4)
    if not isinstance(size, int) or channels != (1 + beside) * latents:
        raise parts.unsupported(
            f"Its {parts.family.denoiser} has {channels} input channels at size {size}; "
            f"its autoencoder makes {latents} of a square picture."
        )
    return size * vae_scale(parts)
