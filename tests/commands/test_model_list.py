"""The list says what is here, what it takes and whether it fits; and broken downloads are broken, not absent."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_hub import FakeHub, running_hub

from dreamfusion_engine.commands import model_list
from dreamfusion_engine.commands.model_line import Machine, ModelLine, fit_of
from dreamfusion_engine.commands.model_list import models_here, models_to_get
from dreamfusion_engine.config.presets import PRESET_NAMES, nested, preset
from dreamfusion_engine.config.recipes import RECIPES, recipe_family
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.hub.address import HubAddress
from dreamfusion_engine.hub.download import download
from dreamfusion_engine.hub.repository_cache import RepositoryCache
from dreamfusion_engine.models.catalogue import catalogue
from dreamfusion_engine.models.hub_models import downloaded_folder
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER, locate_model, open_pipeline
from dreamfusion_engine.models.sizes import ModelSizes
from dreamfusion_engine.models.sizes import read_sizes as read
from dreamfusion_engine.speed.model_costs import memory_of

COMMIT = "a" * 40
LARGE = Machine(device_type="cuda", free_bytes=80 << 30)
SMALL = Machine(device_type="cuda", free_bytes=1 << 29)


@pytest.fixture
def address(tmp_path: Path) -> HubAddress:
    return HubAddress(cache=tmp_path / "cache")


@pytest.fixture
def downloaded(saved_pipeline: Path, address: HubAddress) -> Path:
    """A model in the cache, as a download leaves it."""
    repository = address.cache / "models--someone--tiny"
    folder = repository / "snapshots" / COMMIT
    shutil.copytree(saved_pipeline, folder)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return folder


def named(lines: list[ModelLine]) -> dict[str, ModelLine]:
    return {line.name: line for line in lines}


def test_the_starter_comes_first_and_fits_nearly_everything(address: HubAddress) -> None:
    lines = models_here(address, SMALL)
    assert [line.name for line in lines] == ["starter"]
    starter = lines[0]
    assert starter.state == "built in" and starter.usable and starter.fit == "fits" and 0 < starter.memory_mib < 2048
    assert "hamburger" in starter.to_json()["kinds"]


def test_a_downloaded_model_is_listed_with_what_it_takes(downloaded: Path, address: HubAddress) -> None:
    line = named(models_here(address, LARGE))["someone/tiny"]
    assert line.usable and line.fit == "fits" and line.family == "IFPipeline" and line.memory_mib > 0
    assert line.to_json()["closed_vocabulary"] is True


def test_a_broken_download_is_listed_with_its_reason(downloaded: Path, address: HubAddress) -> None:
    weights = downloaded / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    line = named(models_here(address, LARGE))["someone/tiny"]
    assert line.state == "broken" and not line.usable and line.trouble["code"] == "model.damaged"
    assert "cut off" in line.trouble["why"] and line.fit == "unknown"


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def header(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def tensor(shape: str, offsets: str) -> str:
    return f'{{"a": {{"dtype": "F16", "shape": {shape}, "data_offsets": {offsets}}}}}'


WEIGHTS = "text_encoder/model.safetensors"
CARD = "dreamfusion.json"
# What was done to a model's folder, the code that its line gives, and a word of the reason.
HOSTILE: list[tuple[Callable[[Path], object], str, str]] = [
    (lambda folder: (folder / WEIGHTS).write_bytes(header(tensor("[1e999]", "[0, 0]"))), "model.damaged", "1e999"),
    (
        lambda folder: (folder / WEIGHTS).write_bytes(header(tensor("[1]", "[0, Infinity]"))),
        "model.damaged",
        "Infinity",
    ),
    (lambda folder: (folder / WEIGHTS).write_bytes(header("[" * 100_000)), "model.damaged", "does not begin"),
    (lambda folder: (folder / "model_index.json").write_text("[" * 100_000), "model.damaged", "deep"),
    (lambda folder: (folder / "unet/config.json").write_text('{"a": ' * 100_000), "model.damaged", "deep"),
    (lambda folder: (folder / CARD).write_text("[" * 100_000), "model.card", "deep"),
    (lambda folder: (folder / CARD).write_bytes(bytes(5 << 20)), "model.card", "larger"),
    (lambda folder: changed(folder / CARD, examples=["x"] * 200_000), "model.card", "200,000 examples"),
    (lambda folder: changed(folder / CARD, examples=["\ud800"]), "model.card", "half a character"),
    (lambda folder: changed(folder / CARD, examples=["x" * 201]), "model.card", "200 characters"),
    (lambda folder: changed(folder / CARD, kinds=["x" * 200] * 101), "model.card", "to be shown"),
    (lambda folder: changed(folder / CARD, examples="a mug"), "model.card", "no list"),
    (lambda folder: changed(folder / CARD, files={"../../secret": "0" * 64}), "model.card", "../../secret"),
    (lambda folder: changed(folder / CARD, files={"/etc/passwd": "0" * 64}), "model.card", "/etc/passwd"),
    (lambda folder: changed(folder / CARD, files={"unet//config.json": "0" * 64}), "model.card", "unet//config.json"),
    (lambda folder: changed(folder / "text_encoder/config.json", num_layers=10**7), "model.damaged", "num_layers"),
]


@pytest.mark.parametrize(("harm", "code", "word"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_model_is_listed_as_broken_and_hides_no_other(
    harm: Callable[[Path], object], code: str, word: str, address: HubAddress
) -> None:
    """Each of these once kept the whole list, the built-in model with it, from the artist."""
    for name in ("bad", "good"):
        repository = address.cache / f"models--someone--{name}"
        shutil.copytree(STARTER_FOLDER, repository / "snapshots" / COMMIT)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(COMMIT)
    harm(address.cache / "models--someone--bad" / "snapshots" / COMMIT)
    lines = named(models_here(address, LARGE))
    assert list(lines) == ["starter", "someone/bad", "someone/good"]
    bad = lines["someone/bad"]
    assert (bad.state, bad.trouble["code"]) == ("broken", code) and word in bad.trouble["why"]
    assert lines["starter"].usable and lines["someone/good"].usable
    assert len(json.dumps(bad.to_json())) < 20_000


def test_what_no_check_foresees_is_broken_too(downloaded: Path, address: HubAddress, monkeypatch: Any) -> None:
    def unforeseen(path: Path, *rest: Any) -> ModelSizes:
        if path == downloaded:
            raise ZeroDivisionError("never thought of")
        return read(path, *rest)

    monkeypatch.setattr(model_list, "read_sizes", unforeseen)
    line = named(models_here(address, LARGE))["someone/tiny"]
    assert line.state == "broken" and "never thought of" in line.trouble["why"]


def test_a_download_that_the_system_refuses_is_broken(downloaded: Path, address: HubAddress, monkeypatch: Any) -> None:
    def refuse(_: object, revision: str = "main") -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(RepositoryCache, "snapshot", refuse)
    lines = models_here(address, LARGE)
    assert [(line.name, line.usable) for line in lines] == [("starter", True), ("someone/tiny", False)]
    assert "Permission denied" in lines[1].trouble["why"]


def test_a_list_that_takes_too_long_ends_with_names(downloaded: Path, address: HubAddress, monkeypatch: Any) -> None:
    monkeypatch.setattr(model_list, "LIST_S", -1.0)
    lines = models_here(address, LARGE)
    assert [(line.name, line.usable) for line in lines] == [("starter", True), ("someone/tiny", False)]
    assert lines[1].trouble["code"] == "model.unread" and str(address.cache) in lines[1].trouble["fix"]


def test_sizes_are_the_same_with_headers_that_were_read_before(downloaded: Path) -> None:
    assert read(downloaded, open_pipeline(downloaded).weights) == read(downloaded)


def test_a_folder_whose_name_is_no_models_is_passed_over(address: HubAddress) -> None:
    (address.cache / os.fsdecode(b"models--someone--\xff") / "snapshots").mkdir(parents=True)
    assert [line.name for line in models_here(address, LARGE)] == ["starter"]


def test_large_files_are_not_read_for_the_list(downloaded: Path, address: HubAddress, monkeypatch: Any) -> None:
    changed(downloaded / CARD, files={"unet/config.json": "0" * 64})
    assert not named(models_here(address, LARGE))["someone/tiny"].usable, "its checksum is wrong"
    monkeypatch.setattr(model_list, "CHECKED_BYTES", 10)
    assert named(models_here(address, LARGE))["someone/tiny"].usable
    with pytest.raises(SetupError):
        open_pipeline(downloaded)


def test_what_cannot_teach_is_not_listed(downloaded: Path, address: HubAddress) -> None:
    index = downloaded / "model_index.json"
    index.write_text(index.read_text().replace("IFPipeline", "AudioLDMPipeline"))
    assert [line.name for line in models_here(address, LARGE)] == ["starter"]
    assert models_here(HubAddress(cache=address.cache / "absent"), LARGE)


def test_the_catalogue_is_offered_but_for_what_is_here(address: HubAddress, downloaded: Path) -> None:
    first = catalogue()[0].id
    downloaded.parents[1].rename(address.cache / f"models--{first.replace('/', '--')}")
    here = models_here(address, LARGE)
    assert here[1].name == first and here[1].title == catalogue()[0].title and here[1].license
    offered = models_to_get(address, LARGE, here)
    assert {line.name for line in offered} == {model.id for model in catalogue()} - {first}
    assert offered[-1].state == "withdrawn" and not any(line.usable for line in offered)


def test_an_unfinished_download_is_broken_and_says_how_to_go_on(address: HubAddress) -> None:
    known = catalogue()[0]
    blobs = address.cache / f"models--{known.id.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "abc.incomplete").write_bytes(b"half")
    line = named(models_here(address, LARGE))[known.id]
    assert line.state == "broken" and f"download {known.id}" in line.trouble["fix"]


@pytest.mark.slow
def test_a_run_of_any_size_fits_somewhere_and_not_everywhere(address: HubAddress) -> None:
    for line in models_to_get(address, SMALL, []):
        assert line.fit == "too large"
    fits = [line.fit for line in models_to_get(address, LARGE, [])]
    assert fits.count("fits") == len(fits)


@pytest.mark.parametrize(
    ("need", "free", "fit"),
    [
        (0, 1 << 30, "unknown"),
        (100, 0, "unknown"),
        (850, 1000, "fits"),
        (900, 1000, "tight"),
        (1001, 1000, "too large"),
    ],
)
def test_tight_begins_where_little_is_left(need: int, free: int, fit: str) -> None:
    assert fit_of(need, Machine(device_type="cpu", free_bytes=free << 20)) == fit


def test_larger_models_take_more(address: HubAddress) -> None:
    by_title = {model.title: memory_of(model.sizes, "cuda", recipe_family(model.family)) for model in catalogue()}
    assert by_title["Stable Diffusion 1.5"] < by_title["Stable Diffusion XL 1.0"] < by_title["FLUX.1 schnell"]
    assert by_title["DeepFloyd IF stage I, L"] <= by_title["DeepFloyd IF stage I, XL"]


def test_a_model_that_is_not_here_says_what_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    said = {}
    for access in ("open", "gated", "withdrawn"):
        model = next(model for model in catalogue() if model.access == access)
        with pytest.raises(SetupError) as caught:
            downloaded_folder(model.id)
        assert caught.value.code == "model.not_downloaded"
        said[access] = (model, caught.value)
    model, error = said["open"]
    assert f"{model.download_mb / 1000:.1f} GB" in error.why and model.license in error.why
    assert f"dreamfusion-engine download {model.id}" in error.fix
    assert "accept" in said["gated"][1].why
    model, error = said["withdrawn"]
    assert "withdrawn" in error.why and f"dreamfusion-engine download {model.instead}" in error.fix


def test_a_real_model_is_usable_once_it_is_downloaded(
    saved_pipeline: Path, address: HubAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {p.relative_to(saved_pipeline).as_posix(): p.read_bytes() for p in saved_pipeline.rglob("*") if p.is_file()}
    monkeypatch.setenv("HF_HUB_CACHE", str(address.cache))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running_hub(FakeHub(files=files)) as hub:
        got = download("someone/tiny", replace(address, endpoint=hub.address))
    assert locate_model("someone/tiny") == got.folder
    pipeline = open_pipeline(got.folder)
    assert pipeline.card.files and pipeline.weights["unet"].parameters > 1000, "its card's checksums were compared too"
    line = named(models_here(address, LARGE))["someone/tiny"]
    assert line.usable and line.fit == "fits" and line.size_mb >= 0


def test_every_line_carries_its_recipe_as_settings_that_the_engine_takes(address: HubAddress) -> None:
    machine = Machine(device_type="cpu")
    here = models_here(address, machine)
    lines = [line.to_json() for line in [*here, *models_to_get(address, machine, here)]]
    assert all(set(line["recipe"]["settings"]) == set(PRESET_NAMES) for line in lines)
    assert lines[0]["recipe"]["settings"] == {name: {} for name in PRESET_NAMES}, "the starter's is the preset itself"
    for line in lines[1:]:
        for name, changes in line["recipe"]["settings"].items():
            assert preset(name, "a mug", nested(changes)).optimize.steps == changes["optimize.steps"]
    assert {line["family"] for line in lines if line["recipe"]["experimental"]} == {
        name for name, recipe in RECIPES.items() if recipe.experimental
    }
