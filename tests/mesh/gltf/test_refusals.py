"""GLB files that are damaged, compressed, too large or beyond the format are refused in plain words.

Of: dreamfusion_engine/mesh/gltf/read.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from reference.glb_builder import SQUARE, SQUARE_UV, Glb, square, square_primitive

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.gltf import read
from dreamfusion_engine.mesh.gltf.read import read_gltf


def refusal(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read_gltf(data, "the lamp")
    assert caught.value.code == "input.mesh"
    assert caught.value.what == "The lamp cannot be used."
    return caught.value


def broken(change: str) -> Glb:
    """A square with one thing wrong, which `change`, a line of Python, does to its document `d`."""
    glb = square()
    glb.node([square_primitive(glb)], name="second")
    exec(change, {"d": glb.document, "glb": glb, "np": np, "SQUARE": SQUARE, "SQUARE_UV": SQUARE_UV})
    return glb


WRONG = {
    "d['accessors'][0]['count'] = 10**400": "number of 401 digits",
    "d['accessors'][0]['count'] = 10**9": "claims 1,000,000,000 elements",
    "d['accessors'][0]['count'] = 10**15": "claims 1,000,000,000,000,000 elements",
    "d['accessors'][0]['count'] = 5": "more than the file holds",
    "d['accessors'][0]['count'] = 0": "claims 0 elements",
    "d['accessors'][0]['count'] = -4": "no sound 'count'",
    "d['accessors'][0]['count'] = 4.0": "no sound 'count'",
    "d['accessors'][0]['count'] = True": "no sound 'count'",
    "d['accessors'][0]['byteOffset'] = 4": "more than the file holds",
    "d['accessors'][0]['componentType'] = 5124": "kind that the format does not have",
    "d['accessors'][0]['type'] = ['VEC3']": "kind that the format does not have",
    "d['accessors'][0]['type'] = 'VEC4'": "more than the file holds",
    "d['accessors'][0]['normalized'] = 1": "how its numbers are meant",
    "d['accessors'][0]['bufferView'] = 99": "does not have",
    "d['accessors'][1]['count'] = 3": "different numbers of vertices",
    "d['accessors'][2]['count'] = 5": "no multiple of three",
    "d['accessors'][2]['componentType'] = 5122": "no whole numbers",
    "d['accessors'][0]['type'] = 'VEC2'": "no points in space",
    "d['accessors'][1] |= {'type': 'SCALAR'}": "no places in a picture",
    "d['accessors'][0]['sparse'] = 5": "sparse arrays is damaged",
    "d['bufferViews'][0]['byteLength'] = 10**9": "beyond its end",
    "d['bufferViews'][0]['byteOffset'] = 10**9": "beyond its end",
    "d['bufferViews'][0]['buffer'] = 1": "outside of the file",
    "d['bufferViews'][0]['byteStride'] = 8": "overlap",
    "d['bufferViews'][0]['byteStride'] = 10**6": "steps of 1,000,000 bytes",
    "d['buffers'][0]['byteLength'] = 10**9": "claims 1000000000 bytes",
    "d['buffers'][0]['uri'] = 'lamp.bin'": "outside of the file",
    "d['buffers'].append({'byteLength': 4, 'uri': 'lamp.bin'})": "outside of the file",
    "d['nodes'][0]['children'] = [0]": "in a circle",
    "d['nodes'][0]['children'] = [1]; d['nodes'][1]['children'] = [0]": "in a circle",
    "d['nodes'] += [{'children': [3]}, {'children': [2]}]": "in a circle",
    "d['nodes'] += [{'children': [1]}, {'children': [1]}]": "two parents",
    "d['nodes'][0]['children'] = [1]": "names an object twice",
    "d['scenes'][0]['nodes'] = [0, 0]": "names an object twice",
    "d['scenes'][0]['nodes'] = [9]": "does not have",
    "d['scene'] = 3": "scene that it does not have",
    "d['nodes'][0]['mesh'] = 9": "mesh that it does not have",
    "d['nodes'][0]['children'] = [9]": "children that are not in the file",
    "d['nodes'][0]['matrix'] = [1, 2, 3]": "matrix of one of its objects",
    "d['nodes'][0]['scale'] = [1, 2, '3']": "scale of one of its objects",
    "d['nodes'][0]['scale'] = [1e300, 1, 1]": "at no place",
    "d['nodes'] = [5]": "list of nodes is damaged",
    "d['nodes'] += [{}] * 100_000": "at most 100,000",
    "d['meshes'][0]['primitives'] = [[]]": "meshes is damaged",
    "d['meshes'][0]['primitives'] *= 10_001": "more than 10,000 meshes",
    "d['meshes'][0]['primitives'][0]['mode'] = 7": "kind that the format does not have",
    "d['meshes'][0]['primitives'][0]['attributes'] = []": "has no vertices",
    "d['meshes'][0]['primitives'][0]['targets'] = [3]": "shape keys",
    "d['meshes'][0]['primitives'][0]['targets'] = [{'POSITION': 2}]": "different numbers of vertices",
    "d['meshes'][0]['primitives'][0]['material'] = 0": "material that it does not have",
    "d['meshes'][0]['primitives'][0]['indices'] = glb.array([0, 1, 4], 'u1')": "vertex 4 of 4",
    "d['meshes'][0]['primitives'][0]['attributes']['POSITION'] = glb.array(SQUARE * np.nan)": "at no place",
    "d['meshes'][0]['primitives'][0]['attributes']['POSITION'] = glb.array(SQUARE + np.inf)": "at no place",
    "d['meshes'][0]['primitives'][0]['attributes']['TEXCOORD_0'] = glb.array(SQUARE_UV * np.nan)": "Some of its UVs",
    "d['meshes'][0]['primitives'][0]['attributes']['TEXCOORD_0'] = glb.array(SQUARE_UV + np.inf)": "Some of its UVs",
    "d['meshes'][0]['primitives'][0]['mode'] = 1; d['scenes'][0]['nodes'] = [0]": "no triangles",
    "d['scenes'][0]['nodes'] = []": "no triangles",
    "d['extensionsRequired'] = 'KHR_texture_transform'": "required extensions is damaged",
    "d['extensionsRequired'] = ['EXT_secret']": "'EXT_secret'",
    "d['asset'] = {}": "which glTF it is",
    "d['asset']['version'] = '1.0'": "glTF 1.0",
    "d['asset']['minVersion'] = '2.9'": "glTF 2.9",
}


@pytest.mark.parametrize("change", WRONG)
def test_what_is_wrong_is_refused_in_plain_words(change: str) -> None:
    error = refusal(broken(change).data())
    assert WRONG[change] in error.why
    assert error.fix.endswith(".")


@pytest.mark.parametrize("places", [[1, 1], [3, 1], [0, 4]])
def test_sparse_arrays_that_change_what_is_not_there_are_refused(places: list[int]) -> None:
    glb = square()
    where, what = glb.view(np.array(places, "<u2").tobytes()), glb.view(bytes(24))
    indices = {"bufferView": where, "componentType": 5123}
    glb.document["accessors"][0]["sparse"] = {"count": 2, "indices": indices, "values": {"bufferView": what}}
    assert "sparse" in refusal(glb.data()).why


@pytest.mark.parametrize(
    ("name", "word"),
    [("KHR_draco_mesh_compression", "without Draco"), ("EXT_meshopt_compression", "without meshopt")],
)
def test_compressed_files_are_refused_with_the_way_to_export(name: str, word: str) -> None:
    glb = square()
    glb.document["extensionsRequired"] = [name]
    error = refusal(glb.data())
    assert name in error.why and word in error.fix


def test_a_draco_mesh_without_arrays_is_refused_where_the_file_does_not_say_so() -> None:
    glb = square()
    glb.document["meshes"][0]["primitives"][0]["extensions"] = {"KHR_draco_mesh_compression": {}}
    assert len(read_gltf(glb.data()).primitives[0].triangles) == 2  # its arrays are there
    del glb.document["accessors"][0]["bufferView"]
    assert "without Draco" in refusal(glb.data()).fix


def test_more_triangles_than_the_limit_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read.TRIANGLE_LIMIT == 5_000_000
    glb = square()
    glb.place({"mesh": 0})
    monkeypatch.setattr(read, "TRIANGLE_LIMIT", 4)
    assert len(read_gltf(glb.data()).primitives) == 2
    monkeypatch.setattr(read, "TRIANGLE_LIMIT", 3)
    monkeypatch.setattr(read, "corners_of", None)
    error = refusal(glb.data())
    assert "4 triangles; at most 3" in error.why and "Decimate" in error.fix


def test_many_uses_of_one_large_array_count_each_time() -> None:
    """An accessor of zeros takes no room in the file, and none in memory before the limit is asked for."""
    glb = Glb()
    zeros = glb.add("accessors", {"componentType": 5126, "count": 3_000_000_000, "type": "VEC3"})
    glb.node([{"attributes": {"POSITION": zeros}}])
    assert "1,000,000,000 triangles" in refusal(glb.data()).why
