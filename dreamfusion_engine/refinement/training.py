"""The training of a refinement: render the surface, ask the diffusion model, move colours and vertices."""

from __future__ import annotations

import numpy as np
import torch

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.optimize.step_graphs import StepGraphs
from dreamfusion_engine.paint.canvas import DeviceCanvas
from dreamfusion_engine.refinement.colours import SurfaceColours, change_nothing
from dreamfusion_engine.refinement.moves import VertexMoves
from dreamfusion_engine.refinement.moving import MovingTraining
from dreamfusion_engine.refinement.render import MovingRenderer
from dreamfusion_engine.refinement.surface import RefinedSurface


class RefineTraining(MovingTraining):
    """One refinement of a surface: changes of its colours, and moves of its vertices.

    surface: RefinedSurface.
    freedom: float32[V] in [0, 1], how much of its move each vertex makes; 0: it stays bit for bit. None: all of it.
    config, seed, device, processes, graphs: as for `Training`; nothing is recorded.
    """

    def __init__(
        self,
        surface: RefinedSurface,
        config: GenerateConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes = ALONE,
        graphs: StepGraphs | None = None,
        freedom: Floats | None = None,
    ) -> None:
        super().__init__(config, seed=seed, device=device, processes=processes)
        change_nothing(self.field)
        canvas = surface.canvas
        self.moves = VertexMoves(canvas.vertices, canvas.triangles, config.refine, freedom=freedom, device=device)
        self.shape = self.moves.shape
        self.moving = MovingRenderer(DeviceCanvas.of(canvas, device), config.refine.samples)
        texture = torch.from_numpy(np.ascontiguousarray(surface.mesh.texture, np.float32) / 255.0).to(device)
        self.colours = self.placed = SurfaceColours(texture, self.field)
