"""The GLB reader against the engine's own reader, against trimesh, and against damage.

Of: blender_addon/core/engine/glb.py.
"""

from __future__ import annotations

import base64
import collections
import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from addon.inside.effort import counted
from addon.scene.shapes import body, write_body
from fakes.shapes import png as png_of
from numpy.typing import NDArray

from blender_addon.core.engine.glb import DamagedMesh, GlbMesh, bounds, read_glb
from dreamfusion_engine.mesh import export

Floats = NDArray[np.float64]


def arrays(mesh: GlbMesh) -> tuple[Floats, NDArray[np.int32], Floats]:
    """positions [V, 3], triangles [T, 3], uvs [T, 3, 2]."""
    return (
        np.array(mesh.positions, np.float64).reshape(-1, 3),
        np.array(mesh.triangles, np.int32).reshape(-1, 3),
        np.array(mesh.uvs, np.float64).reshape(-1, 3, 2),
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result as the engine writes it."""
    return write_body(tmp_path_factory.mktemp("glb") / "mesh.glb")


def test_corners_are_those_that_the_engine_wrote(file: Path) -> None:
    positions, triangles, uvs = arrays(read_glb(file.read_bytes()))
    engine = export.read_glb(file)
    assert np.array_equal(positions[triangles], engine.positions[engine.triangles].astype(np.float64))
    assert np.allclose(uvs[..., 0], engine.uv[engine.triangles][..., 0], atol=1e-7)
    assert np.allclose(uvs[..., 1], 1.0 - engine.uv[engine.triangles][..., 1], atol=1e-7)


def test_corners_are_those_that_trimesh_reads(file: Path) -> None:
    positions, triangles, uvs = arrays(read_glb(file.read_bytes()))
    other: Any = trimesh.load(file, force="mesh", process=False)
    x, y, z = np.moveaxis(other.vertices[other.faces], -1, 0)
    assert np.allclose(positions[triangles], np.stack([x, -z, y], -1), atol=1e-7)
    assert np.allclose(uvs, other.visual.uv[other.faces], atol=1e-6)  # trimesh has v up, too


def test_seams_are_welded_into_the_closed_mesh_that_was_written(file: Path) -> None:
    positions, triangles, _ = arrays(read_glb(file.read_bytes()))
    written = body()
    assert len(positions) == len(written.vertices) < len(export.read_glb(file).positions)
    edges = collections.Counter(tuple(sorted(edge)) for t in triangles for edge in zip(t, np.roll(t, -1), strict=True))
    assert set(edges.values()) == {2}


def test_the_picture_is_the_bytes_that_were_written(file: Path) -> None:
    mesh = read_glb(file.read_bytes())
    assert (
        mesh.image in file.read_bytes() and mesh.image.startswith(b"\x89PNG") and mesh.image.endswith(b"IEND\xaeB`\x82")
    )
    assert mesh.name == "a body"
    assert mesh.roughness == pytest.approx(export.ROUGHNESS)


def test_box_is_the_lowest_and_highest_corner(file: Path) -> None:
    mesh = read_glb(file.read_bytes())
    positions, _, _ = arrays(mesh)
    low, high = bounds(mesh.positions)
    assert np.array_equal(low, positions.min(0)) and np.array_equal(high, positions.max(0))


def test_the_work_of_reading_grows_as_the_mesh_does(tmp_path: Path) -> None:
    lines, triangles = [], []
    for rings in (40, 80):
        data = write_body(tmp_path / f"{rings}.glb", rings, rings).read_bytes()
        with counted() as effort:
            triangles.append(len(read_glb(data).triangles))
        lines.append(effort.lines)
    assert lines[1] / lines[0] < 1.1 * triangles[1] / triangles[0]


# Files of other programs.

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
TRIANGLES = np.array([0, 1, 2, 0, 2, 3], np.uint32)
UV = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)


def glb(document: dict[str, Any], binary: bytes) -> bytes:
    """A GLB from its two parts."""
    return packed(json.dumps(document).encode(), binary)


def packed(text: bytes, binary: bytes) -> bytes:
    """A GLB from its description, as text, and its data."""
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def square(**changes: Any) -> tuple[dict[str, Any], bytes]:
    """The description and data of a square in glTF's XY plane; changes: of the description."""
    blobs = [SQUARE.tobytes(), UV.tobytes(), TRIANGLES.tobytes()]
    starts = [0, len(blobs[0]), len(blobs[0]) + len(blobs[1])]
    document = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5126, "count": 4, "type": "VEC2"},
            {"bufferView": 2, "componentType": 5125, "count": 6, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": len(blob)}
            for start, blob in zip(starts, blobs, strict=True)
        ],
        "buffers": [{"byteLength": sum(map(len, blobs))}],
    }
    return {**document, **changes}, b"".join(blobs)


