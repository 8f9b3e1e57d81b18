"""What agents get of a finished run: its files, a short report, a picture of bounded size."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamfusion_engine.agents import results
from dreamfusion_engine.agents.results import files_of, newest_picture, short_report


def test_the_files_are_named_the_mesh_first_and_the_report_is_short(tmp_path: Path) -> None:
    for name in ("result.json", "views.png", "mesh.glb", "other.txt"):
        (tmp_path / name).write_text('{"prompt": "a mug", "config": {"a": 1}}')
    (tmp_path / "textures").mkdir()
    (tmp_path / "textures" / "base.png").write_text("x")
    files, report = files_of(tmp_path)
    assert [file.name for file in files] == ["mesh.glb", "views.png", "result.json", "base.png"]
    assert report == {"prompt": "a mug"}


@pytest.mark.parametrize("content", ["", "[]", '{"a": NaN}'])
def test_a_damaged_report_is_an_empty_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "result.json").write_text(content)
    assert files_of(tmp_path)[1] == {}


def test_the_views_come_before_previews_and_of_these_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert newest_picture(tmp_path) == b""
    (tmp_path / "previews").mkdir()
    for step in (100, 200):
        (tmp_path / "previews" / f"step-{step:06d}.png").write_bytes(str(step).encode())
    assert newest_picture(tmp_path) == b"200"
    (tmp_path / "views.png").write_bytes(b"views")
    assert newest_picture(tmp_path) == b"views"
    monkeypatch.setattr(results, "PICTURE_LIMIT", 3)
    assert newest_picture(tmp_path) == b"200", "what is too large is passed over"


def test_only_a_result_has_a_report_to_shorten() -> None:
    note = {"type": "note", "code": "a", "text": "b"}
    assert short_report(note) == note
    result = {"type": "result", "folder": "f", "files": {}, "report": {"seed": 1, "config": {}}}
    assert short_report(result) == {**result, "report": {"seed": 1}}
