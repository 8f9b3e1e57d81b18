"""What a denoiser that is told a picture of the object is told in a step: the picture, and where each view is from.

It stands in the place of `PromptConditioning`: a prompt is not read. B: views.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.config.stages.reference import KnownPose
from dreamfusion_engine.guidance.prompt_conditioning import PromptEmbeddings
from dreamfusion_engine.guidance.relative_poses import relative_poses
from dreamfusion_engine.machine.device import sent
from dreamfusion_engine.models.families.zero123 import EncodedPicture
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.models.views import View

# Cameras of the named views, radians: azimuth and elevation.
_CAMERAS: dict[View, tuple[float, float]] = {
    "front": (0.0, 0.0),
    "side": (0.5 * math.pi, 0.0),
    "back": (math.pi, 0.0),
    "overhead": (0.0, 0.5 * math.pi),
}


@dataclass(frozen=True, kw_only=True)
class TeacherPicture:
    """The picture that a teacher is told.

    image: float32[1, 3, H, H], sRGB in [0, 1], the object over white, on the host.
    azimuth, elevation: float, radians, from where it was taken.
    pose: KnownPose that the teacher was taught; None for one that is told none.
    """

    image: Tensor
    azimuth: float
    elevation: float
    pose: KnownPose | None = None


class ToldPicture(Protocol):
    """What of a teacher is needed here.

    device: torch.device of its tensors.
    """

    device: torch.device

    def encode_picture(self, image: Tensor) -> EncodedPicture: ...
    def told(self, picture: EncodedPicture, pose: Tensor) -> Conditioning: ...
    def told_nothing(self, picture: EncodedPicture, count: int) -> Conditioning: ...


class PictureConditioning:
    """One picture of the object for all views, encoded once for the model.

    teacher: the model.
    picture: TeacherPicture with poses.
    """

    def __init__(self, teacher: ToldPicture, picture: TeacherPicture) -> None:
        assert picture.pose is not None, "a request without is refused"
        self._teacher = teacher
        self._picture = picture
        self._pose: KnownPose = picture.pose
        self._encoded = teacher.encode_picture(picture.image)

    def unconditional(self, count: int) -> Conditioning:
        """Return what the denoiser is told without the picture, `count` rows of zeros."""
        return self._teacher.told_nothing(self._encoded, count)

    def of_views(self, views: Sequence[View], shading: Shading) -> Conditioning:
        """Return the picture as told of each named view, B rows.

        views: B names of views.
        shading: of all the renders; it is not told.
        """
        cameras = torch.tensor([_CAMERAS[view] for view in views])
        return self.of_cameras(cameras[:, 0], cameras[:, 1], shading)

    def of_cameras(self, azimuth: Tensor, elevation: Tensor, shading: Shading) -> Conditioning:
        """Return the picture as told of each camera, B rows.

        azimuth, elevation: float32[B], radians.
        shading: of all the renders; it is not told.
        """
        given = self._picture
        pose = relative_poses(azimuth, elevation, given.azimuth, given.elevation, self._pose)
        return self._teacher.told(self._encoded, sent(pose, self._teacher.device))

    def embeddings(self, azimuth: Tensor, elevation: Tensor, shading: Shading) -> PromptEmbeddings:
        """Return all embeddings of one step.

        azimuth, elevation: float32[B], radians.
        shading: of all the renders; it is not told.
        """
        told = self.of_cameras(azimuth, elevation, shading)
        return PromptEmbeddings(uncond=self.unconditional(len(azimuth)), cond=told)
