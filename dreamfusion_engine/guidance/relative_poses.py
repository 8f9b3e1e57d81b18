"""How far a camera is from the one that took a picture, in the four numbers that Zero123 and its kin are told.

With the polar angle p = 90 degrees - elevation, the azimuth a, and d for "camera minus picture":

    Zero123          [dp, sin da, cos da, dr]       dr: change of distance
    Stable Zero123   [dp, sin da, cos da, p_picture]

The folders of both look alike, so a catalogue or a person says which. Here all cameras stand where the picture was
taken from, as far as distance goes: dr = 0. The model's pictures show the whole object, whatever the lens.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dreamfusion_engine.config.stages.reference import KnownPose


def relative_poses(
    azimuth: Tensor, elevation: Tensor, picture_azimuth: float, picture_elevation: float, convention: KnownPose
) -> Tensor:
    """Return the pose that a model is told of each camera, float32[B, 4].

    azimuth, elevation: float32[B], radians, of the cameras; azimuth 0 looks at the front, and grows counter-clockwise
        as seen from above.
    picture_azimuth, picture_elevation: float, radians, from where the picture was taken.
    convention: KnownPose that the model was taught.
    Source: arXiv 2303.11328, section 3.1, and its published program; threestudio, stable-zero123-guidance.
    """
    turn = azimuth - picture_azimuth
    polar = picture_elevation - elevation  # (90 - elevation) - (90 - picture_elevation)
    of_picture = 0.5 * math.pi - picture_elevation if convention == "stable-zero123" else 0.0
    return torch.stack([polar, turn.sin(), turn.cos(), torch.full_like(turn, of_picture)], -1)
