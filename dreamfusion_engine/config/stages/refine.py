"""The stage `refine`: vertices and colours of a mesh, moved together by the teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dreamfusion_engine.config.setting import Stage, setting


@dataclass(frozen=True, kw_only=True)
class RefineConfig(Stage, stage="refine"):
    """How a mesh is refined: by the command `refine`, and by `generate` at its end."""

    steps: int = setting(
        0,
        low=0,
        high=1_000_000,
        unit="steps",
        says="Steps of refinement at the end of `generate`; 0: none. The command `refine` has `optimize.steps`",
    )
    strength: float = setting(
        5.0,  # by benchmarks/refine.py: of 1, 5 and 15 the one that is nearest to the exact shapes and keeps eaves
        low=0.0,
        high=100.0,
        says="How fast vertices move: 1 is 0.002 world units a step, at most; 0: they stay bit for bit",
    )
    reach: float = setting(
        0.06, low=0.0, high=0.5, unit="world units", says="How far a vertex may end from where it began"
    )
    stiffness: float = setting(
        3.0,
        low=0.0,
        high=10_000.0,
        says="How smoothly vertices move together: the weight of the Laplacian (of a part: for edges of 0.02)",
    )
    roughness: float = setting(
        1.0, low=0.0, high=1e6, unit="weight", says="Weight of the differences between neighbours' moves"
    )
    edges: float = setting(1.0, low=0.0, high=1e6, unit="weight", says="Weight of the edges' lengths against the first")
    bumps: float = setting(
        2.0, low=0.0, high=1e6, unit="weight", says="Weight of small turns of the surface: bumps go, creases stay"
    )
    flatness: float = setting(
        0.02, low=0.0, high=1e6, unit="weight", says="Weight of small steps of colour: mottles become flat, edges stay"
    )
    uv: Literal["keep", "new"] = setting(
        "keep", says="The mesh's own UVs, or new ones; several parts, or UVs outside the texture, get new ones always"
    )
    front_deg: float = setting(
        0.0,
        low=-360.0,
        high=360.0,
        unit="degrees",
        says="The side that is the front, counter-clockwise from above; 0: -Y, as in Blender's front view",
    )
    samples: int = setting(2, low=1, high=4, unit="samples", says="Samples along a pixel's side in training")
