"""An endless supply of captioned training pictures, rendered as training runs.

A ring of traced pictures on the training device is refreshed a few pictures a step. Each traced picture is used
several times, each time with another background, rendering and caption, since tracing is dearer than composing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.config.stages import CameraConfig, Shading
from dreamfusion_engine.models.views import Heading, View, heading_of, view_of
from dreamfusion_engine.scene.background import random_backgrounds
from dreamfusion_engine.scene.cameras import sample_cameras
from dreamfusion_engine.scene.light import sample_lights
from training.starter.captions import camera_words, caption
from training.starter.objects.kinds import KINDS, Appearance, Kind, make_object, random_appearance
from training.starter.renderer import CHANNELS, compose, render_objects

_SHADINGS: tuple[Shading, ...] = ("lambertian", "albedo", "textureless")
_SHADING_SHARES = (0.5, 0.25, 0.25)
_FIRST = 2048  # pictures traced before the first batch, so that the first steps see variety


@dataclass(frozen=True, kw_only=True)
class Label:
    """What is known of a picture.

    kind: Kind of the object.
    appearance: Appearance of the object.
    view: View of the camera.
    heading: Heading of the camera.
    shading: Shading of the picture.
    camera: str, words for the exact camera; "" where only the view counts.
    azimuth, elevation: float, radians, of the camera.
    """

    kind: Kind
    appearance: Appearance
    view: View
    heading: Heading
    shading: Shading
    camera: str = ""
    azimuth: float = 0.0
    elevation: float = 0.0


class Corpus:
    """Captioned pictures from a seed.

    pixels: int, side of the pictures.
    capacity: int, traced pictures that are kept.
    fresh: float, pictures traced anew for each one that `batch` returns.
    seed: int.
    device: torch.device of the pictures.
    kinds: Kinds that the pictures show.
    fronts: float, weight of a kind with a front, where the others have 1: there is more to learn of it.
    parts: float in [0, 1], how often a named part has a colour of its own; 0: as often as the starter sees it.
    group: int, pictures in a row that show one object, from equal turns around it; it divides every count.
    """

    def __init__(
        self,
        *,
        pixels: int,
        capacity: int,
        fresh: float,
        seed: int,
        device: torch.device,
        kinds: Sequence[Kind] = KINDS,
        fronts: float = 1.0,
        parts: float = 0.0,
        group: int = 1,
    ) -> None:
        self._kinds = tuple(kinds)
        self._parts = parts
        weights = np.array([fronts if kind.front else 1.0 for kind in self._kinds])
        self._shares = weights / weights.sum()
        self._pixels = pixels
        self._fresh = fresh
        self._group = group
        self.rng = np.random.default_rng(seed)
        self._generator = torch.Generator(device=device).manual_seed(seed)
        self._ring = torch.zeros(capacity, CHANNELS, pixels, pixels, dtype=torch.uint8, device=device)
        self._labels: list[tuple[Kind, Appearance, float, float]] = []
        self._next = 0

    def trace(self, count: int) -> None:
        """Trace new pictures over the oldest ones.

        count: int, pictures.
        """
        chosen = self.rng.choice(len(self._kinds), size=count // self._group, p=self._shares)
        kinds = [self._kinds[i] for i in chosen]
        appearances = self._each([(kind, random_appearance(self.rng, kind, self._parts)) for kind in kinds])
        objects = self._each([make_object(self.rng, *each) for each in appearances[:: self._group]])
        cameras = sample_cameras(count, CameraConfig(group=self._group), self._generator)
        light = sample_lights(cameras.position, self._generator)
        # The share of light from everywhere varies, so that the model does not insist on one.
        ambient = 0.1 + 0.4 * torch.rand(len(chosen), generator=self._generator, device=self._ring.device)
        ambient = ambient.repeat_interleave(self._group)
        traced = render_objects(objects, cameras, light, ambient, pixels=self._pixels)
        for i, (kind, appearance) in enumerate(appearances):
            label = (kind, appearance, float(cameras.azimuth[i]), float(cameras.elevation[i]))
            self._ring[self._next] = (traced[i] * 255.0 + 0.5).to(torch.uint8)
            if self._next < len(self._labels):
                self._labels[self._next] = label
            else:
                self._labels.append(label)
            self._next = (self._next + 1) % len(self._ring)

    def _each(self, values: list[Any]) -> list[Any]:
        """The value of each group, for each of its pictures."""
        return [value for value in values for _ in range(self._group)]

    def batch(self, size: int) -> tuple[Tensor, list[str]]:
        """Return pictures float32[size, 3, pixels, pixels] in [0, 1] and their captions.

        size: int, pictures.
        """
        pictures, labels = self.pictures(size)
        return pictures, self.captions(labels)

    def captions(self, labels: Sequence[Label]) -> list[str]:
        """Return a caption for each label. Those of a group say the same of the object, in the same words.

        labels: of whole groups.
        """
        if self._group == 1:
            return [_caption(self.rng, label) for label in labels]
        seeds = self._each(self.rng.integers(2**63, size=len(labels) // self._group).tolist())
        return [_caption(np.random.default_rng(seed), label) for seed, label in zip(seeds, labels, strict=True)]

    def pictures(self, size: int) -> tuple[Tensor, list[Label]]:
        """Return pictures float32[size, 3, pixels, pixels] in [0, 1] and their labels.

        size: int, pictures.
        """
        group = self._group
        first = min(len(self._ring), _FIRST)
        if wanted := first if len(self._labels) < first else round(self._fresh * size / group) * group:
            self.trace(wanted)
        groups = self.rng.integers(len(self._labels) // group, size=size // group)
        chosen = (group * groups[:, None] + np.arange(group)).flatten()
        device = self._ring.device
        traced = self._ring[torch.from_numpy(chosen).to(device)].float() / 255.0
        background = random_backgrounds(size, self._generator)
        shares = self.rng.choice(len(_SHADINGS), size=size // group, p=_SHADING_SHARES)
        shadings = self._each([_SHADINGS[i] for i in shares])
        pictures = torch.empty(size, 3, self._pixels, self._pixels, device=device)
        for shading in _SHADINGS:
            rows = torch.tensor([s == shading for s in shadings], device=device)
            pictures[rows] = compose(traced[rows], background[rows], shading)
        known = zip((self._labels[c] for c in chosen), shadings, strict=True)
        return pictures, [_label(*label, shading) for label, shading in known]


def _label(kind: Kind, appearance: Appearance, azimuth: float, elevation: float, shading: Shading) -> Label:
    return Label(
        kind=kind,
        appearance=appearance,
        view=view_of(azimuth, elevation),
        heading=heading_of(azimuth),
        shading=shading,
        camera=camera_words(azimuth, elevation),
        azimuth=azimuth,
        elevation=elevation,
    )


def _caption(rng: np.random.Generator, x: Label) -> str:
    return caption(rng, x.kind, x.appearance, x.view, x.heading, x.shading, x.camera)
