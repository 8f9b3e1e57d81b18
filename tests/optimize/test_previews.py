"""The coarse mesh of a preview: in the box, or where the object will stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from reference.tiny_training import CPU, tiny_config

from dreamfusion_engine.events import Event, MeshPreview
from dreamfusion_engine.optimize.previews import Previews
from dreamfusion_engine.optimize.volume_training import VolumeTraining


def test_the_mesh_is_shown_where_the_object_will_stand(tmp_path: Path) -> None:
    training = VolumeTraining(tiny_config(), seed=1, device=CPU)
    training.occupancy.update(training.field.density, training.generator)

    def shown(place: Callable[[Any], Any] | None) -> MeshPreview:
        events: list[Event] = []
        Previews(tmp_path, events.append, place)(training)
        return next(event for event in events if isinstance(event, MeshPreview))

    inside, outside = shown(None), shown(lambda vertices: 2.0 * vertices + (1.0, 2.0, 3.0))
    first, second = (np.frombuffer(mesh.vertices, "<f4").reshape(-1, 3) for mesh in (inside, outside))
    assert np.abs(first).max() <= 1.0
    assert np.allclose(second, 2.0 * first + (1.0, 2.0, 3.0), atol=1e-5)
    assert inside.triangles == outside.triangles and inside.colours == outside.colours
