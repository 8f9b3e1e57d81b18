"""Headers are read as the format says, and every way of not being whole is found without reading a weight."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.paper_model import paper_weights
from safetensors.torch import save_file

from dreamfusion_engine.models.safetensors_header import DamagedHeader, read_header


def with_header(values: Any, data: bytes) -> bytes:
    header = values if isinstance(values, bytes) else json.dumps(values).encode()
    return struct.pack("<Q", len(header)) + header + data


def entry(begin: int, end: int, dtype: str = "F16", shape: tuple[int, ...] | None = None) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape or ((end - begin) // 2,)), "data_offsets": [begin, end]}


def test_a_file_of_the_library_reads_as_it_was_written(tmp_path: Path) -> None:
    tensors = {
        "a": torch.zeros(3, 5),
        "b.c": torch.zeros(7, dtype=torch.bfloat16),
        "d": torch.zeros((), dtype=torch.int64),
        "e": torch.zeros(0, 4, dtype=torch.float16),
        "f": torch.zeros(2, dtype=torch.float8_e4m3fn),
    }
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    header = read_header(tmp_path / "x.safetensors")
    assert {name: (value.shape, value.bytes, value.parameters) for name, value in header.items()} == {
        name: (tuple(value.shape), value.numel() * value.element_size(), value.numel())
        for name, value in tensors.items()
    }
    assert (header["b.c"].dtype, header["f"].dtype) == ("BF16", "F8_E4M3")


@pytest.mark.parametrize("kept", [0, 5, 8, 20, -1])
def test_a_file_cut_off_anywhere_is_found(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(paper_weights()[:kept])
    with pytest.raises(DamagedHeader, match="not even a header|cut off"):
        read_header(file)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (paper_weights() + b"\0", "too long"),
        (b"<!DOCTYPE html><html>", "does not begin"),
        (b"version https://git-lfs.github.com/spec/v1\n", "does not begin"),
        (b"PK\x03\x04 a zip or pickle", "does not begin"),
        (struct.pack("<Q", 1 << 40) + b"{", "does not begin"),
        (with_header(b"{nonsense", b""), "cannot be read"),
        (with_header(b"{" + b'"a":{' * 5000, b""), "cannot be read"),
        (with_header({"a": {"dtype": "F16"}}, b""), "describes a"),
        (with_header({"a": entry(0, 4), "b": entry(6, 8)}, bytes(8)), "places b at 6"),
        (with_header({"a": entry(0, 4), "b": entry(2, 6)}, bytes(6)), "places b at 2"),
        (with_header({"a": entry(0, 4, shape=(3,))}, bytes(4)), "4 bytes for F16 [3]"),
        (with_header({"a": entry(0, 4, shape=(-2, -1))}, bytes(4)), "for F16 [-2, -1]"),
        (with_header({"a": entry(0, 4, dtype="Q4")}, bytes(4)), "for Q4"),
        (with_header(b'{"a": {"dtype": "F16", "shape": [1e999], "data_offsets": [0, 4]}}', bytes(4)), "not finite"),
        (with_header(b'{"a": {"dtype": "F16", "shape": [2], "data_offsets": [0, Infinity]}}', bytes(4)), "Infinity"),
        (with_header(b'{"a": {"dtype": "F16", "shape": [1' + b"0" * 400 + b"]}}", b""), "401 digits"),
        (with_header({"a": {"dtype": "F16", "shape": [2.0], "data_offsets": [0, 4]}}, bytes(4)), "describes a"),
        (with_header({"a": {"dtype": "F16", "shape": "2", "data_offsets": [0, 4]}}, bytes(4)), "describes a"),
        (with_header({"a": entry(0, 4, shape=(2**62,) * 1000)}, bytes(4)), "describes a"),
        (with_header({"a": entry(0, 4, dtype="F" * 10**6)}, bytes(4)), "F... [2]"),
        (with_header({str(i): entry(0, 0, shape=(0,)) for i in range(10_002)}, b""), "10,002 tensors"),
        (struct.pack("<Q", 9 << 20) + b"{", "9,437,184 bytes"),
    ],
    ids=range(22),
)
def test_what_is_no_whole_file_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(content)
    with pytest.raises(DamagedHeader) as caught:
        read_header(file)
    assert told in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04 and an archive", "Python pickle"),
        (b"\x80\x04\x95 and a pickle", "Python pickle"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>", "web page"),
    ],
)
def test_what_came_in_the_place_of_a_file_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(DamagedHeader, match=words):
        read_header(tmp_path / "m.safetensors")
