"""A GLB that comes back with new textures: what is new, and that all else is as it was, bit for bit."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import pytest
import trimesh
from mesh.shapes import cube
from numpy.typing import NDArray
from PIL import Image
from reference.glb_builder import SQUARE, SQUARE_TRIANGLES, SQUARE_UV, Glb, parts, square, square_primitive, stored

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.gltf import additions
from dreamfusion_engine.mesh.gltf.picture import read_base_colour
from dreamfusion_engine.mesh.gltf.read import GltfFile, read_gltf
from dreamfusion_engine.mesh.gltf.write import NewTexture, with_textures

LISTS = ("accessors", "bufferViews", "images", "samplers", "textures", "materials", "meshes", "nodes")


def png(colour: tuple[int, int, int] = (200, 100, 50), size: int = 4) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(stream, "PNG")
    return stream.getvalue()


def layout(count: int = 2, seed: int = 0) -> NDArray[np.float32]:
    """UVs that no other has, float32[count, 3, 2]."""
    return np.random.default_rng(seed).random((count, 3, 2)).astype(np.float32)


def to_engine(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """glTF's axes to the engine's: (x, y, z) -> (x, -z, y)."""
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], -1)


def painted(data: bytes, *textures: NewTexture) -> tuple[dict[str, Any], GltfFile]:
    """The JSON of the file with these textures, and the file read again."""
    result = with_textures(read_gltf(data), textures)
    return parts(result)[0], read_gltf(result)


def base(document: dict[str, Any], mesh: int = 0, primitive: int = 0) -> dict[str, Any]:
    """The material of a primitive."""
    found: dict[str, Any] = document["materials"][document["meshes"][mesh]["primitives"][primitive]["material"]]
    return found


def lamp() -> Glb:
    """A file of many things: skin, animation, morph target, camera, extras, extensions, materials, two scenes."""
    glb = square(name="shade")
    primitive = glb.document["meshes"][0]["primitives"][0]
    attributes = primitive["attributes"]
    attributes["NORMAL"] = glb.array(np.tile([0.0, 0.0, 1.0], (4, 1)))
    attributes["JOINTS_0"] = glb.array(np.arange(16).reshape(4, 4) % 2, "u1")
    attributes["WEIGHTS_0"] = glb.array(np.tile([1.0, 0, 0, 0], (4, 1)))
    attributes["_AGE"] = glb.array([1, 2, 3, 4], "u1", stride=4, min=[0], max=[9])
    attributes["TANGENT"] = glb.array(np.tile([1.0, 0, 0, -1], (4, 1)))
    bulge = {"POSITION": glb.array(SQUARE * 0.5, min=[0, 0, 0], max=[0.5, 0.5, 0])}
    primitive |= {"targets": [bulge], "extras": {"note": "mine"}}
    picture = glb.view(png((1, 2, 3)))
    glb.document["images"] = [{"bufferView": picture, "mimeType": "image/png"}]
    glb.document["textures"] = [{"source": 0}]
    coat = {"KHR_materials_clearcoat": {"clearcoatFactor": 0.5, "clearcoatTexture": {"index": 0}}}
    primitive["material"] = glb.add(
        "materials",
        {
            "name": "paper",
            "pbrMetallicRoughness": {
                "baseColorFactor": [0.1, 0.2, 0.3, 0.4],
                "baseColorTexture": {
                    "index": 0,
                    "extensions": {"KHR_texture_transform": {"scale": [2, 2]}, "MINE": {}},
                },
                "metallicFactor": 0.25,
            },
            "normalTexture": {"index": 0, "scale": 0.7},
            "alphaMode": "BLEND",
            "extensions": {"KHR_materials_unlit": {}, **coat},
            "extras": {"a": [1, 2.5, None], "myTexture": {"index": 7}},
        },
    )
    glb.node([square_primitive(glb), square_primitive(glb)], name="foot", translation=[2, 0, 0])
    glb.document["meshes"][1]["primitives"][0]["material"] = 0
    glb.document["nodes"] += [{"camera": 0}, {"name": "bone"}]
    glb.document["cameras"] = [{"type": "perspective", "perspective": {"yfov": 0.66, "znear": 0.1}}]
    glb.document["skins"] = [{"joints": [2, 3]}]
    glb.document["nodes"][0]["skin"] = 0
    times = glb.array([0.0, 1.0], min=[0], max=[1])
    moves = glb.array([[0, 0, 0], [1, 1, 1]])
    glb.document["animations"] = [
        {
            "channels": [{"sampler": 0, "target": {"node": 1, "path": "translation"}}],
            "samplers": [{"input": times, "output": moves}],
        }
    ]
    glb.document["scenes"].append({"nodes": [2, 3], "name": "spare"})
    glb.document["extensions"] = {"MINE": {"deep": [{"x": 0.1}]}}
    glb.document["extensionsUsed"] = ["MINE", "KHR_texture_transform"]
    glb.document["extras"] = {"author": "Ö"}
    return glb


def check_kept(before: bytes, after: bytes, changed: dict[str, set[int]]) -> None:
    """Everything of the old file is in the new one; `changed`: list -> numbers of entries that may differ."""
    old, new = parts(before)[0], parts(after)[0]
    for name, value in old.items():
        if name in LISTS:
            for number, entry in enumerate(value):
                if number not in changed.get(name, set()):
                    assert new[name][number] == entry, f"{name} {number}"
        elif name != "buffers":
            assert new[name] == value, name
    assert set(new) - set(old) <= {*LISTS, "buffers"}
    assert parts(after)[1].startswith(read_gltf(before).binary)
    assert new["buffers"] == [{"byteLength": new["buffers"][0]["byteLength"]}]
    assert 0 <= len(parts(after)[1]) - new["buffers"][0]["byteLength"] < 4


@pytest.mark.parametrize("relaid", [False, True])
def test_all_else_is_as_it_was(relaid: bool) -> None:
    data = lamp().data()
    uv = layout() if relaid else None
    result = with_textures(read_gltf(data), [NewTexture(primitive=0, png=png(), uv=uv)])
    check_kept(data, result, {"meshes": {0}})
    old, new = parts(data)[0], parts(result)[0]
    mesh, changed = old["meshes"][0], copy.deepcopy(new["meshes"][0])
    for entry in (mesh["primitives"][0], changed["primitives"][0]):
        entry.pop("material")
        if relaid:
            for name in ("attributes", "indices", "targets"):
                entry.pop(name, None)
    assert changed == mesh


def test_a_material_is_copied_and_only_its_base_colour_is_new() -> None:
    document, again = painted(lamp().data(), NewTexture(primitive=0, png=png()))
    old = lamp().document["materials"][0]
    assert document["materials"][0] == old and document["meshes"][1]["primitives"][0]["material"] == 0
    new = copy.deepcopy(base(document))
    pbr = new["pbrMetallicRoughness"]
    assert pbr == {
        "baseColorFactor": [1.0, 1.0, 1.0, 0.4],
        "baseColorTexture": {"index": 1, "extensions": {"MINE": {}}},
        "metallicFactor": 0.25,
    }
    new["pbrMetallicRoughness"] = old["pbrMetallicRoughness"]
    assert new == old
    found = read_base_colour(again, 0)
    assert found is not None and found.shape == (4, 4, 3) and (found == [200, 100, 50]).all()


def test_a_primitive_without_a_material_gets_a_matt_one() -> None:
    data = square(name="a square").data()
    document, _ = painted(data, NewTexture(primitive=0, png=png()))
    assert base(document)["pbrMetallicRoughness"] == {
        "baseColorTexture": {"index": 0},
        "metallicFactor": 0.0,
        "roughnessFactor": 0.9,
    }
    rough = with_textures(read_gltf(data), [NewTexture(primitive=0, png=png())], roughness=0.5)
    assert base(parts(rough)[0])["pbrMetallicRoughness"]["roughnessFactor"] == 0.5


def test_a_material_without_colours_keeps_what_it_says() -> None:
    glb = square()
    glb.document["materials"] = [{"emissiveFactor": [1, 0, 0]}]
    glb.document["meshes"][0]["primitives"][0]["material"] = 0
    document, _ = painted(glb.data(), NewTexture(primitive=0, png=png()))
    assert base(document) == {
        "emissiveFactor": [1, 0, 0],
        "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}},
    }


def test_the_picture_is_in_the_file_as_it_was_given() -> None:
    result = with_textures(read_gltf(square().data()), [NewTexture(primitive=0, png=png())])
    document, binary = parts(result)
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    assert binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]] == png()
    assert document["images"][0]["mimeType"] == "image/png" and view["byteOffset"] % 4 == 0


@pytest.mark.parametrize(("scale", "wrap"), [(1.0, 33071), (1.01, 10497), (-1.0, 10497)])
def test_the_picture_repeats_where_uvs_leave_it(scale: float, wrap: int) -> None:
    glb = square()
    glb.document["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = glb.array(SQUARE_UV * scale)
    document, _ = painted(glb.data(), NewTexture(primitive=0, png=png()))
    (sampler,) = document["samplers"]
    assert sampler == {"magFilter": 9729, "minFilter": 9987, "wrapS": wrap, "wrapT": wrap}
    document, _ = painted(glb.data(), NewTexture(primitive=0, png=png(), uv=layout()))
    assert document["samplers"][0]["wrapS"] == 33071  # the new layout stays inside


def test_pictures_and_samplers_are_stored_once() -> None:
    same = [NewTexture(primitive=number, png=png()) for number in range(2)]
    document, _ = painted(lamp().data(), *same, NewTexture(primitive=2, png=png((0, 0, 9))))
    assert len(document["images"]) == 3 and len(document["samplers"]) == 1 and len(document["textures"]) == 3
    assert len(document["materials"]) == 4


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


def test_every_new_element_begins_at_a_multiple_of_four() -> None:
    glb = lamp()
    glb.view(b"odd")
    data = glb.data()
    result = with_textures(read_gltf(data), [NewTexture(primitive=0, png=png(), uv=layout())])
    document = parts(result)[0]
    new = document["accessors"][len(parts(data)[0]["accessors"]) :]
    assert len(new) == 9 and any(document["bufferViews"][entry["bufferView"]].get("byteStride") == 4 for entry in new)
    for entry in new:
        view = document["bufferViews"][entry["bufferView"]]
        assert view["byteOffset"] % 4 == 0 and view["target"] == 34962
        assert view["byteLength"] % entry["count"] == 0 and view["byteLength"] // entry["count"] % 4 == 0


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


def test_vertex_colours_no_longer_tint() -> None:
    glb = square()
    colours = glb.array(np.full((4, 4), 128), "u1", normalized=True)
    glb.document["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"] = colours
    document, _ = painted(glb.data(), NewTexture(primitive=0, png=png()))
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    assert "COLOR_0" not in attributes and attributes["_COLOR_0"] == colours


def test_the_colour_of_a_specular_material_is_painted_too() -> None:
    glb = square()
    gloss = {"diffuseFactor": [0.5, 0.5, 0.5, 0.75], "glossinessFactor": 0.1}
    glb.document["materials"] = [{"extensions": {"KHR_materials_pbrSpecularGlossiness": gloss}}]
    glb.document["meshes"][0]["primitives"][0]["material"] = 0
    document, again = painted(glb.data(), NewTexture(primitive=0, png=png()))
    assert base(document)["extensions"]["KHR_materials_pbrSpecularGlossiness"] == {
        "diffuseFactor": [1.0, 1.0, 1.0, 0.75],
        "glossinessFactor": 0.1,
        "diffuseTexture": {"index": 0},
    }
    found = read_base_colour(again, 0)
    assert found is not None and (found == [200, 100, 50]).all()


def test_a_draco_version_of_a_painted_primitive_is_no_longer_named() -> None:
    glb = square()
    glb.document["meshes"][0]["primitives"][0]["extensions"] = {"KHR_draco_mesh_compression": {}, "MINE": {}}
    document, _ = painted(glb.data(), NewTexture(primitive=0, png=png(), uv=layout()))
    assert document["meshes"][0]["primitives"][0]["extensions"] == {"MINE": {}}


def test_the_same_arguments_give_the_same_bytes_in_any_order() -> None:
    file = read_gltf(lamp().data())
    before = copy.deepcopy(file.document)
    textures = [NewTexture(primitive=i, png=png((i, 0, 0)), uv=layout() if i else None) for i in range(3)]
    first = with_textures(file, textures)
    assert with_textures(file, textures[::-1]) == first
    assert file.document == before


def test_no_texture_changes_nothing() -> None:
    data = lamp().data()
    result = with_textures(read_gltf(data), [])
    assert parts(result)[0] == parts(data)[0] and parts(result)[1] == parts(data)[1]


def test_a_file_without_binary_data_gets_some() -> None:
    glb = Glb()
    glb.node([{"attributes": {"POSITION": glb.add("accessors", {"componentType": 5126, "count": 3, "type": "VEC3"})}}])
    document, again = painted(glb.data(), NewTexture(primitive=0, png=png(), uv=layout(1)))
    assert document["buffers"][0]["byteLength"] == len(again.binary.rstrip(b"\0")) or again.binary
    np.testing.assert_array_equal(again.primitives[0].uv, layout(1))


def test_trimesh_finds_the_new_picture_at_the_new_places() -> None:
    vertices, triangles = cube()
    glb = Glb()
    glb.node([{"attributes": {"POSITION": glb.array(vertices)}, "indices": glb.array(triangles.reshape(-1), "u1")}])
    uv = layout(len(triangles))
    result = with_textures(read_gltf(glb.data()), [NewTexture(primitive=0, png=png(), uv=uv)])
    scene: Any = trimesh.load(io.BytesIO(result), file_type="glb", process=False)
    (geometry,) = scene.geometry.values()
    assert geometry.visual.material.baseColorTexture.getpixel((0, 0)) == (200, 100, 50)
    np.testing.assert_allclose(geometry.triangles, vertices[triangles], atol=1e-6)
    found = geometry.visual.uv[geometry.faces]
    np.testing.assert_allclose(np.stack([found[..., 0], 1 - found[..., 1]], -1), uv, atol=1e-6)


def test_what_does_not_fit_is_a_mistake_of_the_program() -> None:
    file, bare = read_gltf(square().data()), read_gltf(square(uv=False).data())
    good = NewTexture(primitive=0, png=png())
    nowhere = np.full((2, 3, 2), np.nan, np.float32)
    for given, textures, word in [
        (file, [good, good], "same primitive"),
        (file, [NewTexture(primitive=1, png=png())], "no primitive 1"),
        (file, [NewTexture(primitive=0, png=b"JFIF")], "no PNG"),
        (file, [NewTexture(primitive=0, png=png(), uv=layout(3))], "for 2 triangles"),
        (file, [NewTexture(primitive=0, png=png(), uv=nowhere)], "finite"),
        (bare, [good], "no UVs"),
    ]:
        with pytest.raises(ValueError, match=word):
            with_textures(given, textures)


def test_a_result_that_no_glb_can_hold_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    data = lamp().data()
    monkeypatch.setattr(additions, "GLB_LIMIT", len(parts(data)[1]) + len(png()) + 100)
    with_textures(read_gltf(data), [NewTexture(primitive=0, png=png())])
    with pytest.raises(InputError, match="cannot be used") as caught:
        with_textures(read_gltf(data), [NewTexture(primitive=0, png=png(), uv=layout())])
    assert caught.value.code == "input.mesh" and "Decimate" in caught.value.fix
