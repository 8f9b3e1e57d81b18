"""Field and denoiser at the same time: one half of a step's views is judged while the other is rendered or goes back.

    this thread:   render A | render B ......| A's way back | B's way back
    the judge's:            | judge A        | judge B      |

It pays where the denoiser lets go of Python's lock, as another runtime does. Random numbers are drawn before, and this
thread alone adds gradients, A's first always, so the result does not depend on which thread is how fast. The tensors
that are alive together are those of the views at once, as without; see `guidance.memory`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

from torch import Tensor

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import GenerateConfig, views_at_once
from dreamfusion_engine.field.occupancy import OccupancyGrid
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.scores.sds import mean_score_loss
from dreamfusion_engine.optimize.step_part import PartInputs, PartKind, add_way_back, render_part
from dreamfusion_engine.render.renderer import Rendering


def may_overlap(config: GenerateConfig) -> bool:
    """Whether a step of these settings has two halves that can be worked on apart.

    Not with one view at a time; not with 'vsd', whose judge learns; not with a VAE that is computed again, which saves
    memory by never working beside the denoiser.
    """
    return views_at_once(config) > 1 and not SCORES[config.guidance.score].learns and not config.memory.recompute


def halves(first: int, count: int) -> list[tuple[int, int]]:
    """`count` views from `first` on, two at least, as two parts (first, count); the larger one is first."""
    larger = -(-count // 2)
    return [(first, larger), (first + larger, count - larger)]


def add_gradients_overlapped(
    field: RadianceField,
    occupancy: OccupancyGrid,
    config: GenerateConfig,
    distillation: ScoreDistillation,
    parts: Sequence[PartInputs],
    kinds: Sequence[PartKind],
) -> None:
    """As `step_part.add_gradients` for each part in turn, but they are judged on a thread of their own.

    An error there is raised here, as it is. The thread is idle when this ends, however it does.
    """
    waiting: deque[tuple[PartInputs, PartKind, Rendering, Tensor, Future[tuple[Tensor, Tensor]]]] = deque()
    try:
        for inputs, kind in zip(parts, kinds, strict=True):
            seen, images = render_part(field, occupancy, config, inputs.views, kind)
            x = distillation.seen(images, inputs.step)
            judged = _judge().submit(distillation.pull, x.detach(), inputs.step)
            waiting.append((inputs, kind, seen, x, judged))
        while waiting:
            inputs, kind, seen, x, judged = waiting[0]
            gradient, _ = judged.result()
            waiting.popleft()
            add_way_back(field, config, inputs, kind, seen, mean_score_loss(x, gradient))
    finally:
        for *_, judged in waiting:
            judged.cancel()
        wait([judged for *_, judged in waiting])


@cache
def _judge() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="judge")
