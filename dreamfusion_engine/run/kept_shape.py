"""The shape that the first stage of a run made, kept for the second one.

A run that is stopped between the two, or in the second, goes on from it: the first model is not loaded again.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreamfusion_engine.config.presets import to_json
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.machine.places import Places
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.optimize.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

CHECKPOINT = "checkpoint-shape"
_ARRAYS = ("vertices", "triangles", "normals", "uv", "texture")
_MAYBE = ("normal_map", "occlusion")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the first stage of a run leaves.

    mesh: TexturedMesh in the box.
    content: of result.json, as far as it is about that stage.
    """

    mesh: TexturedMesh
    content: dict[str, Any]


def keep_shape(shape: Shape, config: GenerateConfig, output: Path, *, places: Places, model: str, subject: str) -> None:
    """Write a shape into the run's folder.

    shape: Shape.
    config: GenerateConfig of the run.
    output: Path of the run.
    places: Places of the run.
    model: str, digest of the first model's weights.
    subject: str, digest of the mesh and the pictures that the run was given; "" for none.
    Raises InputError where it cannot be written.
    """
    arrays = {name: getattr(shape.mesh, name) for name in (*_ARRAYS, *_MAYBE)}
    save_checkpoint(
        output / CHECKPOINT,
        Checkpoint(
            step=config.optimize.steps,
            config=to_json(config),
            device=places.kind,
            tensors={
                name: torch.from_numpy(np.ascontiguousarray(array))
                for name, array in arrays.items()
                if array is not None
            },
            extra={"model": model, "subject": subject, "content": shape.content},
        ),
    )


def kept_shape(config: GenerateConfig, output: Path, *, model: str, subject: str) -> Shape | None:
    """Return the shape in a run's folder; None where there is none, or it is damaged or another run's.

    config, output, model, subject: as for `keep_shape`.
    """
    try:
        saved = load_checkpoint(output / CHECKPOINT, config)
        same = (saved.extra["model"], saved.extra["subject"]) == (model, subject)
        same = same and saved.config["mesh"] == to_json(config)["mesh"]  # which a checkpoint may resume with another
        if not same or not isinstance(saved.extra["content"], dict):
            return None
        arrays = {name: saved.tensors[name].numpy() for name in _ARRAYS}
        arrays |= {name: saved.tensors[name].numpy() for name in _MAYBE if name in saved.tensors}
        return Shape(mesh=TexturedMesh(**arrays), content=saved.extra["content"])
    except (EngineError, KeyError, TypeError, AttributeError):
        return None


def forget_shape(output: Path) -> None:
    """Remove the shape of an earlier run from a folder.

    output: Path of the run.
    """
    shutil.rmtree(output / CHECKPOINT, ignore_errors=True)
