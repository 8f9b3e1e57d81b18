"""The wire between the Blender add-on and the engine: framing, message names and fields. Standard library only.

One JSON object a line, UTF-8, ended by a line feed. A message that carries data says ``"bytes": n`` and exactly n raw
bytes follow its line. Every message has a ``"type"``. Messages about a job carry the ``"id"`` that the client chose.
The client says ``hello`` first and the engine answers ``ready``; after that either side may speak at any time.

Nothing here imports the rest of the engine but bounded_json.py, so a client can carry a copy of these two files.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from .bounded_json import UnsafeJson, parse_json

PROTOCOL_VERSION = 1
LINE_LIMIT = 1 << 20  # bytes of one JSON line
DATA_LIMIT = 1 << 29  # bytes after one line; a 50,000-triangle GLB with a 4096 texture is some 30 MiB
ID_LIMIT = 200  # characters of a job's id
_PIECE = 1 << 16  # bytes taken at a time while skipping
_TEXT_LIMIT = 2000  # characters of a text in a message that is longer than a line may be

# The types of fields are str, int, float, bool, object and list, and those of NUMBERS and DATA. NUMBERS are from 0 to a
# limit. DATA is for the field "bytes" and says what the bytes are; without that field a message carries no data.
# "?" marks a field that may be left out or null; the client takes a number out of range for null. "=0" marks a number
# that it takes for 0 then. Without a mark it refuses the message. An "id" has at most ID_LIMIT characters.
NUMBERS: dict[str, tuple[tuple[type, ...], float]] = {
    "count": ((int,), 1 << 53),  # the steps of a download are bytes; whole numbers up to here are exact as float
    "place": ((int,), 10_000),  # among the parts of a file that is painted; far more than anybody has
    "seconds": ((int, float), 1e9),  # thirty years
    "rate": ((int, float), 1e15),  # a second
    "mib": ((int, float), 1e9),  # a pebibyte
}
# mesh: vertices float32[V, 3], triangles int32[T, 3], colours uint8[V, 3], little-endian. picture: of any usual format.
DATA = ("png", "glb", "mesh", "picture")
_RUN = {  # what every command that queues a run says
    "id": "str",
    "prompt": "str",
    "preset": "str?",
    "settings": "object?",
    "output": "str?",
    "resume": "bool?",
    "bytes": "glb?",
}
COMMANDS: dict[str, dict[str, str]] = {
    # Open the conversation.
    "hello": {"protocol": "int", "client": "str?"},
    # Queue a run. settings: nested by stage like result.json's config, over the preset. output: folder on the
    # engine's machine; without it <output root>/<prompt>-<seed>. resume: go on from that folder's checkpoint.
    # The settings' stage "texture" names another model, which paints the finished shape. An older engine refuses that,
    # and does not make the object without. Its steps are counted after the first model's, in one progress.
    # It may carry a binary glTF: the blockout from which the object begins; the settings' stage "start" is about it.
    # And pictures of the object: each {"bytes": n, "view": name or [azimuth, elevation] in degrees, "mask": m}; view
    # and mask may be left out. After the blockout come picture, its mask, next picture ... as files, of n and m bytes.
    # The blockout is what "bytes" has beyond them. With pictures the prompt may be "" where the model needs none.
    "generate": {**_RUN, "pictures": "list?"},
    # Queue a contest of seeds: {"first": 3, "count": 8}. The rest as for generate; the settings' seed does not count.
    # Its previews "seed-N" are the newest pictures of the drafts.
    "contest": {**_RUN, "seeds": "object"},
    # Queue a run that paints a new texture onto meshes. Carries them as a binary glTF; none with resume: the run's own.
    # settings: as for generate, and the stage "paint". The result carries the file with its new base colours. Where the
    # meshes have the vertex attribute _PART, 0 to 1, only what is above 0 there changes: its colours, and with the
    # setting paint.shape its vertices.
    "texture": _RUN,
    # Queue a run that refines a mesh: its vertices and its colours. Carries it as a binary glTF; none with resume: the
    # run's own. settings: as for generate; the stage "refine" is about it. Its mesh previews and the result's mesh.glb
    # stand where the mesh that came stands. They are one mesh with one texture.
    "refine": _RUN,
    # Show how a run would cut the object out of a picture: its file, and after it that of its mask, of `mask` bytes. It
    # is done beside whatever runs, and answered by `cut_out` or `failed`.
    "cut_out": {"id": "str", "mask": "int?", "bytes": "picture"},
    # Stop a job, queued or running; a running one keeps a checkpoint. Ignored when the job is over.
    "cancel": {"id": "str"},
    # Hold a running job between two steps, and go on.
    "pause": {"id": "str"},
    "resume": {"id": "str"},
    # Stop training here and make the mesh from what there is.
    "finish": {"id": "str"},
    # Let a seed of a running contest win, whatever its grade: the others stop, and it is finished. Passed over once the
    # winner is being finished, and for a seed that has no picture yet.
    "choose": {"id": "str", "seed": "count"},
    # Download a model by its hub id, beside whatever runs. `cancel` stops it; what has arrived is kept.
    "download": {"id": "str", "model": "str", "revision": "str?"},
    # Ask again for what `ready` said: the models, the devices. given: models that the client has by folder, file or id,
    # each {"model": path, "base": of a single file}, 24 at most; their lines come with every list from now on.
    "models": {"given": "list?"},
    "devices": {},
    # Cancel everything, say bye and exit.
    "shutdown": {},
}

EVENTS: dict[str, dict[str, str]] = {
    # Answer to hello. devices: as `doctor` reports them. Each has its "name", as the setting `device` takes it,
    # "title", "memory_mib", and "field": whether the object can be computed there, and if not, why, as "note".
    # "default" and "default_field" are what 'auto' is for model and object, "why" says why. "cluster", with `serve
    # --on`: "machines" by name, "left_out" with the reasons, "places": jobs at once, "on_cards", "address". models:
    # those that can be used, as `models --json` prints them. suggestions: in the same form, those that are broken
    # here or could be downloaded. A model's estimates: by preset (draft, standard, high) {"seconds": of a whole run
    # on the default device, 0: unknown, "memory_mib": peak, "scores": by every other guidance.score the same two
    # and "pace", a step's time over that with the recipe's score, "texture": the two of its stage as the texture
    # model of a run; none where it cannot be one}. A run with one takes the seconds of both, and the memory of the
    # larger. Its recipe: "settings" by preset, and "scores": what a guidance.score changes of these; its adapters:
    # which of "lora" and "embeddings" it takes; told: what it is told, of "words", "picture" (it needs one) and
    # "poses" (of `reference.pose`); pose: those that it is known to have been taught; methods: what it can make
    # objects with besides a field, by the setting `method` {"recipe", "estimates": as its own, "idle": stages and
    # settings that do nothing with it}.
    "ready": {
        "protocol": "count=0",
        "engine": "str",
        "pid": "count=0",
        "devices": "object",
        "models": "list",
        "suggestions": "list?",
    },
    # Answer to models; also sent once when the device's speed was measured after `ready`. given: as asked, in that
    # order, in the same form; state "broken" and trouble where a run cannot have one.
    "models": {"models": "list", "suggestions": "list?", "given": "list?"},
    "devices": {"devices": "object"},
    # A generate was understood and waits behind `ahead` others; it began; it is held; it goes on.
    "queued": {"id": "str", "ahead": "count=0", "output": "str"},
    "started": {"id": "str"},
    "paused": {"id": "str"},
    "resumed": {"id": "str"},
    # Every two seconds while a job (or a slow answer) is at work. A client that hears nothing for longer knows.
    "heartbeat": {"id": "str?", "queued": "count=0"},
    # stage: download (a step is a byte), load, train, extract, unwrap, bake, render.
    "progress": {
        "id": "str",
        "stage": "str",
        "step": "count",
        "total": "count",
        "eta_s": "seconds?",
        "rate": "rate?",
        "memory_mib": "mib=0",
    },
    # name: 'latest' or 'views', of the object as it is; before the first step 'input-0' and so on: the object as it was
    # cut out of each picture.
    "preview": {"id": "str", "name": "str", "step": "count", "bytes": "png"},
    # vertices, triangles: V and T. In the box, Z up; of a run with a blockout where that stands, in its units.
    "mesh_preview": {"id": "str", "step": "count", "vertices": "count", "triangles": "count", "bytes": "mesh"},
    # A small texture of one part of what is painted. part: its place among the file's parts.
    "texture_preview": {"id": "str", "step": "count", "part": "place", "bytes": "png"},
    # Where a contest stands, after every grade. judge: who ranks, in words. round: rounds that are over. seeds: all of
    # them, the best first: {"seed", "grade": null before the first, "step": of it, "on": whether it goes on, "mesh":
    # whether its object was made, "trouble": why it failed, or ""}.
    "standing": {"id": "str", "judge": "str", "round": "place", "rounds": "place", "seeds": "list"},
    # The object of a contest's draft that goes no further.
    "draft": {"id": "str", "seed": "count", "step": "count", "bytes": "glb"},
    "note": {"id": "str", "code": "str", "text": "str"},
    # The answer to cut_out: the whole picture, 1024 pixels along a side at most; its alpha says what is the object.
    # by: what that is from, "alpha", "mask" or "colours". cropped: the object reaches the edge and may go on beyond it.
    "cut_out": {"id": "str", "by": "str", "cropped": "bool?", "bytes": "png"},
    # The end of a job, one of three. result carries mesh.glb; files: name -> path on the engine's machine; report:
    # the content of result.json.
    "result": {"id": "str", "folder": "str", "files": "object", "report": "object", "bytes": "glb"},
    # The good end of a download. size: bytes. license: as the model's card names it, '' for none.
    "downloaded": {"id": "str", "model": "str", "folder": "str", "size": "count=0", "license": "str"},
    "cancelled": {"id": "str", "what": "str", "why": "str", "fix": "str"},
    # id is null when the failure is not a job's: a damaged or unknown message.
    "failed": {"id": "str?", "code": "str", "what": "str", "why": "str", "fix": "str"},
    # The last message of the engine.
    "bye": {},
}

# The events that end something: a client that must drop some drops these last.
ENDINGS = ("result", "failed", "cancelled", "downloaded", "cut_out", "ready")
# Only the newest of these matters: of one job, and of one value of the fields that are named.
NEWEST_MATTERS: dict[str, tuple[str, ...]] = {
    "progress": (),
    "preview": ("name",),
    "mesh_preview": (),
    "texture_preview": ("part",),
    "standing": (),
}

# The stages of `progress`, in words for people: the terminal and the add-on's sidebar show these.
STAGE_WORDS = {
    "download": "downloading",
    "load": "loading the model",
    "train": "training",
    "extract": "cutting out the mesh",
    "unwrap": "unwrapping",
    "bake": "baking the texture",
    "render": "rendering the turntable",
}
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "object": (dict,),
    "list": (list,),
    **{name: types for name, (types, _) in NUMBERS.items()},
    **dict.fromkeys(DATA, (int,)),
}


# These begin something that has an end; the other commands with an id are about one that is there.
_BEGINNINGS = [name for name, fields in COMMANDS.items() if fields.keys() & {"prompt", "model", "bytes"}]


class DamagedFrame(ValueError):
    """What arrived is no message.

    code: stable dotted name. lost: the stream cannot be read any further. request: the id of the job that it was meant
    to begin, as far as that could be read.
    """

    def __init__(self, code: str, why: str, *, lost: bool = False) -> None:
        super().__init__(why)
        self.code = code
        self.why = why
        self.lost = lost
        self.request: str | None = None


@dataclass(frozen=True)
class Frame:
    """One message and the bytes that followed it."""

    message: dict[str, Any]
    data: bytes = b""


def encode(message: Mapping[str, Any], data: bytes = b"") -> bytes:
    """Return the frame for a message. "bytes" is set here; a number that is not finite travels as null.

    message: of COMMANDS or EVENTS, with its "type".
    data: bytes that follow the line.
    """
    body = dict(message)
    if data or "bytes" in body:
        body["bytes"] = len(data)
    try:
        line = json.dumps(body, allow_nan=False, separators=(",", ":"))
    except ValueError:
        line = ""
    if not line or "\\ud" in line:  # a half of a character, as in names of files, makes the whole line unreadable
        line = json.dumps(_plain(body), allow_nan=False, separators=(",", ":"))
    return line.encode("ascii") + b"\n" + data


def write_frame(stream: BinaryIO, message: Mapping[str, Any], data: bytes = b"") -> None:
    """Write one frame and flush. Raises OSError when the peer is gone.

    stream: binary, for writing.
    message, data: as for `encode`.
    """
    stream.write(encode(message, data))
    stream.flush()


class Wire:
    """The way to the client: whole messages from any thread. Once the client has gone, messages are dropped."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self.gone = False

    def send(self, message: Mapping[str, Any], data: bytes = b"") -> None:
        """Write one message, or note that nobody reads any more.

        Of one that is longer than a line may be, long texts are cut; where that is not enough, its job is told.

        message, data: as for `encode`.
        """
        frame = encode(message, data)
        if len(frame) - len(data) > LINE_LIMIT:
            frame = _shorter(message, data)
        with self._lock:
            if self.gone:
                return
            try:
                self._stream.write(frame)
                self._stream.flush()
            except (OSError, ValueError):  # a closed pipe, or a closed stream
                self.gone = True


