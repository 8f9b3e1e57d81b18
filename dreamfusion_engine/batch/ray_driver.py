"""The process that speaks with Ray, so that whatever ends there does not end the batch: `python -m ...ray_driver`.

It gets the work as one JSON line on standard input, and "stop" as another. It answers with News as JSON lines. The
files of jobs go straight into the batch's folder, so that it looks as if they ran here.
"""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dreamfusion_engine.batch.bundle import unpack, whole
from dreamfusion_engine.batch.carried import Parcel
from dreamfusion_engine.batch.engine_process import died
from dreamfusion_engine.batch.job_queue import JobQueue
from dreamfusion_engine.batch.news import News, Outcome
from dreamfusion_engine.batch.ray_cluster import Machine, Machines, connect, sending, watch
from dreamfusion_engine.batch.ray_node import NodeJob, Report, failed_by
from dreamfusion_engine.commands.console import claim_stdin, claim_stdout, duration_text
from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.wire.protocol import encode

_WAIT = 1.0  # seconds for which answers are awaited at a time
_SILENT = 90.0  # seconds without an answer after which a job counts as lost
_STOP_SECONDS = 600.0  # for a step and its checkpoint, or for a mesh that was begun


@dataclass
class Active:
    """A job that was given to the cluster.

    job: {"name", "prompt", "seed"}.
    actor: its handle.
    asked: the answer that is awaited, and since when.
    machine: Machine that it was given to.
    begun: bool, whether it runs there.
    """

    job: Mapping[str, Any]
    actor: Any
    asked: Any
    since: float
    machine: Machine
    begun: bool = False


