"""A GLB that comes back with new textures: what is new, and that all else is as it was, bit for bit."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import pytest
import trimesh
from mesh.gltf.painted import base, lamp, layout, painted, png
from mesh.shapes import cube
from reference.glb_builder import SQUARE_UV, Glb, parts, square

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.gltf import additions
from dreamfusion_engine.mesh.gltf.picture import read_base_colour
from dreamfusion_engine.mesh.gltf.read import read_gltf
from dreamfusion_engine.mesh.gltf.write import NewTexture, with_textures

LISTS = ("accessors", "bufferViews", "images", "samplers", "textures", "materials", "meshes", "nodes")


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