def test_a_file_without_a_material_is_read() -> None:
    positions, triangles, uvs = arrays(read_glb(glb(*square())))
    assert positions.tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]]
    assert triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert uvs[0].tolist() == [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize(("code", "kind"), [(5121, np.uint8), (5123, np.uint16)])
def test_small_indices_are_read(code: int, kind: type) -> None:
    document, binary = square()
    document["accessors"][2]["componentType"] = code
    small = TRIANGLES.astype(kind).tobytes()
    document["bufferViews"][2]["byteLength"] = len(small)
    mesh = read_glb(glb(document, binary[: -TRIANGLES.nbytes] + small))
    assert mesh.triangles.tolist() == TRIANGLES.tolist()


def test_interleaved_vertices_are_read() -> None:
    document, _ = square()
    both = np.concatenate([SQUARE, UV], 1).tobytes()
    document["bufferViews"] = [
        {"buffer": 0, "byteOffset": 0, "byteLength": len(both), "byteStride": 20},
        {"buffer": 0, "byteOffset": 12, "byteLength": len(both) - 12, "byteStride": 20},
        {"buffer": 0, "byteOffset": len(both), "byteLength": TRIANGLES.nbytes},
    ]
    read = read_glb(glb(document, both + TRIANGLES.tobytes()))
    assert arrays(read)[0].tolist() == arrays(read_glb(glb(*square())))[0].tolist()
    assert read.uvs == read_glb(glb(*square())).uvs


def test_normalised_texture_coordinates_are_read() -> None:
    document, binary = square()
    document["accessors"][1] |= {"componentType": 5123, "normalized": True}
    packed = np.rint(UV * 65535).astype(np.uint16).tobytes()
    binary = SQUARE.tobytes() + packed + b"\0" * (UV.nbytes - len(packed)) + TRIANGLES.tobytes()
    assert read_glb(glb(document, binary)).uvs == read_glb(glb(*square())).uvs


def test_triangles_without_indices_are_read() -> None:
    document, binary = square()
    del document["meshes"][0]["primitives"][0]["indices"]
    document["accessors"][0]["count"] = document["accessors"][1]["count"] = 3
    assert read_glb(glb(document, binary)).triangles.tolist() == [0, 1, 2]


def test_nodes_move_the_mesh() -> None:
    turned = {"rotation": [0, 0, 0.5**0.5, 0.5**0.5], "scale": [2, 2, 2], "children": [1]}  # by 90 degrees about Z
    document, binary = square(nodes=[turned, {"mesh": 0, "translation": [1, 0, 0]}])
    positions, _, _ = arrays(read_glb(glb(document, binary)))
    # (x, y, z) -> (x + 1, y, z) -> twice -> (-y, x, z) in glTF's axes
    assert np.allclose(positions, [[0, 0, 2], [0, 0, 4], [-2, 0, 4], [-2, 0, 2]], atol=1e-6)


def test_a_mirroring_node_turns_the_triangles_round() -> None:
    document, binary = square(nodes=[{"mesh": 0, "matrix": np.diag([-1.0, 1.0, 1.0, 1.0]).ravel().tolist()}])
    positions, triangles, uvs = arrays(read_glb(glb(document, binary)))
    plain, corners, _ = arrays(read_glb(glb(*square())))
    for faces, points in ((triangles, positions), (corners, plain)):
        normal = np.cross(points[faces[0, 1]] - points[faces[0, 0]], points[faces[0, 2]] - points[faces[0, 0]])
        assert normal[1] < 0.0  # towards -Y, where glTF's +Z is
    found = {
        (round(-p[0], 5), round(p[2], 5)): uv.tolist() for p, uv in zip(positions[triangles[0]], uvs[0], strict=True)
    }
    assert found == {(0, 0): [0, 0], (1, 0): [1, 0], (1, 1): [1, 1]}


def test_triangles_without_area_are_left_out() -> None:
    document, binary = square()
    bad = np.array([0, 1, 1, 0, 2, 3], np.uint32).tobytes()
    mesh = read_glb(glb(document, binary[: -len(bad)] + bad))
    assert mesh.triangles.tolist() == [0, 2, 3]
    assert np.array(mesh.uvs).reshape(-1, 2).tolist() == [[0, 0], [1, 1], [0, 1]]


def picture(width: int, height: int) -> bytes:
    """A small PNG that says it is so large."""
    data = bytearray(png_of(2, 2, 9))
    data[16:24] = struct.pack(">II", width, height)
    return bytes(data)


def textured(png: bytes, **surface: Any) -> bytes:
    """A square with a texture and other values of its material."""
    document, binary = square(
        materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, **surface}}],
        textures=[{"source": 0}],
        images=[{"uri": "data:image/png;base64," + base64.b64encode(png).decode()}],
    )
    document["meshes"][0]["primitives"][0]["material"] = 0
    return glb(document, binary)


