"""The arrays of a GLB, looked up row by row: nothing is made in memory for what a file claims and does not hold.

Khronos, "glTF 2.0 Specification", sections 3.6 (buffers, accessors, sparse accessors) and 3.11 (normalized integers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Doubles
from dreamfusion_engine.mesh.gltf.container import Unusable

Bytes = NDArray[np.uint8]
Rows = NDArray[np.int64]

COUNT_LIMIT = 1 << 32  # elements of an accessor
SPARSE_LIMIT = 100_000_000  # changed elements of all accessors that are read
_STRIDE_LIMIT = 252  # bytes from an element to the next, the format's own
_UNSIGNED = (5121, 5123, 5125)
_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_TYPES = {"SCALAR": (1, 1), "VEC2": (1, 2), "VEC3": (1, 3), "VEC4": (1, 4), "MAT2": (2, 2), "MAT3": (3, 3)}
_TYPES |= {"MAT4": (4, 4)}  # columns, rows


@dataclass(frozen=True, kw_only=True)
class Accessor:
    """One array of the file, unread.

    count: int, elements.
    element_type: str, such as VEC3.
    component: dtype of a component.
    normalized: bool, whether integers stand for [0, 1] or [-1, 1].
    rows: uint8[count, bytes of an element], a view of the file.
    changed: int[n], strictly rising, the elements that `changes`, uint8[n, bytes of an element], takes the place of.
    """

    count: int
    element_type: str
    component: np.dtype[Any]
    normalized: bool
    rows: Bytes
    changed: NDArray[Any] | None
    changes: Bytes | None

    def bytes_of(self, rows: Rows) -> Bytes:
        """Return the elements `rows`, int64[n], as they are in the file: uint8[n, bytes of an element]."""
        found = np.ascontiguousarray(self.rows[rows])
        if self.changed is not None and self.changes is not None:
            place = np.minimum(np.searchsorted(self.changed, rows), len(self.changed) - 1)
            hit = self.changed[place] == rows
            found[hit] = self.changes[place[hit]]
        return found

    def components_of(self, rows: Rows) -> NDArray[Any]:
        """Return the elements `rows`, int64[n], of scalars or vectors as [n, components], in the file's type."""
        return self.bytes_of(rows).view(self.component)

    def values_of(self, rows: Rows) -> Doubles:
        """Return the elements `rows`, int64[n], of scalars or vectors as numbers: float64[n, components]."""
        values = self.components_of(rows).astype(np.float64)
        if self.normalized and self.component.kind != "f":
            values = np.maximum(values / np.iinfo(self.component).max, -1.0)
        return values


