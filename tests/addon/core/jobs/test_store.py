"""Jobs on disk: torn, damaged, foreign and newer files lose nothing, and two Blenders share one folder."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import unicodedata
import zlib
from pathlib import Path

import pytest
from addon.core.driving import wait_for

from blender_addon.core.job import Job, JobState, Recipe, RecipeError, Trouble
from blender_addon.core.jobs import store as journal
from blender_addon.core.jobs.file_lock import FileLock, _living, _number, owner
from blender_addon.core.jobs.folder import BIRTH, FILE_LIMIT, FORMAT, JOURNAL, journal_line
from blender_addon.core.jobs.store import COMPACT_BYTES, JobStore
from blender_addon.core.jobs.writer import Writer, write_whole
from blender_addon.core.phrase import Phrase, phrase

ROOT = Path(__file__).resolve().parents[3]
RECIPE = Recipe("a red mug", "blue", 7, "starter", "draft", {"device": "cpu", "optimize": {"steps": 5}})


def stored(root: Path, state: JobState = JobState.CANCELLED) -> Job:
    """A job written by a store that was closed."""
    store = JobStore(root)
    job = store.create(RECIPE, {"where": [1.0, 2.0]})
    job.state, job.step, job.total, job.stage, job.started = JobState.RUNNING, 40, 90, "train", time.time()
    store.save(job)
    store.close(10.0)
    job.state, job.notes, job.inserted = state, ["A note."], True
    job.verdict = ["Made with X."]
    job.trouble = Trouble("a.b", "What.", "Why.", "Fix.")
    store.save(job)
    store.close(10.0)
    return job


def test_a_job_comes_back_as_it_was(tmp_path: Path) -> None:
    job = stored(tmp_path)
    store = JobStore(tmp_path)
    (back,) = store.load()
    assert back == job
    assert back.recipe == RECIPE and store.unreadable == []


def test_what_a_job_says_can_be_translated_after_a_restart(tmp_path: Path) -> None:
    """Of: blender_addon/core/jobs/folder.py, blender_addon/core/phrase.py."""
    job = stored(tmp_path)
    job.trouble = Trouble("a.b", phrase("What {x}.", x=1), phrase("{why}.", why=phrase("Why {y:,}", y=2000)), "Fix.")
    job.notes, job.verdict = ["Plain.", phrase("A note of {seed}.", seed=3)], [phrase("Seen from {share:.0%}", share=1)]
    store = JobStore(tmp_path)
    store.save(job)
    store.close(10.0)
    (back,) = JobStore(tmp_path).load()
    assert back == job and back.trouble is not None
    for text in (back.trouble.what, back.trouble.why, back.notes[1], back.verdict[0]):
        assert isinstance(text, Phrase)
    assert not isinstance(back.notes[0], Phrase)


@pytest.mark.slow
@pytest.mark.parametrize("name", [JOURNAL, BIRTH])
def test_truncation_at_any_byte_of_a_file_loses_no_job(tmp_path: Path, name: str) -> None:
    job = stored(tmp_path)
    whole = (job.folder / name).read_bytes()
    seen = set()
    for length in range(len(whole)):
        (job.folder / name).write_bytes(whole[:length])
        store = JobStore(tmp_path)
        (back,) = store.load()
        assert (back.id, back.recipe, back.placement) == (job.id, RECIPE, {"where": [1.0, 2.0]})
        assert store.unreadable == []
        seen.add(back.state)
    (job.folder / name).unlink()
    assert JobStore(tmp_path).load()[0].recipe == RECIPE
    # Without its last line the job was still running, so it was interrupted.
    assert seen == ({JobState.INTERRUPTED, JobState.CANCELLED} if name == JOURNAL else {JobState.CANCELLED})


@pytest.mark.parametrize("name", [JOURNAL, BIRTH])
def test_a_damaged_byte_anywhere_is_never_taken_for_the_truth(tmp_path: Path, name: str) -> None:
    job = stored(tmp_path)
    whole = (job.folder / name).read_bytes()
    for place in range(0, len(whole), 3):
        # The lowest bit: a digit stays a digit and a letter a letter, so that most lines are JSON as before.
        (job.folder / name).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        (back,) = JobStore(tmp_path).load()
        assert (back.id, back.recipe, back.created) == (job.id, RECIPE, job.created), place
        assert back.placement == {"where": [1.0, 2.0]}
        assert back.step in (0, 40) and back.total in (0, 90) and back.notes in ([], ["A note."])
        assert back.state in (JobState.CANCELLED, JobState.INTERRUPTED)


def test_a_line_after_a_torn_one_is_read(tmp_path: Path) -> None:
    job = stored(tmp_path)
    whole = (job.folder / JOURNAL).read_bytes()
    (job.folder / JOURNAL).write_bytes(whole[:-9])
    store = JobStore(tmp_path)
    (back,) = store.load()
    back.state, back.trouble = JobState.FAILED, Trouble("x", "y", "z", "")
    store.save(back)
    store.close(10.0)
    assert JobStore(tmp_path).load()[0].trouble == Trouble("x", "y", "z", "")


def test_with_both_files_damaged_the_folder_is_named_and_left_alone(tmp_path: Path) -> None:
    job, other = stored(tmp_path), stored(tmp_path)
    (job.folder / BIRTH).write_bytes(b"{")
    (job.folder / JOURNAL).write_bytes(b"\0" * 50)
    store = JobStore(tmp_path)
    assert [found.id for found in store.load()] == [other.id]
    assert [(bad.folder, "damaged" in bad.why) for bad in store.unreadable] == [(job.folder, True)]
    assert (job.folder / BIRTH).read_bytes() == b"{"


def test_newer_foreign_and_copied_folders_are_named_and_skipped(tmp_path: Path) -> None:
    job = stored(tmp_path)
    newer, foreign, strange = (tmp_path / name for name in ("newer", "foreign", "strange"))
    for folder in (newer, foreign, strange):
        folder.mkdir()
    birth = json.loads((job.folder / BIRTH).read_text())
    (newer / BIRTH).write_text(json.dumps({**birth, "format": FORMAT + 1, "recipe": "of the future"}))
    (foreign / BIRTH).write_text('{"name": "a build job of something else"}')
    (strange / BIRTH).write_text(json.dumps({**birth, "recipe": {"prompt": 5}}))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "a file.txt").write_text("")
    shutil.copytree(job.folder, tmp_path / "zz copy")
    store = JobStore(tmp_path)
    assert [found.id for found in store.load()] == [job.id]
    reasons = {bad.folder.name: bad.why for bad in store.unreadable}
    assert set(reasons) == {"newer", "foreign", "strange", "zz copy"}
    assert "newer version" in reasons["newer"] and "not of this add-on" in reasons["foreign"]
    assert "prompt" in reasons["strange"] and "copy" in reasons["zz copy"]
    assert (newer / BIRTH).is_file() and (tmp_path / "zz copy" / JOURNAL).is_file()


def test_a_state_of_a_newer_version_is_an_interrupted_job(tmp_path: Path) -> None:
    job = stored(tmp_path)
    with (job.folder / JOURNAL).open("ab") as stream:
        stream.write(journal_line({"state": "dreaming", "step": "many", "notes": 5}))
    (back,) = JobStore(tmp_path).load()
    assert back.state is JobState.INTERRUPTED and back.step == 40


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.PAUSED, JobState.FINISHING])
def test_a_job_whose_blender_was_killed_is_interrupted(tmp_path: Path, state: JobState) -> None:
    code = f"""
        import os, sys, time
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from blender_addon.core.job import JobState, Recipe
        from blender_addon.core.jobs.store import JobStore
        store = JobStore(Path({str(tmp_path)!r}))
        job = store.create(Recipe("a mug"), {{}})
        job.state, job.started = JobState({state.value!r}), time.time()
        store.save(job)
        store.in_background(lambda: print("written", flush=True))
        time.sleep(600)
    """
    blender = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert blender.stdout is not None and blender.stdout.readline() == "written\n"
    (held,) = JobStore(tmp_path).load()
    assert held.state is state and str(blender.pid) in held.owner
    blender.kill()
    blender.wait()
    (back,) = JobStore(tmp_path).load()
    assert (back.state, back.owner) == (JobState.INTERRUPTED, "")
    assert back.trouble is not None and back.trouble.fix.startswith("Press Resume")


def test_another_blender_never_takes_a_job_that_is_being_written_for_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[tuple[JobState, bool]]] = []

    def write_and_look(path: Path, data: bytes, *, durable: bool = True) -> None:
        write_whole(path, data, durable=durable)
        seen.append([(job.state, bool(job.owner)) for job in JobStore(tmp_path).load()])

    monkeypatch.setattr(journal, "write_whole", write_and_look)
    store = JobStore(tmp_path)
    store.create(RECIPE, {})
    store.close(60.0)
    assert seen == [[(JobState.QUEUED, True)]] * 2  # after each of its two files


def test_a_result_that_the_engine_wrote_after_blenders_death_is_found(tmp_path: Path) -> None:
    job = stored(tmp_path, JobState.RUNNING)
    (job.folder / "mesh.glb").write_bytes(b"glTF")
    (job.folder / "result.json").write_text("{}")
    (back,) = JobStore(tmp_path).load()
    assert back.state is JobState.DONE and back.result == job.folder / "mesh.glb"
    os.utime(job.folder / "result.json", (1.0, 1.0))  # of an earlier attempt
    assert JobStore(tmp_path).load()[0].state is JobState.INTERRUPTED


def test_a_done_job_without_its_mesh_is_not_called_done(tmp_path: Path) -> None:
    stored(tmp_path, JobState.DONE)
    (back,) = JobStore(tmp_path).load()
    assert back.state is JobState.FAILED and back.trouble is not None and back.trouble.code == "job.mesh_missing"


def test_a_long_journal_is_cut_and_keeps_its_meaning(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    job = store.create(RECIPE, {})
    for step in range(600):
        job.step = step
        store.save(job)
        store.close(10.0)
    assert (job.folder / JOURNAL).stat().st_size < COMPACT_BYTES + 2000
    assert JobStore(tmp_path).load()[0].step == 599


ABSURD = ["Infinity", "-Infinity", "NaN", "1e999", "1" + "0" * 400, "-1", "1e300", '"x"', "[]", "true"]


def damaged_line(line: bytes, name: str, value: str) -> bytes:
    """A line of the journal in which a field has another value, with the check that belongs to it."""
    record = {**json.loads(line[9:]), name: "HERE"}
    text = json.dumps(record, separators=(",", ":")).replace('"HERE"', value).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize(
    "name", ["started", "ended", "step", "total", "memory_mib", "stage", "notes", "verdict", "owner"]
)
def test_an_absurd_value_in_a_change_loses_no_job(tmp_path: Path, name: str, value: str) -> None:
    job, other = stored(tmp_path), stored(tmp_path)
    lines = (job.folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (job.folder / JOURNAL).write_bytes(b"".join([*lines[:-1], damaged_line(lines[-1], name, value)]))
    store = JobStore(tmp_path)
    back = {found.id: found for found in store.load()}
    assert set(back) == {job.id, other.id} and store.unreadable == []
    found = back[job.id]
    times = [time for time in (found.created, found.started, found.ended) if time is not None]
    assert all(0.0 <= time < 1e10 for time in times)
    assert found.step in (0, 40) and found.total in (0, 90) and 0.0 <= found.memory_mib < 1e10
    assert 0.0 <= found.share <= 1.0 and (found.seconds is None or found.seconds >= 0.0)


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize("name", ["created", "format"])
def test_a_job_of_an_absurd_time_or_format_is_named_and_the_others_come(tmp_path: Path, name: str, value: str) -> None:
    job, other = stored(tmp_path), stored(tmp_path)
    lines = (job.folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (job.folder / JOURNAL).write_bytes(damaged_line(lines[0], name, value))
    (job.folder / BIRTH).unlink()
    store = JobStore(tmp_path)
    assert [found.id for found in store.load()] == [other.id]
    assert [bad.folder for bad in store.unreadable] == [job.folder] and (job.folder / JOURNAL).is_file()


def test_endless_files_of_a_job_are_not_read(tmp_path: Path) -> None:
    job, other = stored(tmp_path), stored(tmp_path)
    os.truncate(job.folder / JOURNAL, FILE_LIMIT + 1)
    store = JobStore(tmp_path)
    assert [found.id for found in store.load()] == [other.id]
    assert [bad.why for bad in store.unreadable] == [f"{JOURNAL} is longer than 16 MiB"]


@pytest.mark.parametrize("words", ["²", "²³ here", "0", "-5", "99999999999999", "9999999999", "", "\x00", "x" * 1000])
def test_any_text_in_a_lock_is_read(tmp_path: Path, words: str) -> None:
    path = tmp_path / "a.lock"
    path.write_text(words, encoding="utf-8")
    assert owner(path) is None and FileLock(path).acquire()
    assert _number(words) in (0, 9_999_999_999)
    assert _living(f"{_number(words) or words} {platform.node()}") is None


def test_the_folder_takes_every_prompt(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    prompts = [
        "a/../b",
        "CON",
        "  ",
        "кружка",
        "x" * 900,
        'a "quoted" mug?*|',
        "日本",
        "a\nb",
        "각" * 99,
        "\U00020000" * 99,
    ]
    jobs = [store.create(Recipe(prompt), {}) for prompt in prompts]
    store.close(10.0)
    assert all(job.folder.is_dir() and job.folder.parent == tmp_path for job in jobs)
    assert [
        job.recipe.prompt for job in sorted(JobStore(tmp_path).load(), key=lambda j: prompts.index(j.recipe.prompt))
    ]
    assert all(len(unicodedata.normalize("NFD", job.folder.name).encode()) < 240 for job in jobs)


def test_removal_that_was_interrupted_is_finished_next_time(tmp_path: Path) -> None:
    job = stored(tmp_path)
    os.replace(job.folder, tmp_path / f".trash-{job.id}")
    store = JobStore(tmp_path)
    assert store.load() == []
    store.close(10.0)
    assert not (tmp_path / f".trash-{job.id}").exists()


def test_a_folder_that_was_renamed_by_hand_is_taken_out_of_the_list_and_kept(tmp_path: Path) -> None:
    job = stored(tmp_path)
    os.replace(job.folder, tmp_path / "my best mug")
    store = JobStore(tmp_path)
    (back,) = store.load()
    store.remove(back)
    store.close(10.0)
    assert (tmp_path / "my best mug" / JOURNAL).is_file()


def test_a_lock_has_one_owner_and_is_free_when_he_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    one, two = FileLock(path), FileLock(path)
    assert owner(path) is None
    assert one.acquire() and one.acquire() and not two.acquire()
    assert owner(path) == os.getpid()
    one.release()
    assert owner(path) is None and two.acquire()
    two.release()
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path\n"
    code += f"from blender_addon.core.jobs.file_lock import FileLock; lock = FileLock(Path({str(path)!r}))\n"
    code += "lock.acquire(); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    assert owner(path) == holder.pid and not one.acquire()
    holder.kill()
    holder.wait()
    assert one.acquire()
    one.release()


def test_writing_keeps_its_order_and_overtakes_what_has_not_begun() -> None:
    writer, done = Writer(), []
    writer.put(lambda: time.sleep(0.05))
    for number in range(5):
        writer.put(lambda number=number: done.append(("save", number)), replaces="save")  # type: ignore[misc]
    last = writer.put(lambda: done.append(("mesh", 0)))
    assert writer.flush(10.0)
    assert done == [("save", 4), ("mesh", 0)] and last.done

    def full() -> None:
        raise OSError(28, "No space left on device")

    def bug() -> None:
        raise ZeroDivisionError("division by a carrot")

    broken = writer.put(bug)
    failed = writer.put(full)
    writer.flush(10.0)
    assert failed.done and failed.error is not None and failed.error.errno == 28
    assert broken.error is not None and "carrot" in str(broken.error)


def test_what_is_not_json_is_refused_where_it_is_given(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    with pytest.raises(TypeError):
        store.create(RECIPE, {"where": object()})
    job = store.create(RECIPE, {})
    job.placement["where"] = object()
    with pytest.raises(TypeError):
        store.save(job)


def test_saving_returns_at_once_on_a_disk_that_hangs(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    goes_on = threading.Event()
    store.in_background(lambda: None if goes_on.wait() else None)
    job = store.create(RECIPE, {})
    for _ in range(100):
        store.save(job)
    assert not (job.folder / JOURNAL).exists(), "the disk still hangs"
    goes_on.set()
    wait_for(lambda: (job.folder / JOURNAL).is_file())


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        {"prompt": 5},
        {"prompt": "a", "seed": True},
        {"prompt": "a", "seed": "1"},
        {"prompt": "a", "seed": -1},
        {"prompt": "a", "seed": 10**400},
    ],
)
def test_what_is_no_recipe_is_refused(values: object) -> None:
    with pytest.raises(RecipeError):
        Recipe.from_json(values)


def test_a_recipe_survives_the_round_trip_and_ignores_what_is_new() -> None:
    assert Recipe.from_json(json.loads(json.dumps({**RECIPE.to_json(), "new": 1}))) == RECIPE
    message = RECIPE.settings_message()
    assert message == {"device": "cpu", "optimize": {"steps": 5}, "negative": "blue", "seed": 7, "model": "starter"}
