"""The mesh from which a run begins: where the object ends, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mesh.shapes import cube
from reference.glb_builder import Glb

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.export import to_gltf_axes
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.run.start import Start, start_of

CPU = torch.device("cpu")


def blockout(low: tuple[float, float, float] = (4.0, 5.0, 6.0), size: float = 3.0) -> bytes:
    """A cube that stands somewhere, as a GLB."""
    vertices, triangles = cube(low, size)
    made = Glb()
    made.node(
        [
            {
                "attributes": {"POSITION": made.array(to_gltf_axes(vertices.astype(np.float32)))},
                "indices": made.array(triangles.reshape(-1), "u4"),
            }
        ]
    )
    return made.data()


def start(lock: float, front: float = 0.0) -> Start:
    config = preset("draft", "a gift", {"start": {"lock": lock, "front_deg": front}})
    made = start_of(blockout(), config)
    assert made is not None
    return made


def object_in_box(scale: float = 1.0) -> TexturedMesh:
    """A cube in the box, as a run might have made it."""
    vertices, triangles = cube((-0.4, -0.4, -0.4), 0.8)
    vertices = vertices * scale
    return TexturedMesh(
        vertices=vertices.astype(np.float32),
        triangles=triangles,
        normals=(vertices / np.linalg.norm(vertices, axis=1, keepdims=True)).astype(np.float32),
        uv=np.zeros((len(triangles), 3, 2), np.float32),
        texture=np.zeros((4, 4, 3), np.uint8),
    )


def test_without_a_blockout_a_run_begins_from_nothing() -> None:
    assert start_of(b"", preset("draft", "a gift")) is None


def test_a_held_object_comes_back_exactly_where_the_blockout_stands() -> None:
    begun = start(1.0)
    mesh = TexturedMesh(**{**vars(object_in_box()), "vertices": begun.vertices.astype(np.float32)})
    placed = begun.placed(mesh).vertices
    assert np.allclose(placed.min(0), [4.0, 5.0, 6.0], atol=1e-5) and np.allclose(
        placed.max(0), [7.0, 8.0, 9.0], atol=1e-5
    )


@pytest.mark.parametrize("scale", [0.3, 1.0, 1.2])
def test_a_free_object_takes_the_size_and_the_ground_of_the_blockout(scale: float) -> None:
    placed = start(0.0).placed(object_in_box(scale)).vertices
    assert np.allclose(placed.min(0), [4.0, 5.0, 6.0], atol=1e-5) and np.allclose(
        placed.max(0), [7.0, 8.0, 9.0], atol=1e-5
    )


def test_the_objects_front_looks_where_the_blockouts_does() -> None:
    """The front of the box, -Y, becomes +X where the blockout's front is there."""
    begun = start(1.0, front=90.0)
    mesh = object_in_box()
    normals = np.tile(np.array([[0.0, -1.0, 0.0]], np.float32), (len(mesh.vertices), 1))
    turned = begun.placed(TexturedMesh(**{**vars(mesh), "normals": normals})).normals
    assert np.allclose(turned, [[1.0, 0.0, 0.0]], atol=1e-6)


def test_a_lock_of_zero_holds_nothing() -> None:
    assert start(0.0).lock(CPU) is None


def test_the_digest_is_the_blockouts() -> None:
    config = preset("draft", "a gift")
    one, other = start_of(blockout(), config), start_of(blockout(size=3.5), config)
    assert one is not None and other is not None
    assert one.digest == start(1.0).digest != other.digest


def test_bytes_that_are_no_mesh_are_refused() -> None:
    with pytest.raises(InputError) as refused:
        start_of(b"glTF but not really", preset("draft", "a gift"))
    assert refused.value.code == "input.mesh"