class Accessors:
    """The accessors of a file, each checked once, when it is first asked for.

    document: the JSON, as `container.unpack` gives it.
    binary: bytes of buffer 0.
    """

    def __init__(self, document: dict[str, Any], binary: bytes) -> None:
        self._entries, self._views = document.get("accessors", []), document.get("bufferViews", [])
        self._binary = binary
        self._length = min(len(binary), *(buffer["byteLength"] for buffer in document.get("buffers", [])), 1 << 62)
        self._known: dict[int, Accessor] = {}
        self._sparse = 0

    def get(self, index: Any) -> Accessor:
        """Return accessor `index`. Raises Unusable where there is none, or where it reaches beyond the file."""
        entry = pick(self._entries, index, "array")
        if index not in self._known:
            self._known[index] = self._checked(entry)
        return self._known[index]

    def _checked(self, entry: dict[str, Any]) -> Accessor:
        count, component = whole(entry, "count"), entry.get("componentType")
        element_type, normalized = entry.get("type"), entry.get("normalized", False)
        if not 1 <= count <= COUNT_LIMIT:
            raise Unusable(f"One of its arrays claims {count:,} elements.")
        if type(component) is not int or component not in _COMPONENTS or element_type not in list(_TYPES):
            raise Unusable("One of its arrays is of a kind that the format does not have.")
        if not isinstance(normalized, bool):
            raise Unusable("One of its arrays does not say how its numbers are meant.")
        size = _element_bytes(component, element_type)
        if "bufferView" in entry:
            rows = self._rows(entry["bufferView"], whole(entry, "byteOffset", 0), count, size)
        else:
            rows = np.broadcast_to(np.zeros(size, np.uint8), (count, size))
        changed, changes = self._changes(entry["sparse"], count, size) if "sparse" in entry else (None, None)
        return Accessor(
            count=count,
            element_type=element_type,
            component=np.dtype(_COMPONENTS[component]),
            normalized=normalized,
            rows=rows,
            changed=changed,
            changes=changes,
        )

    def _rows(self, view: Any, offset: int, count: int, size: int) -> Bytes:
        """A view of `count` elements of `size` bytes, as uint8[count, size]."""
        start, length, stride = self.span(view)
        stride = size if stride is None else stride
        if stride < size:
            raise Unusable("The elements of one of its arrays overlap.")
        if offset + stride * (count - 1) + size > length:
            raise Unusable(f"One of its arrays claims {count:,} elements, more than the file holds for it.")
        return np.ndarray((count, size), np.uint8, self._binary, start + offset, (stride, 1))

    def span(self, view: Any) -> tuple[int, int, int | None]:
        """Return where bufferView `view` starts in the binary data, its bytes, and its stride. Raises Unusable."""
        entry = pick(self._views, view, "part of the data")
        start, length = whole(entry, "byteOffset", 0), whole(entry, "byteLength")
        stride = whole(entry, "byteStride") if "byteStride" in entry else None
        if entry.get("buffer") != 0 or type(entry["buffer"]) is not int or start + length > self._length:
            raise Unusable("A part of its data lies outside of the file, or beyond its end.")
        if stride is not None and not 1 <= stride <= _STRIDE_LIMIT:
            raise Unusable(f"A part of its data has steps of {stride:,} bytes; the format allows {_STRIDE_LIMIT}.")
        return start, length, stride

    def _changes(self, sparse: Any, count: int, size: int) -> tuple[NDArray[Any], Bytes]:
        """The changed elements of a sparse accessor, and their content."""
        where = sparse.get("indices") if isinstance(sparse, dict) else None
        what = sparse.get("values") if isinstance(sparse, dict) else None
        if not isinstance(where, dict) or not isinstance(what, dict) or where.get("componentType") not in _UNSIGNED:
            raise Unusable("One of its sparse arrays is damaged.")
        changed, component = whole(sparse, "count"), _COMPONENTS[where["componentType"]]
        self._sparse += changed
        if not 1 <= changed <= count or self._sparse > SPARSE_LIMIT:
            raise Unusable(f"One of its sparse arrays claims {changed:,} changes.")
        wide = np.dtype(component).itemsize
        rows = self._rows(where.get("bufferView"), whole(where, "byteOffset", 0), changed, wide)
        places = np.ascontiguousarray(rows).view(component).reshape(-1)
        if (places[1:] <= places[:-1]).any() or int(places[-1]) >= count:
            raise Unusable("One of its sparse arrays changes elements that it does not have, or one twice.")
        return places, self._rows(what.get("bufferView"), whole(what, "byteOffset", 0), changed, size)


def pick(entries: list[dict[str, Any]], index: Any, what: str) -> dict[str, Any]:
    """Return entry `index` of a list of the file.

    what: a word for such an entry, for people.
    Raises Unusable where there is none.
    """
    if type(index) is not int or not 0 <= index < len(entries):
        raise Unusable(f"It names a {what} that it does not have.")
    return entries[index]


def whole(entry: dict[str, Any], key: str, default: int | None = None) -> int:
    """Return a whole number from 0 of an entry. Raises Unusable where there is none and no default.

    entry: dict, of the file.
    key: str, the number's name there.
    default: int, where the entry has none; None: it must have one.
    """
    value = entry.get(key, default)
    if type(value) is not int or value < 0:
        raise Unusable(f"Its description gives no sound '{key}'.")
    return value


def _element_bytes(component: int, element_type: str) -> int:
    """Bytes of an element; each column of a matrix begins at a multiple of four."""
    columns, rows = _TYPES[element_type]
    column = rows * np.dtype(_COMPONENTS[component]).itemsize
    return column if columns == 1 else columns * (column + -column % 4)
