"""The stage `score`: settings of single scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dreamfusion_engine.config.setting import Stage, require, setting


@dataclass(frozen=True, kw_only=True)
class ScoreConfig(Stage, stage="score"):
    """Settings of some scores besides `guidance`: the inversion of 'sdi', the low-rank copy of 'vsd', sampling."""

    inversion_steps: int = setting(
        10,
        low=1,
        high=100,
        unit="steps",
        says="Steps of the inversion of 'sdi' through every timestep; a render's t takes its share of them",
    )
    inversion_scale: float = setting(-7.5, low=-1000.0, high=1000.0, says="Guidance while inverting (arXiv 2405.15891)")
    lora_rank: int = setting(
        4, low=1, high=128, says="Rank r of the copy of 'vsd' that learns the renders (arXiv 2305.16213)"
    )
    lora_rate: float = setting(1e-3, above=0.0, high=1.0, says="Learning rate of that copy (AdamW)")
    sampling_steps: int = setting(
        4, low=1, high=100, unit="steps", says="Steps of 'sampled' through every timestep, as those of the inversion"
    )
    sampling_guidance: float = setting(
        0.33,
        low=0.0,
        high=1.0,
        unit="share",
        says="Share of w - 1 that guides the steps of 'sampled': many predictions need less than one",
    )
    pixel_clip: float = setting(
        0.0,
        low=0.0,
        high=1e6,
        says="Largest norm of the score at one pixel of what is denoised (arXiv 2310.12474); 0: off",
    )
    clamp: tuple[float, float] = setting(
        (0.0, 0.0),
        low=0.0,
        high=1e6,
        says="Largest value of the residual, at the start and at the end of training; 0 and 0: off",
    )
    latents: Literal["mean", "sample"] = setting(
        "mean", says="What is taken of the VAE's posterior; models of pixels have none"
    )

    def check_together(self) -> None:
        """The clamp is on, or off."""
        ok = all(end > 0.0 for end in self.clamp) or not any(self.clamp)
        require(ok, "score.clamp", self.clamp, "two values above 0, or 0 and 0")
