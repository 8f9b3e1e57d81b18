"""Vertices moved in a file: they stand where they should, and every other number keeps its bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference.glb_builder import SQUARE, SQUARE_UV, Glb, parts, square, square_primitive

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.gltf.moved import MovedPrimitive, check_movable, with_moved_vertices
from dreamfusion_engine.mesh.gltf.read import GltfFile, read_gltf

STEP = np.array([0.25, -0.5, 0.125])


def lifted(file: GltfFile, number: int, corner: int = 2) -> MovedPrimitive:
    """The vertex at one corner of the square, moved by STEP, with a slanted normal."""
    found = file.primitives[number]
    chosen = (found.vertices == found.vertices[corner]).all(1)
    vertices = found.vertices.astype(np.float64)
    vertices[chosen] += STEP
    normals = np.tile([0.0, 0.6, 0.8], (len(vertices), 1))
    at = found.triangles
    return MovedPrimitive(
        primitive=number, vertices=vertices[at], moves=chosen[at], normals=normals[at], turns=chosen[at]
    )


def bits(values: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(values).view(np.uint32)


@pytest.mark.parametrize(
    "node",
    [
        {},
        {"translation": [3.0, -2.0, 5.0], "rotation": [0.0, 0.6, 0.0, 0.8], "scale": [2.0, 0.5, 3.0]},
        {"scale": [-1.0, 2.0, 1.0]},
    ],
    ids=["plain", "placed", "mirrored"],
)
def test_a_vertex_moves_in_the_scene_whatever_its_node_does(node: dict[str, Any]) -> None:
    file = read_gltf(square(**node).data())
    after = read_gltf(with_moved_vertices(file, [lifted(file, 0)])).primitives[0]
    before = file.primitives[0]
    np.testing.assert_allclose(after.vertices[2] - before.vertices[2], STEP, atol=1e-6)
    np.testing.assert_array_equal(bits(after.vertices[[0, 1, 3]]), bits(before.vertices[[0, 1, 3]]))
    np.testing.assert_array_equal(after.triangles, before.triangles)
    assert after.uv is not None and before.uv is not None
    np.testing.assert_array_equal(bits(after.uv), bits(before.uv))


@pytest.mark.parametrize("scale", [[1.0, 1.0, 1.0], [2.0, 1.0, -0.5]], ids=["plain", "mirrored"])
def test_normals_turn_as_asked_and_tangents_stay_square_to_them(scale: list[float]) -> None:
    made = square(scale=scale)
    attributes = made.document["meshes"][0]["primitives"][0]["attributes"]
    attributes["NORMAL"] = made.array(np.tile([0.0, 0.0, 1.0], (4, 1)))
    attributes["TANGENT"] = made.array(np.tile([0.6, 0.8, 0.0, -1.0], (4, 1)))
    file = read_gltf(made.data())
    content = with_moved_vertices(file, [lifted(file, 0)])
    after = read_gltf(content).primitives[0]
    assert after.normals is not None and file.primitives[0].normals is not None
    np.testing.assert_allclose(after.normals[2], [0.0, 0.6, 0.8], atol=1e-6)
    np.testing.assert_array_equal(bits(after.normals[[0, 1, 3]]), bits(file.primitives[0].normals[[0, 1, 3]]))
    document, binary = parts(content)
    names = document["meshes"][0]["primitives"][0]["attributes"]
    rows = {}
    for name, width in (("NORMAL", 3), ("TANGENT", 4)):
        view = document["bufferViews"][document["accessors"][names[name]]["bufferView"]]
        rows[name] = np.frombuffer(binary, "<f4", 4 * width, view["byteOffset"]).reshape(4, width)
    tangent = rows["TANGENT"]
    assert abs(float(tangent[2, :3] @ rows["NORMAL"][2])) < 1e-6 and tangent[2, 3] == -1.0
    np.testing.assert_allclose(np.linalg.norm(tangent[:, :3], axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(tangent[0], np.array([0.6, 0.8, 0.0, -1.0], np.float32))


def test_another_primitive_over_the_same_array_stays() -> None:
    made = Glb()
    first = square_primitive(made)
    second = {"attributes": dict(first["attributes"]), "indices": first["indices"]}
    made.node([first, second], mesh="pair", name="pair")
    file = read_gltf(made.data())
    before, after = file.primitives, read_gltf(with_moved_vertices(file, [lifted(file, 1)])).primitives
    np.testing.assert_array_equal(bits(after[0].vertices), bits(before[0].vertices))
    assert (after[1].vertices[2] != before[1].vertices[2]).any()
    assert file.document["meshes"][0]["primitives"][1]["attributes"] == first["attributes"], "the file given stays"


def test_vertices_that_no_triangle_uses_and_sparse_changes_are_kept() -> None:
    made = Glb()
    points = np.concatenate([SQUARE, [[9.0, 9.0, 9.0]]])
    position = made.array(points, min=[0, 0, 0], max=[9, 9, 9])
    made.document["accessors"][position]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": made.view(np.array([4], "<u4").tobytes()), "componentType": 5125},
        "values": {"bufferView": made.view(np.array([7, 7, 7], "<f4").tobytes())},
    }
    uv = made.array(np.concatenate([SQUARE_UV, [[0.0, 0.0]]]))
    entry = {"attributes": {"POSITION": position, "TEXCOORD_0": uv}, "indices": made.array([0, 1, 2, 0, 2, 3], "u2")}
    made.node([entry])
    file = read_gltf(made.data())
    document, binary = parts(with_moved_vertices(file, [lifted(file, 0)]))
    accessor = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    start = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
    rows = np.frombuffer(binary, "<f4", 15, start).reshape(5, 3)
    np.testing.assert_array_equal(rows[[0, 1, 3, 4]], np.array([*SQUARE[[0, 1, 3]], [7, 7, 7]], np.float32))
    assert accessor["max"] == rows.max(0).tolist() and accessor["min"] == rows.min(0).tolist()


def test_what_cannot_be_carried_back_is_refused() -> None:
    flat = read_gltf(square(name="sign", scale=[1.0, 0.0, 1.0]).data())
    with pytest.raises(InputError) as refused:
        check_movable(flat, [0])
    assert refused.value.code == "paint.part" and "sign" in refused.value.what and "scale" in refused.value.fix
    made = square(name="coarse")
    whole = made.array(SQUARE.astype(np.int16), "i2", stride=8)
    made.document["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = whole
    with pytest.raises(InputError) as refused:
        check_movable(read_gltf(made.data()), [0])
    assert "quantization" in refused.value.fix
    check_movable(read_gltf(square().data()), [0])
