"""The conversation of engine and queue about one run of a job."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from ..contest import STATE, mesh_file, pictured_seed, standing_of, thumbnail_file
from ..engine.host import EngineHost
from ..given_pictures import size_of
from ..job import GENERATE, REFINE, TEXTURE, Job, JobState, Trouble, verdict_of, versions_of, winner_of
from ..phrase import phrase
from ..protocol import Frame
from .changes import Change, Changes
from .folder import CHECKPOINT, MESH, NOTES_KEPT, PICTURES, REPORT, ROW, SOURCE, THUMBNAIL, read_source, write_trouble
from .store import JobStore
from .writer import Pending

REMOTE_FOLDER = "~/DreamFusion/jobs"  # on the engine's machine, where it does not see this one's files
_SAVE_EVERY_S = 5.0  # seconds between two entries of progress in the journal
_MISSING = {  # what, and what to do, by task
    TEXTURE: (
        phrase("The meshes to paint cannot be read."),
        phrase("Select the objects and press Texture This again."),
    ),
    REFINE: (phrase("The mesh to refine cannot be read."), phrase("Select the object and press Refine again.")),
    GENERATE: (
        phrase("The mesh to start from cannot be read."),
        phrase("Choose it in Placement and press Generate again."),
    ),
}
_NO_PICTURES = (
    phrase("The pictures of the object cannot be read."),
    phrase("Add them in Pictures and press Generate again."),
)
_IN_STANDING = ("contest.round", "contest.chosen")  # notes that say in words what a contest's standing shows
CONTEST = "contest"  # the engine's command for a recipe with several seeds
_SHOWN = {"latest": THUMBNAIL, "views": ROW}


class Run:
    """One run of a job in the engine, from `generate` or `texture` to its end.

    Every run has its own request id, so that late messages about an earlier run of the same job do not count.
    """

    def __init__(self, job: Job, host: EngineHost, store: JobStore, changes: Changes, *, resume: bool) -> None:
        """Ask the engine to make `job`.

        job: Job, what to make.
        host: EngineHost, which speaks to the engine.
        store: JobStore, which writes the job's files.
        changes: Changes, where news goes.
        resume: bool, continue from the job's checkpoint, if it has one.
        """
        self.job = job
        self.over = False
        self.good = False  # it ended properly: with a result, cancelled, or by a failure that the engine reported
        self._host = host
        self._store = store
        self._changes = changes
        self._request = ""
        self._asked_at: float | None = None  # when cancel was asked for
        self._saved = time.monotonic()
        self._result: tuple[Pending, Frame] | None = None
        self._thumbnail: Pending | None = None
        # The artist's meshes and pictures, on their way from the disk, by file.
        self._reading: tuple[Pending, dict[str, bytes]] | None = None
        self._drafts: dict[int, Pending] = {}  # meshes of a contest's seeds, on their way to the disk
        self._acknowledged = False  # the engine has understood what it was asked for
        self._finishing = False
        checkpoint = job.folder / (STATE if job.recipe.is_contest else CHECKPOINT)
        if resume and job.step and host.local and not checkpoint.is_file():
            self._note(
                "job.from_the_start", phrase("There was no checkpoint to go on from, so it starts from the beginning.")
            )
            resume = False
        elif resume and host.local:
            resume = checkpoint.is_file()
        job.started, job.ended, job.trouble, job.wish = time.time(), None, None, ""
        job.stage, job.eta_s, job.rate, job.verdict = "", None, None, []
        job.winner = job.choice = None
        if not resume:
            job.step, job.total, job.standing = 0, 0, None
        self._generate(resume=resume)
        self._state(JobState.RUNNING)

    @property
    def stage(self) -> str | None:
        """The stage in which the engine must keep speaking; None when it need not."""
        return None if self.over or self.saving or self._reading is not None else self.job.stage

    @property
    def saving(self) -> bool:
        """Whether the result has come and is being written. The run no longer depends on the engine then."""
        return self._result is not None

    def ask(self, wish: str) -> None:
        """Send a request to the engine.

        wish: str, 'cancel', 'pause', 'resume' or 'finish'.
        """
        if self.over or self.saving:
            return
        if self._reading is not None:  # the engine does not know of the job yet, and will in a moment
            if wish == "cancel":
                self.good = True
                self.end(JobState.CANCELLED, None)
            return
        self._host.send({"type": wish, "id": self._request})
        if wish == "cancel" and self._asked_at is None:
            self._asked_at = time.monotonic()
        if wish == "finish":
            self._finishing = True
            self._state(JobState.FINISHING)
        # An engine that was asked to go on before it was held sends no answer.
        done = wish == "finish" or (wish == "resume" and self.job.state is not JobState.PAUSED)
        self.job.wish = "" if done else wish
        self._changes.say(Change(self.job, "state"))

    def choose(self, seed: int) -> bool:
        """Ask the engine to let a seed of the contest win. Returns whether it was asked.

        seed: int.
        """
        able = not (self.over or self.saving) and self._reading is None and self._asked_at is None
        if not able or not self.job.recipe.is_contest or self.job.stage not in ("", "load", "train"):
            return False
        self._host.send({"type": "choose", "id": self._request, "seed": seed})
        self.job.choice = seed
        self._changes.say(Change(self.job, "progress"))
        return True

    def overdue_s(self, now: float) -> float:
        """Seconds since cancel was asked for; 0 when it was not."""
        return 0.0 if self._asked_at is None or self.over or self.saving else now - self._asked_at

    def take(self, frame: Frame) -> None:
        """Handle a frame from the engine. A frame about another run is ignored."""
        message = frame.message
        message_type = message["type"]
        if self.over or self.saving:
            return
        if message.get("id") != self._request:
            # A message that the engine could not read is answered without an id.
            if message_type == "failed" and message.get("id") is None and not self._acknowledged:
                self._failed(message)
            return
        self._acknowledged = True
        if message_type == "progress":
            self._progress(message)
        elif message_type == "preview":
            self._picture(frame)
        elif message_type == "mesh_preview":
            self._changes.say(
                Change(
                    self.job,
                    "mesh",
                    data=frame.data,
                    vertices=message["vertices"],
                    triangles=message["triangles"],
                    step=message["step"],
                )
            )
        elif message_type == "texture_preview":
            name, step = str(message["part"]), message["step"]
            self._changes.say(Change(self.job, "texture", name=name, data=frame.data, step=step))
        elif message_type in ("standing", "draft"):
            self._contest(frame)
        elif message_type == "note":
            if message["code"] not in _IN_STANDING:
                self._note(message["code"], message["text"])
        elif message_type in ("paused", "resumed") and not self._finishing:
            if self.job.wish == ("pause" if message_type == "paused" else "resume"):
                self.job.wish = ""
            self._state(JobState.PAUSED if message_type == "paused" else JobState.RUNNING)
        elif message_type == "result":
            self._keep_result(frame)
        elif message_type == "cancelled":
            self._cancelled(message)
        elif message_type == "failed":
            self._failed(message)

    def poll(self, now: float) -> None:
        """Handle what needs no word from the engine: files that are read or written, and saving the journal.

        now: float, time.monotonic().
        """
        if self._thumbnail is not None and self._thumbnail.done:
            if self._thumbnail.error is None:
                self.job.thumbnail = self.job.folder / THUMBNAIL
            self._thumbnail = None
        self._take_drafts(all_of_them=False)
        if self._reading is not None and self._reading[0].done and not self.over:
            self._send_files(*self._reading)
        if self._result is not None and self._result[0].done:
            self._finish(*self._result)
        elif not self.over and now - self._saved > _SAVE_EVERY_S:
            self._saved = now
            self._store.save(self.job)

    def end(self, state: JobState, trouble: Trouble | None) -> None:
        """End the run, whatever the engine does.

        state: JobState in which the job ends.
        trouble: what the job then says, or None.
        """
        if self.over:
            return
        self._take_drafts(all_of_them=True)  # the disk has them in a moment
        job = self.job
        job.trouble, job.wish, job.ended, job.eta_s, job.rate = trouble, "", time.time(), None, None
        self.over = True
        self._store.release(job)
        self._state(state)

    def _generate(self, *, resume: bool) -> None:
        self._resumed = resume
        job, found = self.job, dict[str, bytes]()
        names = [name for name, has in ((SOURCE, job.has_source), (PICTURES, job.has_pictures)) if has]
        if not names or resume:  # an engine that resumes has kept the files itself
            self._send(found)
            return

        def work() -> None:
            for name in names:
                found[name] = read_source(job.folder / name)
            if job.has_pictures and len(found[PICTURES]) != size_of(job.recipe.pictures):
                del found[PICTURES]
                raise OSError("it has another length than the recipe says")

        self._reading = self._store.in_background(work), found

    def _send_files(self, pending: Pending, found: dict[str, bytes]) -> None:
        self._reading = None
        if pending.error is None:
            self._send(found)
            return
        self.good = True
        lost = SOURCE if self.job.has_source and SOURCE not in found else PICTURES
        code, (what, fix) = ("source", _MISSING[self.job.task]) if lost == SOURCE else ("pictures", _NO_PICTURES)
        why = f"{self.job.folder / lost}: {pending.error.strerror or pending.error}"
        self.end(JobState.FAILED, Trouble(f"job.{code}_missing", what, why, fix))

    def _send(self, files: dict[str, bytes]) -> None:
        job = self.job
        pictures = {"pictures": job.recipe.pictures} if PICTURES in files else {}
        self._request = f"{job.id}-{uuid.uuid4().hex[:8]}"
        contest = {"seeds": {"first": job.recipe.seed, "count": job.recipe.seeds}} if job.recipe.is_contest else {}
        self._host.send(
            {
                "type": CONTEST if contest else job.task,
                "id": self._request,
                "prompt": job.recipe.prompt,
                "preset": job.recipe.preset,
                "settings": job.recipe.settings_message(job.task),
                "output": str(job.folder) if self._host.local else f"{REMOTE_FOLDER}/{job.folder.name}",
                "resume": self._resumed,
                **contest,
                **pictures,
            },
            files.get(SOURCE, b"") + files.get(PICTURES, b""),
        )

    def _state(self, state: JobState) -> None:
        self.job.state = state
        self._saved = time.monotonic()
        self._store.save(self.job)
        self._changes.say(Change(self.job, "state"))

    def _progress(self, message: dict[str, Any]) -> None:
        job = self.job
        job.stage, job.step, job.total = message["stage"], message["step"], message["total"]
        job.eta_s, job.rate, job.memory_mib = message.get("eta_s"), message.get("rate"), message["memory_mib"]
        self._changes.say(Change(job, "progress"))

    def _picture(self, frame: Frame) -> None:
        name, step = frame.message["name"], frame.message["step"]
        if name in _SHOWN:
            pending = self._store.write(self.job, _SHOWN[name], frame.data, durable=False)
            if name == "latest":
                self._thumbnail = pending
        seed = pictured_seed(name)
        if seed is not None:
            if not self._has(seed):
                return
            self._store.write(self.job, thumbnail_file(seed), frame.data)
        self._changes.say(Change(self.job, "picture", name=name, data=frame.data, step=step))

    def _has(self, seed: int) -> bool:
        """Whether a seed is one of the contest's."""
        recipe = self.job.recipe
        return recipe.is_contest and recipe.seed <= seed < recipe.seed + recipe.seeds

    def _contest(self, frame: Frame) -> None:
        """Take in where a contest stands, or the mesh of a draft that goes no further."""
        job, message = self.job, frame.message
        if message["type"] == "draft":
            if self._has(message["seed"]):
                self._drafts[message["seed"]] = self._store.write(job, mesh_file(message["seed"]), frame.data)
        else:
            told = standing_of(message, job.recipe.seed, job.recipe.seeds)
            job.standing = told or job.standing
        for seed in self._drafts:
            job.standing = job.standing and job.standing.with_mesh(seed, False)
        self._store.save(job)
        self._changes.say(Change(job, "progress"))

    def _take_drafts(self, *, all_of_them: bool) -> None:
        """Note the meshes of drafts that are on the disk, or that will be."""
        for seed in [seed for seed, pending in self._drafts.items() if pending.done or all_of_them]:
            there = self._drafts.pop(seed).error is None
            self.job.standing = self.job.standing and self.job.standing.with_mesh(seed, there)
            self._changes.say(Change(self.job, "progress"))

    def _note(self, code: str, text: str) -> None:
        if text not in self.job.notes:
            self.job.notes = [*self.job.notes, text][-NOTES_KEPT:]
            self._changes.say(Change(self.job, "note", name=code))

    def _keep_result(self, frame: Frame) -> None:
        """Write the mesh and its report. The job is done when they are on the disk."""
        report = json.dumps(frame.message["report"], indent=1).encode("ascii") + b"\n"
        if not self._host.local:
            self._store.write(self.job, REPORT, report)
        self._result = (self._store.write(self.job, MESH, frame.data), frame)

    def _finish(self, pending: Pending, frame: Frame) -> None:
        self._result = None
        self.good = True
        job = self.job
        if pending.error is not None:
            self.end(JobState.FAILED, write_trouble(job, pending.error))
            return
        versions = frame.message["report"].get("versions")
        if isinstance(versions, dict):
            job.recipe.versions = versions_of(versions)
        job.verdict = verdict_of(frame.message["report"])
        job.winner = winner_of(frame.message["report"], job.recipe)
        if self._host.version:
            job.recipe.versions["dreamfusion_engine"] = self._host.version
        job.result = job.folder / MESH
        if self._thumbnail is not None and self._thumbnail.error is None:  # it was written before the mesh
            job.thumbnail = job.folder / THUMBNAIL
        self.end(JobState.DONE, None)
        self._changes.say(Change(job, "result", name=MESH, data=frame.data))

    def _cancelled(self, message: dict[str, Any]) -> None:
        self.good = True
        if self._asked_at is not None:
            self.end(JobState.CANCELLED, None)
            return
        trouble = Trouble(
            "job.interrupted", message["what"], phrase("The engine was ended by somebody else."), "Press Resume."
        )
        self.end(JobState.INTERRUPTED, trouble)

    def _failed(self, message: dict[str, Any]) -> None:
        trouble = Trouble.from_json(message)
        if self._resumed and trouble.code.startswith("checkpoint."):
            self._note(
                "job.from_the_start",
                phrase("It starts from the beginning: {what} {why}", what=trouble.what, why=trouble.why),
            )
            self._generate(resume=False)
            return
        self.good = True
        self.end(JobState.FAILED, trouble)
