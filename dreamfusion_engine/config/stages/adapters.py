"""The stage `adapters`: LoRAs and learned words."""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.setting import Stage, require, setting


@dataclass(frozen=True, kw_only=True)
class AdaptersConfig(Stage, stage="adapters"):
    """Small .safetensors files that extend the diffusion model: LoRAs, and words (textual inversion)."""

    lora: tuple[tuple[str, float], ...] = setting(
        (),
        low=-10.0,
        high=10.0,
        unit="weight of each file",
        says="LoRAs, each a file and its weight; 1: as trained, 0: none of it",
    )
    embeddings: tuple[str, ...] = setting((), says="Files of learned words; a prompt names their words")

    def check_together(self) -> None:
        """Every file has a name."""
        for file, _ in self.lora:
            require(file.strip() != "", "adapters.lora", file, "a file")
        for file in self.embeddings:
            require(file.strip() != "", "adapters.embeddings", file, "a file")
