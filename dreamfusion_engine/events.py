"""What a run reports while it works: plain values, no torch, so that the command line and the server share them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Stage = Literal["download", "load", "train", "extract", "unwrap", "bake", "render"]


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

    stage: Stage
    step: int
    total: int
    eta_s: float | None
    rate: float | None
    memory_mib: float  # peak resident memory so far (peak device memory on CUDA)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A picture of the current state.

    name: str, 'latest': one render; 'views': a row of front, side, back and top.
    step: int, training step.
    png: bytes of a PNG.
    """

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

    step: int
    vertices: bytes
    triangles: bytes
    colours: bytes


@dataclass(frozen=True, kw_only=True)
class TexturePreview:
    """The current texture of a part that is painted, small.

    step: int, training step.
    part: int, its place among the mesh's parts, from 0.
    png: bytes of a PNG.
    """

    step: int
    part: int
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something that the artist should know: a changed setting, a new attempt, a warning about the object.

    code: str, a stable dotted name.
    text: str, one sentence or more.
    """

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """The end of a good run.

    folder: str, path of the folder with the files.
    files: path of each file, by name.
    report: the content of result.json.
    """

    folder: str
    files: dict[str, str]
    report: dict[str, Any] = field(default_factory=dict)


Event = Progress | Preview | MeshPreview | TexturePreview | Note
Report = Callable[[Event], None]
# 'finish': stop training here and make the result; 'cancel': keep a checkpoint and stop.
Move = Literal["continue", "finish", "cancel"]
Control = Callable[[], Move]  # asked between steps; a paused caller blocks inside the call
