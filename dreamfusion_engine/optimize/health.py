"""The health of a run: measures from a small probe, a monitor that remembers them, and its verdicts.

Every few steps the loop renders the four `probe_cameras` without gradients. Verdicts, and what decides them:

    non_finite   one probe or step with a value that is not a finite number
    empty        mean opacity under 1 % in 2 probes in a row
    full_box     mean opacity over 90 % or occupied fraction over 75 % in 3 probes in a row, after 10 % of training
    flat         depth relief under 3 % in 3 probes in a row, after 40 % of training
    many_faced   front and back alike above 0.95 in 2 probes in a row, after 80 % of training, although the model
                 expects them to differ, and the sides look different from both

The first three end a run unless a restart helps (`recovery.recover`). A flat object is tried once more and then kept,
with a warning, since some things are flat; many_faced only warns. Axis letters: V = 4 probe views, H W image.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.scene.cameras import Cameras, mid_orbit_cameras

Verdict = Literal["non_finite", "empty", "full_box", "flat", "many_faced"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

EMPTY_OPACITY = 0.01
# Seen by the probe cameras a ball that touches the box covers 66 % of the picture, the whole box 98 %.
FULL_OPACITY = 0.90
FULL_OCCUPIED = 0.75
FLAT_RELIEF = 0.03  # a ball has 0.10, a box 0.18, a thick plate 0.09, a sheet under 0.01
SAME_FACE = 0.95
SAME_SIDES = 0.9  # an object that looks so much alike from everywhere has no face; its sides are lit and meshed apart
PLAIN_COLOUR = 0.03  # standard deviation under which a surface has no features to compare

PROBE_AZIMUTH = math.radians(30.0)  # turned off the axes, so that a box shows several faces and a sheet none
PROBE_ELEVATION = math.radians(25.0)
PROBE_FOCAL = 0.5 / math.tan(math.radians(0.5 * 39.0))  # of the default camera's mean field of view


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The measures of one probe.

    step: int, steps done.
    progress: float in [0, 1], share of training done.
    opacity: float in [0, 1], mean over the probe pictures.
    occupied: float in [0, 1], fraction of occupancy cells in use.
    relief: float, `depth_relief`.
    similarity: float in [-1, 1], `front_back_similarity`.
    around: float in [-1, 1], `similarity_around`.
    finite: bool, whether no NaN or Inf was met.
    """

    step: int
    progress: float
    opacity: float
    occupied: float
    relief: float
    similarity: float
    around: float = 0.0
    finite: bool = True


def probe_cameras(config: CameraConfig, device: torch.device) -> Cameras:
    """Return the V = 4 cameras of a probe: front, right, back and left, each turned by 30 degrees and raised by 25.

    config: CameraConfig of the training.
    device: torch.device of the cameras.
    """
    azimuth = PROBE_AZIMUTH + torch.arange(4, device=device, dtype=torch.float32) * (0.5 * math.pi)
    return mid_orbit_cameras(azimuth, PROBE_ELEVATION * torch.ones_like(azimuth), config)


def make_probe(
    step: int,
    progress: float,
    colour: Tensor,
    opacity: Tensor,
    depth: Tensor,
    occupied: float,
    focal: float = PROBE_FOCAL,
) -> Probe:
    """Measure four renders in the order of `probe_cameras`.

    step: int, steps done.
    progress: float in [0, 1], share of training done.
    colour: float32[V, 3, H, W], over any one background.
    opacity: float32[V, H, W] in [0, 1].
    depth: float32[V, H, W], expected distance along each ray, world units; any value where nothing is hit.
    occupied: float in [0, 1], fraction of occupancy cells in use.
    focal: float, of the cameras, in image heights.
    """
    finite = all(bool(torch.isfinite(values).all()) for values in (colour, opacity, depth))
    return Probe(
        step=step,
        progress=progress,
        opacity=float(opacity.mean()) if finite else 0.0,
        occupied=occupied,
        relief=depth_relief(depth, opacity, focal) if finite else 0.0,
        similarity=front_back_similarity(colour, opacity) if finite else 0.0,
        around=similarity_around(colour, opacity) if finite else 0.0,
        finite=finite,
    )


@torch.no_grad()
def depth_relief(depth: Tensor, opacity: Tensor, focal: float = PROBE_FOCAL) -> float:
    """Return how far a visible surface departs from a plane, in widths of its silhouette; a mean over the views.

    For each view, it is the standard deviation of depth about the best plane over the root of the silhouette's area.
    Views are weighted by that area. It is 0 for a sheet at any tilt and for an empty picture, 0.10 for a ball.

    depth: float32[V, H, W], distance along each ray, world units.
    opacity: float32[V, H, W]; a pixel counts above one half.
    focal: float, of the cameras, in image heights.
    """
    views, height, width = depth.shape
    device = depth.device
    rows = (0.5 - (torch.arange(height, device=device, dtype=torch.float64) + 0.5) / height) / focal
    columns = ((torch.arange(width, device=device, dtype=torch.float64) + 0.5) / width - 0.5) * (width / height) / focal
    v, u = (grid.reshape(-1) for grid in torch.meshgrid(rows, columns, indexing="ij"))
    total = relief = 0.0
    for view in range(views):
        solid = (opacity[view] > 0.5).reshape(-1)
        area = int(solid.sum())
        if area < 8:
            continue
        x, y = u[solid], v[solid]
        z = depth[view].reshape(-1)[solid].double().clamp(min=1e-6) / torch.sqrt(1.0 + x * x + y * y)
        # Seen through a pinhole, a plane is linear in the pixel in 1 / z.
        basis = torch.stack([x, y, torch.ones_like(x)], -1)
        normal = basis.T @ basis + 1e-12 * torch.eye(3, dtype=torch.float64, device=device)
        plane = basis @ torch.linalg.solve(normal, basis.T @ (1.0 / z))
        spread = (1.0 / z - plane).square().mean().sqrt() * z.mean().square()  # back to world units
        side = math.sqrt(area) * z.mean() / (focal * height)
        relief += area * float(spread / side)
        total += area
    return relief / total if total else 0.0


