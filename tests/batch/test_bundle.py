"""Files of a run on their way: only what is new, checkpoints whole, nothing outside the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamfusion_engine.batch.bundle import Bundle, Packer, unpack, whole


def run_folder(folder: Path) -> Path:
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "checkpoint" / "state-1.safetensors").write_bytes(b"one")
    (folder / "checkpoint" / "checkpoint.json").write_bytes(b'{"state": 1}')
    (folder / ".run.lock").write_bytes(b"held")
    (folder / "mesh.glb").write_bytes(b"glTF")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_files_but_locks_and_half_written_ones_arrive_as_they_were(tmp_path: Path) -> None:
    here = run_folder(tmp_path / "here")
    (here / ".state-1-deadbeef.safetensors").write_bytes(b"half")
    unpack(whole(here), tmp_path / "there")
    assert content(tmp_path / "there") == {
        "checkpoint/state-1.safetensors": b"one",
        "checkpoint/checkpoint.json": b'{"state": 1}',
        "mesh.glb": b"glTF",
    }
    assert whole(tmp_path / "nothing") == Bundle(files={}, names=[])


def test_the_second_bundle_has_what_is_new_and_old_states_go(tmp_path: Path) -> None:
    here, there = run_folder(tmp_path / "here"), tmp_path / "there"
    packer = Packer(here)
    first = packer.pack()
    assert first is not None
    unpack(first, there)
    marks = packer.checkpoint_marks()
    (here / "checkpoint" / "state-2.safetensors").write_bytes(b"two")
    (here / "checkpoint" / "checkpoint.json").write_bytes(b'{"state":  2}')
    (here / "checkpoint" / "state-1.safetensors").unlink()
    assert packer.checkpoint_marks() != marks
    second = packer.pack()
    assert second is not None and sorted(second.files) == [
        "checkpoint/checkpoint.json",
        "checkpoint/state-2.safetensors",
    ]
    unpack(second, there)
    assert content(there / "checkpoint") == {"state-2.safetensors": b"two", "checkpoint.json": b'{"state":  2}'}
    third = packer.pack()
    assert third is not None and third.files == {}


def test_the_file_that_names_a_state_is_written_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr("dreamfusion_engine.batch.bundle.write_atomically", lambda path, _: written.append(path.name))
    unpack(whole(run_folder(tmp_path / "here")), tmp_path / "there")
    assert written.index("checkpoint.json") > written.index("state-1.safetensors")


def test_a_checkpoint_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packer = Packer(run_folder(tmp_path / "here"))
    answers = iter([{"checkpoint": 1}, {"checkpoint": 2}, {"checkpoint": 2}, {"checkpoint": 2}])
    monkeypatch.setattr(packer, "checkpoint_marks", lambda: next(answers))
    found = packer.pack()
    assert found is not None and "checkpoint/state-1.safetensors" in found.files and next(answers, None) is None


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b", "a\\..\\b", "C:/x", ""])
def test_no_file_is_written_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        unpack(Bundle(files={name: b"x"}, names=[name]), tmp_path / "there")
    assert content(tmp_path) == {}
