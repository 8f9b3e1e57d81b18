"""The training of a part: it begins with the colours that are there, and often looks at the part closely."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.optimize import schedules
from dreamfusion_engine.optimize.step_graphs import StepGraphs
from dreamfusion_engine.optimize.step_views import StepViews
from dreamfusion_engine.paint.part.cameras import PartViews
from dreamfusion_engine.paint.part.render import PartRenderer
from dreamfusion_engine.paint.training import SurfaceTraining

POINTS = 4096  # a step of the fit
FIT_STEPS = 120
FIT_RATE = 0.02  # of Adam


class PartTraining(SurfaceTraining):
    """One optimization of the colours of a part.

    renderer: PartRenderer of the canvas.
    views: PartViews of the part.
    close: float in [0, 1], share of the views that look at it closely.
    places: float32[N, 3], points of the part, world units.
    colours: float32[N, 3], what is seen there now, in [0, 1].
    config, seed, device, processes, graphs: as for `Training`.
    """

    def __init__(
        self,
        renderer: PartRenderer,
        views: PartViews,
        close: float,
        places: Tensor,
        colours: Tensor,
        config: GenerateConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes = ALONE,
        graphs: StepGraphs | None = None,
    ) -> None:
        super().__init__(renderer, config, seed=seed, device=device, processes=processes)
        self._views, self._close = views, close
        self._fit(places, colours, torch.Generator(device=device).manual_seed(seed))

    def _fit(self, places: Tensor, colours: Tensor, generator: torch.Generator) -> None:
        """Move the fresh field until it has the colours that are there."""
        self.field.open_levels(schedules.open_fraction(0.0, self.config.optimize))
        optimizer = torch.optim.Adam(self.field.parameters(), lr=FIT_RATE, betas=(0.9, 0.99), eps=1e-15)
        for _ in range(FIT_STEPS):
            which = torch.randint(len(places), (POINTS,), generator=generator, device=places.device)
            optimizer.zero_grad()
            loss: Tensor = (self.colours(places[which]) - colours[which]).square().mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        optimizer.zero_grad()

    def _sample_views(self, total: int, size: int) -> StepViews:
        """Some of the step's views, drawn one by one, look at the part."""
        views = super()._sample_views(total, size)
        close = torch.rand(total, generator=self.host_generator, device=self.host_generator.device) < self._close
        return dataclasses.replace(views, cameras=self._views.turned(views.cameras, close, self.host_generator))
