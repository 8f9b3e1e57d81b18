"""Downloads end complete and checked by hash, or with a reason and a cache that the next try goes on with."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_hub import COMMIT, FakeHub, running_hub, tiny_files

from dreamfusion_engine.errors import Cancelled, EngineError
from dreamfusion_engine.events import Event, Note, Progress
from dreamfusion_engine.hub import connection, transfer
from dreamfusion_engine.hub import download as downloading
from dreamfusion_engine.hub.address import HubAddress, hub_address
from dreamfusion_engine.hub.download import download
from dreamfusion_engine.hub.repository_cache import RepositoryCache

UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
SHARD = "text_encoder/model-00002-of-00002.safetensors"
WANTED = {
    "model_index.json",
    "unet/config.json",
    UNET,
    "text_encoder/config.json",
    "text_encoder/model.safetensors.index.json",
    "text_encoder/model-00001-of-00002.safetensors",
    SHARD,
    "tokenizer/spiece.model",
    "tokenizer/tokenizer_config.json",
    "scheduler/scheduler_config.json",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(transfer, "PAUSE_S", 0.001)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running_hub(FakeHub(files=tiny_files())) as started:
        yield started


@pytest.fixture
def address(hub: FakeHub, tmp_path: Path) -> HubAddress:
    return HubAddress(endpoint=hub.address, cache=tmp_path / "cache")


def refusal(address: HubAddress, repository: str = "someone/tiny", **words: Any) -> EngineError:
    with pytest.raises(EngineError) as caught:
        download(repository, address, **words)
    error = caught.value
    assert error.what and error.why and error.fix
    return error


def files_in(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def snapshot(address: HubAddress) -> Path | None:
    return RepositoryCache(address.cache, "someone/tiny").snapshot()


def leftovers(address: HubAddress) -> list[Path]:
    return list(address.cache.rglob("*.incomplete"))


def test_what_a_run_reads_arrives_and_nothing_else(hub: FakeHub, address: HubAddress) -> None:
    events: list[Event] = []
    got = download("someone/tiny", address, report=events.append)
    assert got.folder == snapshot(address)
    assert files_in(got.folder) == {path: hub.files[path] for path in WANTED}
    assert (got.files, got.bytes) == (len(WANTED), sum(len(hub.files[path]) for path in WANTED))
    assert got.fetched == got.bytes - len(hub.files["model_index.json"])
    assert got.license == "openrail" and got.mended == () and leftovers(address) == []
    bars = [event for event in events if isinstance(event, Progress)]
    assert {bar.stage for bar in bars} == {"download"} and (bars[-1].step, bars[-1].total) == (got.bytes, got.bytes)
    assert {one.host for one in hub.asked if "/content/" in one.path} == {"localhost"}


def test_the_hubs_own_library_finds_the_download_and_we_find_its(hub: FakeHub, address: HubAddress) -> None:
    ours = download("someone/tiny", address).folder
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache("someone/tiny", UNET, cache_dir=address.cache)
    assert found == str(ours / UNET)
    program = (
        "import sys; from huggingface_hub import snapshot_download; print(snapshot_download('someone/tiny', "
        "cache_dir=sys.argv[1], allow_patterns=['*.json', '*.model', '*.fp16.safetensors', 'text_encoder/*']))"
    )
    theirs = address.cache.with_name("theirs")
    run = subprocess.run(
        [sys.executable, "-c", program, str(theirs)],
        env={**os.environ, "HF_ENDPOINT": hub.address, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_XET": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    assert RepositoryCache(theirs, "someone/tiny").snapshot() == Path(run.stdout.strip())
    hub.asked.clear()
    assert download("someone/tiny", replace(address, cache=theirs)).fetched == 0


def test_a_second_download_fetches_nothing(hub: FakeHub, address: HubAddress) -> None:
    download("someone/tiny", address)
    hub.asked.clear()
    again = download("someone/tiny", address)
    assert again.fetched == 0 and [one for one in hub.asked if "/content/" in one.path] == []


def test_configs_alone_are_small_and_do_not_pass_for_the_model(hub: FakeHub, address: HubAddress) -> None:
    got = download("someone/tiny", address, weights=False)
    assert set(files_in(got.folder)) == {path for path in WANTED if not path.endswith(".safetensors")} - {
        "text_encoder/model.safetensors.index.json"
    }
    assert snapshot(address) is None
    cache = RepositoryCache(address.cache, "someone/tiny")
    assert cache.snapshot(downloading.CONFIGS) == got.folder


def test_a_broken_connection_is_taken_up_where_it_broke(hub: FakeHub, address: HubAddress) -> None:
    hub.cut = {UNET: [1000, 500, 0, 0, 1500]}
    got = download("someone/tiny", address)
    assert (got.folder / UNET).read_bytes() == hub.files[UNET]
    assert [one.range for one in hub.asked_for(UNET)] == [None, *["bytes=1000-"], *["bytes=1500-"] * 3, "bytes=3000-"]


def test_a_server_without_ranges_sends_it_again_from_the_start(hub: FakeHub, address: HubAddress) -> None:
    hub.cut, hub.deaf = {UNET: [1000]}, True
    assert (download("someone/tiny", address).folder / UNET).read_bytes() == hub.files[UNET]


def test_a_network_that_stays_away_is_told_and_the_next_try_goes_on(hub: FakeHub, address: HubAddress) -> None:
    hub.cut = {UNET: [1000, *[0] * 20]}
    assert refusal(address).code == "model.network"
    assert snapshot(address) is None
    assert [file.stat().st_size for file in leftovers(address)] == [1000]
    hub.cut.clear()
    hub.asked.clear()
    got = download("someone/tiny", address)
    assert [one.range for one in hub.asked_for(UNET)] == ["bytes=1000-"]
    assert (got.folder / UNET).read_bytes() == hub.files[UNET] and leftovers(address) == []


def test_a_wrong_byte_on_the_way_is_found_by_hash_and_fetched_again(hub: FakeHub, address: HubAddress) -> None:
    hub.broken = {UNET: 1, "tokenizer/spiece.model": 1}
    got = download("someone/tiny", address)
    assert files_in(got.folder) == {path: hub.files[path] for path in WANTED}
    assert len(hub.asked_for(UNET)) == len(hub.asked_for("tokenizer/spiece.model")) == 2


def test_a_file_that_arrives_wrong_twice_is_given_up_and_not_kept(hub: FakeHub, address: HubAddress) -> None:
    hub.broken = {UNET: 2}
    error = refusal(address)
    assert error.code == "model.damaged" and UNET in error.why
    assert snapshot(address) is None and leftovers(address) == []
    assert len(files_in(download("someone/tiny", address).folder)) == len(WANTED)


@pytest.mark.parametrize("how", ["changed", "shorter", "gone"])
def test_what_broke_on_this_machine_is_found_and_mended(hub: FakeHub, address: HubAddress, how: str) -> None:
    folder = download("someone/tiny", address).folder
    blob = (folder / SHARD).resolve()
    content = bytearray(blob.read_bytes())
    if how == "changed":
        content[-9] ^= 4
        blob.write_bytes(content)
    elif how == "shorter":
        blob.write_bytes(content[:-9])
    else:
        blob.unlink()
    hub.asked.clear()
    events: list[Event] = []
    got = download("someone/tiny", address, report=events.append)
    assert files_in(got.folder) == {path: hub.files[path] for path in WANTED}
    assert {one.path for one in hub.asked if "/content/" in one.path} == {f"/content/{SHARD}"}
    assert got.mended == (() if how == "gone" else (SHARD,))
    assert [e.code for e in events if isinstance(e, Note)] == ([] if how == "gone" else ["model.damaged"])


def test_offline_what_is_there_is_checked_and_nothing_asked(hub: FakeHub, address: HubAddress) -> None:
    offline = replace(address, offline=True)
    assert refusal(offline).code == "model.offline"
    folder = download("someone/tiny", address).folder
    hub.asked.clear()
    assert download("someone/tiny", offline).folder == folder
    (folder / SHARD).resolve().write_bytes(b"broken")
    error = refusal(offline)
    assert error.code == "model.incomplete" and SHARD in error.why
    assert (folder / SHARD).exists(), "offline, nothing is thrown away"
    assert hub.asked == []


@pytest.mark.slow
def test_cancel_ends_even_a_silent_connection_and_keeps_what_came(
    hub: FakeHub, address: HubAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TIMEOUT_S", 3600.0)  # the silence that a network is given does not end it first
    began = time.monotonic()
    hub.stop.set()  # ten bytes come, and then nothing
    with pytest.raises(Cancelled):
        download("someone/tiny", address, control=lambda: "cancel" if time.monotonic() > began + 1.0 else "continue")
    hub.stop.clear()
    assert snapshot(address) is None
    assert len(files_in(download("someone/tiny", address).folder)) == len(WANTED)


def test_a_gated_model_is_refused_before_anything_large(hub: FakeHub, address: HubAddress) -> None:
    hub.gate = "gated"
    error = refusal(address)
    assert error.code == "model.gated" and "HF_TOKEN" in error.fix and f"{hub.address}/someone/tiny" in error.fix
    stranger = refusal(replace(address, token="hf_other"))
    assert stranger.code == "model.gated" and "has not been given access" in stranger.why
    assert [one for one in hub.asked if "/content/" in one.path] == []
    member = replace(address, token="hf_good")
    assert len(files_in(download("someone/tiny", member).folder)) == len(WANTED)


def test_the_token_goes_to_the_hub_only_and_is_shown_nowhere(hub: FakeHub, address: HubAddress) -> None:
    member = replace(address, token="hf_good")
    download("someone/tiny", member)
    assert {one.token for one in hub.asked if one.host == "127.0.0.1"} == {"Bearer hf_good"}
    assert {one.token for one in hub.asked if one.host == "localhost"} == {None}
    assert "hf_good" not in repr(member)
    for gate in ("token", "private"):
        hub.gate = gate
        assert "hf_good" not in str(refusal(member))
    assert all(b"hf_good" not in content for content in files_in(address.cache).values())


@pytest.mark.parametrize("value", ["hf_a b", "hf_a\nX-Other: 1", "hf_\u00e4"])
def test_a_token_that_is_none_is_refused_unread(value: str) -> None:
    with pytest.raises(EngineError) as caught:
        hub_address({"HF_TOKEN": value})
    assert caught.value.code == "model.token" and value not in str(caught.value)


def test_an_invalid_token_a_missing_model_and_a_hub_in_trouble_are_told_apart(
    hub: FakeHub, address: HubAddress
) -> None:
    hub.gate = "token"
    assert refusal(replace(address, token="hf_old")).code == "model.token"
    hub.gate = ""
    assert refusal(address, "someone/other").code == "model.not_found"
    assert refusal(address, revision="v2").code == "model.not_found"
    assert refusal(address, revision="../x").code == "input.model"
    assert refusal(address, "no-owner").code == "input.model"
    for status, told in ((503, "503"), (429, "too many requests")):
        hub.status = status
        error = refusal(address)
        assert error.code == "model.network" and told in error.why


def test_no_network_is_told_with_the_host(address: HubAddress) -> None:
    error = refusal(replace(address, endpoint="http://127.0.0.1:9"))
    assert error.code == "model.network" and "127.0.0.1:9" in error.why


def test_a_disk_that_fills_up_on_the_way_leaves_a_cache_to_go_on_with(
    hub: FakeHub, address: HubAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("dreamfusion_engine.hub.transfer.os.fsync", full)
        error = refusal(address)
    assert error.code == "input.disk_full" and error.exit_code == 2
    assert len(leftovers(address)) == 1 and snapshot(address) is None
    assert len(files_in(download("someone/tiny", address).folder)) == len(WANTED)
    assert leftovers(address) == []


def test_too_little_room_is_told_before_the_large_files(
    hub: FakeHub, address: HubAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=2000)
    monkeypatch.setattr("dreamfusion_engine.machine.disk.shutil.disk_usage", lambda _: usage)
    assert refusal(address).code == "input.disk_full"
    assert {one.path for one in hub.asked if "/content/" in one.path} == {"/content/model_index.json"}


def test_a_cache_that_may_not_be_written_is_told(hub: FakeHub, address: HubAddress) -> None:
    address.cache.write_text("a file where the folder should be")
    error = refusal(address)
    assert error.code == "input.model_folder" and str(address.cache) in error.why


def test_pickles_are_not_downloaded(hub: FakeHub, address: HubAddress) -> None:
    for path in [path for path in hub.files if path.startswith("unet/") and path.endswith(".safetensors")]:
        del hub.files[path]
    error = refusal(address)
    assert error.code == "model.pickled" and "diffusion_pytorch_model.bin" in error.why
    assert hub.asked_for("unet/diffusion_pytorch_model.bin") == []


def test_a_repository_that_is_no_pipeline_says_what_it_has(hub: FakeHub, address: HubAddress) -> None:
    hub.files = {"v1-5-pruned.safetensors": b"x" * 300, "README.md": b""}
    error = refusal(address)
    assert error.code == "model.not_pipeline" and "v1-5-pruned.safetensors" in error.why


@pytest.mark.parametrize("path", ["../../evil.json", "/etc/evil.json", "unet/..\\evil.json", "C:evil.json"])
def test_a_listing_cannot_lead_out_of_the_cache(hub: FakeHub, address: HubAddress, path: str) -> None:
    hub.files[path] = b"evil"
    assert refusal(address).code == "model.network"


def test_a_listing_of_several_pages_is_read_to_its_end(hub: FakeHub, address: HubAddress) -> None:
    hub.page = 4
    assert len(files_in(download("someone/tiny", address).folder)) == len(WANTED)


def test_where_links_cannot_be_made_the_files_are_there_all_the_same(
    hub: FakeHub, address: HubAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    monkeypatch.setattr(os, "link", refuse)
    for _ in range(2):
        got = download("someone/tiny", address)
        assert files_in(got.folder) == {path: hub.files[path] for path in WANTED}
    assert got.fetched == 0


def _hold(folder: str, ready: Any, done: Any) -> None:
    from dreamfusion_engine.hub.lock import only_one_download

    with only_one_download(Path(folder) / "download.lock", "someone/tiny"):
        ready.set()
        done.wait(20)


def test_two_downloads_of_a_model_do_not_meet(hub: FakeHub, address: HubAddress) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(
        target=_hold, args=(str(RepositoryCache(address.cache, "someone/tiny").folder), ready, done)
    )
    other.start()
    assert ready.wait(20)
    assert refusal(address).code == "model.busy"
    done.set()
    other.join()
    download("someone/tiny", address)


def test_an_update_leaves_the_old_files_usable_until_it_is_complete(hub: FakeHub, address: HubAddress) -> None:
    old = download("someone/tiny", address).folder
    before = files_in(old)
    hub.files[UNET] = hub.files[UNET][:-1] + b"\1"
    hub.broken = {UNET: 2}
    refusal(address)
    assert snapshot(address) is not None
    kept = {path: content for path, content in before.items() if path != UNET}
    assert {path: content for path, content in files_in(old).items() if path != UNET} == kept


def test_the_cache_follows_the_environment_as_the_hubs_tools_do(tmp_path: Path) -> None:
    assert hub_address({"HF_HUB_CACHE": str(tmp_path)}).cache == tmp_path
    assert hub_address({"HF_HOME": str(tmp_path)}).cache == tmp_path / "hub"
    assert hub_address({"XDG_CACHE_HOME": str(tmp_path)}).cache == tmp_path / "huggingface" / "hub"
    assert hub_address({}).cache == Path.home() / ".cache" / "huggingface" / "hub"
    assert hub_address({"HF_ENDPOINT": "https://mirror.example/"}).endpoint == "https://mirror.example"
    assert hub_address({"HF_HUB_OFFLINE": "1"}).offline and hub_address({"TRANSFORMERS_OFFLINE": "true"}).offline
    assert not hub_address({"HF_HUB_OFFLINE": "0"}).offline


def test_blobs_are_named_by_the_hash_of_their_content(hub: FakeHub, address: HubAddress) -> None:
    folder = download("someone/tiny", address).folder
    assert (folder / UNET).resolve().name == hashlib.sha256(hub.files[UNET]).hexdigest()
    assert json.loads((folder.parents[1] / "trees" / f"{COMMIT}.json").read_text())["format_version"] == 1
