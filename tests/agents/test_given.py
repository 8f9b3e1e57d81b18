"""Pictures that an agent gives are read from the allowed folder alone, within limits, and kept with the run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dreamfusion_engine.agents import given
from dreamfusion_engine.agents.folder import AllowedFolder
from dreamfusion_engine.agents.given import Given, keep_pictures, kept_pictures, read_pictures
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.server.attachments import attached


@pytest.fixture
def allowed(tmp_path: Path) -> AllowedFolder:
    folder = AllowedFolder(tmp_path / "objects")
    for name, data in (("one.png", b"one" * 10), ("two.jpeg", b"two" * 20), ("mask.png", b"mask" * 5)):
        (folder.path / name).write_bytes(data)
    (tmp_path / "secret.png").write_bytes(b"secret")
    return folder


def asked(file: str, view: str = "front", mask: str = "") -> dict[str, str]:
    return {"file": file, "view": view, "mask": mask}


def test_what_is_announced_and_sent_is_what_the_engine_takes_apart(allowed: AllowedFolder) -> None:
    pictures = read_pictures(allowed, [asked("one.png", "left"), asked("two.jpeg", "30,20", "mask.png")])
    sent = Given(mesh=b"glTF mesh", pictures=pictures)
    mesh, found = attached({"type": "generate", **sent.announced}, sent.data)
    assert mesh == b"glTF mesh" and [each.data for each in found] == [b"one" * 10, b"two" * 20]
    assert [each.mask for each in found] == [b"", b"mask" * 5]
    assert [each.viewpoint.text for each in found] == ["left", "30, 20 degrees"]
    assert Given().announced == {} and Given().data == b""


def test_what_was_kept_is_found_again(allowed: AllowedFolder) -> None:
    run = allowed.new_run("a mug", 0)
    pictures = read_pictures(allowed, [asked("two.jpeg", "back", "mask.png"), asked("one.png")])
    said = keep_pictures(run, pictures)
    assert [each["file"] for each in said] == ["given-0.jpeg", "given-1.png"]
    again = kept_pictures(allowed, run, said)
    assert [(each.data, each.mask, each.viewpoint) for each in again] == [
        (each.data, each.mask, each.viewpoint) for each in pictures
    ]
    assert kept_pictures(allowed, run, None) == ()


@pytest.mark.parametrize(
    ("pictures", "code"),
    [
        ([asked("../secret.png")], "input.outside_folder"),
        ([asked("one.png", mask="../secret.png")], "input.outside_folder"),
        ([asked("one.png"), asked("two.jpeg")], "input.picture_twice"),
        ([asked("one.png", "below")], "input.picture_view"),
        ([asked("one.png", "0,1e999")], "input.picture_view"),
        ([asked(".")], "input.picture"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(pictures: list[dict[str, str]], code: str, allowed: AllowedFolder) -> None:
    with pytest.raises(InputError) as caught:
        read_pictures(allowed, pictures)
    assert (
        caught.value.code == code and caught.value.fix and "--image" not in caught.value.fix or code.endswith("twice")
    )


def test_files_that_are_too_large_together_are_not_read(
    allowed: AllowedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "BYTES_LIMIT", 80)
    monkeypatch.setattr(given, "read_picture_file", lambda file, kind: pytest.fail("it was read"))
    with pytest.raises(InputError) as caught:
        read_pictures(allowed, [asked("one.png"), asked("two.jpeg", "back")])
    assert caught.value.code == "input.picture_large"


@pytest.mark.skipif(os.name == "nt", reason="Links need rights on Windows")
def test_a_link_out_of_the_folder_is_refused(allowed: AllowedFolder) -> None:
    (allowed.path / "link.png").symlink_to(allowed.path.parent / "secret.png")
    with pytest.raises(InputError) as caught:
        read_pictures(allowed, [asked("link.png")])
    assert caught.value.code == "input.outside_folder"
