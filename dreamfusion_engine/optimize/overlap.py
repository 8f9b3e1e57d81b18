"""Field and denoiser at the same time: score one half of a step's views while the other is rendered or differentiated.

    this thread:   render A | render B ......| A backward   | B backward
    the teacher's:          | score A        | score B      |

It pays where the denoiser releases Python's lock, as another runtime does. Random numbers are drawn before, and only
this thread adds gradients, always A's first, so the result does not depend on the threads' speed. As many views'
tensors are alive together as without overlap; see `memory.estimate`.
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
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.optimize.step_part import PartInputs, PartPlan, add_way_back, render_part
from dreamfusion_engine.render.renderer import Rendering


def may_overlap(config: GenerateConfig) -> bool:
    """Return whether a step of these settings has two halves that can be worked on apart.

    It has not with one view, or one group, at a time; not with 'vsd', which trains a copy of the teacher; not with a
    VAE that is computed again, which saves memory by never working beside the denoiser.
    """
    several = views_at_once(config) > config.camera.group
    return several and not SCORES[config.guidance.score].learns and not config.memory.recompute


def halves(first: int, count: int, group: int = 1) -> list[tuple[int, int]]:
    """Return `count` views from `first` on as two parts (first, count) of whole groups, the larger one first.

    first: int, index of the first view.
    count: int, two groups at least.
    group: int, views of a group.
    """
    larger = -(-count // (2 * group)) * group
    return [(first, larger), (first + larger, count - larger)]


def add_gradients_overlapped(
    field: RadianceField,
    occupancy: OccupancyGrid,
    config: GenerateConfig,
    distillation: Guidance,
    parts: Sequence[PartInputs],
    plans: Sequence[PartPlan],
) -> None:
    """Add the gradients of all parts, as `step_part.add_gradients` does, but ask the teacher on a separate thread.

    An error of that thread is raised here. The thread is idle when this ends, in any case.

    field: RadianceField; gets the gradients.
    occupancy: OccupancyGrid of the field.
    config: GenerateConfig of the attempt.
    distillation: Guidance of the teacher.
    parts: PartInputs of each part.
    plans: PartPlan of each part.
    """
    waiting: deque[tuple[PartInputs, PartPlan, Rendering, Tensor, Future[tuple[Tensor, Tensor]]]] = deque()
    try:
        for inputs, plan in zip(parts, plans, strict=True):
            seen, images = render_part(field, occupancy, config, inputs.views, plan)
            x = distillation.seen(images, inputs.step)
            pulled = _teacher_thread().submit(distillation.pull, x.detach(), inputs.step)
            waiting.append((inputs, plan, seen, x, pulled))
        while waiting:
            inputs, plan, seen, x, pulled = waiting[0]
            gradient, _ = pulled.result()
            waiting.popleft()
            add_way_back(field, config, inputs, plan, seen, distillation.loss_at(x, gradient))
    finally:
        for *_, pulled in waiting:
            pulled.cancel()
        wait([pulled for *_, pulled in waiting])


@cache
def _teacher_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="teacher")