def _shorter(message: Mapping[str, Any], data: bytes) -> bytes:
    frame = encode(_plain(message, _TEXT_LIMIT), data)
    if len(frame) - len(data) <= LINE_LIMIT:
        return frame
    failed = {
        "type": "failed",
        "id": _plain(message.get("id"), ID_LIMIT),
        "code": "protocol.line_long",
        "what": "A message of the engine was too long to be sent.",
        "why": f"A '{message.get('type')}' would be longer than {LINE_LIMIT:,} bytes.",
        "fix": "What a run has made lies in its folder. Please report this as a bug.",
    }
    return encode(failed)


def read_frame(stream: BinaryIO, table: Mapping[str, Mapping[str, str]]) -> Frame | None:
    """Return the next frame, checked against the table; None at the end of the stream.

    stream: binary, for reading.
    table: COMMANDS or EVENTS.
    Raises DamagedFrame. Unless its `lost` is set the stream stands at the start of the next line, so reading can go on.
    """
    line = stream.readline(LINE_LIMIT + 1)
    if not line:
        return None
    if not line.endswith(b"\n"):
        if len(line) <= LINE_LIMIT:
            raise DamagedFrame("protocol.truncated", "The stream ended in the middle of a line.", lost=True)
        _skip_line(stream)
        raise DamagedFrame("protocol.line_long", f"A line was longer than {LINE_LIMIT:,} bytes.")
    message = _parsed(line)
    try:
        data = _data(stream, message, table)
        check_message(message, table)
    except DamagedFrame as damage:
        damage.request = _request_of(message)
        raise
    return Frame(message, data)


