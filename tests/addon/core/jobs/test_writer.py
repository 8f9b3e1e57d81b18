"""Whole files of the add-on: through no link, and over what a killed Blender left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blender_addon.core.jobs.writer import write_whole


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for target in (victim, tmp_path / "not there yet"):
        (tmp_path / ".mesh.glb.new").symlink_to(target)
        write_whole(tmp_path / "mesh.glb", b"glTF")
        assert (tmp_path / "mesh.glb").read_bytes() == b"glTF" and not (tmp_path / "mesh.glb").is_symlink()
    assert victim.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mesh.glb", "victim"]


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".mesh.glb.new").write_bytes(b"a longer half than the whole")
    write_whole(tmp_path / "mesh.glb", b"glTF")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"glTF"]
