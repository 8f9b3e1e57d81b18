"""Start a radiance field as a given solid, and hold it there for as long and as strongly as the artist wants.

Where the solid is, one step of a ray should be absorbed; elsewhere nothing should be. That is asked at random points,
half of them near the surface, as a classification: the binary cross-entropy of a step's opacity. N points.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig, StartConfig
from dreamfusion_engine.field.radiance import RadianceField

POINTS = 4096  # in the whole box, and as many near the surface, a step
FIT_STEPS = 150
FIT_RATE = 0.02  # of Adam
FILLED, EMPTY = 0.9, 0.002  # opacity of one step inside and outside
NEAR = 0.1  # world units from the surface
NEAR_SHARE = 0.25  # weight of the points near the surface, beside 1 of those in the box
# Weight of a point outside, 1 + AWAY d: a detail on the surface is cheaper than a lump that floats beside it. Without
# this, and with as much weight near the surface, a house grew lumps beside its roof at any lock.
AWAY = 10.0
SOFT = 0.01  # world units over which the opacity changes at the surface
WEIGHT = 40.0  # of the loss at lock 1, for a score of size 1


class ShapeLock:
    """The wish that a field keeps a solid.

    distance: float32[n, n, n] in z, y, x, signed, from `mesh.solid.solid_distance`.
    config: GenerateConfig of the run.
    """

    def __init__(self, distance: Tensor, config: GenerateConfig) -> None:
        self._distance = distance[None, None]
        self._start = config.start
        self._step = 2.0 / config.render.steps
        cells = distance.shape[0] - 1
        near = (distance[:-1, :-1, :-1].abs() < NEAR).nonzero().float()
        self._corners = near.flip(-1) * (2.0 / cells) - 1.0
        self._side = 2.0 / cells

    def fit(self, field: RadianceField, generator: torch.Generator) -> None:
        """Move a fresh field until it is the solid.

        field: RadianceField; all its levels must be open.
        generator: of the points, on the field's device.
        """
        optimizer = torch.optim.Adam(field.parameters(), lr=FIT_RATE, betas=(0.9, 0.99), eps=1e-15)
        for _ in range(FIT_STEPS):
            optimizer.zero_grad()
            self.loss(field, generator).backward()
            optimizer.step()
        optimizer.zero_grad()

    def loss(self, field: RadianceField, generator: torch.Generator) -> Tensor:
        """Return the mean cross-entropy between the field and the solid at random points, a scalar.

        field: RadianceField.
        generator: of the points, on the field's device.
        """
        anywhere, near = self._points(generator)
        loss = self._difference(field, anywhere)
        return loss + NEAR_SHARE * self._difference(field, near) if len(near) else loss

    def _difference(self, field: RadianceField, points: Tensor) -> Tensor:
        wanted = self.opacity(points)
        thickness = self._step * field.density(points)  # log(1 - o) is its negative: no opacity is too full to fall
        filled = torch.log(-torch.expm1(-thickness.clamp_min(1e-4)))
        away = 1.0 + AWAY * self._distances(points).clamp_min(0.0)
        return (away * ((1.0 - wanted) * thickness - wanted * filled)).mean()

    def weight(self, progress: float, score_size: float) -> float:
        """Return the loss's weight: WEIGHT times the lock; below a lock of 1 it fades while training goes on.

        w = WEIGHT s l^2 (1 - f p (1 - l)), with the score's size s, the lock l, the fade f and the progress p.

        progress: float in [0, 1], share of training done.
        score_size: float, above 0, from `guidance.score_size`.
        """
        return WEIGHT * score_size * lock_strength(progress, self._start)

    def opacity(self, points: Tensor) -> Tensor:
        """Return the opacity of one step that the solid has at points, float32[N].

        points: float32[N, 3], world units, in the box.
        """
        return EMPTY + (FILLED - EMPTY) * torch.sigmoid(-self._distances(points) / SOFT)

    def _distances(self, points: Tensor) -> Tensor:
        return torch.nn.functional.grid_sample(
            self._distance, points[None, None, None], mode="bilinear", padding_mode="border", align_corners=True
        ).view(-1)

    def _points(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Points in the whole box and points near the surface, float32[N, 3] each."""
        device = self._distance.device
        anywhere = 2.0 * torch.rand(POINTS, 3, generator=generator, device=device) - 1.0
        if len(self._corners) == 0:
            return anywhere, anywhere[:0]
        which = torch.randint(len(self._corners), (POINTS,), generator=generator, device=device)
        jitter = self._side * torch.rand(POINTS, 3, generator=generator, device=device)
        return anywhere, self._corners[which] + jitter


def lock_strength(progress: float, config: StartConfig) -> float:
    """Return l^2 (1 - f p (1 - l)) in [0, 1]: the lock's pull, fading while training goes on unless the lock is 1.

    progress: float in [0, 1], share of training done, p.
    config: StartConfig, with the lock l and the fade f.
    """
    return config.lock**2 * (1.0 - config.fade * progress * (1.0 - config.lock))
