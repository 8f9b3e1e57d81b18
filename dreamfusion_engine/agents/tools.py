"""The tools at work: what each does on the allowed folder, and with the engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from dreamfusion_engine.agents.arguments import checked
from dreamfusion_engine.agents.declared import TOOLS, WATCH_SECONDS
from dreamfusion_engine.agents.folder import AllowedFolder, at_work
from dreamfusion_engine.agents.given import Given, keep_pictures, kept_pictures, read_pictures
from dreamfusion_engine.agents.results import files_of, newest_picture, short_report
from dreamfusion_engine.agents.run_settings import settings_of
from dreamfusion_engine.agents.runs import Run, Runs
from dreamfusion_engine.batch.news import share_of
from dreamfusion_engine.commands.console import duration_text
from dreamfusion_engine.errors import EngineError, InputError, RunError
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.machine.run_folder import can_resume
from dreamfusion_engine.request.mesh import mesh_bytes, of_mesh
from dreamfusion_engine.wire.protocol import PROTOCOL_VERSION, STAGE_WORDS

LOOK_SECONDS = 0.1  # between two looks at what the engine said
LOOK_ELSEWHERE_SECONDS = 1.0  # ... and at whether another server has a run still
TELL_SECONDS = 1.0  # between two notifications of progress
ANSWER_SECONDS = 120.0  # for the engine to say whether it takes a run; it starts in a few
MODEL_FIELDS = (
    "name",
    "title",
    "state",
    "license",
    "note",
    "fit",
    "memory_mib",
    "kinds",
    "colours",
    "parts",
    "examples",
    "told",
    "pose",
)

Tell = Callable[[float, str], Awaitable[None]]  # share of the work, 0..1, and words


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a tool answers.

    said: JSON.
    files: Paths of files that it is about.
    picture: bytes of a PNG.
    """

    said: dict[str, Any]
    files: list[Path] = field(default_factory=list)
    picture: bytes = b""


