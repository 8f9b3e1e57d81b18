"""What a run reports while it works: plain values, no torch, so that the command line and the server share them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Stage = Literal["download", "load", "train", "extract", "unwrap", "bake", "render"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where the run stands. eta_s: seconds to the end of the whole run, None while unknown. rate: steps a second.

    In the stage 'download' a step is one byte.
    """

    stage: Stage
    step: int
    total: int
    eta_s: float | None
    rate: float | None
    memory_mib: float  # peak resident memory so far (peak device memory on CUDA)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A picture of the current state, PNG. name: 'latest', one render, or 'views', a row front, side, back, top."""

    name: str
    step: int
    png: bytes


@dataclass(frozen=True, kw_only=True)
class MeshPreview:
    """The coarse mesh of the current state, little-endian bytes.

    vertices: float32[V, 3] world units, Z up; triangles: int32[T, 3]; colours: uint8[V, 3], sRGB.
    """

    step: int
    vertices: bytes
    triangles: bytes
    colours: bytes


@dataclass(frozen=True, kw_only=True)
class TexturePreview:
    """The current texture of a part that is painted, PNG, small. part: int, its place among the mesh's parts."""

    step: int
    part: int
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something the artist should know: a degraded setting, a recovery, a health warning. code: stable dotted name."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """The end of a good run. folder: where the files lie; files: name -> path; report: the content of result.json."""

    folder: str
    files: dict[str, str]
    report: dict[str, Any] = field(default_factory=dict)


Event = Progress | Preview | MeshPreview | TexturePreview | Note
Report = Callable[[Event], None]
# 'finish': stop training here and make the result; 'cancel': keep a checkpoint and stop.
Move = Literal["continue", "finish", "cancel"]
Control = Callable[[], Move]  # asked between steps; a paused caller blocks inside the call
