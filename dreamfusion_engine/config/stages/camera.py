"""The stage `camera`: where training looks from, and where its light stands."""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.setting import Shown, Stage, setting


@dataclass(frozen=True, kw_only=True)
class CameraConfig(Stage, stage="camera"):
    """Cameras of the training. Sampling as DreamFusion (arXiv 2209.14988, App. A.2), framed for the [-1, 1] box."""

    distance: tuple[float, float] = setting(
        (3.0, 3.5),
        rising=True,
        low=1.8,
        high=100.0,
        unit="world units",
        says="Nearest and farthest camera, from the origin",
        shown=Shown(
            label="Distance",
            says="Nearest and farthest camera, in halves of the object's box",
            usual=(None, 6.0),
        ),
    )
    fov_deg: tuple[float, float] = setting(
        (36.0, 42.0),
        rising=True,
        low=1.0,
        high=120.0,
        unit="degrees",
        says="Smallest and largest vertical field of view",
        shown=Shown(
            label="Field of View",
            says="Smallest and largest vertical field of view, in degrees",
            digits=1,
        ),
    )
    elevation_deg: tuple[float, float] = setting(
        (-10.0, 80.0),
        rising=True,
        low=-90.0,
        high=90.0,
        unit="degrees",
        says="Lowest and highest camera above the horizon",
        shown=Shown(
            label="Elevation",
            says="Lowest and highest camera above the horizon, in degrees",
            digits=1,
        ),
    )
    group: int = setting(
        1,
        low=1,
        high=16,
        unit="views",
        says="Views in a row at equal turns around the object, as many as the model judges together",
    )
    target_jitter: float = setting(
        0.02,
        low=0.0,
        high=0.5,
        unit="world units",
        says="Standard deviation of the point that cameras look at",
        shown=Shown(
            label="Target Jitter",
            says="How far from the middle the cameras aim, in halves of the object's box",
            digits=3,
        ),
    )
    light_spread: float = setting(
        0.35,
        low=0.0,
        high=10.0,
        unit="camera distances",
        says="How far the light strays from the camera: the standard deviation of its direction",
    )
