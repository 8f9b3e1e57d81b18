"""One job's folder: what is written there, and how a job is read back, even from damaged files.

    job.json        what the job is: id, time, recipe, placement; written once, whole
    journal.jsonl   the job's state: the same first line, then a line for every change; the last good line counts
    source.glb      the meshes that a job paints or begins from; written once, whole, before the other two
    pictures.bin    pictures of the object, one after another as its recipe says; written so too
    thumbnail.png, row.png, mesh.glb, result.json, and what a local engine writes there

A line of the journal is the CRC-32 of its JSON as eight hex digits, a space, the JSON. A torn or damaged line is
skipped. Either file brings the job back without the other.
"""

from __future__ import annotations

import errno
import json
import os
import re
import unicodedata
import zlib
from pathlib import Path
from typing import Any, TypeGuard

from ..bounded_json import UnsafeJson, parse_json
from ..contest import standing_of
from ..job import (
    GENERATE,
    TASKS,
    WORDS_LIMIT,
    Job,
    JobState,
    Recipe,
    RecipeError,
    Trouble,
    verdict_of,
    versions_of,
    winner_of,
)
from ..phrase import again, kept, phrase
from ..protocol import DATA_LIMIT

FORMAT = 3  # of both files; a reader refuses a higher one
# What a job needs: an older add-on would make an object of a texture, a plain run of a contest, or leave out pictures.
_WITHOUT, _WITH_SOURCE, _CONTEST, _WITH_PICTURES = 1, 2, 3, 3
KIND = "dreamfusion-job"
BIRTH, JOURNAL = "job.json", "journal.jsonl"
MESH, REPORT, THUMBNAIL, ROW = "mesh.glb", "result.json", "thumbnail.png", "row.png"
SOURCE = "source.glb"  # as a local engine names it too
PICTURES = "pictures.bin"
RUN_LOCK = "run.lock"
CHECKPOINT = Path("checkpoint") / "checkpoint.json"  # of a local engine
NOTES_KEPT = 50
FILE_LIMIT = 1 << 24  # bytes of one of these files; a long one has some hundred thousand
LATEST = 4_102_444_800.0  # the year 2100: a later time was not written by this add-on
LARGEST = 1 << 53  # of whole numbers; a larger one is not exact as float
_TOKEN = re.compile(r"[0-9a-f]{32}")  # of a job or of a store
_SLUG_LIMIT = 40  # characters; Windows has room for 260 in a whole path
_SLUG_BYTES = 160  # a name has room for 255; seed and id take 44 of them, and what lies beside it the rest
_PROMPT_LIMIT = 400  # characters of a prompt that are looked at for it


class NotAJob(ValueError):
    """The folder cannot be read as a job. The text says why."""


def folder_name(recipe: Recipe, job_id: str) -> str:
    """A folder's name that every file system takes: 'A red mug!' -> 'a-red-mug-3-<id>'. Letters of any script stay.

    recipe: Recipe, of which prompt and seed are used.
    job_id: str, the end of the name.
    """
    plain = unicodedata.normalize("NFKC", recipe.prompt[:_PROMPT_LIMIT]).lower()
    words = re.sub(r"[\W_]+", "-", plain).strip("-")[:_SLUG_LIMIT]
    while len(unicodedata.normalize("NFD", words).encode()) > _SLUG_BYTES:  # as macOS may store it
        words = words[:-1]
    return f"{words.strip('-') or 'object'}-{recipe.seed}-{job_id}"


def birth_record(job: Job) -> dict[str, Any]:
    """The part of a job that never changes."""
    return {
        "kind": KIND,
        "format": _needed(job),
        "task": job.task,
        "id": job.id,
        "created": job.created,
        "recipe": job.recipe.to_json(),
        "placement": job.placement,
    }


def _needed(job: Job) -> int:
    """The format that an add-on must know to make this job."""
    if job.has_pictures:
        return _WITH_PICTURES
    return _CONTEST if job.recipe.is_contest else _WITH_SOURCE if job.has_source else _WITHOUT


