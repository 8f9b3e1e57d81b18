"""The header of a .safetensors file: names, types and shapes of its tensors, without reading a weight.

Format (huggingface/safetensors): eight bytes N, little-endian; N bytes of JSON, name -> dtype, shape, data_offsets
[begin, end) into what follows; then the data, without a gap. So a file that was cut off anywhere, or whose header was
changed, is told from a whole one by its first megabyte and its length.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.wire.bounded_json import UnsafeJson, parse_json

FORMAT_LIMIT = 100_000_000  # bytes of a header, the format's own
HEADER_LIMIT = 8 << 20  # bytes that are read; the largest models' take a tenth of that
TENSOR_LIMIT = 10_000  # of a file; the largest single files of the families here hold 2,500
_AXES = 16  # of a tensor
BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8", "U8", "BOOL"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}


class DamagedHeader(ValueError):
    """The file is not a whole safetensors file; the message says what is wrong."""


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a file.

    dtype: str, as the format names it, such as F16.
    shape: tuple of int.
    bytes: int, its length in the file.
    """

    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def parameters(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


def read_header(path: Path) -> dict[str, TensorEntry]:
    """Return the tensors of a file by name, after a check that header and length agree.

    Raises DamagedHeader where the file is cut off, has bytes left over or is of another format.
    Raises OSError where it cannot be read.
    """
    values, size, length = _read_json(path)
    entries, end = _entries(values)
    if 8 + size + end != length:
        word = "cut off" if 8 + size + end > length else "too long"
        raise DamagedHeader(f"it is {word}: {length:,} bytes, its header says {8 + size + end:,}")
    return entries


def read_metadata(path: Path) -> dict[str, str]:
    """Return what a file says about itself (`__metadata__`); empty where it says nothing.

    Raises as `read_header` does.
    """
    said = _read_json(path)[0].get("__metadata__")
    return {str(name): str(value) for name, value in said.items()} if isinstance(said, dict) else {}


def _read_json(path: Path) -> tuple[dict[str, Any], int, int]:
    """The header as JSON, its bytes, and the bytes of the file."""
    length = path.stat().st_size
    with path.open("rb") as stream:
        first = stream.read(8)
        if len(first) < 8:
            raise DamagedHeader(f"it has {length} bytes, not even a header")
        (size,) = struct.unpack("<Q", first)
        if size > FORMAT_LIMIT or stream.peek(1)[:1] not in (b"{", b""):
            raise DamagedHeader(f"it does not begin as a safetensors file does{_looks_like(first)}")
        if size > HEADER_LIMIT:
            raise DamagedHeader(f"its header has {size:,} bytes, and no model needs more than {HEADER_LIMIT:,}")
        if 8 + size > length:
            raise DamagedHeader(f"it is cut off in its header: {length:,} bytes of at least {8 + size:,}")
        text = stream.read(size)
    try:
        values = parse_json(text)
    except UnsafeJson as error:
        raise DamagedHeader(f"its header cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise DamagedHeader("its header holds no tensors")
    if len(values) > TENSOR_LIMIT + 1:
        raise DamagedHeader(f"its header names {len(values):,} tensors, and no model has more than {TENSOR_LIMIT:,}")
    return values, size, length


def _looks_like(first: bytes) -> str:
    """What a file that is no safetensors file seems to be, by its first eight bytes."""
    if is_pickle(first):
        return ", but as a Python pickle"
    if first == b"version ":
        return ", but as a pointer of Git LFS to it (`git lfs pull` fetches the content)"
    if first.lstrip()[:1] == b"<":
        return ", but as a web page: something answered in the place of the download"
    return ""


def is_pickle(first: bytes) -> bool:
    """Return whether a file's first bytes are those of a Python pickle, bare or in torch's archive."""
    return first[:4] == b"PK\x03\x04" or (first[:1] == b"\x80" and first[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))


def _entries(values: Mapping[str, Any]) -> tuple[dict[str, TensorEntry], int]:
    """The tensors, and where the data end. Raises DamagedHeader unless the data are covered once, without a gap."""
    spans = sorted(_spans(values), key=lambda span: span[1:3])
    at = 0
    for name, begin, end, _ in spans:
        if begin != at:
            raise DamagedHeader(f"its header places {name[:200]} at {begin:,}, where {at:,} was expected")
        at = end
    return {name: entry for name, _, _, entry in spans}, at


def _spans(values: Mapping[str, Any]) -> Iterator[tuple[str, int, int, TensorEntry]]:
    for name, value in values.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape = str(value["dtype"]), _counts(value["shape"], _AXES)
            begin, end = _counts(value["data_offsets"], 2)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedHeader(f"its header describes {name[:200]} in a way that cannot be read") from error
        if dtype not in BITS or min(shape, default=0) < 0 or (end - begin) * 8 != math.prod(shape) * BITS[dtype]:
            said = dtype if len(dtype) < 20 else f"{dtype[:20]}..."
            raise DamagedHeader(f"its header gives {name[:200]} {end - begin:,} bytes for {said} {list(shape)}")
        yield name, begin, end, TensorEntry(dtype, shape, end - begin)


def _counts(values: Any, most: int) -> tuple[int, ...]:
    """Whole numbers as a header lists them. Raises ValueError for anything else, and for more than `most`."""
    if not isinstance(values, list) or len(values) > most or not all(type(value) is int for value in values):
        raise ValueError("no list of whole numbers")
    return tuple(values)
