"""What a run reports while it works: plain values, no torch, so that the command line and the server share them.

`message` is an event's name on the wire. Its fields are those of the message, in EVENTS of wire/protocol.py; those of
bytes are the data that follows, in their order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

Stage = Literal["download", "load", "train", "extract", "unwrap", "bake", "render"]


def _rows(size: int) -> Any:
    """Bytes of an array, of which the message says how many rows there are.

    size: int, bytes of a row.
    """
    return field(metadata={"row": size})


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where the run is.

    stage: Stage at work.
    step: int, steps of the stage that are done; in the stage 'download', bytes.
    total: int, steps of the stage in all, or bytes.
    eta_s: float, seconds to the end of the whole run; None while unknown.
    rate: float, steps a second; None while unknown.
    memory_mib: float, peak memory so far, MiB: resident, on CUDA of the device.
    """

    message: ClassVar[str] = "progress"
    stage: Stage
    step: int
    total: int
    eta_s: float | None
    rate: float | None
    memory_mib: float  # peak resident memory so far (peak device memory on CUDA)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A picture of the current state.

    name: str, 'latest': one render; 'views': a row of front, side, back and top; 'input-0' ...: the object as it was
        cut out of a given picture.
    step: int, training step.
    png: bytes of a PNG.
    """

    message: ClassVar[str] = "preview"
    name: str
    step: int
    png: bytes


@dataclass(frozen=True, kw_only=True)
class MeshPreview:
    """The coarse mesh of the current state, as little-endian bytes.

    step: int, training step.
    vertices: float32[V, 3], world units, Z up.
    triangles: int32[T, 3].
    colours: uint8[V, 3], sRGB.
    """

    message: ClassVar[str] = "mesh_preview"
    step: int
    vertices: bytes = _rows(12)
    triangles: bytes = _rows(12)
    colours: bytes


@dataclass(frozen=True, kw_only=True)
class TexturePreview:
    """The current texture of a part that is painted, small.

    step: int, training step.
    part: int, its place among the mesh's parts, from 0.
    png: bytes of a PNG.
    """

    message: ClassVar[str] = "texture_preview"
    step: int
    part: int
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a contest stands.

    judge: str, who ranks, for people.
    round: int, rounds that are over.
    rounds: int, in all.
    seeds: of every seed, the best first, what `Board.standing` says.
    """

    message: ClassVar[str] = "standing"
    judge: str
    round: int
    rounds: int
    seeds: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class DraftMesh:
    """The object of a contest's draft that goes no further, as a binary glTF.

    seed: int, of the draft.
    step: int, training step at which it stopped.
    glb: bytes of the file.
    """

    message: ClassVar[str] = "draft"
    seed: int
    step: int
    glb: bytes


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something that the artist should know: a changed setting, a new attempt, a warning about the object.

    code: str, a stable dotted name.
    text: str, one sentence or more.
    """

    message: ClassVar[str] = "note"
    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """The end of a good run.

    folder: str, path of the folder with the files.
    files: path of each file, by name.
    report: the content of result.json.
    """

    message: ClassVar[str] = "result"
    folder: str
    files: dict[str, str]
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WholeCutOut:
    """A given picture with the alpha by which its object is cut out.

    by: str, what the alpha is from: 'alpha', 'mask' or 'colours'.
    cropped: bool, whether the object reaches the edge of the picture, and may go on beyond it.
    png: bytes of a PNG; where alpha is 0, colours are those of the background.
    """

    message: ClassVar[str] = "cut_out"
    by: str
    cropped: bool
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """The end of a good download.

    model: str, hub id.
    folder: str, path of the model.
    size: int, bytes of its files.
    license: str, as the hub names it; '' for none.
    """

    message: ClassVar[str] = "downloaded"

    model: str
    folder: str
    size: int
    license: str


Event = Progress | Preview | MeshPreview | TexturePreview | Standing | DraftMesh | Note
Report = Callable[[Event], None]
# 'finish': stop training here and make the result; 'cancel': keep a checkpoint and stop.
Move = Literal["continue", "finish", "cancel"]
Control = Callable[[], Move]  # asked between steps; a paused caller blocks inside the call
Chosen = Callable[[], int | None]  # the seed of a contest that a person lets win; None: nobody has chosen