@dataclass
class Driver:
    """The work, given to a cluster job by job.

    spec: the work as `ray_place` tells it.
    out: stream for News.
    """

    spec: Mapping[str, Any]
    out: BinaryIO
    stop: threading.Event = field(default_factory=threading.Event)
    active: dict[str, Active] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = JobQueue(self.spec["jobs"])
        self.folder = Path(self.spec["folder"])
        self.parcels = [Parcel(**values) for values in self.spec["parcels"]]
        self.machines = Machines(self.spec, self._note)
        self._told_places = -1

    def run(self) -> None:
        """Work until every job has ended, or has been stopped."""
        until = 0.0
        while self.active or (len(self.waiting) and not self.stop.is_set()):
            if self.stop.is_set() and not until:
                until = time.monotonic() + _STOP_SECONDS
                if self.active:
                    self._note(
                        f"Stopping: {len(self.active)} at work on the cluster, which save after their present step. "
                        f"This takes at most {duration_text(_STOP_SECONDS)}; Ctrl-C again stops at once."
                    )
            if until and time.monotonic() > until:
                break
            if not until:
                self.machines.look(at_work=bool(self.active))
                self._give()
            self._hear()
            self._say({"kind": "alive"})
        for each in self.active.values():
            self._release(each)

    def _give(self) -> None:
        """Give jobs to the cluster while it has places."""
        places = self.machines.places
        if places != self._told_places:
            self._told_places = places
            self._tell(News(kind="places", count=places))
        while len(self.active) < places and (job := self.waiting.next()) is not None:
            if not self._begin(job):
                break

    def _begin(self, job: Mapping[str, Any]) -> bool:
        """Give a job to the machine with the most room; return whether there is one. Ray accounts for what it takes."""
        avoided = self.waiting.avoided(job["name"])
        good = [machine for machine in self.machines.good.values() if machine.id not in avoided]
        if not good:  # where it could have gone is gone
            self.waiting.put_back(job)
            return False
        taken = [each.machine.id for each in self.active.values()]
        machine = max(good, key=lambda one: one.places - taken.count(one.id))
        if machine.places <= taken.count(machine.id):
            self.waiting.put_back(job)
            return False
        there = NodeAffinitySchedulingStrategy(node_id=machine.id, soft=False)
        made = ray.remote(NodeJob).options(**self.machines.needs, max_restarts=0, scheduling_strategy=there)
        actor = made.remote(self.spec["program"], self.spec["options"], self.spec["threads"], self.spec["every_s"])
        name = str(job["name"])
        asked = actor.begin.remote(job, whole(self.folder / name)) if not self.parcels else None
        self.active[name] = Active(job=job, actor=actor, asked=asked, since=time.monotonic(), machine=machine)
        if asked is None:
            self._send_parcels(self.active[name])
        return True

    def _send_parcels(self, each: Active) -> None:
        """Send a machine what it lacks of models and adapters, and then the job."""
        try:
            for parcel in self.parcels:
                for sent, _ in enumerate(sending(each.actor, parcel)):
                    if sent == 0:
                        self._note(f"{parcel.given} is sent to a machine of the cluster.")
                    else:
                        self._say({"kind": "alive"})
        except (ray.exceptions.RayError, OSError) as error:
            self._lost(each, error)
            return
        each.asked = each.actor.begin.remote(each.job, whole(self.folder / str(each.job["name"])))

    def _hear(self) -> None:
        """Take the answers that have come, and ask again."""
        asked = {each.asked: each for each in self.active.values()}
        if not asked:
            time.sleep(_WAIT / 4)
            return
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_WAIT)
        for answer in ready:
            self._answered(asked[answer], answer)
        for each in [one for one in self.active.values() if one.begun and time.monotonic() - one.since > _SILENT]:
            self.machines.doubt(each.machine)
            self._end(each, Outcome(fate="died", trouble=died(f"{each.machine.name} does not answer any more.")))
        if self.stop.is_set():  # those that have not begun need not begin
            for each in [one for one in self.active.values() if not one.begun]:
                self._end(each, Outcome(fate="stopped"))

    def _answered(self, each: Active, answer: Any) -> None:
        name = str(each.job["name"])
        try:
            said = ray.get(answer)
        except ray.exceptions.RayError as error:
            self._lost(each, error)
            return
        if isinstance(said, Report):
            if said.bundle is not None:
                try:
                    unpack(said.bundle, self.folder / name)
                except OSError as error:
                    raise output_error(self.folder, error) from error
            for news in said.news:
                if news.outcome is not None:
                    self._end(each, news.outcome)
                    return
                self.waiting.progressed(name, news.share)
                self._tell(news)
        else:
            each.begun = True
            self._tell(News(kind="began", job=name, where=each.machine.name))
        each.asked, each.since = each.actor.report.remote(self.stop.is_set()), time.monotonic()

    def _lost(self, each: Active, error: Exception) -> None:
        """Take note of a job's actor that raised an error or is gone."""
        cause = getattr(error, "cause", None)
        if not isinstance(cause, Exception):
            self.machines.doubt(each.machine)
        self._end(each, failed_by(cause if isinstance(cause, Exception) else error, each.machine.name))

    def _end(self, each: Active, outcome: Outcome) -> None:
        """Let go of a job's machine; tell how it ended, or let it wait for another one."""
        name = str(each.job["name"])
        self._release(each)
        del self.active[name]
        tried = {each.machine.id, *self.waiting.avoided(name)}
        elsewhere = each.machine.id if any(one not in tried for one in self.machines.good) else ""
        if self.stop.is_set() and outcome.fate == "died":
            outcome = replace(outcome, fate="stopped")
        end = outcome if self.stop.is_set() else self.waiting.ended(each.job, outcome, elsewhere=elsewhere)
        if end is not None:
            self._tell(News(kind="ended", job=name, where=each.machine.name, outcome=end))
            return
        self._note(f"{outcome.trouble.get('why', '')} It goes on from its last checkpoint.", name)

    def _release(self, each: Active) -> None:
        with contextlib.suppress(Exception):
            ray.get(each.actor.leave.remote(), timeout=5)
        with contextlib.suppress(Exception):
            ray.kill(each.actor)

    def _note(self, text: str, job: str = "") -> None:
        self._tell(News(kind="note", job=job, text=text))

    def _tell(self, news: News) -> None:
        self._say(news.to_json())

    def _say(self, message: Mapping[str, Any]) -> None:
        self.out.write(encode(dict(message)))
        self.out.flush()


def _listen(commands: BinaryIO, told: queue.Queue[str], stop: threading.Event) -> None:
    """Take commands. Where whoever gave them has gone, all stops."""
    told.put(commands.readline().decode())
    while line := commands.readline():
        if line.strip() == b"stop":
            break
    stop.set()


def main() -> int:
    """Do the work that standard input tells."""
    commands, out = claim_stdin(), claim_stdout()
    told: queue.Queue[str] = queue.Queue()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(commands, told, stop), daemon=True).start()
    spec = json.loads(told.get())
    try:
        door = connect(spec["address"])
        threading.Thread(target=watch, args=(door,), daemon=True).start()
        Driver(spec, out, stop).run()
    except EngineError as error:
        out.write(encode({"kind": "fatal", "error": error.to_json(), "name": type(error).__name__}))
        out.flush()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