def check_message(message: Mapping[str, Any], table: Mapping[str, Mapping[str, str]]) -> None:
    """Raise DamagedFrame unless the message's type is in the table and its fields are there and of the right type.

    message: as it was read.
    table: COMMANDS or EVENTS.
    """
    message_type = message.get("type")
    if not isinstance(message_type, str) or message_type not in table:
        why = f"There is no message {str(message_type)[:60]!r}; there are {', '.join(table)}."
        raise DamagedFrame("protocol.unknown", why)
    for name, spec in table[message_type].items():
        value = message.get(name)
        if value is None:
            if not spec.endswith("?"):
                raise DamagedFrame("protocol.field", f"The message '{message_type}' needs the field '{name}' ({spec}).")
            continue
        expected = field_type(spec)
        if not isinstance(value, _TYPES[expected]) or (isinstance(value, bool) and expected != "bool"):
            raise DamagedFrame("protocol.field", f"'{name}' of the message '{message_type}' must be {expected}.")
        if name == "id" and isinstance(value, str) and len(value) > ID_LIMIT:
            raise DamagedFrame("protocol.field", f"An id has {len(value):,} characters, more than {ID_LIMIT}.")


def field_type(spec: str) -> str:
    """The type of a field without its mark: 'count' for 'count=0'."""
    return spec.removesuffix("?").removesuffix("=0")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        message = parse_json(line)
    except UnsafeJson as error:
        damage = DamagedFrame("protocol.json", f"A line is not JSON that can be taken: {error}")
        with contextlib.suppress(ValueError, RecursionError):  # what is wrong in it may be beside the id
            damage.request = _request_of(json.loads(line, parse_int=str))
        raise damage from None
    if not isinstance(message, dict):
        raise DamagedFrame("protocol.json", "A line holds JSON, but not an object.")
    return message


