"""The training of a part's colours and shape: that of its colours, with vertices that move."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig, Shading
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.optimize.step_graphs import StepGraphs
from dreamfusion_engine.optimize.training import Training
from dreamfusion_engine.paint.part.cameras import PartViews
from dreamfusion_engine.paint.part.render import PartRenderer
from dreamfusion_engine.paint.part.training import PartTraining
from dreamfusion_engine.refinement.moves import VertexMoves
from dreamfusion_engine.refinement.moving import MovingTraining
from dreamfusion_engine.refinement.part.render import MovingPartRenderer
from dreamfusion_engine.refinement.part.welded import WeldedPart

EDGE = 0.02  # world units, the mean edge of a mesh of some 15,000 triangles; `refine.stiffness` is meant for it


class PartShapeTraining(MovingTraining, PartTraining):
    """One optimization of the colours and the shape of a part.

    part: WeldedPart.
    renderer, views, close, places, colours, config, seed, device, processes, graphs: as for `PartTraining`; the
        renderer's canvas has the places and the triangles of `part`.
    """

    def __init__(
        self,
        part: WeldedPart,
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
        super().__init__(renderer, views, close, places, colours, config, seed=seed, device=device, processes=processes)
        self.moves = VertexMoves(
            part.places, part.triangles, config.refine, freedom=part.freedom, edge=EDGE, device=device
        )
        self.moving = MovingPartRenderer(renderer, part)
        self.placed = lambda points, uv: self.colours(points)

    def _choose_shading(self, progress: float) -> Shading:
        """With textureless views, which say what the shape is."""
        return Training._choose_shading(self, progress)

    def _pace(self) -> float:
        """Less and less: the form is decided while there is much noise, and what follows knows details alone."""
        return 1.0 - self.progress
