"""Pictures as words of the command line name them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.pictures.given import FILE_LIMIT, MOST, GivenPicture, check_number, read_given, split_word
from dreamfusion_engine.pictures.viewpoint import Viewpoint


def test_a_word_is_a_file_and_perhaps_a_view(tmp_path: Path) -> None:
    assert split_word("chair.png") == ("chair.png", Viewpoint())
    assert split_word("a/chair.png@back") == ("a/chair.png", Viewpoint(180.0))
    assert split_word("chair.png@30,20") == ("chair.png", Viewpoint(30.0, 20.0))
    assert split_word("me@home/chair.png") == ("me@home/chair.png", Viewpoint())
    odd = tmp_path / "chair@left"
    odd.write_bytes(b"x")
    assert split_word(str(odd)) == (str(odd), Viewpoint())
    assert split_word(f"{odd}@right") == (str(odd), Viewpoint(90.0))


def test_a_missing_file_with_an_at_in_its_name_is_called_missing_and_not_a_bad_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as missing:
        read_given([("photo@2x.png", "")])
    assert missing.value.code == "input.picture" and "photo@2x.png: No such file" in missing.value.why
    with pytest.raises(InputError) as misspelt:
        read_given([("photo.png@fornt", "")])
    assert misspelt.value.code == "input.picture_view"


def test_a_view_without_a_file_is_refused() -> None:
    for word in ("@front", "", " "):
        with pytest.raises(InputError, match="no file") as caught:
            split_word(word)
    assert caught.value.code == "input.picture" and "chair.png@front" in caught.value.fix


def test_files_are_read_with_their_masks(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "m.png").write_bytes(b"two")
    found = read_given([(f"{tmp_path / 'a.png'}@left", str(tmp_path / "m.png"))])
    assert found == (GivenPicture(data=b"one", viewpoint=Viewpoint(270.0), mask=b"two", name="a.png"),)


@pytest.mark.parametrize(("image", "mask"), [("nothing.png", ""), ("", ""), ("\0", ""), ("a.png", "nothing.png")])
def test_a_file_that_cannot_be_read_is_named(
    image: str, mask: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        read_given([(image, mask)])
    assert caught.value.code == ("input.mask" if mask else "input.picture")


def test_an_enormous_file_and_a_device_are_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(FILE_LIMIT + 1)
    with pytest.raises(InputError) as caught:
        read_given([(str(large), "")])
    assert caught.value.code == "input.picture_large"
    if os.path.exists("/dev/zero"):
        with pytest.raises(InputError):
            read_given([("/dev/zero", "")])


def test_there_may_be_so_many_pictures() -> None:
    around = [GivenPicture(data=b"", viewpoint=Viewpoint(15.0 * i)) for i in range(MOST + 1)]
    check_number(around[:MOST])
    with pytest.raises(InputError) as caught:
        check_number(around)
    assert str(MOST) in caught.value.why