def change_record(job: Job, owner: str) -> dict[str, Any]:
    """The present state of a job.

    owner: str, the token of the store that has it.
    """
    record: dict[str, Any] = {
        "state": str(job.state),
        "owner": owner if job.state.active else "",
        "started": job.started,
        "ended": job.ended,
        "stage": job.stage,
        "step": job.step,
        "total": job.total,
        "memory_mib": job.memory_mib,
        "trouble": None if job.trouble is None else job.trouble.to_json(),
        "notes": job.notes[-NOTES_KEPT:],
        "placement": job.placement,
        "inserted": job.inserted,
        "versions": job.recipe.versions,
        "verdict": job.verdict,
    }
    if job.standing is not None:
        record["standing"] = job.standing.to_json()
    if job.winner is not None:
        record["winner"] = job.winner
    trouble = [] if job.trouble is None else [job.trouble.what, job.trouble.why, job.trouble.fix]
    if phrases := kept([*trouble, *record["notes"], *job.verdict]):
        record["phrases"] = phrases
    return record


def journal_line(record: dict[str, Any]) -> bytes:
    """A record as a line of the journal."""
    text = json.dumps(record, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def is_job_folder(folder: Path) -> bool:
    """Whether the folder holds a job's files."""
    return (folder / BIRTH).is_file() or (folder / JOURNAL).is_file()


def read_job(folder: Path) -> tuple[Job, str]:
    """The job in a folder, and the token of the store that had it.

    Raises NotAJob where the files make no job, and OSError where they cannot be read.
    """
    records = _journal_records(folder / JOURNAL)
    # The journal's first line has a checksum, so it is trusted more than the file.
    checked = records[0] if records and records[0].get("kind") == KIND else None
    birth = checked or _birth_file(folder / BIRTH)
    if birth is None:
        raise NotAJob("its files are damaged")
    if birth.get("kind") != KIND:
        raise NotAJob("its files are not of this add-on")
    written = birth.get("format")
    if not is_between(written, 0, FORMAT):
        raise NotAJob(f"it was written by a newer version of the add-on (format {written}; this one reads {FORMAT})")
    job = _born(birth, folder)
    owner = ""
    for record in records:
        if "state" in record:
            owner = _change(job, record)
    _add_files(job)
    return job, owner


def interrupted(job: Job) -> None:
    """Note that the job's Blender has gone. If the engine had finished and left its result, the job is done."""
    if _finished_alone(job):
        job.state, job.ended, job.trouble = JobState.DONE, (job.folder / REPORT).stat().st_mtime, None
        job.result = job.folder / MESH
        _read_report(job)
        return
    job.state = JobState.INTERRUPTED
    reached = (
        phrase("It had reached step {step} of {total}.", step=job.step, total=job.total)
        if job.step and job.stage == "train"
        else ""
    )
    job.trouble = Trouble(
        "job.interrupted",
        "Blender or the computer stopped before this was done.",
        reached or (phrase("It had begun.") if job.started else phrase("It had not begun.")),
        phrase("Press Resume to go on from there.")
        if job.started
        else phrase("Press Resume to put it into the queue again."),
    )
    job.eta_s = job.rate = None


def _read_report(job: Job) -> None:
    """Note what a report says that no Blender has taken in; nothing where it cannot be read."""
    try:
        report = parse_json(read_bounded(job.folder / REPORT), largest=LARGEST)
    except (OSError, NotAJob, UnsafeJson):
        return
    if isinstance(report, dict):
        job.verdict, job.winner = verdict_of(report), winner_of(report, job.recipe)


def write_trouble(job: Job, error: OSError) -> Trouble:
    """The trouble for a job's files that cannot be written."""
    return Trouble(
        "job.write",
        "The job's folder cannot be written.",
        f"{job.folder}: {error.strerror or error}",
        "Make room on the disk, or choose another output folder in the add-on's preferences.",
    )


def _birth_file(path: Path) -> dict[str, Any] | None:
    try:
        record = parse_json(read_bounded(path), largest=LARGEST)
    except (FileNotFoundError, UnsafeJson):
        return None
    return record if isinstance(record, dict) else None


def read_bounded(path: Path) -> bytes:
    """The content of a file of a job's folder.

    Raises OSError, and NotAJob for a file that is longer than the add-on ever writes.
    """
    with path.open("rb") as stream:
        data = stream.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise NotAJob(f"{path.name} is longer than {FILE_LIMIT >> 20} MiB")
    return data


def read_source(path: Path) -> bytes:
    """The meshes that a job paints or begins from, or its pictures.

    Raises OSError, also for a file that is longer than the engine takes.
    """
    with path.open("rb") as stream:
        data = stream.read(DATA_LIMIT + 1)
    if len(data) > DATA_LIMIT:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data


def _journal_records(path: Path) -> list[dict[str, Any]]:
    """Every whole line, in order."""
    try:
        lines = read_bounded(path).split(b"\n")
    except FileNotFoundError:
        return []
    return [record for record in map(_line_record, lines) if record is not None]


def _line_record(line: bytes) -> dict[str, Any] | None:
    check, _, text = line.partition(b" ")
    try:
        if len(check) != 8 or int(check, 16) != zlib.crc32(text):
            return None
        record = parse_json(text, largest=LARGEST)
    except ValueError:  # UnsafeJson too: a line with impossible values counts as damaged
        return None
    return record if isinstance(record, dict) else None


def _born(record: dict[str, Any], folder: Path) -> Job:
    name, created = record.get("id"), record.get("created")
    if not isinstance(name, str) or not _TOKEN.fullmatch(name) or not is_between(created, 0.0, LATEST):
        raise NotAJob("its id or time is damaged")
    try:
        recipe = Recipe.from_json(record.get("recipe"))
    except RecipeError as error:
        raise NotAJob(str(error)) from None
    placement, task = record.get("placement"), record.get("task", GENERATE)
    if task not in TASKS:
        raise NotAJob("what it is to make is damaged")
    kept = placement if isinstance(placement, dict) else {}
    return Job(name, recipe, folder, created=created, placement=kept, task=task)


def _change(job: Job, record: dict[str, Any]) -> str:
    """Apply a line of the journal to the job, skipping values of the wrong kind. Returns the owner's token."""
    try:
        job.state = JobState(record["state"])
    except ValueError:  # a newer version's state, whose meaning is not known, counts as an interruption
        job.state = JobState.INTERRUPTED
    for name in ("started", "ended"):
        value = record.get(name)
        setattr(job, name, float(value) if is_between(value, 0.0, LATEST) else None)
    for name in ("step", "total"):
        value = record.get(name)
        if is_between(value, 0, LARGEST) and isinstance(value, int):
            setattr(job, name, value)
    memory = record.get("memory_mib")
    if is_between(memory, 0.0, 1e9):
        job.memory_mib = memory
    if isinstance(record.get("stage"), str):
        job.stage = record["stage"][:WORDS_LIMIT]
    phrases = record.get("phrases")
    job.trouble = None
    if isinstance(record.get("trouble"), dict):
        told = Trouble.from_json(record["trouble"])
        job.trouble = Trouble(told.code, *(again(text, phrases) for text in (told.what, told.why, told.fix)))
    notes, placement, versions = (record.get(name) for name in ("notes", "placement", "versions"))
    if isinstance(notes, list):
        job.notes = [again(str(note)[:WORDS_LIMIT], phrases) for note in notes[-NOTES_KEPT:]]
    if isinstance(placement, dict):
        job.placement = placement
    if isinstance(versions, dict):
        job.recipe.versions = versions_of(versions)
    verdict = record.get("verdict")
    if isinstance(verdict, list):
        job.verdict = [again(str(line)[:WORDS_LIMIT], phrases) for line in verdict[:NOTES_KEPT]]
    if job.recipe.is_contest:
        job.standing = standing_of(record.get("standing"), job.recipe.seed, job.recipe.seeds)
        job.winner = winner_of({"seed": record.get("winner")}, job.recipe)
    job.inserted = record.get("inserted") is True
    owner = record.get("owner")
    return owner if isinstance(owner, str) and _TOKEN.fullmatch(owner) else ""


def _add_files(job: Job) -> None:
    """Note the files that lie in the folder. A finished job without its mesh does not stay done."""
    if (job.folder / THUMBNAIL).is_file():
        job.thumbnail = job.folder / THUMBNAIL
    if job.state is JobState.DONE:
        if (job.folder / MESH).is_file():
            job.result = job.folder / MESH
        else:
            job.state = JobState.FAILED
            job.trouble = Trouble(
                "job.mesh_missing",
                "The mesh of this job is gone.",
                phrase("There is no {file} any more.", file=job.folder / MESH),
                "Press Try Again to make it once more.",
            )


def _finished_alone(job: Job) -> bool:
    """Whether a local engine wrote the result of this attempt after its Blender had gone."""
    report = job.folder / REPORT
    try:
        return (
            job.started is not None and (job.folder / MESH).is_file() and os.stat(report).st_mtime >= job.started - 1.0
        )
    except OSError:
        return False


def is_between(value: object, least: float, most: float) -> TypeGuard[float]:
    """Whether a value is a finite number in [least, most]."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