def front_back_similarity(colour: Tensor, opacity: Tensor) -> float:
    """Return how alike the front picture (view 0) and the back one (view 2) are: `_similarity`.

    colour: float32[V, 3, H, W].
    opacity: float32[V, H, W].
    """
    return _similarity(colour, opacity, 0, 2)


def similarity_around(colour: Tensor, opacity: Tensor) -> float:
    """Return how alike the sides (views 1 and 3) are to the front (view 0), the worse of both: near 1 without a front.

    colour: float32[V, 3, H, W].
    opacity: float32[V, H, W].
    """
    return min(_similarity(colour, opacity, 0, side) for side in (1, 3))


@torch.no_grad()
def _similarity(colour: Tensor, opacity: Tensor, first: int, second: int) -> float:
    """How alike two of the pictures are, in [-1, 1]: correlation times overlap.

    The correlation is over the pixels that are solid in both, the overlap is of the two silhouettes (intersection over
    union). The back is not mirrored: an object with a second face there shows the same picture. 0 where a picture has
    no features, as on a plain ball, or nothing is seen.

    colour: float32[V, 3, H, W]; opacity: float32[V, H, W].
    """
    solid_front, solid_back = opacity[first] > 0.5, opacity[second] > 0.5
    inside = torch.minimum(opacity[first], opacity[second]) > 0.9  # edges carry the background's colour
    if int(inside.sum()) < 8:
        return 0.0
    front, back = (c[:, inside] - c[:, inside].mean(dim=1, keepdim=True) for c in (colour[first], colour[second]))
    spread = [float(c.square().mean().sqrt()) for c in (front, back)]
    if min(spread) < PLAIN_COLOUR:
        return 0.0
    overlap = float((solid_front & solid_back).sum() / (solid_front | solid_back).sum())
    return overlap * float((front * back).mean()) / (spread[0] * spread[1])


@dataclass(frozen=True)
class _Rule:
    verdict: Verdict
    patience: int  # probes in a row
    after: float  # progress before which the rule sleeps


_RULES = (
    _Rule("non_finite", 1, 0.0),
    _Rule("empty", 2, 0.0),
    _Rule("full_box", 3, 0.1),
    _Rule("flat", 3, 0.4),
    _Rule("many_faced", 2, 0.8),
)


def _holds(verdict: Verdict, probe: Probe, views_differ: bool) -> bool:
    if verdict == "non_finite":
        return not probe.finite
    if verdict == "empty":
        return probe.opacity < EMPTY_OPACITY
    if verdict == "full_box":
        return probe.opacity > FULL_OPACITY or probe.occupied > FULL_OCCUPIED
    if verdict == "flat":
        return probe.relief < FLAT_RELIEF
    return views_differ and probe.similarity > SAME_FACE and probe.around <= SAME_SIDES


class HealthMonitor:
    """Remembers the probes of a run and says what is wrong, as early as possible.

    views_differ: bool, whether the model expects this prompt's front and back to look different
        (`guidance.guidance.Guidance.view_contrast`); many_faced needs it.
    watched: verdicts that it can come to.
    """

    def __init__(self, *, views_differ: bool = False, watched: tuple[Verdict, ...] = VERDICTS) -> None:
        self.views_differ = views_differ
        self._rules = [rule for rule in _RULES if rule.verdict in watched]
        self.history: list[Probe] = []
        self.events: list[dict[str, Any]] = []
        self._run_start = 0  # index of the first probe after the last restart

    def observe(self, probe: Probe) -> Verdict | None:
        """Remember a probe; return the worst verdict that now holds, or None."""
        self.history.append(probe)
        return self.verdict()

    def verdict(self) -> Verdict | None:
        """Return the worst verdict that the latest probes support, or None for a healthy run."""
        for rule in self._rules:
            recent = self.history[self._run_start :][-rule.patience :]
            if len(recent) == rule.patience and all(
                probe.progress >= rule.after and _holds(rule.verdict, probe, self.views_differ) for probe in recent
            ):
                return rule.verdict
        return None

    def note(self, verdict: Verdict, step: int, text: str) -> None:
        """Remember what was done about a verdict, for the report.

        verdict: the verdict.
        step: int, steps done.
        text: str, for people.
        """
        self.events.append({"verdict": verdict, "step": step, "text": text})

    def restart(self) -> None:
        """Forget the streaks and keep the history, because a new attempt begins."""
        self._run_start = len(self.history)

    def to_json(self) -> dict[str, Any]:
        """Return the health report of result.json; `from_json` continues from it after a resumed checkpoint."""
        return {
            "verdict": self.verdict() or "good",
            "views_differ": self.views_differ,
            "run_start": self._run_start,
            "events": list(self.events),
            "history": [_rounded(dataclasses.asdict(probe)) for probe in self.history],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any], watched: tuple[Verdict, ...] = VERDICTS) -> HealthMonitor:
        """Build a monitor that continues from what `to_json` returned.

        values: from `to_json`.
        watched: verdicts that it can come to.
        """
        monitor = cls(views_differ=values["views_differ"], watched=watched)
        monitor.history = [Probe(**probe) for probe in values["history"]]
        monitor.events = list(values["events"])
        monitor._run_start = values["run_start"]
        return monitor


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    """Five decimals are plenty in a report, and NaN is no JSON."""
    return {k: (round(v, 5) if math.isfinite(v) else None) if isinstance(v, float) else v for k, v in values.items()}
