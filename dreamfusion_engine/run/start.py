"""The mesh from which a run begins: read, brought into the box, made a solid, and the way back."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.mesh.arrays import Doubles
from dreamfusion_engine.mesh.framing import Frame, frame_of
from dreamfusion_engine.mesh.gltf.read import read_gltf
from dreamfusion_engine.mesh.solid import solid_distance
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.optimize.shape_lock import ShapeLock


@dataclass(frozen=True, kw_only=True)
class Start:
    """A blockout in the box.

    blockout: bytes of the binary glTF.
    vertices: float64[V, 3], world units of the box.
    triangles: int64[T, 3].
    frame: Frame, how it came into the box.
    config: GenerateConfig of the run.
    """

    blockout: bytes
    vertices: Doubles
    triangles: NDArray[np.int64]
    frame: Frame
    config: GenerateConfig

    @property
    def digest(self) -> str:
        """SHA-256 of the blockout, hex. How it leads is in the settings, which a checkpoint has."""
        return hashlib.sha256(self.blockout).hexdigest()

    def lock(self, device: torch.device) -> ShapeLock | None:
        """Return what starts the field and holds it; None with a lock of 0, where only size and place are taken.

        device: torch.device of the training.
        """
        if self.config.start.lock == 0.0:
            return None
        return ShapeLock(solid_distance(self.vertices, self.triangles, device), self.config)

    def placed(self, mesh: TexturedMesh) -> TexturedMesh:
        """Return a finished mesh at the size and the place of the blockout, with its front where that has it.

        mesh: TexturedMesh, in the box.
        """
        normals = mesh.normals.astype(np.float64) @ self.frame.turn
        return dataclasses.replace(
            mesh, vertices=self.place(mesh.vertices).astype(np.float32), normals=normals.astype(np.float32)
        )

    def place(self, vertices: NDArray[np.floating]) -> Doubles:
        """Return the vertices of an object where the blockout stands, float64[V, 3].

        One that is free in its shape takes the longest side of the blockout's box.

        vertices: float[V, 3], in the box, all of the object.
        """
        points = np.asarray(vertices, np.float64)
        if self.config.start.lock == 0.0:
            used = self.vertices[np.unique(self.triangles)]
            own_low, own_high = points.min(0), points.max(0)
            low, high = used.min(0), used.max(0)
            scale = float((high - low).max()) / max(float((own_high - own_low).max()), 1e-9)
            middle, own_middle = 0.5 * (low + high), 0.5 * (own_low + own_high)
            points = (points - own_middle) * scale + middle
            points[:, 2] += low[2] - points[:, 2].min()  # both stand on the same ground
        return self.frame.from_box(points)


def start_of(blockout: bytes, config: GenerateConfig) -> Start | None:
    """Return the start of a run, None for one from nothing.

    blockout: bytes of a binary glTF, or b"".
    config: GenerateConfig of the run.
    Raises InputError input.mesh for one that is none.
    """
    if not blockout:
        return None
    parts = read_gltf(blockout, "the blockout").primitives
    first = np.cumsum([0, *(len(part.vertices) for part in parts)])
    vertices = np.concatenate([part.vertices for part in parts])
    triangles = np.concatenate([part.triangles.astype(np.int64) + n for part, n in zip(parts, first, strict=False)])
    frame = frame_of(vertices, triangles, config.start.front_deg)
    return Start(blockout=blockout, vertices=frame.to_box(vertices), triangles=triangles, frame=frame, config=config)
