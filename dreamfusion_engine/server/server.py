"""The engine as a process: commands come in, events go out, one job runs after another. protocol.py has the messages.

There are three threads. The reader takes commands as they come, so that a cancel is seen while a job works. The main
thread runs what was asked, one thing at a time. The pulse says every two seconds that the engine is alive while it is
busy. The end of the input, or of the reader of our output, cancels the running job, which keeps its checkpoint, and
ends the process. A job that does not stop within the grace time is ended with it, so that no orphan keeps the GPU.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from dreamfusion_engine import __version__
from dreamfusion_engine.config.seed_range import told_range
from dreamfusion_engine.errors import Cancelled, EngineError, InputError
from dreamfusion_engine.events import Event, Move
from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.machine.device import release_memory
from dreamfusion_engine.machine.main_memory import check_room_to_start
from dreamfusion_engine.machine.place_names import check_titles
from dreamfusion_engine.machine.places import device_report
from dreamfusion_engine.machine.stop_signals import stop_signals
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.request.taken import check_apart
from dreamfusion_engine.server.attachments import attached, picture_of
from dreamfusion_engine.server.cut_out_job import CutOuts
from dreamfusion_engine.server.download_job import Downloads
from dreamfusion_engine.server.elsewhere import Elsewhere
from dreamfusion_engine.server.job import Job
from dreamfusion_engine.server.model_news import ModelNews
from dreamfusion_engine.server.work import TASKS, Maker, work
from dreamfusion_engine.wire.messages import error_message, event_message
from dreamfusion_engine.wire.pipe_reader import PipeReader
from dreamfusion_engine.wire.protocol import COMMANDS, PROTOCOL_VERSION, DamagedFrame, Wire, read_frame

HEARTBEAT_SECONDS = 2.0
GRACE_SECONDS = 30.0  # for a running job to stop after the client has gone
MESHES_LIMIT = 1 << 29  # bytes of the meshes and pictures of all jobs that wait or run
_LAST = ("result", "failed", "cancelled")  # of a job
COMPLAINTS = 10  # damaged messages in a row that are answered; a flood of garbage does not become a flood of answers


class Server:
    """The state of one conversation."""

    def __init__(
        self,
        makers: Mapping[str, Maker],
        stdin: BinaryIO,
        stdout: BinaryIO,
        output_root: Path,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._makers = makers
        self._stdin = stdin
        self._wire = Wire(stdout)
        self._output_root = output_root
        self._elsewhere = elsewhere
        self._jobs: dict[str, Job] = {}
        self._downloads = Downloads(self._send)
        self._cut_outs = CutOuts(self._send, MESHES_LIMIT)
        self._asked: set[str] = set()  # questions that wait for their answer, each once
        self._titles: tuple[str, ...] = ()  # of the devices, once they are known
        self._models = ModelNews()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._busy = threading.Event()  # something is at work
        self._running: Job | None = None
        self._stopping = threading.Event()
        self._greeted = False

    def run(self) -> int:
        """Serve until the client says shutdown or goes away; return the exit code."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()
        while True:
            task = self._work.get()
            if task is None or self._stopping.is_set():
                break
            self._busy.set()
            try:
                task()
            except Exception as error:  # a question that could not be answered does not end the conversation
                self._send(None, error_message(as_engine_error(error)))
            self._busy.clear()
            if self._wire.gone:
                break
        self._stopping.set()
        if self._elsewhere is not None:
            self._elsewhere.end()
        for job in list(self._jobs.values()):
            self._drop(job)
        self._downloads.end()
        self._cut_outs.end()
        self._wire.send({"type": "bye"})
        return 0

    def stop(self) -> None:
        """End soon: cancel the running job, drop the waiting ones. Safe to call from a signal handler."""
        if not self._stopping.is_set():
            self._stopping.set()
            watchdog = threading.Timer(GRACE_SECONDS, os._exit, [3])
            watchdog.daemon = True
            watchdog.start()
            self._work.put(None)

    # The reader's side.

    def _read(self) -> None:
        complaints = 0
        while not self._stopping.is_set():
            try:
                frame = read_frame(self._stdin, COMMANDS)
                if frame is None:
                    break
                self._take(frame.message, frame.data)
                complaints = 0
                del frame  # while the next one is waited for
            except DamagedFrame as damage:
                complaints += 1
                if complaints <= COMPLAINTS:
                    self._complain(damage)
                if damage.lost:
                    break
            except EngineError as error:
                self._send(None, error_message(error))
            except OSError:
                break
        self.stop()

    def _complain(self, damage: DamagedFrame) -> None:
        used = damage.request in self._jobs or damage.request in self._downloads
        error = InputError(
            damage.code,
            what="A message to the engine could not be read.",
            why=damage.why,
            fix="Update the add-on and the engine to the same version; if they are, this is a bug worth reporting.",
        )
        self._send(None if used else damage.request, error_message(error))

    def _take(self, message: dict[str, Any], data: bytes) -> None:
        command = message["type"]
        if command == "shutdown":
            self.stop()
        elif command == "hello":
            self._hello(message)
        elif not self._greeted:
            raise _refusal("protocol.hello", f"'{command}' came before 'hello'.", "Say hello first.")
        elif command in TASKS:
            self._queue(message, data)
        elif command == "download":
            self._download(message)
        elif command == "cut_out":
            self._cut_out(message, data)
        elif command == "models":
            self._models.ask(message)
            self._ask(command, self._say_models)
        elif command == "devices":
            self._ask(command, self._say_devices)
        elif command == "choose":
            self._choose(message["id"], message["seed"])
        else:
            self._steer(command, message["id"])

    def _hello(self, message: dict[str, Any]) -> None:
        if message["protocol"] != PROTOCOL_VERSION:
            raise _refusal(
                "protocol.version",
                f"The client speaks protocol version {message['protocol']}, this engine version {PROTOCOL_VERSION}.",
                "Update the older of the two: the add-on, or the engine.",
            )
        self._greeted = True
        self._ask("hello", self._say_ready)

    def _ask(self, question: str, answer: Callable[[], None]) -> None:
        """Answer when the work before it is done; whoever asks again before that gets the same answer."""

        def task() -> None:
            self._asked.discard(question)
            answer()

        if question not in self._asked:
            self._asked.add(question)
            self._work.put(task)

    def _queue(self, message: dict[str, Any], data: bytes) -> None:
        name = message["id"]
        if name in self._jobs or name in self._downloads:
            raise _refusal("protocol.id", f"There was a job {name[:60]!r} before.", "Give every job an id of its own.")
        # Those that are not over before the folder is looked at: what ends meanwhile has left its result there.
        at_work = [(job.task, job.request) for job in list(self._jobs.values()) if job.state != "over"]
        try:
            job = Job(name, message["type"], self._request(message, data))
            check_apart(job.task, job.request, at_work)
            if self._elsewhere is not None:
                self._give(self._elsewhere, job, message, data)
                return
        except Exception as error:  # a bad request is answered at once, whatever else is running
            self._send(name, error_message(as_engine_error(error)))
            return
        ahead = sum(other.state != "over" for other in self._jobs.values())
        self._jobs[name] = job
        self._send(name, {"type": "queued", "ahead": ahead, "output": str(job.request.output)})
        self._work.put(lambda: self._run(job))

    def _give(self, elsewhere: Elsewhere, job: Job, message: dict[str, Any], data: bytes) -> None:
        """Let a job run elsewhere. Raises EngineError where that place cannot take it."""
        self._jobs[job.name] = job
        self._send(job.name, {"type": "queued", "ahead": 0, "output": str(job.request.output)})
        try:
            elsewhere.give(job.name, message, data, job.request)
        except BaseException:
            job.state = "over"
            raise

    def _said_elsewhere(self, name: str, message: Mapping[str, Any], data: bytes) -> None:
        """Hand a message about a job that runs elsewhere on to the client."""
        job = self._jobs[name]
        if job.state == "over":
            return
        if message["type"] in _LAST:
            job.state = "over"
            job.request = job.request.emptied()
        self._send(name, message, data)

    def _download(self, message: dict[str, Any]) -> None:
        name = message["id"]
        if name in self._jobs or name in self._downloads:
            raise _refusal("protocol.id", f"There was a job {name[:60]!r} before.", "Give every job an id of its own.")
        if self._downloads.full:
            why = "So many models wait to be downloaded that no more can be asked for."
            self._send(name, error_message(_refusal("protocol.full", why, "Wait for some of them, or cancel them.")))
            return
        self._downloads.begin(name, message["model"], message.get("revision") or "main")

    def _cut_out(self, message: dict[str, Any], data: bytes) -> None:
        try:
            picture = picture_of(message, data)
            if not self._cut_outs.has_room(len(data)):
                raise _refusal("protocol.full", "So many pictures wait to be cut out.", "Wait for some of them.")
        except InputError as error:
            self._send(message["id"], error_message(error))
            return
        self._cut_outs.begin(message["id"], picture)

    def _request(self, message: dict[str, Any], data: bytes) -> Request:
        asked: dict[str, Any] = {
            "preset_name": message.get("preset") or "standard",
            "settings": message.get("settings"),
            "output": Path(message["output"]) if message.get("output") else None,
            "output_root": self._output_root,
            "resume": bool(message.get("resume")),
        }
        if "seeds" in COMMANDS[message["type"]]:  # a field that a message does not have is passed over
            asked["seeds"] = told_range(message["seeds"])
        waiting = sum(job.request.size for job in list(self._jobs.values()) if job.state != "over")
        if waiting + len(data) > MESHES_LIMIT:
            limit = MESHES_LIMIT >> 20
            why = f"The jobs that wait hold {waiting >> 20} MiB of meshes and pictures; all together may hold {limit}."
            raise _refusal("protocol.full", why, "Wait for some of them, or cancel them.")
        pictured = "pictures" in COMMANDS[message["type"]]
        mesh, pictures = attached(message, data) if pictured else (data, ())
        request = TASKS[message["type"]].check(message["prompt"], mesh, pictures, **asked)
        if self._titles:  # told with `ready`; a job that comes before it is checked when it begins
            check_titles(request.config.device, self._titles)
        return request

    def _steer(self, command: str, name: str) -> None:
        if command == "cancel" and name in self._downloads:
            self._downloads.cancel(name)
            return
        job = self._job(name)
        if self._elsewhere is not None:
            self._elsewhere.tell(name, {"type": command, "id": name})
        elif command == "cancel":
            job.want("cancel")
            if job.state == "waiting":
                self._drop(job)
        elif command == "finish":
            job.want("finish")
        else:
            job.hold(command == "pause")

    def _choose(self, name: str, seed: int) -> None:
        job = self._job(name)
        if job.request.seeds is None or seed not in job.request.seeds.seeds:
            raise _refusal("protocol.seed", f"The job {name[:60]!r} has no seed {seed}.", "Choose a seed of a contest.")
        job.chosen = seed
        if self._elsewhere is not None:
            self._elsewhere.tell(name, {"type": "choose", "id": name, "seed": seed})

    def _job(self, name: str) -> Job:
        job = self._jobs.get(name)
        if job is None:
            raise _refusal("protocol.id", f"There is no job {name[:60]!r}.", "Use the id of a job.")
        return job

    # The main thread's side.

    def _say_ready(self) -> None:
        check_room_to_start()
        if self._elsewhere is not None:
            self._elsewhere.open(self._said_elsewhere, lambda: self._ask("devices", self._say_devices))
        try:
            models = self._listed()
        except Exception as error:  # a client can do much without the list, and nothing without this message
            models = {"models": []}
            self._send(None, error_message(as_engine_error(error)))
        ready = {"type": "ready", "protocol": PROTOCOL_VERSION, "engine": __version__, "pid": os.getpid()}
        self._send(None, {**ready, "devices": self._devices(), **models})
        self._work.put(self._measure)

    def _measure(self) -> None:
        """Find out how fast the device is, and tell the times; a job that waits measures for itself."""
        if self._work.empty():
            self._models.measure()
            self._say_times()

    def _say_times(self) -> None:
        """Send the list again, once: when the device's speed has become known, and the times with it."""
        if self._models.due:
            self._say_models()

    def _say_models(self) -> None:
        self._send(None, {"type": "models", **self._listed()})

    def _listed(self) -> dict[str, Any]:
        fields, left_out = self._models.fields()
        if left_out:
            why = f"The lines on {left_out} models do not fit into one message."
            fix = "Each of them can still be chosen by its name. Remove downloads that you do not use."
            self._send(None, error_message(_refusal("protocol.line_long", why, fix)))
        return fields

    def _say_devices(self) -> None:
        self._send(None, {"type": "devices", "devices": self._devices()})

    def _devices(self) -> dict[str, Any]:
        """The devices, and their titles kept for requests, which name them."""
        report = device_report()
        self._titles = tuple(device["title"] for device in report.get("devices", ()))
        return report if self._elsewhere is None else {**report, "cluster": self._elsewhere.report()}

    def _run(self, job: Job) -> None:
        with job.changed:
            if job.state == "over":
                return
            job.state = "running"
        self._running = job
        self._send(job.name, {"type": "started"})
        try:
            last, data = self._result(job)
        except (Exception, KeyboardInterrupt) as error:
            last, data = error_message(as_engine_error(error, job.request.output)), b""
        with contextlib.suppress(RuntimeError):  # of a card that is gone
            release_memory()
        self._running = None
        job.state = "over"
        job.request = job.request.emptied()
        self._send(job.name, last, data)
        self._say_times()

    def _result(self, job: Job) -> tuple[dict[str, Any], bytes]:
        def report(event: Event) -> None:
            self._send(job.name, *event_message(event))

        def control() -> Move:
            return job.next_move(self._ending, lambda event: self._send(job.name, {"type": event}))

        result = work(job.task, job.request, report, control, self._makers, lambda: job.chosen)
        glb = [path for path in result.files.values() if Path(path).name == "mesh.glb"]
        data = (Path(result.folder) / glb[0]).read_bytes() if glb else b""
        return {**event_message(result)[0], "bytes": len(data)}, data

    def _ending(self) -> bool:
        return self._stopping.is_set() or self._wire.gone

    def _drop(self, job: Job) -> None:
        """End a job that never began."""
        with job.changed:
            if job.state != "waiting":
                return
            job.state = "over"
        job.request = job.request.emptied()  # it waits in the queue still
        error = Cancelled("cancelled", what="Cancelled.", why="The job had not begun.", fix="Nothing was written.")
        self._send(job.name, error_message(error))

    def _beat(self) -> None:
        while not self._stopping.wait(HEARTBEAT_SECONDS):
            away = self._elsewhere is not None and self._elsewhere.busy
            if away or self._busy.is_set() or self._downloads.busy or self._cut_outs.busy:
                running = self._running
                waiting = sum(job.state == "waiting" for job in list(self._jobs.values()))
                self._send(running.name if running else None, {"type": "heartbeat", "queued": waiting})

    def _send(self, name: str | None, message: Mapping[str, Any], data: bytes = b"") -> None:
        body = dict(message)
        if name is not None or message["type"] in ("failed", "heartbeat"):
            body["id"] = name
        self._wire.send(body, data)


def serve(
    *,
    makers: Mapping[str, Maker],
    stdin: BinaryIO,
    stdout: BinaryIO,
    output_root: Path = Path("outputs"),
    elsewhere: Elsewhere | None = None,
) -> int:
    """Hold one conversation and return the exit code. Ctrl-C, SIGTERM and SIGHUP end it as the client's shutdown does.

    makers: by task, functions that stand in for the engine's own.
    stdin, stdout: the wire; stdin is unbuffered, and sys.stdout must not lead to stdout.
    output_root: Path, where jobs that name no folder write.
    elsewhere: where jobs run; None: in this process, one after another.
    """
    server = Server(makers, cast(BinaryIO, PipeReader(stdin)), stdout, output_root, elsewhere)
    for number in stop_signals():
        signal.signal(number, lambda _number, _frame: server.stop())
    code = server.run()
    sys.stderr.flush()
    return code


def _refusal(code: str, why: str, fix: str) -> InputError:
    return InputError(code, what="The engine cannot do what a message asks.", why=why, fix=fix)
