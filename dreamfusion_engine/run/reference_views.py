"""Pictures of a trained field that its mesh is held against."""

from __future__ import annotations

import math

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.mesh.surface.silhouette import ReferenceViews
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.scene.cameras import turntable_cameras

_ELEVATION = math.radians(20.0)


def reference_views(training: VolumeTraining, camera: CameraConfig, count: int, size: int) -> ReferenceViews:
    """Return the field's albedo renders from cameras around the object.

    training: VolumeTraining of the field.
    camera: CameraConfig, how far away they are, and their lens.
    count: int, number of cameras.
    size: int, pixels.
    """
    cameras = turntable_cameras(count, elevation=_ELEVATION, config=camera, device=training.device)
    seen = training.view(cameras, size)
    return ReferenceViews(cameras=cameras, colour=seen.colour, opacity=seen.opacity)
