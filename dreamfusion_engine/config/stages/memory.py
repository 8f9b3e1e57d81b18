"""The stage `memory`: what the diffusion model may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dreamfusion_engine.config.setting import Shown, Stage, setting

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Offload = Literal["none", "text", "all"]  # text encoders' weights, or the denoiser's too
DenoiserRuntime = Literal["auto", "torch", "openvino"]


@dataclass(frozen=True, kw_only=True)
class MemoryConfig(Stage, stage="memory"):
    """The memory settings: what the diffusion model may take, and what is traded for it."""

    fit: bool = setting(
        True,
        says="Where the memory that is free at the start is not enough, change what follows, sizes and views",
        shown=Shown(
            label="Fit This Card",
            says="When a run needs more memory than is free, change settings so that it fits, and say which",
        ),
    )
    precision: Precision = setting(
        "auto",
        says="Precision of the diffusion model",
        shown=Shown(
            label="Precision",
            says="Of the diffusion model. Half takes half the memory",
            words={
                "auto": ("Automatic", "Half for large models on a graphics card"),
                "float32": ("Full", "32 bits a number. Twice the memory"),
                "bfloat16": ("Half, BF16", "16 bits a number, for newer cards"),
                "float16": ("Half, FP16", "16 bits a number, for all cards"),
            },
        ),
    )
    vae_precision: Precision = setting(
        "auto",
        says="Precision of its VAE; auto: bfloat16 beside a model in half precision where that is safe",
    )
    recompute: bool = setting(
        False,
        says="VAE: one picture at a time, its layers computed again in the backward pass; same result",
    )
    tiling: bool = setting(False, says="VAE: pictures above 512 pixels in overlapping tiles; nearly the same result")
    tiny_vae: str = setting("", says="Folder or downloaded hub id of an AutoencoderTiny that takes the VAE's place")
    views_at_once: int = setting(
        0,
        low=0,
        high=64,
        unit="views",
        says="Views rendered and scored at a time, gradients added up; 0: all; same result ('vsd': nearly)",
    )
    graphs: bool = setting(
        True, says="On a card, record a step's work once and replay it: faster, and takes memory of its own"
    )
    denoiser_runtime: DenoiserRuntime = setting(
        "auto", says="What computes the denoiser on a CPU; auto: the fastest by a measurement that is kept"
    )
    overlap: Literal["auto", "on", "off"] = setting(
        "auto", says="On a CPU, score half of a step's views while the other half is rendered"
    )
    offload: Offload = setting(
        "none", says="Whose weights stay in main memory while one layer at a time visits the card; slow"
    )
