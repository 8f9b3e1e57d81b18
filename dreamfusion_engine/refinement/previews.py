"""Pictures and small meshes of a refinement while it trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fast_simplification
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dreamfusion_engine.events import MeshPreview, Report
from dreamfusion_engine.mesh.arrays import Doubles, Floats, Ints
from dreamfusion_engine.mesh.preview import MOST_TRIANGLES
from dreamfusion_engine.optimize.previews import ViewPreviews
from dreamfusion_engine.optimize.training import Training
from dreamfusion_engine.refinement.surface import RefinedSurface
from dreamfusion_engine.refinement.training import RefineTraining

Place = Callable[[NDArray[np.floating]], Doubles]


class RefinePreviews(ViewPreviews):
    """Previews of a RefineTraining: the views, and the mesh with a colour at every vertex, where the artist has it.

    surface: RefinedSurface, as it began.
    folder, report: as for `ViewPreviews`.
    place: gives the mesh's vertices where the object will stand; None: where the mesh was.
    """

    def __init__(self, surface: RefinedSurface, folder: Path, report: Report, place: Place | None = None) -> None:
        super().__init__(folder, report)
        self._place = place
        self._surface = surface
        triangles = surface.canvas.triangles
        corners = triangles.reshape(-1)
        _, first = np.unique(corners, return_index=True)
        self._uv = np.zeros((len(surface.canvas.vertices), 2), np.float32)
        own = surface.mesh.uv.reshape(-1, 2)[first]
        self._uv[corners[first]] = own - np.floor(own)

    @torch.no_grad()
    def _show_more(self, training: Training) -> None:
        assert isinstance(training, RefineTraining)
        rest = training.shape.rest
        colours = training.colours(rest, torch.from_numpy(self._uv).to(rest.device)).cpu().numpy()
        stands = self._surface.frame.from_box(training.shape.vertices().cpu().numpy())
        vertices = (stands if self._place is None else self._place(stands)).astype(np.float32)
        triangles = self._surface.canvas.triangles
        if len(triangles) > MOST_TRIANGLES:
            vertices, triangles, kept = fewer_triangles(vertices, triangles)
            colours = colours[kept]
        self._report(
            MeshPreview(
                step=training.step,
                vertices=vertices.astype("<f4").tobytes(),
                triangles=triangles.astype("<i4").tobytes(),
                colours=np.rint(colours * 255.0).astype(np.uint8).tobytes(),
            )
        )


def fewer_triangles(vertices: Floats, triangles: Ints) -> tuple[Floats, Ints, NDArray[Any]]:
    """Return about MOST_TRIANGLES of a mesh, and for each of its vertices one near it before.

    vertices: float32[V, 3].
    triangles: int32[T, 3].
    """
    less, faces = fast_simplification.simplify(
        np.ascontiguousarray(vertices, np.float64),
        np.ascontiguousarray(triangles, np.int32),
        target_count=MOST_TRIANGLES,
        agg=7.0,  # quick rather than careful
    )
    return less.astype(np.float32), faces.astype(np.int32), cKDTree(vertices).query(less)[1]