def _request_of(message: Any) -> str | None:
    """The id of what a message was meant to begin, None where it has none that can be answered."""
    if not isinstance(message, dict) or message.get("type") not in _BEGINNINGS:
        return None
    name = message.get("id")
    return name if isinstance(name, str) and len(name) <= ID_LIMIT and _plain(name) == name else None


def _data(stream: BinaryIO, message: Mapping[str, Any], table: Mapping[str, Mapping[str, str]]) -> bytes:
    """What follows the line. That of a message which carries none is passed over, and the message refused."""
    count, message_type = message.get("bytes", 0), message.get("type")
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise DamagedFrame("protocol.bytes", f"'bytes' must be a whole number of at least 0, not {str(count)[:60]!r}.")
    known = isinstance(message_type, str) and message_type in table
    carries = known and "bytes" in table[str(message_type)]
    if count == 0 or (carries and count <= DATA_LIMIT):
        return _take(stream, count, keep=True)
    _take(stream, count, keep=False)
    if count > DATA_LIMIT:
        raise DamagedFrame("protocol.bytes", f"{count:,} bytes of data are more than the limit of {DATA_LIMIT:,}.")
    if known:
        why = f"The message '{message_type}' carries no data, and {count:,} bytes came with it."
        raise DamagedFrame("protocol.bytes", why)
    return b""  # the message is refused as unknown


def _take(stream: BinaryIO, count: int, *, keep: bool) -> bytes:
    """Exactly `count` bytes; without `keep` they are dropped as they come, so that a lie about size costs no memory."""
    kept = bytearray()
    left = count
    while left:
        piece = stream.read(min(left, _PIECE))
        if not piece:
            raise DamagedFrame("protocol.truncated", f"The stream ended {left:,} bytes too early.", lost=True)
        left -= len(piece)
        if keep:
            kept += piece
    return bytes(kept)


def _skip_line(stream: BinaryIO) -> None:
    while True:
        piece = stream.readline(_PIECE)
        if not piece or piece.endswith(b"\n"):
            return


def _plain(value: Any, longest: int | None = None) -> Any:
    """The value as JSON can say it: no number that is not finite, no half of a character, texts cut to `longest`."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        whole = value.encode("utf-8", "replace").decode("utf-8")
        return whole if longest is None or len(whole) <= longest else whole[:longest] + "..."
    if isinstance(value, Mapping):
        return {_plain(key, longest): _plain(item, longest) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, longest) for item in value]
    return value
