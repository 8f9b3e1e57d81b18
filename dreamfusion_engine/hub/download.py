"""Download a model from the hub: check what is there by hash, fetch what is missing or broken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import Cancelled, SetupError
from dreamfusion_engine.events import Control, Note, Progress, Report
from dreamfusion_engine.hub.address import HubAddress, check_hub_id
from dreamfusion_engine.hub.api import file_url, read_listing
from dreamfusion_engine.hub.lock import only_one_download
from dreamfusion_engine.hub.repository_cache import RemoteFile, RepositoryCache, content_is_whole
from dreamfusion_engine.hub.selection import INDEX, wanted_files
from dreamfusion_engine.hub.transfer import Source, disk_error, fetch
from dreamfusion_engine.machine.disk import check_room
from dreamfusion_engine.wire.bounded_json import FILE_LIMIT, UnsafeJson, read_json_file

CONFIGS = "dreamfusion-configs"  # the revision that a download without weights is kept as
ROOM = 64 << 20  # bytes left free on the disk
WINDOW_S = 10.0  # over which the speed is measured
REPORT_S = 0.2  # between two reports
_PARTS = 100  # entries of an index; the largest have twenty


@dataclass(frozen=True)
class Downloaded:
    """What a download did.

    folder: Path of the model.
    files: int, files that are there now.
    bytes: int, of those files.
    fetched: int, bytes that came, beside the index.
    mended: files that were broken and came anew.
    license: str, as the model's card names it; '' where it was not asked.
    """

    folder: Path
    files: int
    bytes: int
    fetched: int
    mended: tuple[str, ...]
    license: str


def download(
    repository: str,
    address: HubAddress,
    *,
    revision: str = "main",
    weights: bool = True,
    report: Report = lambda event: None,
    control: Control = lambda: "continue",
) -> Downloaded:
    """Bring a model's files to the cache, complete and checked by hash, and return its folder.

    Offline, only what is there is checked. However it ends, what has arrived is kept for the next try, and an earlier
    complete download stays usable.

    repository: str, hub id.
    address: HubAddress.
    revision: str, such as 'main'.
    weights: bool; False for configs and vocabularies only.
    report: told Progress of the stage 'download', in bytes, and notes.
    control: asked several times a second whether to continue.
    Raises InputError input.model, input.disk_full, input.model_folder.
    Raises SetupError model.not_found, model.gated, model.token, model.network, model.offline, model.busy,
        model.pickled, model.not_pipeline, model.damaged.
    Raises Cancelled.
    """
    check_hub_id(repository)
    cache = RepositoryCache(address.cache, repository)
    try:
        with only_one_download(cache.folder / "download.lock", repository):
            return _download(repository, address, cache, revision, weights, report, control)
    except OSError as error:
        raise disk_error(cache.folder / "blobs", error) from error


def _download(
    repository: str,
    address: HubAddress,
    cache: RepositoryCache,
    revision: str,
    weights: bool,
    report: Report,
    control: Control,
) -> Downloaded:
    # 1. What the model consists of.
    stop = _stopper(control)

    def ended() -> bool:
        return control() == "cancel"

    stop(0)
    if address.offline:
        commit, files, license_name = _known_listing(cache, revision)
    else:
        listing = read_listing(address, repository, revision, check=stop, stop=ended)
        commit, files, license_name = listing.commit, listing.files, listing.license
        cache.keep_listing(commit, files)
    if INDEX not in files:
        raise _no_pipeline(address, repository, files)

    def source(file: RemoteFile) -> Source:
        return Source(address, repository, file_url(address, repository, commit, file.path), file, ended)

    # 2. What of it a run reads. The first file of a gated model is refused here, before anything large.
    index = _index(cache, commit, source(files[INDEX]), stop)
    wanted = [files[path] for path in wanted_files(index, files, weights=weights)]
    # 3. What is here already, and whole.
    meter = _Meter(sum(file.size for file in wanted), report, stop)
    missing, mended = [], []
    for file in wanted:
        content = cache.content(commit, file)
        if content is not None and content_is_whole(content, file, meter.seen):
            cache.place(commit, file)
            continue
        if content is not None:
            meter.seen(-file.size)
        if content is not None or cache.path(commit, file).exists() or cache.blob(file).exists():
            mended.append(file.path)
            report(Note(code="model.damaged", text=f"{file.path} is damaged" + _and_then(address)))
        missing.append(file)
    # 4. The rest.
    if address.offline and missing:
        raise _incomplete_offline(cache, missing)
    for path in mended:
        cache.forget(commit, files[path])
    _check_room(cache, missing)
    meter.start()
    for file in missing:
        fetch(source(file), cache.partial(file), cache.blob(file), seen=meter.seen, kept=meter.kept)
        cache.place(commit, file)
    # 5. Only now is it findable by name.
    cache.keep_commit(revision if weights else CONFIGS, commit)
    meter.done()
    fetched = sum(file.size for file in missing)
    folder = cache.path(commit, files[INDEX]).parent
    return Downloaded(folder, len(wanted), sum(file.size for file in wanted), fetched, tuple(mended), license_name)


def _known_listing(cache: RepositoryCache, revision: str) -> tuple[str, dict[str, RemoteFile], str]:
    commit = cache.commit(revision)
    files = cache.listing(commit) if commit is not None else None
    if commit is None or files is None:
        raise SetupError(
            "model.offline",
            what=f"The model '{cache.repository}' cannot be downloaded or checked offline.",
            why="Working offline was asked for (--offline, HF_HUB_OFFLINE), and "
            + ("it was not downloaded before." if commit is None else "its list of files is not on this machine."),
            fix="Go online for it once: leave --offline out, unset HF_HUB_OFFLINE, or in Blender allow online access.",
        )
    return commit, files, ""


def _index(cache: RepositoryCache, commit: str, source: Source, stop: Callable[[int], None]) -> dict[str, Any]:
    file, content = source.file, cache.content(commit, source.file)
    if file.size > FILE_LIMIT:
        raise _no_pipeline(source.address, source.repository, {INDEX: file})
    if content is None or not content_is_whole(content, file, stop):
        if source.address.offline:
            raise _incomplete_offline(cache, [file])
        cache.forget(commit, file)
        fetch(source, cache.partial(file), cache.blob(file), seen=stop, kept=stop)
        content = cache.blob(file)
    try:
        values = read_json_file(content)
    except UnsafeJson:
        values = None
    if not isinstance(values, dict) or len(values) > _PARTS:
        raise _no_pipeline(source.address, source.repository, {INDEX: file})
    return values


def _stopper(control: Control) -> Callable[[int], None]:
    def stop(_count: int) -> None:
        if control() == "cancel":
            raise Cancelled(
                "cancelled",
                what="The download was stopped.",
                why="You asked for it.",
                fix="What has arrived is kept: the same command goes on from there.",
            )

    return stop


def _check_room(cache: RepositoryCache, missing: list[RemoteFile]) -> None:
    have = sum(path.stat().st_size for file in missing if (path := cache.partial(file)).is_file())
    need = sum(file.size for file in missing) - have + (ROOM if missing else 0)
    cache.folder.mkdir(parents=True, exist_ok=True)
    check_room(
        cache.folder,
        need,
        what="There is too little room on the disk for this model.",
        needs="What is missing of it",
        fix="Make room, or keep models on another disk: set HF_HUB_CACHE to a folder there.",
    )


def _and_then(address: HubAddress) -> str:
    return "." if address.offline else " and is downloaded again."


def _no_pipeline(address: HubAddress, repository: str, files: dict[str, RemoteFile]) -> SetupError:
    single = sorted(path for path in files if path.endswith(".safetensors") and "/" not in path)
    return SetupError(
        "model.not_pipeline",
        what=f"'{repository}' is not a diffusers pipeline.",
        why=f"It has no {INDEX} that can be read." + (f" It has the single file {single[0]}." if single else ""),
        fix="Give a model that has one"
        + (f", or get that file from {address.page(repository)} and give its path as --model." if single else "."),
    )


def _incomplete_offline(cache: RepositoryCache, missing: list[RemoteFile]) -> SetupError:
    return SetupError(
        "model.incomplete",
        what=f"The model '{cache.repository}' is not complete on this machine.",
        why=f"In {cache.folder}: {len(missing)} of its files are missing or damaged, the first is {missing[0].path}.",
        fix="Go online and download it; what is there is kept.",
    )


class _Meter:
    """Bytes done of all, their speed over the last seconds, and the time that is left."""

    def __init__(self, total: int, report: Report, stop: Callable[[int], None]) -> None:
        self._total = total
        self._report = report
        self._stop = stop
        self._done = 0
        self._last = 0.0
        self._marks: list[tuple[float, int]] = []  # time, bytes, of the last seconds of fetching
        self._fetching = False

    def start(self) -> None:
        """From now on bytes come from the network, and have a speed."""
        self._fetching = True
        self._say(time.monotonic())

    def seen(self, count: int) -> None:
        """So many bytes are done, or (negative) were not after all. Raises Cancelled when that is wanted."""
        self._stop(count)
        self._done += count
        now = time.monotonic()
        if count < 0:
            self._marks.clear()
        if now - self._last >= REPORT_S:
            self._say(now)

    def kept(self, count: int) -> None:
        """So many bytes were here already: they have no speed."""
        self._marks = [(then, before + count) for then, before in self._marks]
        self.seen(count)

    def done(self) -> None:
        """The last report."""
        self._done = self._total
        self._say(time.monotonic())

    def _say(self, now: float) -> None:
        self._last = now
        rate = None
        if self._fetching:
            self._marks = [mark for mark in self._marks if now - mark[0] <= WINDOW_S]
            self._marks.append((now, self._done))
            seconds = now - self._marks[0][0]
            rate = (self._done - self._marks[0][1]) / seconds if seconds >= 0.5 else None
        left = (self._total - self._done) / rate if rate else None
        self._report(
            Progress(stage="download", step=self._done, total=self._total, eta_s=left, rate=rate, memory_mib=0.0)
        )
