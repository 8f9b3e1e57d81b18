"""The container of a binary glTF 2.0 file, and what can be said of its JSON before a mesh is looked for.

Khronos, "glTF 2.0 Specification", section 4: twelve bytes of header, then chunks; a chunk is its length, its type and
its content. The first is JSON; the second may be BIN, the content of buffer 0. Further ones are somebody's own.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dreamfusion_engine.wire.bounded_json import UnsafeJson, parse_json

JSON_LIMIT = 16 << 20  # bytes; a scene of 10,000 objects takes a third of that
GLB_LIMIT = (1 << 32) - 1  # bytes, what the header can say
AGAIN = "Export it again as glTF Binary (.glb)."
PLAIN = "Export it as glTF Binary (.glb) without Draco compression."
_LISTS = {"accessors", "bufferViews", "buffers", "images", "materials", "meshes", "nodes"}
_LISTS |= {"samplers", "scenes", "textures"}
_COMPRESSED = {
    "KHR_draco_mesh_compression": PLAIN,
    "EXT_meshopt_compression": "Export it as glTF Binary (.glb) without meshopt compression.",
    "KHR_meshopt_compression": "Export it as glTF Binary (.glb) without meshopt compression.",
}
# Extensions that leave shapes and the place of the base colour as the format has them.
_HARMLESS = {"KHR_mesh_quantization", "KHR_texture_transform", "KHR_lights_punctual", "KHR_xmp_json_ld", "KHR_xmp"}
_HARMLESS |= {"KHR_animation_pointer", "KHR_node_visibility", "EXT_lights_image_based", "KHR_texture_basisu"}
_HARMLESS |= {"EXT_texture_webp", "EXT_texture_avif", "MSFT_texture_dds"}
_HARMLESS_KIND = "KHR_materials_"


class Unusable(ValueError):
    """A file that cannot be used.

    why: the cause, a sentence.
    fix: what the artist can do.
    """

    def __init__(self, why: str, fix: str = AGAIN) -> None:
        super().__init__(why)
        self.why, self.fix = why, fix


@dataclass(frozen=True)
class Container:
    """The parts of a GLB.

    document: dict, the JSON; each of its lists of entries is a list of dicts, buffer 0 is in `binary`, whole.
    binary: bytes, the content of the BIN chunk; empty where there is none.
    rest: bytes, the further chunks as they are.
    """

    document: dict[str, Any]
    binary: bytes
    rest: bytes


def unpack(data: bytes) -> Container:
    """Take a GLB apart.

    data: bytes of the whole file.
    Raises Unusable.
    """
    if data[:4] != b"glTF" or len(data) < 20:
        is_text = data[:100].lstrip()[:1] == b"{"
        raise Unusable(
            "It is glTF as text (.gltf), whose data lie in other files."
            if is_text
            else "It is not a binary glTF file.",
            "Export it as glTF Binary (.glb).",
        )
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise Unusable(f"It is of glTF {version}; this engine reads glTF 2.", "Export it as glTF 2.0 Binary (.glb).")
    if length != len(data):
        word = "cut off" if length > len(data) else "too long"
        raise Unusable(f"The file is {word}: it has {len(data):,} bytes, and its header says {length:,}.")
    chunk_type, start, end = _chunk(data, 12)
    if chunk_type != b"JSON":
        raise Unusable("Its first part is not the description that the format asks for.")
    if end - start > JSON_LIMIT:
        raise Unusable(
            f"Its description has {end - start:,} bytes; at most {JSON_LIMIT:,} are read.",
            "Export fewer objects and animations at a time, as glTF Binary (.glb).",
        )
    text, binary = data[start:end].rstrip(b"\0"), b""  # some programs pad with zeros, not blanks
    if end < length:
        chunk_type, start, after = _chunk(data, end)
        if chunk_type == b"BIN\0":
            binary, end = data[start:after], after
    at = end
    while at < length:
        at = _chunk(data, at)[2]
    try:
        document = parse_json(text)
    except UnsafeJson as error:
        raise Unusable(f"Its description cannot be read: {error}.") from error
    return Container(_checked(document, len(binary)), binary, data[end:])


def pack(document: Mapping[str, Any], binary: bytes, rest: bytes = b"") -> bytes:
    """Put a GLB together. The same arguments give the same bytes.

    document: the JSON.
    binary: the content of the BIN chunk; there is none where it is empty.
    rest: further chunks, as they come.
    Raises Unusable where the whole would be larger than the format allows.
    """
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    fill = b"\0" * (-len(binary) % 4)
    length = 20 + len(text) + (8 + len(binary) + len(fill) if binary else 0) + len(rest)
    if length > GLB_LIMIT:
        raise too_large()
    parts = [struct.pack("<4sII", b"glTF", 2, length), struct.pack("<I4s", len(text), b"JSON"), text]
    if binary:
        parts += [struct.pack("<I4s", len(binary) + len(fill), b"BIN\0"), binary, fill]
    return b"".join([*parts, rest])


def too_large() -> Unusable:
    """The error for a result that the format cannot hold."""
    return Unusable(
        f"With its new textures the file would have more than the {GLB_LIMIT:,} bytes that the format allows.",
        "Use a copy with fewer triangles (Decimate) or fewer shape keys.",
    )


def _chunk(data: bytes, at: int) -> tuple[bytes, int, int]:
    """Kind, start and end of the content of the chunk at `at`."""
    if len(data) - at < 8:
        raise Unusable("It ends in the middle of a part.")
    (size,) = struct.unpack_from("<I", data, at)
    if size > len(data) - at - 8:
        raise Unusable(f"One of its parts claims {size:,} bytes, and {len(data) - at - 8:,} are left.")
    return data[at + 4 : at + 8], at + 8, at + 8 + size


def _checked(document: Any, binary: int) -> dict[str, Any]:
    """The JSON, if this engine can read such a file. binary: bytes of the BIN chunk."""
    asset = document.get("asset") if isinstance(document, dict) else None
    version = asset.get("version") if isinstance(asset, dict) else None
    if not isinstance(document, dict) or not isinstance(asset, dict) or not isinstance(version, str):
        raise Unusable("Its description does not say which glTF it is.")
    needed = asset.get("minVersion", "2.0")
    if version.split(".")[0] != "2" or needed != "2.0":
        said = version if version.split(".")[0] != "2" else needed
        raise Unusable(f"It is of glTF {said}; this engine reads glTF 2.0.", "Export it as glTF 2.0 Binary (.glb).")
    _check_extensions(document.get("extensionsRequired", []))
    for name in sorted(_LISTS):
        entries = document.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Unusable(f"Its list of {name} is damaged.")
    for number, buffer in enumerate(document.get("buffers", [])):
        if number or "uri" in buffer:
            raise Unusable("Some of its data lie outside of the file.", "Export it as glTF Binary (.glb), in one file.")
        size = buffer.get("byteLength")
        if type(size) is not int or not 0 <= size <= binary:
            raise Unusable(f"It claims {size} bytes of data, and holds {binary:,}.")
    return document


def _check_extensions(required: Any) -> None:
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise Unusable("Its list of required extensions is damaged.")
    for name in required:
        if name in _COMPRESSED:
            raise Unusable(f"Its meshes are compressed ({name}).", _COMPRESSED[name])
        if name not in _HARMLESS and not name.startswith(_HARMLESS_KIND):
            raise Unusable(
                f"It needs the extension '{name[:100]}', which this engine does not know.",
                "Export it as glTF Binary (.glb) without that extension.",
            )
