"""The chunks of a GLB: what holds together, what lies about itself, what is somebody else's."""

from __future__ import annotations

import struct

import pytest
from reference.glb_builder import parts, square

from dreamfusion_engine.mesh.gltf.container import JSON_LIMIT, Unusable, pack, unpack


def with_json(text: bytes) -> bytes:
    """A file with this JSON and no more."""
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text), len(text), b"JSON") + text


def lengthened(data: bytes, more: bytes) -> bytes:
    """The file with further bytes, which its header counts."""
    return data[:8] + struct.pack("<I", len(data) + len(more)) + data[12:] + more


def why(data: bytes) -> str:
    with pytest.raises(Unusable) as caught:
        unpack(data)
    assert "glTF" in caught.value.fix
    return caught.value.why


def test_a_file_comes_apart_and_together_again() -> None:
    data = square(name="tórus").data()
    document, binary = parts(data)
    found = unpack(data)
    assert (found.document, found.binary, found.rest) == (document, binary, b"")
    packed = pack(found.document, found.binary)
    assert parts(packed) == (document, binary)
    assert len(packed) % 4 == 0 and pack(found.document, found.binary) == packed


def test_the_json_is_written_as_text_and_numbers_keep_their_values_and_types() -> None:
    document = {"asset": {"version": "2.0"}, "extras": {"a": 1, "b": 1.0, "c": 0.1, "d": 1e-300, "e": True, "f": "ö"}}
    data = pack(document, b"")
    assert "ö".encode() in data
    again = unpack(data).document
    assert again == document and [type(v) for v in again["extras"].values()] == [int, float, float, float, bool, str]


def test_further_chunks_are_kept_as_they_are() -> None:
    more = struct.pack("<I4s", 4, b"MINE") + b"abcd"
    data = lengthened(square().data(), more)
    found = unpack(data)
    assert found.rest == more
    assert pack(found.document, found.binary, found.rest).endswith(found.binary + more)


def test_other_programs_padding_is_taken() -> None:
    text = b'{"asset":{"version":"2.0"}}'
    assert unpack(with_json(text + b"\0\0")).document == unpack(with_json(text + b"   ")).document


@pytest.mark.parametrize("data", [b"", b"glTF", b"PK\x03\x04" + bytes(40), b"solid cube\n" * 9])
def test_another_kind_of_file_is_refused(data: bytes) -> None:
    assert why(data) == "It is not a binary glTF file."


def test_gltf_as_text_is_told_from_other_files() -> None:
    assert "as text (.gltf)" in why(b'{"asset": {"version": "2.0"}}')


def test_gltf_1_is_refused() -> None:
    data = square().data()
    assert "glTF 1;" in why(data[:4] + struct.pack("<I", 1) + data[8:])


def test_the_length_of_the_file_is_what_the_header_says() -> None:
    data = square().data()
    assert "cut off" in why(data[:-4])
    assert "too long" in why(data + b"\0")


def test_every_cut_is_refused() -> None:
    data = square().data()
    for end in range(len(data)):
        why(data[:end])
        if end >= 12:  # and where the header was changed with it
            short = data[:8] + struct.pack("<I", end) + data[12:end]
            why(short)


@pytest.mark.parametrize("size", [10**6, 0xFFFFFFFF])
@pytest.mark.parametrize("chunk", ["JSON", "BIN"])
def test_chunks_that_lie_about_their_size_are_refused(chunk: str, size: int) -> None:
    data = square().data()
    at = 12 if chunk == "JSON" else 20 + struct.unpack_from("<I", data, 12)[0]
    assert f"claims {size:,} bytes" in why(data[:at] + struct.pack("<I", size) + data[at + 4 :])


def test_the_rest_of_a_chunk_header_is_refused() -> None:
    assert "in the middle" in why(lengthened(square().data(), b"\0\0\0\0"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b"[" * 10_000 + b"]" * 10_000, "too deeply"),
        (b'{"asset":{"version":"2.0"},"extras":' + b'{"a":' * 70 + b"1" + b"}" * 71, "too deeply"),
        (b"[]", "which glTF"),
        (b'{"asset":{"version":2.0}}', "which glTF"),
        (b'{"asset":{"version":"2.0"},"extras":NaN}', "NaN"),
        (b'{"asset":{"version":"2.0"},"extras":1e999}', "not finite"),
        (b'{"asset":{"version":"2.0"},"extras":1' + b"0" * 400 + b"}", "401 digits"),
        (b'{"asset":{"version":"2.0"}', "cannot be read"),
        (b'{"asset":{"version":"\xff"}}', "cannot be read"),
        (b"", "cannot be read"),
        (b" " * (JSON_LIMIT + 1), "at most"),
    ],
)
def test_a_description_that_cannot_be_believed_is_refused(text: bytes, word: str) -> None:
    assert word in why(with_json(text))


def test_the_first_chunk_is_the_description() -> None:
    data = square().data()
    assert "first part" in why(data[:16] + b"BIN\0" + data[20:])
