"""Render a canvas of which a part moves: its colours as a part's, its light by the normals that the file has.

Axis letters: N hits, W places, G groups.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamfusion_engine.paint.part.render import PartRenderer
from dreamfusion_engine.refinement.part.welded import WeldedPart
from dreamfusion_engine.refinement.render import MovingRenderer, PlacedColours
from dreamfusion_engine.render.surface.hits import SurfaceHits, interpolated
from dreamfusion_engine.render.surface.normals import vertex_normals


class TurningNormals:
    """The stored normals of a surface as it moves.

    n = (n_0 + g - g_0) at unit length, of the stored normal n_0 and the normals g_0, g of the surface itself, before
    and now. So flat faces stay flat, smooth ones smooth, and what does not move keeps what the file has.

    part: WeldedPart.
    device: torch.device.
    """

    def __init__(self, part: WeldedPart, device: torch.device) -> None:
        def sent(array: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        self.corners = sent(part.corners)
        self._place, self._stored, self._turns = sent(part.of_group), sent(part.normals), sent(part.turns)[:, None]
        self._began = vertex_normals(sent(part.places)[self._place], self.corners)

    def now(self, places: Tensor) -> Tensor:
        """Return the normal of each group, float32[G, 3], with gradients to the places.

        places: float32[W, 3], world units.
        """
        surface = vertex_normals(places.index_select(0, self._place), self.corners)
        turned = torch.nn.functional.normalize(self._stored + (surface - self._began), dim=-1)
        return torch.where(self._turns, turned, self._stored)


class MovingPartRenderer(MovingRenderer):
    """What cameras see of a canvas of which a part moves and changes its colours.

    still: PartRenderer, whose canvas has the places and the triangles of `part`.
    part: WeldedPart.
    """

    def __init__(self, still: PartRenderer, part: WeldedPart) -> None:
        super().__init__(still.canvas, still.grid, still)
        self._coloured_as = still
        self.normals = TurningNormals(part, still.canvas.vertices.device)

    def _coloured(self, colours: PlacedColours, met: SurfaceHits, began: Tensor) -> Tensor:
        """The part's colours where it changes, the old ones elsewhere; what changes is a field, which needs no UV."""
        return self._coloured_as.coloured(lambda points: colours(points, points[:, :2]), met, began)

    def _facing(self, met: SurfaceHits, fixed: SurfaceHits, vertices: Tensor, directions: Tensor) -> Tensor:
        """Normals float32[N, 3], turned to the camera, of faces that may be flipped."""
        normal = interpolated(self.normals.now(vertices), self.normals.corners, met)
        normal = torch.nn.functional.normalize(normal, dim=-1)
        with torch.no_grad():
            corners = vertices[self.canvas.triangles[fixed.triangle].long()]
            flat = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=-1)
            inside = ((flat * directions).sum(-1) > 0.0) != ((flat * normal).sum(-1) < 0.0)
        return torch.where(inside[:, None], -normal, normal)
