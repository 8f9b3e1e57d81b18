"""A path that a person gives is usable, or its error says why not, wherever it is given."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from reference.paper_model import paper_weights, write_paper_model

from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.hub import address
from dreamfusion_engine.inputs.given_path import UnusablePath, given_path, shortened
from dreamfusion_engine.machine import cache_folder
from dreamfusion_engine.models.pipeline_folder import model_facts
from dreamfusion_engine.models.single_file.read import read_single_file
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.output import folder_name

LONG = "x" * 300  # letters; file systems take 255 bytes
DEEP = "/".join(["y" * 200] * 25)  # 5,000 letters; a path has 4,096 at most
BAD = {
    "a long name": LONG,
    "a long name in folders that are not there": f"not/there/{LONG}/z",
    "a deep path": DEEP,
    "a zero byte": "a\0b",
    "half a letter": "a\ud800b",
    "a user that is not there": "~no-such-user/x",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_an_unusable_path_is_told_with_its_reason(bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnusablePath) as caught:
        given_path(bad)
    assert str(caught.value) and len(str(caught.value)) < 100
    assert list(tmp_path.iterdir()) == []


def test_a_path_where_nothing_is_stays_a_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name in ("file", "link", "gone", "gone/for/ever", "file/below", "a b: c", "ä" * 100):
        assert given_path(str(tmp_path / name)) == tmp_path / name
    assert given_path("~/x") == Path.home() / "x"


def test_a_path_must_have_room_for_what_it_will_hold(tmp_path: Path) -> None:
    """4,096 bytes are the most that Linux takes, with the zero at the end."""
    nearly = str(tmp_path) + "/" + "/".join(["z" * 100] * 40)
    nearly = nearly[:4000]
    given_path(nearly)
    with pytest.raises(UnusablePath):
        given_path(nearly, holds="h/" * 60)


def test_a_circle_of_links_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(UnusablePath):
        given_path(tmp_path / "a" / "x")


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("output", "input.output"),
        ("model", "model.missing"),
        ("base", "model.base"),
        ("lora", "input.adapter_file"),
        ("embedding", "input.adapter_file"),
        ("hub cache", "input.model_folder"),
        ("hub home", "input.model_folder"),
        ("own cache", "input.cache"),
    ],
)
def test_wherever_it_is_given_it_is_an_input_error_and_nothing_is_made(
    place: str, code: str, bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_paper_model(tmp_path / "model")
    single = tmp_path / "single.safetensors"
    monkeypatch.chdir(tmp_path)
    single.write_bytes(paper_weights(name="model.diffusion_model.joint_blocks.0.weight"))
    before = sorted(tmp_path.rglob("*"))

    def settings(**more: object) -> dict[str, object]:
        return {"model": str(model), "device": "cpu", **more}

    with pytest.raises(EngineError) as caught:
        if place == "output":
            checked_request("a mug", settings=settings(), output=Path(bad))
        elif place == "model":
            model_facts(bad)
        elif place == "base":
            read_single_file(single, bad)
        elif place == "lora":
            checked_request("a mug", settings=settings(adapters={"lora": [[bad, 1.0]]}))
        elif place == "embedding":
            checked_request("a mug", settings=settings(adapters={"embeddings": [bad]}))
        elif place == "hub cache":
            address.cache_folder({"HF_HUB_CACHE": bad})
        elif place == "hub home":
            address.cache_folder({"HF_HOME": bad})
        else:
            cache_folder.cache_folder({"DREAMFUSION_CACHE": bad})
    assert (caught.value.code, caught.value.exit_code) == (code, 2)
    assert len(str(caught.value)) < 700, "the path is not repeated whole"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_named_by_a_prompt_is_one_that_every_disk_takes(tmp_path: Path) -> None:
    name = folder_name("\U00020000" * 1000, (1 << 31) - 1)
    assert len(os.fsencode(name)) <= 255
    (tmp_path / name).mkdir()


def test_a_long_text_is_shown_by_its_beginning() -> None:
    assert shortened("a mug") == "a mug"
    assert shortened("m" * 1000, 5) == "mmmmm..."


@pytest.mark.parametrize(
    "name",
    [
        "model_index.json",
        "unet",
        "unet/config.json",
        "unet/model.safetensors",
        "scheduler/scheduler_config.json",
        "dreamfusion.json",
    ],
)
def test_a_link_to_nothing_in_a_model_is_called_one(name: str, tmp_path: Path) -> None:
    """As a copied snapshot of a download cache has them, whose blobs stayed behind."""
    model = write_paper_model(tmp_path / "model", words=("a", "mug"))
    (model / name).rename(tmp_path / "elsewhere")
    (model / name).symlink_to(tmp_path / "gone")
    with pytest.raises(EngineError) as caught:
        model_facts(str(model))
    assert caught.value.exit_code == 2
    assert f"{Path(name).name} is a link to {tmp_path / 'gone'}, which is not there" in caught.value.why


def test_a_shard_that_is_a_link_to_nothing_is_called_one(tmp_path: Path) -> None:
    model = write_paper_model(tmp_path / "model")
    (model / "unet" / "model.safetensors").unlink()
    (model / "unet" / "model-1.safetensors").symlink_to("gone")
    placed = {"weight_map": {"weight": "model-1.safetensors"}}
    (model / "unet" / "model.safetensors.index.json").write_text(json.dumps(placed), encoding="utf-8")
    with pytest.raises(EngineError, match="model-1.safetensors is a link to gone, which is not there"):
        model_facts(str(model))


def test_models_and_adapters_that_are_links_to_nothing_are_called_that(tmp_path: Path) -> None:
    model, link = write_paper_model(tmp_path / "model"), tmp_path / "link.safetensors"
    link.symlink_to("gone")
    with pytest.raises(EngineError, match="is a link to gone, which is not there") as caught:
        model_facts(str(link))
    assert caught.value.code == "model.missing"
    with pytest.raises(EngineError, match="is a link to gone, which is not there") as caught:
        checked_request("a mug", settings={"model": str(model), "adapters": {"lora": [[str(link), 1.0]]}})
    assert caught.value.code == "input.adapter_file"


@pytest.mark.parametrize("below", ["", "x/y"])
def test_an_output_at_a_link_to_nothing_is_refused_before_the_run(tmp_path: Path, below: str) -> None:
    model, link = write_paper_model(tmp_path / "model"), tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(EngineError) as caught:
        checked_request("a mug", settings={"model": str(model), "device": "cpu"}, output=link / below)
    assert caught.value.code == "input.output" and caught.value.exit_code == 2
    assert f"{link} is a link to {tmp_path / 'gone'}, which is not there" in caught.value.why
    assert not (tmp_path / "gone").exists()
