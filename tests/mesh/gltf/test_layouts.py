"""A GLB that comes back with new UVs: where they are, and what nodes and primitives that share arrays keep.

Of: dreamfusion_engine/mesh/gltf/write.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mesh.gltf.painted import base, lamp, layout, painted, png, to_engine
from reference.glb_builder import SQUARE, SQUARE_TRIANGLES, SQUARE_UV, Glb, parts, square, stored

from dreamfusion_engine.mesh.gltf.picture import read_base_colour
from dreamfusion_engine.mesh.gltf.read import read_gltf
from dreamfusion_engine.mesh.gltf.write import NewTexture, with_textures


def test_a_new_layout_makes_a_vertex_of_every_corner() -> None:
    data = lamp().data()
    uv = layout()
    result = with_textures(read_gltf(data), [NewTexture(primitive=0, png=png(), uv=uv)])
    old, new = parts(data)[0]["meshes"][0]["primitives"][0], parts(result)[0]["meshes"][0]["primitives"][0]
    assert "indices" not in new and new.get("mode", 4) == 4
    corners = SQUARE_TRIANGLES.reshape(-1)
    np.testing.assert_array_equal(stored(result, new["attributes"]["TEXCOORD_0"]), uv.reshape(-1, 2))
    for name in set(old["attributes"]) - {"TEXCOORD_0"}:
        np.testing.assert_array_equal(
            stored(result, new["attributes"][name]), stored(data, old["attributes"][name])[corners], err_msg=name
        )
    bulge = new["targets"][0]["POSITION"]
    np.testing.assert_array_equal(stored(result, bulge), SQUARE[corners] * np.float32(0.5))
    accessors = parts(result)[0]["accessors"]
    assert accessors[bulge]["max"] == [0.5, 0.5, 0.0]
    assert accessors[new["attributes"]["POSITION"]]["max"] == [1.0, 1.0, 0.0]
    assert not {"min", "max"} & set(accessors[new["attributes"]["_AGE"]])  # those of the old array


def test_other_textures_of_a_material_keep_their_uvs() -> None:
    data = lamp().data()
    result = with_textures(read_gltf(data), [NewTexture(primitive=0, png=png(), uv=layout())])
    document = parts(result)[0]
    material = base(document)
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    assert material["normalTexture"] == {"index": 0, "scale": 0.7, "texCoord": 1}
    assert material["extensions"]["KHR_materials_clearcoat"]["clearcoatTexture"] == {"index": 0, "texCoord": 1}
    assert "texCoord" not in material["pbrMetallicRoughness"]["baseColorTexture"]
    assert material["extras"] == lamp().document["materials"][0]["extras"]
    np.testing.assert_array_equal(stored(result, attributes["TEXCOORD_1"]), SQUARE_UV[SQUARE_TRIANGLES.reshape(-1)])


def test_a_primitive_that_has_no_indices_only_gets_new_uvs() -> None:
    glb = Glb()
    attributes = {"POSITION": glb.array(SQUARE[SQUARE_TRIANGLES].reshape(-1, 3)), "_AGE": glb.array([1] * 6, "u4")}
    glb.node([{"attributes": attributes}])
    document, again = painted(glb.data(), NewTexture(primitive=0, png=png(), uv=layout()))
    assert document["meshes"][0]["primitives"][0]["attributes"] == {**attributes, "TEXCOORD_0": 2}
    assert len(document["accessors"]) == 3
    np.testing.assert_array_equal(again.primitives[0].uv, layout())


@pytest.mark.parametrize("mode", [4, 5, 6])
@pytest.mark.parametrize("scale", [[1, 1, 1], [-2, 1, 1]], ids=["plain", "mirrored"])
@pytest.mark.parametrize("indexed", [True, False])
def test_new_uvs_are_read_back_at_the_corners_that_they_were_given_for(
    mode: int, scale: list[int], indexed: bool
) -> None:
    glb = Glb()
    rng = np.random.default_rng(2)
    primitive: dict[str, Any] = {"attributes": {"POSITION": glb.array(rng.random((9, 3)))}, "mode": mode}
    if indexed:
        primitive["indices"] = glb.array(rng.permutation(9), "u2")
    glb.node([primitive], scale=scale)
    (before,) = read_gltf(glb.data()).primitives
    uv = layout(len(before.triangles))
    _, again = painted(glb.data(), NewTexture(primitive=0, png=png(), uv=uv))
    (after,) = again.primitives
    np.testing.assert_array_equal(after.uv, uv)
    np.testing.assert_array_equal(after.vertices[after.triangles], before.vertices[before.triangles])
    assert after.mirrored == before.mirrored == (scale[0] < 0)


@pytest.mark.parametrize("relaid", [False, True])
def test_nodes_that_share_a_mesh_are_painted_apart(relaid: bool) -> None:
    glb = square(name="left")
    glb.place({"mesh": 0, "name": "right", "scale": [-1, 1, 1]})
    glb.place({"mesh": 0, "name": "bare"})
    uvs = [layout(seed=1), layout(seed=2)] if relaid else [None, None]
    textures = [NewTexture(primitive=i, png=png((i, 0, 0)), uv=uvs[i]) for i in range(2)]
    document, again = painted(glb.data(), *textures)
    assert [node["mesh"] for node in document["nodes"]] == [1, 2, 0]
    assert document["meshes"][0] == glb.document["meshes"][0]
    for number in range(2):
        found = read_base_colour(again, number)
        assert found is not None and (found == [number, 0, 0]).all()
        if relaid:
            np.testing.assert_array_equal(again.primitives[number].uv, uvs[number])
    positions = {document["meshes"][mesh]["primitives"][0]["attributes"]["POSITION"] for mesh in (1, 2)}
    assert len(positions) == 1  # one array for both


def test_a_mesh_that_all_its_nodes_paint_leaves_no_copy_behind() -> None:
    glb = square(name="left")
    glb.place({"mesh": 0, "name": "right"})
    document, _ = painted(glb.data(), *(NewTexture(primitive=i, png=png()) for i in range(2)))
    assert sorted(node["mesh"] for node in document["nodes"]) == [0, 1] == list(range(len(document["meshes"])))


def test_two_primitives_of_one_mesh_have_their_own_textures() -> None:
    _, again = painted(lamp().data(), *(NewTexture(primitive=i, png=png((i, i, i))) for i in (2, 1)))
    pictures = [read_base_colour(again, i) for i in (1, 2)]
    assert [picture[0, 0, 0] for picture in pictures if picture is not None] == [1, 2]


def test_primitives_that_share_arrays_are_taken_apart_by_their_own_corners() -> None:
    glb = Glb()
    position = glb.array(SQUARE)
    halves = [glb.array(corners, "u1") for corners in SQUARE_TRIANGLES]
    glb.node([{"attributes": {"POSITION": position}, "indices": half} for half in halves])
    _, again = painted(glb.data(), *(NewTexture(primitive=i, png=png(), uv=layout(1, i)) for i in range(2)))
    for found, corners in zip(again.primitives, SQUARE_TRIANGLES, strict=True):
        np.testing.assert_array_equal(found.vertices[found.triangles[0]], to_engine(SQUARE[corners]))


def test_the_set_of_uvs_stays_where_the_layout_does() -> None:
    glb = square()
    primitive = glb.document["meshes"][0]["primitives"][0]
    primitive["attributes"]["TEXCOORD_1"] = glb.array(SQUARE_UV[::-1])
    info = {"index": 0, "extensions": {"KHR_texture_transform": {"texCoord": 1}}}
    primitive["material"] = glb.add("materials", {"pbrMetallicRoughness": {"baseColorTexture": info}})
    before = read_gltf(glb.data()).primitives[0].uv
    document, again = painted(glb.data(), NewTexture(primitive=0, png=png()))
    assert base(document)["pbrMetallicRoughness"]["baseColorTexture"] == {"index": 0, "texCoord": 1}
    np.testing.assert_array_equal(again.primitives[0].uv, before)
    document, again = painted(glb.data(), NewTexture(primitive=0, png=png(), uv=layout()))
    np.testing.assert_array_equal(again.primitives[0].uv, layout())
