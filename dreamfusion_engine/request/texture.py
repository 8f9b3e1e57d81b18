"""The request of a run that paints meshes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.paint import PaintConfig, painting
from dreamfusion_engine.config.presets import from_json
from dreamfusion_engine.config.setting import require
from dreamfusion_engine.machine.run_folder import SOURCE
from dreamfusion_engine.request.mesh import MESH_LIMIT
from dreamfusion_engine.request.mesh_run import checked_mesh_run
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.request.stages import check_stages

_GLB_HEAD = 20  # bytes before the description of a GLB: its header, and the chunk's
_PART_ATTRIBUTE = b'"_PART"'


def checked_texture_request(
    prompt: str,
    mesh: Path | bytes,
    *,
    preset_name: str = "standard",
    settings: Mapping[str, Any] | None = None,
    output: Path | None = None,
    output_root: Path = Path("outputs"),
    resume: bool = False,
) -> Request:
    """Return a request to paint meshes that can be started. Nothing is written.

    prompt: str, the artist's words.
    mesh: Path of a .glb, or its bytes; b"" with `resume`: the one that the run began with.
    settings: nested by stage, over the preset; the stage `paint` is `config.paint.PaintConfig`.
    preset_name, output, output_root, resume: as for `checked_request`.
    Raises InputError or SetupError as `checked_request`, and for a mesh that is none.
    """
    given = dict(settings or {})
    paint = from_json(PaintConfig, _stage(given.pop("paint", {})), "paint.")
    check_stages("texture", settings, counts=("refine",) if paint.shape else ())
    asked = checked_mesh_run("texture", "texture", prompt, mesh, preset_name, given, output, output_root, resume)
    part = bool(paint.part) or _says_what_changes(asked.mesh or _begun_with(asked.output))
    return replace(asked, config=painting(asked.config, given, part=part, shape=paint.shape), paint=paint)


def _says_what_changes(data: bytes) -> bool:
    """Whether the description of a GLB, its first chunk, names the attribute of a part that changes."""
    if len(data) < _GLB_HEAD:
        return False
    (length,) = struct.unpack_from("<I", data, 12)
    return _PART_ATTRIBUTE in data[_GLB_HEAD : _GLB_HEAD + length]


def _begun_with(folder: Path) -> bytes:
    """The mesh that a folder's run began with; b"" where it cannot be read, which the run will say."""
    try:
        with (folder / SOURCE).open("rb") as stream:
            return stream.read(MESH_LIMIT)
    except OSError:
        return b""


def _stage(values: Any) -> Mapping[str, Any]:
    require(isinstance(values, Mapping), "paint", values, "a group of settings")
    stage: Mapping[str, Any] = values
    return stage
