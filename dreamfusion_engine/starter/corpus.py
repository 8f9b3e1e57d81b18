"""An endless supply of captioned training pictures, rendered as training runs.

A ring of traced pictures on the training device is refreshed a few pictures a step. Each traced picture is used
several times, each time with another background, rendering and caption, since tracing is dearer than composing.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.config import CameraConfig
from dreamfusion_engine.guidance.prompts import Shading, View, view_of
from dreamfusion_engine.scene.background import random_backgrounds
from dreamfusion_engine.scene.cameras import sample_cameras
from dreamfusion_engine.scene.light import sample_lights
from dreamfusion_engine.starter.captions import caption
from dreamfusion_engine.starter.objects.kinds import KINDS, Kind, make_object
from dreamfusion_engine.starter.renderer import CHANNELS, compose, render_objects

_SHADINGS: tuple[Shading, ...] = ("lambertian", "albedo", "textureless")
_SHADING_SHARES = (0.5, 0.25, 0.25)
_FIRST = 2048  # pictures traced before the first batch, so that the first steps see variety


class Corpus:
    """Captioned pictures from a seed.

    pixels: side of the pictures. capacity: traced pictures kept. fresh: new ones for each that `batch` gives out.
    """

    def __init__(self, *, pixels: int, capacity: int, fresh: float, seed: int, device: torch.device) -> None:
        self._pixels = pixels
        self._fresh = fresh
        self._rng = np.random.default_rng(seed)
        self._generator = torch.Generator(device=device).manual_seed(seed)
        self._ring = torch.zeros(capacity, CHANNELS, pixels, pixels, dtype=torch.uint8, device=device)
        self._labels: list[tuple[Kind, str | None, View]] = []
        self._next = 0

    def trace(self, count: int) -> None:
        """Put `count` new pictures into the ring, over the oldest."""
        labels: list[tuple[Kind, str | None]] = []
        for _ in range(count):
            kind = KINDS[int(self._rng.integers(len(KINDS)))]
            named = bool(kind.colours) and self._rng.random() < 0.7
            labels.append((kind, str(self._rng.choice(kind.colours)) if named else None))
        objects = [make_object(self._rng, kind, colour) for kind, colour in labels]
        cameras = sample_cameras(count, CameraConfig(), self._generator)
        light = sample_lights(cameras.position, self._generator)
        # The share of light from everywhere varies, so that the model does not insist on one.
        ambient = 0.1 + 0.4 * torch.rand(count, generator=self._generator, device=self._ring.device)
        traced = render_objects(objects, cameras, light, ambient, pixels=self._pixels)
        for i, (kind, colour) in enumerate(labels):
            label = (kind, colour, view_of(float(cameras.azimuth[i]), float(cameras.elevation[i])))
            self._ring[self._next] = (traced[i] * 255.0 + 0.5).to(torch.uint8)
            if self._next < len(self._labels):
                self._labels[self._next] = label
            else:
                self._labels.append(label)
            self._next = (self._next + 1) % len(self._ring)

    def batch(self, size: int) -> tuple[Tensor, list[str]]:
        """`size` pictures float32[size, 3, pixels, pixels] in [0, 1] and their captions."""
        first = min(len(self._ring), _FIRST)
        if wanted := first if len(self._labels) < first else round(self._fresh * size):
            self.trace(wanted)
        chosen = self._rng.integers(len(self._labels), size=size)
        device = self._ring.device
        traced = self._ring[torch.from_numpy(chosen).to(device)].float() / 255.0
        background = random_backgrounds(size, self._generator)
        shadings = [_SHADINGS[i] for i in self._rng.choice(len(_SHADINGS), size=size, p=_SHADING_SHARES)]
        pictures = torch.empty(size, 3, self._pixels, self._pixels, device=device)
        for shading in _SHADINGS:
            rows = torch.tensor([s == shading for s in shadings], device=device)
            pictures[rows] = compose(traced[rows], background[rows], shading)
        labels = [(*self._labels[c], shading) for c, shading in zip(chosen, shadings, strict=True)]
        captions = [caption(self._rng, *label) for label in labels]
        return pictures, captions