def test_an_image_in_a_uri_is_read() -> None:
    png = picture(3, 2)
    document, binary = square(
        materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "baseColorFactor": [1, 0.5, 1, 1]}}],
        textures=[{"source": 0}],
        images=[{"uri": "data:image/png;base64," + base64.b64encode(png).decode()}],
    )
    document["meshes"][0]["primitives"][0]["material"] = 0
    mesh = read_glb(glb(document, binary))
    assert mesh.image == png and mesh.colour == (1.0, 0.5, 1.0, 1.0) and mesh.roughness == 1.0


# Damage.


def _with(path: str, value: Any) -> dict[str, Any]:
    document, _ = square()
    *parents, last = (int(word) if word.isdigit() else word for word in path.split("/"))
    place: Any = document
    for word in parents:
        place = place[word]
    place[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        ("accessors/0/count", 5, "more numbers"),
        ("accessors/0/count", 10**15, "more numbers"),
        ("accessors/0/count", -1, "more numbers"),
        ("accessors/0/count", "four", "sense"),
        ("accessors/0/type", "VEC2", "VEC3 belongs"),
        ("accessors/0/componentType", 5125, "float"),
        ("accessors/0/componentType", 1, "lacks"),
        ("accessors/0/byteOffset", -4, "more numbers"),
        ("accessors/1/count", 2, "fewer texture coordinates"),
        ("accessors/2/componentType", 5126, "whole numbers"),
        ("accessors/2/count", 5, "do not exist"),
        ("accessors/0/bufferView", -1, "no number -1"),
        ("accessors/0/sparse", {}, "sparsely"),
        ("bufferViews/0/byteLength", 10**9, "more data"),
        ("bufferViews/0/byteStride", 1, "more numbers"),
        ("buffers/0/uri", "mesh.bin", "another file"),
        ("meshes", [], "0 meshes"),
        ("meshes/0/primitives/0/mode", 1, "lines or points"),
        ("meshes/0/primitives/0/indices", 9, "sense"),
        ("nodes/0/children", [0], "parents"),
        ("nodes/0/matrix", [1.0], "16 numbers"),
        ("extensionsRequired", ["KHR_draco_mesh_compression"], "KHR_draco_mesh_compression"),
    ],
)
def test_a_wrong_description_is_told(path: str, value: Any, word: str) -> None:
    with pytest.raises(DamagedMesh) as caught:
        read_glb(glb(_with(path, value), square()[1]))
    trouble = caught.value.trouble
    assert word in trouble.why
    assert trouble.code == "result.damaged" and trouble.what and trouble.fix


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"glTF\n12345678901234567890", "version"),
        (b"<html>no such page</html>", "not a binary glTF"),
        (struct.pack("<4sII", b"glTF", 1, 20) + bytes(8), "version 1"),
        (glb(*square())[:-7], "of the"),
        (glb({}, b""), "lacks 'meshes'"),
    ],
)
def test_what_is_no_glb_is_told(data: bytes, word: str) -> None:
    with pytest.raises(DamagedMesh) as caught:
        read_glb(data)
    assert word in caught.value.trouble.why


