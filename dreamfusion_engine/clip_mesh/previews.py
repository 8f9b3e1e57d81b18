"""Pictures and small meshes of a sphere while it trains."""

from __future__ import annotations

import numpy as np
import torch

from dreamfusion_engine.clip_mesh.training import ClipMeshTraining
from dreamfusion_engine.events import MeshPreview
from dreamfusion_engine.mesh.framing import HALF_LENGTH
from dreamfusion_engine.mesh.preview import MOST_TRIANGLES
from dreamfusion_engine.optimize.previews import ViewPreviews
from dreamfusion_engine.optimize.training import Training
from dreamfusion_engine.render.surface.texture import sample_texture


class ClipMeshPreviews(ViewPreviews):
    """Previews of a ClipMeshTraining: the views, and the surface with a colour at every vertex, in the box.

    folder, report: as for `ViewPreviews`.
    """

    @torch.no_grad()
    def _show_more(self, training: Training) -> None:
        assert isinstance(training, ClipMeshTraining)
        plan = training.plan
        triangles, uv = plan.triangles, plan.uv
        if len(triangles) > MOST_TRIANGLES:  # a control vertex keeps its number on the limit surface
            triangles, uv = plan.control, plan.control_uv
        if len(triangles) > MOST_TRIANGLES:
            return
        looks = training.looks()
        corners = triangles.reshape(-1)
        used, first = np.unique(corners, return_index=True)
        places = torch.from_numpy(np.ascontiguousarray(uv.reshape(-1, 2)[first])).to(training.device)
        colours = sample_texture(looks.colours, places).cpu().numpy()
        vertices = looks.vertices.cpu().numpy()[used]
        low, high = vertices.min(0), vertices.max(0)
        half = max(float(0.5 * (high - low).max()), 1e-6)
        boxed = (vertices - 0.5 * (low + high)) * (HALF_LENGTH / half)
        self._report(
            MeshPreview(
                step=training.step,
                vertices=boxed.astype("<f4").tobytes(),
                triangles=triangles.astype("<i4").tobytes(),
                colours=np.rint(colours * 255.0).astype(np.uint8).tobytes(),
            )
        )
