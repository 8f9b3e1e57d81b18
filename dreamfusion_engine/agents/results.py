"""What a finished run has left, for agents: its files, the lines of its report that people read, and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dreamfusion_engine.wire.bounded_json import UnsafeJson, read_json_file

FILES = ("mesh.glb", "views.png", "turntable.mp4", "before.png", "result.json")
PICTURE_LIMIT = 8 << 20  # bytes of a picture that is sent
_REPORT_LIMIT = 8 << 20  # bytes of result.json
_LINES = ("prompt", "seed", "model", "device", "steps", "judge", "terms", "peak_memory_mib", "mesh", "pictures")


def files_of(folder: Path) -> tuple[list[Path], dict[str, Any]]:
    """Return the files of a finished run, and the main lines of its report.

    folder: Path of the run.
    """
    there = [folder / name for name in FILES if (folder / name).is_file()]
    textures = folder / "textures"
    if textures.is_dir():
        there += sorted(path for path in textures.iterdir() if path.is_file())[:100]
    try:
        report = read_json_file(folder / "result.json", limit=_REPORT_LIMIT)
    except (OSError, UnsafeJson):
        report = {}
    return there, _short(report if isinstance(report, dict) else {})


def short_report(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message; of a result's report only the main lines. The whole of it is in result.json.

    message: as printed.
    """
    report = message.get("report")
    return {**message, "report": _short(report)} if isinstance(report, Mapping) else dict(message)


def newest_picture(folder: Path) -> bytes:
    """Return the picture of a finished run, or the newest preview of another; b"" for none.

    folder: Path of the run.
    """
    # Those of the texture stage come after the others.
    stages = [sorted((folder / name).glob("*.png"))[-1:] for name in ("previews-texture", "previews")]
    for path in (folder / "views.png", *(path for found in stages for path in found)):
        try:
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= PICTURE_LIMIT:
                return path.read_bytes()
        except OSError:
            continue
    return b""


def _short(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in _LINES if name in report}
