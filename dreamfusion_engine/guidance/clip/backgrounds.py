"""Patterns behind the object. Over a plain colour a CLIP could take the background for a part of the object.

A third of them is noise, a third a checkerboard of two colours, a third coloured clouds or one colour; all are blurred
at random.
Source: Dream Fields, Jain 2021, arXiv 2112.01455, section 4.2. One colour: CLIP-Mesh, Khalid 2022, arXiv 2203.13333.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SQUARES = 8  # of a checkerboard, along a side
CLOUD_SPREAD, CLOUD_DECAY = 0.2, 1.5  # of the clouds' spectrum: standard deviation, and the power of the frequency
_CLOUD_GAIN = 0.25  # before the sigmoid: more is more saturated
_KINDS = 3


def patterned_backgrounds(
    count: int, size: int, most: float, generator: torch.Generator, *, plain: bool = False
) -> Tensor:
    """Return blurred patterns, sRGB, float32[count, 3, size, size] in [0, 1].

    count: int.
    size: int, pixels along a side.
    most: float, highest standard deviation of the blur, share of the side.
    generator: source of the random numbers.
    plain: bool, whether the third kind is one colour, not clouds.
    """
    device = generator.device
    kind = torch.randint(_KINDS, (count, 1, 1, 1), generator=generator, device=device)
    noise = torch.rand(count, 3, size, size, generator=generator, device=device)
    two = torch.rand(count, 2, 3, generator=generator, device=device)
    spectrum = torch.randn(count, 3, size, size // 2 + 1, 2, generator=generator, device=device)
    sigma = most * size * torch.rand(count, generator=generator, device=device)
    third = two[:, 0, :, None, None].expand_as(noise) if plain else clouds(spectrum, size)
    patterns = torch.where(kind == 0, noise, torch.where(kind == 1, checkerboards(two, size), third))
    return blurred(patterns, sigma).clamp(0.0, 1.0)


def checkerboards(colours: Tensor, size: int) -> Tensor:
    """Return boards of SQUARES x SQUARES, float32[N, 3, size, size].

    colours: float32[N, 2, 3], of the two kinds of squares.
    size: int, pixels along a side.
    """
    square = torch.arange(size, device=colours.device) * SQUARES // size
    odd = ((square[:, None] + square[None, :]) % 2).bool()
    first, second = (colours[:, i, :, None, None] for i in (0, 1))
    return torch.where(odd, second, first)


def clouds(spectrum: Tensor, size: int) -> Tensor:
    """Return pictures whose spectrum falls with the frequency, float32[N, 3, size, size] in (0, 1).

    sigmoid(F^-1[s S max(|f|, 1/size)^-p size]), with s, p = CLOUD_SPREAD, CLOUD_DECAY.

    spectrum: float32[N, 3, size, size // 2 + 1, 2], standard normal, real and imaginary parts.
    size: int, pixels along a side.
    """
    falling = _frequency(size, spectrum.device).clamp_min(1.0 / size).pow(-CLOUD_DECAY) * size
    waves = CLOUD_SPREAD * falling * torch.view_as_complex(spectrum)
    return torch.sigmoid(_CLOUD_GAIN * torch.fft.irfft2(waves, s=(size, size)))


def blurred(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Return pictures convolved with a Gaussian that runs on at the opposite edge, float32[N, C, H, H].

    Its transform is exp(-2 (pi sigma f)^2), so that any width costs the same.

    pictures: float32[N, C, H, H].
    sigma: float32[N], standard deviations, pixels.
    """
    size = pictures.shape[-1]
    gone = _frequency(size, pictures.device)[None] * sigma[:, None, None]
    kept = torch.exp(-2.0 * math.pi**2 * gone.square())[:, None]
    return torch.fft.irfft2(torch.fft.rfft2(pictures) * kept, s=(size, size))


def _frequency(size: int, device: torch.device) -> Tensor:
    """|f| in cycles a pixel, float32[size, size // 2 + 1]."""
    down, across = torch.fft.fftfreq(size, device=device), torch.fft.rfftfreq(size, device=device)
    return (down[:, None].square() + across[None, :].square()).sqrt()
