"""The stage `sphere`: a smooth surface with maps that a CLIP bends from a sphere to an object, as in CLIP-Mesh."""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.setting import Stage, setting


@dataclass(frozen=True, kw_only=True)
class SphereConfig(Stage, stage="sphere"):
    """What is trained with `method=clip-mesh`, and how it is shown to the CLIP (arXiv 2203.13333)."""

    level: int = setting(
        3,
        low=1,
        high=5,
        unit="divisions",
        says="Divisions of an icosahedron: 20 * 4^level control triangles, 1,280 in CLIP-Mesh",
    )
    limit: int = setting(
        1,
        low=0,
        high=2,
        unit="divisions",
        says="Divisions more at which training shows the limit surface; CLIP-Mesh has 0",
    )
    maps: int = setting(
        512, low=32, high=4096, unit="texels", says="Side of the colour map and of the normal map, also in the result"
    )
    blur: float = setting(
        3.0,
        above=0.0,
        high=100.0,
        unit="texels",
        says="Standard deviation by which both maps are blurred before they are shown, over five texels",
    )
    laplacian: tuple[float, float] = setting(
        (30.0, 0.6),
        low=0.0,
        high=1e6,
        unit="weight",
        says="Weight of the control mesh's roughness, at the start and at the end of training",
    )
    plain: float = setting(
        0.5,
        low=0.0,
        high=1.0,
        unit="share of training",
        says="Until when half of the views show the shape in grey, so that colours cannot stand for it",
    )
    offset: float = setting(
        2.0,
        low=0.0,
        high=100.0,
        unit="world units",
        says="How far the object may be off the middle of a view, to the sides and upwards; its radius begins as 1",
    )
    low_views: float = setting(
        5.0,
        above=0.0,
        high=100.0,
        says="How much more often cameras are low: elevations are from Beta(1, low_views); 1: all alike",
    )
