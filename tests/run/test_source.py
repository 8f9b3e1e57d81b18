"""The mesh that a run was given, in its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.run.source import keep_source, kept_source


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    keep_source(b"a mesh", tmp_path)
    assert kept_source(tmp_path) == b"a mesh"


def test_a_run_without_a_mesh_leaves_none_of_an_earlier_run(tmp_path: Path) -> None:
    keep_source(b"a mesh", tmp_path)
    keep_source(b"", tmp_path)
    assert kept_source(tmp_path) == b""


def test_a_folder_without_a_mesh_has_none(tmp_path: Path) -> None:
    assert kept_source(tmp_path) == b"" == kept_source(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError):
        keep_source(b"a mesh", tmp_path / "file")
