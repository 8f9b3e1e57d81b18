"""A glTF file that grows: new entries after the old ones, new data behind the old data."""

from __future__ import annotations

from typing import Any

import numpy as np

from dreamfusion_engine.mesh.gltf.accessors import Bytes
from dreamfusion_engine.mesh.gltf.container import GLB_LIMIT, pack, too_large

_VERTICES = 34962  # bufferView.target
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP, _REPEAT = 9729, 9987, 33071, 10497  # sampler


class Additions:
    """A document and its data, with what was added; the ones given stay as they are.

    document: dict, the JSON of a file that was read.
    binary: bytes of its BIN chunk.
    """

    def __init__(self, document: dict[str, Any], binary: bytes) -> None:
        self._document = dict(document)
        self._lists: dict[str, list[Any]] = {}
        self._blobs = [binary]
        self._size = len(binary)
        self._images: dict[bytes, int] = {}
        self._samplers: dict[bool, int] = {}
        self._textures: dict[tuple[int, int | None], int] = {}

    def append(self, name: str, entry: dict[str, Any]) -> int:
        """Put an entry at the end of a list of the file, such as 'materials'; return its number.

        name: str, of the list.
        entry: dict.
        """
        entries = self._list(name)
        entries.append(entry)
        return len(entries) - 1

    def replace(self, name: str, number: int, entry: dict[str, Any]) -> None:
        """Put an entry in the place of another one of a list.

        name: str, of the list.
        number: int, of the entry that goes.
        entry: dict that comes.
        """
        self._list(name)[number] = entry

    def check_room(self, size: int) -> None:
        """Raises Unusable where `size` further bytes of data would be more than a GLB can hold."""
        if self._size + size > GLB_LIMIT:
            raise too_large()

    def texture(self, png: bytes, name: str, sampler: int | None) -> int:
        """Return the number of a texture with a PNG. The same picture is stored once.

        png: bytes.
        name: str, of a new picture.
        sampler: int, its number in the file; None for the format's own.
        """
        if png not in self._images:
            image = {"bufferView": self._data(png), "mimeType": "image/png", "name": name}
            self._images[png] = self.append("images", image)
        key = self._images[png], sampler
        if key not in self._textures:
            entry = {"source": key[0]} if sampler is None else {"sampler": sampler, "source": key[0]}
            self._textures[key] = self.append("textures", entry)
        return self._textures[key]

    def sampler(self, *, repeats: bool) -> int:
        """Return the number of a sampler that smooths.

        repeats: bool, whether the picture goes on beyond its edges.
        """
        if repeats not in self._samplers:
            wrap = _REPEAT if repeats else _CLAMP
            entry = {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": wrap, "wrapT": wrap}
            self._samplers[repeats] = self.append("samplers", entry)
        return self._samplers[repeats]

    def array(self, rows: Bytes, description: dict[str, Any]) -> int:
        """Return the number of a new accessor of a vertex attribute.

        rows: uint8[n, bytes of an element].
        description: dict, the accessor's entry but for its view and count.
        """
        count, size = rows.shape
        view: dict[str, Any] = {"target": _VERTICES}
        if size % 4:  # each element of a vertex attribute begins at a multiple of four
            rows = np.pad(rows, ((0, 0), (0, -size % 4)))
            view["byteStride"] = rows.shape[1]
        return self.append("accessors", {**description, "bufferView": self._data(rows.tobytes(), view), "count": count})

    def glb(self, rest: bytes) -> bytes:
        """Return the file.

        rest: further chunks, as they come.
        Raises Unusable where it is too large.
        """
        document = {**self._document, **self._lists}
        if len(self._blobs) > 1:
            buffer = {**(document.get("buffers") or [{}])[0], "byteLength": self._size}
            document["buffers"] = [buffer]
        return pack(document, b"".join(self._blobs), rest)

    def _list(self, name: str) -> list[Any]:
        if name not in self._lists:
            self._lists[name] = list(self._document.get(name, []))
        return self._lists[name]

    def _data(self, content: bytes, view: dict[str, Any] | None = None) -> int:
        """The number of a new view of new data. view: dict, what to say of it beside its place."""
        fill = b"\0" * (-self._size % 4)
        self.check_room(len(fill) + len(content))
        start = self._size + len(fill)
        self._blobs += [fill, content]
        self._size = start + len(content)
        return self.append(
            "bufferViews", {"buffer": 0, "byteOffset": start, "byteLength": len(content), **(view or {})}
        )