def test_numbers_that_are_none_are_told() -> None:
    document, binary = square()
    for place in (0, SQUARE.nbytes):
        damaged = binary[:place] + struct.pack("<f", float("nan")) + binary[place + 4 :]
        with pytest.raises(DamagedMesh) as caught:
            read_glb(glb(document, damaged))
        assert "no numbers" in caught.value.trouble.why


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, '"nan"', '"inf"'])
@pytest.mark.parametrize("name", ["baseColorFactor", "roughnessFactor", "translation"])
def test_a_colour_roughness_or_place_that_is_no_number_is_told(name: str, value: str) -> None:
    written = '"HERE"' if name == "roughnessFactor" else '["HERE", 0, 0, 1]'
    document, binary = square(materials=[{"pbrMetallicRoughness": {}}])
    document["meshes"][0]["primitives"][0]["material"] = 0
    if name == "translation":
        document["nodes"][0][name], written = "THERE", '["HERE", 0, 0]'
    else:
        document["materials"][0]["pbrMetallicRoughness"][name] = "THERE"
    marked = json.dumps(document).replace('"THERE"', written).replace('"HERE"', value).encode()
    with pytest.raises(DamagedMesh):
        read_glb(packed(marked, binary))


def test_colours_and_roughness_are_brought_into_their_range() -> None:
    mesh = read_glb(textured(picture(4, 4), baseColorFactor=[-5, 2, 0.5, 1e30], roughnessFactor=7))
    assert mesh.colour == (0.0, 1.0, 0.5, 1.0) and mesh.roughness == 1.0


@pytest.mark.parametrize("size", [(12_000, 12_000), (8193, 1), (2**31 - 1, 2**31 - 1), (0, 4)])
def test_a_texture_that_would_fill_the_memory_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(DamagedMesh, match="8,192 pixels"):
        read_glb(textured(picture(*size)))


@pytest.mark.parametrize("place", [0, SQUARE.nbytes])
def test_what_lies_far_away_is_told(place: int) -> None:
    document, binary = square()
    with pytest.raises(DamagedMesh, match="far away"):
        read_glb(glb(document, binary[:place] + struct.pack("<f", 3e38) + binary[place + 4 :]))


def test_a_description_that_is_nested_without_end_is_told() -> None:
    with pytest.raises(DamagedMesh, match="nested"):
        read_glb(packed(b'{"nodes":' + b"[" * 200_000 + b"]" * 200_000 + b"}", b""))


def test_damage_anywhere_is_an_error_with_a_reason_or_a_sound_mesh(file: Path) -> None:
    whole = file.read_bytes()
    chance = random.Random(0)
    refused = 0
    for attempt in range(400):
        data = bytearray(whole)
        if attempt % 4 == 0:
            data = data[: chance.randrange(len(data))]
            if attempt % 8 == 0 and len(data) >= 12:
                data[8:12] = struct.pack("<I", len(data))  # the header knows no better
        else:
            for _ in range(3):  # mostly in the description, which comes first
                data[chance.randrange(2000 if attempt % 4 < 3 else len(data))] = chance.randrange(256)
        try:
            mesh = read_glb(bytes(data))
        except DamagedMesh as damage:
            refused += 1
            assert damage.trouble.why.endswith((".", "..."))
            continue
        positions, triangles, _ = arrays(mesh)
        assert np.isfinite(positions).all() and triangles.min() >= 0 and triangles.max() < len(positions)
        assert len(mesh.uvs) in (0, 2 * len(mesh.triangles))
    assert refused > 200
