"""What the command line and the server run: the signatures of generate.generate and texture.texture."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Control, Report, Result


class Generate(Protocol):
    """generate.generate, which makes an object."""

    def __call__(
        self,
        config: GenerateConfig,
        output: Path,
        *,
        report: Report,
        control: Control,
        resume: bool = False,
        blockout: bytes = b"",
    ) -> Result: ...


class Texture(Protocol):
    """texture.texture, which paints meshes."""

    def __call__(
        self,
        config: GenerateConfig,
        paint: PaintConfig,
        mesh: bytes,
        output: Path,
        *,
        report: Report,
        control: Control,
        resume: bool = False,
    ) -> Result: ...