class Tools:
    """The tools at work on one folder."""

    def __init__(self, folder: AllowedFolder, runs: Runs) -> None:
        self._folder = folder
        self._runs = runs

    async def call(self, name: str, given: Mapping[str, Any], tell: Tell) -> Answer:
        """Return what a tool answers.

        name: str, of TOOLS.
        given: its arguments, as JSON gave them.
        tell: hears of progress.
        Raises EngineError.
        """
        if name not in TOOLS:
            raise InputError(
                "input.tool",
                what="There is no such tool.",
                why=f"{shortened(repr(name))} is none.",
                fix=f"There are {', '.join(TOOLS)}.",
            )
        values = checked(TOOLS[name].takes, given)
        if name in ("generate", "texture", "refine"):
            return await self._begin(name, values)
        if name == "watch":
            return await self._watch(values["run"], float(values["seconds"]), tell)
        if name == "resume":
            return await self._resume(values["run"])
        if name == "cancel":
            return await self._cancel(values["run"])
        if name == "result":
            return self._result(values["run"])
        if name == "look":
            return self._look(values["run"])
        return self._list_runs() if name == "list_runs" else await self._list_models()

    async def _list_models(self) -> Answer:
        await anyio.to_thread.run_sync(self._runs.engine)
        await self._until(lambda: self._runs.models is not None)
        lines = (self._runs.models or {}).get("models", [])
        models = [{key: line[key] for key in MODEL_FIELDS if line.get(key)} for line in lines if isinstance(line, dict)]
        return Answer(said={"models": models})

    async def _begin(self, task: str, values: dict[str, Any]) -> Answer:
        settings = self._folder.allowed_settings(settings_of(values))
        mesh, words = b"", values["prompt"]
        given = values.get("mesh") or values.get("begin_from")
        if given:
            path = self._folder.inside(given)
            mesh = await anyio.to_thread.run_sync(mesh_bytes, path)
            words = of_mesh(path, words) if task != "generate" else words
        pictures = await anyio.to_thread.run_sync(read_pictures, self._folder, values.get("pictures", []))
        words = words or (Path(pictures[0].name).stem if pictures else "")
        folder = self._folder.new_run(words, values["seed"])
        request = {"task": task, "prompt": values["prompt"], "preset": values["preset"], "settings": settings}
        try:
            return await self._ask(folder, request, Given(mesh=mesh, pictures=pictures), resume=False)
        except EngineError:
            self._folder.forget(folder)  # nothing was begun
            raise

    async def _resume(self, name: str) -> Answer:
        request = self._folder.request_of(name)
        folder = self._folder.path / name
        there = self._runs.get(name)
        if there is None or there.over:
            if who := self._folder.holder(name):
                raise at_work(name, who)
            if self._folder.state_of(name) == "done":
                raise InputError(
                    "input.finished",
                    what="This run is finished.",
                    why=f"{name} has a result.",
                    fix="The tool result names its files. Another object: generate with another seed.",
                )
            given = Given() if can_resume(folder) else await anyio.to_thread.run_sync(self._kept, folder, request)
            settings = request.get("settings")
            request["settings"] = self._folder.allowed_settings(settings if isinstance(settings, dict) else {})
            return await self._ask(folder, request, given, resume=can_resume(folder))
        return self._standing(there)

    def _kept(self, folder: Path, request: Mapping[str, Any]) -> Given:
        """What a run that has not begun was given."""
        pictures = kept_pictures(self._folder, folder, request.get("pictures"))
        return Given(mesh=self._folder.mesh_of(folder), pictures=pictures)

    def _keep(self, folder: Path, request: Mapping[str, Any], given: Given) -> None:
        said = keep_pictures(folder, given.pictures)
        self._folder.keep_request(folder, {**request, "pictures": said} if said else request, given.mesh)

    async def _ask(self, folder: Path, request: dict[str, Any], given: Given, *, resume: bool) -> Answer:
        """Ask the engine for a run, and wait until it has said whether it takes it."""
        run = Run(name=folder.name, task=request["task"], folder=folder, job="", release=self._folder.hold(folder))
        try:
            if not resume:
                await anyio.to_thread.run_sync(self._keep, folder, request, given)
            message = {key: request.get(key) for key in ("prompt", "preset", "settings")}
            message |= {"type": request["task"], "output": str(folder), "resume": resume, **given.announced}
            await anyio.to_thread.run_sync(self._runs.ask, run, message, given.data)
            try:
                await self._until(lambda: run.state != "asked")
            except EngineError:
                self._runs.cancel(run)
                raise
            if run.end is not None and not run.taken:
                self._runs.refused(run)
                raise _told(run.end)
            return self._standing(run)
        finally:
            if self._runs.get(run.name) is not run:  # it was not taken; else its end lets go
                run.release()

    async def _until(self, done: Callable[[], bool]) -> None:
        """Wait for the engine's answer. Raises RunError where it does not come."""
        with anyio.move_on_after(ANSWER_SECONDS):
            while not done():
                if self._runs.complaint is not None:
                    raise _told(self._runs.complaint)
                await anyio.sleep(LOOK_SECONDS / 5)
            return
        raise RunError(
            "run.engine_silent",
            what="The engine does not answer.",
            why=f"It said nothing for {ANSWER_SECONDS:.0f} seconds.",
            fix="Is the machine busy with other programs? Try again.",
        )

    async def _watch(self, name: str, seconds: float, tell: Tell) -> Answer:
        run = self._mine(name)
        if run is None:
            with anyio.move_on_after(seconds):
                while self._folder.state_of(self._known(name)) == "elsewhere":
                    await anyio.sleep(LOOK_ELSEWHERE_SECONDS)
            return self._left(name)
        told, again = -1.0, 0.0
        with anyio.move_on_after(seconds):
            while not run.over:
                share, words = _where(run)
                if share > told and anyio.current_time() >= again:
                    told, again = share, anyio.current_time() + TELL_SECONDS
                    await tell(share, words)
                await anyio.sleep(LOOK_SECONDS)
        if run.over and run.state == "done":
            await tell(1.0, "done")
        return self._standing(run)

    def _standing(self, run: Run) -> Answer:
        share, words = _where(run)
        messages = [short_report(message) for message in run.messages()]
        said = {"run": run.name, "state": run.state, "share": round(share, 4), "words": words}
        return Answer(said=said | {"folder": str(run.folder), "protocol": PROTOCOL_VERSION, "messages": messages})

    def _left(self, name: str) -> Answer:
        """Of a run that another server began."""
        state = self._folder.state_of(self._known(name))
        words = {
            "elsewhere": "at work in another server",
            "done": "done",
            "stopped": "stopped; resume goes on",
            "left": "left before a checkpoint; resume begins",
        }
        said = {"run": name, "state": state, "share": 1.0 if state == "done" else 0.0, "words": words[state]}
        return Answer(
            said=said | {"folder": str(self._folder.path / name), "protocol": PROTOCOL_VERSION, "messages": []}
        )

    def _mine(self, name: str) -> Run | None:
        """What this server knows of a run; None where another has begun it, or gone on with it."""
        run = self._runs.get(name)
        return None if run is not None and run.over and self._folder.holder(name) else run

    def _known(self, name: str) -> str:
        """The name of a run of this folder. Raises InputError input.no_run for another."""
        self._folder.request_of(name)
        return name

    async def _cancel(self, name: str) -> Answer:
        run = self._mine(name)
        if run is None:
            if who := self._folder.holder(self._known(name)):
                raise at_work(name, who)
            return self._left(name)
        self._runs.cancel(run)
        with anyio.move_on_after(WATCH_SECONDS):
            while not run.over:
                await anyio.sleep(LOOK_SECONDS)
        return self._standing(run)

    def _list_runs(self) -> Answer:
        listed = []
        for name in self._folder.runs()[:500]:
            run = self._mine(name)
            listed.append({"run": name, "state": self._folder.state_of(name) if run is None else run.state})
        return Answer(said={"folder": str(self._folder.path), "runs": listed})

    def _result(self, name: str) -> Answer:
        run = self._mine(name)
        self._folder.request_of(name)
        if (run is not None and run.state != "done") or self._folder.state_of(name) != "done":
            state = self._folder.state_of(name) if run is None else run.state
            end = {} if run is None or run.end is None else run.end
            state = "at work in another server" if state == "elsewhere" else state
            reason = " ".join(end[part] for part in ("what", "why") if part in end)
            raise InputError(
                "input.unfinished",
                what="This run has no result.",
                why=f"{name} is {state}. {reason}".strip(),
                fix="The tool watch waits for it; resume goes on with one that was stopped.",
            )
        files, report = files_of(self._folder.path / name)
        listed = [{"name": path.name, "path": str(path), "bytes": path.stat().st_size} for path in files]
        said = {"run": name, "folder": str(self._folder.path / name), "files": listed, "report": report}
        return Answer(said=said, files=files)

    def _look(self, name: str) -> Answer:
        run = self._mine(name)
        if run is None:
            self._folder.request_of(name)
        picture = (b"" if run is None else run.picture) or newest_picture(self._folder.path / name)
        if not picture:
            raise InputError(
                "input.no_picture",
                what="There is no picture of this run yet.",
                why=f"{name} has made none.",
                fix="Watch it for a while, and look again.",
            )
        return Answer(said={"run": name, "bytes": len(picture)}, picture=picture)


def _told(message: Mapping[str, Any]) -> EngineError:
    return RunError(message["code"], what=message["what"], why=message["why"], fix=message["fix"])


def _where(run: Run) -> tuple[float, str]:
    """How much of a run's work is done, 0..1, and where it is, in words."""
    if run.end is not None:
        return (1.0 if run.state == "done" else 0.0), run.end.get("what", "done")
    if run.state in ("asked", "queued"):
        return 0.0, f"waits behind {run.ahead} others" if run.ahead else "begins"
    progress = run.newest.get("progress")
    if progress is None:
        return 0.0, "begins"
    words = f"{STAGE_WORDS.get(progress['stage'], progress['stage'])}, {progress['step']:,} of {progress['total']:,}"
    eta = progress.get("eta_s")
    return share_of(progress), words + (f", {duration_text(eta)} to go" if eta is not None else "")
