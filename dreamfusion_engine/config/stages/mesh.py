"""The stage `mesh`: from density to a textured mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dreamfusion_engine.config.setting import Shown, Stage, setting


@dataclass(frozen=True, kw_only=True)
class MeshConfig(Stage, stage="mesh"):
    """The way from density to a textured mesh."""

    triangles: int = setting(
        20_000,
        low=100,
        high=5_000_000,
        unit="triangles",
        says="Most triangles after decimation",
        shown=Shown(label="Triangles", says="Most triangles that the mesh may have", usual=(1_000, 200_000)),
    )
    texture: int = setting(
        1024,
        low=64,
        high=8192,
        unit="pixels",
        says="Side of the square base-colour texture",
        shown=Shown(
            label="Texture Size",
            says="Pixels along the colour texture's side",
            sizes=(256, 512, 1024, 2048, 4096, 8192),
        ),
    )
    smoothing: int = setting(
        20,
        low=0,
        high=100,
        unit="iterations",
        says="Iterations of Taubin's smoothing",
        shown=Shown(label="Smoothing", says="Rounds of smoothing that keep the volume"),
    )
    resolution: int = setting(
        160,
        low=16,
        high=1024,
        unit="cells",
        says="Lattice cells along the box, 128 to 512 in the presets",
        shown=Shown(
            label="Lattice",
            says="Cells along the box when the surface is cut out. More catches finer details",
            usual=(64, 512),
        ),
    )
    iso: float | Literal["auto"] = setting(
        "auto",
        above=0.0,
        unit="density",
        says="Density of the surface; auto: where silhouettes agree best with the renders",
        shown=Shown(
            label="Surface Level",
            says="Density at which the surface is cut out. Lower gives a fatter object",
            words={
                "auto": ("Automatic Level", "Measure the density at which the surface agrees best with the renders")
            },
            usual=(None, 100.0),
            digits=3,
            most=10_000.0,
            number=10.0,
        ),
    )
    min_part: float = setting(
        0.01,
        low=0.0,
        below=1.0,
        unit="share",
        says="Parts under this share of the largest part's volume are floaters",
        shown=Shown(
            label="Smallest Part",
            says="Loose parts under this share of the largest part's volume are removed",
            digits=3,
        ),
    )
    padding: int = setting(
        8,
        low=0,
        high=64,
        unit="texels",
        says="Texels of colour beyond the charts' edges",
        shown=Shown(label="Padding", says="Pixels of colour beyond the edges of the texture's islands, against seams"),
    )
    normal_map: bool = setting(
        False,
        says="Whether the details of the surface before its decimation are baked into a normal map",
        shown=Shown(
            label="Normal Map",
            says="Keep the details that the triangles are too few for, as a normal map beside the colours",
        ),
    )
    ambient_occlusion: bool = setting(
        False,
        says="Whether the share of the sky that each place sees is baked into an occlusion map",
        shown=Shown(
            label="Ambient Occlusion",
            says="Bake how dark corners are, for programs and games that do not work it out themselves",
        ),
    )
    unwrap_seconds: float = setting(
        40.0,
        low=0.1,
        high=3600.0,
        unit="seconds",
        says="Time that the unwrap may take; past it a simpler one is used",
        shown=Shown(
            label="Unwrap Time",
            says="Seconds that the unwrap may take. After that a simpler one is used",
            usual=(5.0, 300.0),
            digits=0,
            step=5.0,
        ),
    )
