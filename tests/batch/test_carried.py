"""Models and adapters that are carried to a machine, and found there by the names that they were given by."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from reference.paper_model import write_paper_model

from dreamfusion_engine.batch import carried
from dreamfusion_engine.batch.carried import Shelf, carried_variable, parcel, parcels_of, pieces
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.inputs.given_path import given_path
from dreamfusion_engine.models.pipeline_folder import locate_model, model_facts


def send(given: str, source: Path, shelf: Shelf) -> Path:
    sent = parcel(given, source)
    shelf.begin(sent)
    for name, offset, piece in pieces(sent):
        shelf.take(sent, name, offset, piece)
    shelf.close(sent)
    assert shelf.has(sent)
    return shelf.place(sent)


def test_a_model_arrives_whole_and_is_found_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = write_paper_model(tmp_path / "model", words=("a", "mug"))
    (model / "empty.txt").touch()
    monkeypatch.setattr(carried, "PIECE", 7)  # so that every file comes in many pieces
    place = send("own/model", model, Shelf(tmp_path / "shelf"))
    assert (place / "empty.txt").is_file()
    for name, value in carried_variable({"own/model": str(place)}).items():
        monkeypatch.setenv(name, value)
    assert locate_model("own/model") == place and model_facts("own/model").card.closed_vocabulary
    assert given_path(tmp_path) == tmp_path, "what was not carried is where it was"


def test_a_single_file_keeps_its_name(tmp_path: Path) -> None:
    source = tmp_path / "style.safetensors"
    source.write_bytes(os.urandom(100))
    place = send("style.safetensors", source, Shelf(tmp_path / "shelf"))
    assert place.name == "style.safetensors" and place.read_bytes() == source.read_bytes()


def test_the_same_content_is_one_parcel_wherever_it_lies(tmp_path: Path) -> None:
    first, second = write_paper_model(tmp_path / "a"), write_paper_model(tmp_path / "b")
    assert parcel("a", first).digest == parcel("b", second).digest
    (second / "unet" / "config.json").write_text("[]", encoding="utf-8")
    assert parcel("a", first).digest != parcel("b", second).digest


def test_what_arrives_damaged_is_never_called_whole(tmp_path: Path) -> None:
    source = tmp_path / "style.safetensors"
    source.write_bytes(b"0123456789")
    sent, shelf = parcel("s", source), Shelf(tmp_path / "shelf")
    shelf.begin(sent)
    shelf.take(sent, "style.safetensors", 0, b"0123456780")
    with pytest.raises(ValueError, match="damaged"):
        shelf.close(sent)
    assert not shelf.has(sent)
    with pytest.raises(ValueError, match="not of this parcel"):
        shelf.take(sent, "../other", 0, b"x")


def test_a_run_with_what_is_built_in_carries_nothing_and_any_other_its_files(tmp_path: Path) -> None:
    assert parcels_of(preset("draft", "a mug")) == []
    model = write_paper_model(tmp_path / "model")
    lora = tmp_path / "style.safetensors"
    lora.write_bytes(b"x")
    config = preset("draft", "a mug", {"model": str(model), "adapters": {"lora": [[str(lora), 0.5]]}})
    assert {each.given for each in parcels_of(config)} == {str(model), str(lora)}
    painted = preset("draft", "a mug", {"texture": {"model": str(model)}})
    assert {each.given for each in parcels_of(painted)} == {str(model)}
