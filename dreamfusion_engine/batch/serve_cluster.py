"""Gives the jobs of a client to a Ray cluster and hands on what their machines say, in a thread of its own.

serve_place.py begins it once it is known that Ray is installed.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dreamfusion_engine.batch.bundle import Bundle, unpack, whole
from dreamfusion_engine.batch.carried import Parcel
from dreamfusion_engine.batch.engine_process import died
from dreamfusion_engine.batch.job_queue import JobQueue
from dreamfusion_engine.batch.news import Outcome, share_of
from dreamfusion_engine.batch.orders import Order
from dreamfusion_engine.batch.ray_cluster import LOST, Machine, connect, sending, wait_for_loss
from dreamfusion_engine.batch.ray_faults import head_lost
from dreamfusion_engine.batch.ray_node import failed_by
from dreamfusion_engine.batch.rooms import Rooms
from dreamfusion_engine.batch.serve_node import LAST, NodeTalk, Said
from dreamfusion_engine.errors import Cancelled, EngineError
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.wire.messages import error_message

Say = Callable[[str, Mapping[str, Any], bytes], None]
_WAIT = 0.5  # seconds for which answers are awaited at a time
_SILENT = 90.0  # seconds without an answer after which a job counts as lost
_END_SECONDS = 20.0  # for checkpoints, once the client has gone
_TROUBLE = ("code", "what", "why", "fix")


@dataclass
class _Active:
    order: Order
    actor: Any
    asked: Any
    since: float
    machine: Machine
    begun: bool = False


class ServeCluster:
    """A cluster at work for a client.

    address: 'ray', 'ray://HOST:PORT' or 'HOST:PORT'.
    program: words that call the engine.
    every_s: float, seconds between two checkpoints of a job that come back, at least.
    say: called with a job's id, a message and its data.
    changed: called when the number of places has changed.
    Raises EngineError where it cannot be reached, or no machine of it can work.
    """

    def __init__(
        self,
        address: str,
        *,
        program: Sequence[str],
        every_s: float,
        say: Say,
        changed: Callable[[], None],
        leave: Callable[[int], None] = os._exit,
    ) -> None:
        self._program, self._every, self._say, self._changed = list(program), every_s, say, changed
        self._leave = leave
        self._door = connect(address)
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._preparing = ThreadPoolExecutor(1)
        self._orders: dict[str, Order] = {}  # those that are not over
        self._active: dict[str, _Active] = {}
        self._waiting = JobQueue([])
        self._until = 0.0
        self._rooms = Rooms()
        try:
            self._rooms.first_look()
        except EngineError:
            ray.shutdown()
            raise
        self._told_places = self._rooms.places
        threading.Thread(target=self._watch, daemon=True).start()
        self._thread = threading.Thread(target=self._work, name="cluster", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether it has a job."""
        return bool(self._orders)

    def report(self) -> dict[str, Any]:
        """What was found, ready for JSON."""
        return self._rooms.report()

    def give(self, order: Order, parcels: Callable[[], list[Parcel]]) -> None:
        """Take a job. What it reads is looked through in a thread, because large models take a while.

        order: Order.
        parcels: gives its models and adapters; may raise EngineError.
        """
        self._orders[order.name] = order

        def prepare() -> None:
            try:
                order.parcels = parcels()
            except EngineError as error:
                message = error_message(error)
                self._inbox.put(lambda: self._over(order, message))
            else:
                self._inbox.put(lambda: self._wait(order))

        self._preparing.submit(prepare)

    def tell(self, name: str, message: Mapping[str, Any]) -> None:
        """Take a command about a job. One about a job that is over is passed over.

        name: str, the job's id.
        message: of the protocol.
        """
        self._inbox.put(lambda: self._told(name, message))

    def end(self) -> None:
        """Stop every job with a checkpoint, and wait for that, a short time at most."""
        self._inbox.put(self._stop)
        self._thread.join(_END_SECONDS + 5.0)

    # The thread's side.

    def _work(self) -> None:
        while not (self._until and (not self._orders or time.monotonic() > self._until)):
            try:
                self._take()
                if self._orders:
                    self._turn()
            except EngineError as error:
                self._fail_all(error)
            except Exception as error:  # of Ray, which has no common base for what can go wrong in it
                self._fail_all(head_lost(f"{type(error).__name__}: {str(error)[:200]}"))
        for each in self._active.values():
            self._release(each)

    def _take(self) -> None:
        """Do what was asked; without work, wait for it."""
        timeout = None if not self._orders else 0.0
        with contextlib.suppress(queue.Empty):
            while True:
                self._inbox.get(timeout=timeout)() if timeout is None else self._inbox.get_nowait()()
                timeout = 0.0

    def _turn(self) -> None:
        if not self._until:
            self._rooms.look(list(self._orders.values()), at_work=bool(self._active))
            if self._rooms.places != self._told_places:
                self._told_places = self._rooms.places
                self._changed()
            self._give()
        self._hear()

    def _wait(self, order: Order) -> None:
        if order.cancelled:
            self._over(order, error_message(_not_begun()))
        elif order.name in self._orders:
            self._waiting.add({"name": order.name})

    def _told(self, name: str, message: Mapping[str, Any]) -> None:
        order = self._orders.get(name)
        if order is None:
            return
        order.tell(message)
        if order.cancelled and self._waiting.drop(name):
            self._over(order, error_message(_not_begun()))

    def _stop(self) -> None:
        self._until = time.monotonic() + _END_SECONDS
        for name in list(self._orders):
            self._told(name, {"type": "cancel", "id": name})

    def _give(self) -> None:
        """Give jobs to machines while they have room."""
        while len(self._active) < self._rooms.machines.places and (job := self._waiting.next()) is not None:
            order = self._orders[job["name"]]
            avoided = self._waiting.avoided(order.name)
            taken = [each.machine.id for each in self._active.values()]
            good = [each for each in self._rooms.machines.good.values() if each.id not in avoided]
            free = [each for each in good if each.places > taken.count(each.id)]
            if not free:
                self._waiting.put_back(job)
                return
            self._begin(order, max(free, key=lambda one: one.places - taken.count(one.id)))

    def _begin(self, order: Order, machine: Machine) -> None:
        there = NodeAffinitySchedulingStrategy(node_id=machine.id, soft=False)
        made = ray.remote(NodeTalk).options(**self._rooms.machines.needs, max_restarts=0, scheduling_strategy=there)
        actor = made.remote(self._program, self._rooms.threads, self._every)
        each = _Active(order=order, actor=actor, asked=None, since=time.monotonic(), machine=machine)
        self._active[order.name] = each
        order.again()
        try:
            for parcel in order.parcels:
                for sent, _ in enumerate(sending(actor, parcel)):
                    if sent == 0:
                        self._note(order, f"{parcel.given} is sent to a machine of the cluster.")
        except (ray.exceptions.RayError, OSError) as error:
            self._lost(each, error)
            return
        message = {**order.message, "resume": order.kept}
        try:
            files = whole(order.output) if order.kept else Bundle(files={}, names=[])
        except OSError as error:
            self._let_go(each)
            self._over(order, error_message(output_error(order.output, error)))
            return
        each.asked = actor.begin.remote(message, files, order.data)

    def _hear(self) -> None:
        """Take the answers that have come, and ask again."""
        asked = {each.asked: each for each in self._active.values()}
        if not asked:
            time.sleep(_WAIT / 4)
            return
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_WAIT)
        for answer in ready:
            self._answered(asked[answer], answer)
        for each in list(self._active.values()):
            if each.begun and time.monotonic() - each.since > _SILENT:
                self._rooms.machines.doubt(each.machine)
                self._died(each, Outcome(fate="died", trouble=died(f"{each.machine.name} does not answer any more.")))
            elif not each.begun and each.order.cancelled:
                self._let_go(each)
                self._over(each.order, error_message(_not_begun()))

    def _answered(self, each: _Active, answer: Any) -> None:
        try:
            said = ray.get(answer)
        except ray.exceptions.RayError as error:
            self._lost(each, error)
            return
        order = each.order
        if isinstance(said, Said):
            if said.bundle is not None:
                try:
                    unpack(said.bundle, order.output)
                    order.arrived(said.bundle.names)
                except OSError as error:
                    self._let_go(each)
                    self._over(order, error_message(output_error(order.output, error)))
                    return
            for message, data in said.messages:
                if message["type"] in LAST:
                    self._ended(each, message, data)
                    return
                self._hand_on(each, message, data)
            if said.died:
                self._died(each, Outcome(fate="died", trouble=died(f"{each.machine.name}: {said.died}")))
                return
        else:
            each.begun = True
            self._note(order, f"It runs on {each.machine.name}.")
        commands, order.told = order.told, []
        each.asked, each.since = each.actor.said.remote(commands), time.monotonic()

    def _hand_on(self, each: _Active, message: Mapping[str, Any], data: bytes) -> None:
        order = each.order
        if message["type"] == "started":
            if order.started:  # on another machine before
                return
            order.started = True
        if message["type"] == "progress":
            self._waiting.progressed(order.name, share_of(message))
        self._say(order.name, order.here(message), data)

    def _ended(self, each: _Active, message: Mapping[str, Any], data: bytes) -> None:
        order = each.order
        if message["type"] == "failed":
            trouble = {name: str(message.get(name, "")) for name in _TROUBLE}
            self._died(each, Outcome(fate="failed", trouble=trouble))
            return
        self._let_go(each)
        self._over(order, order.here(message), data)

    def _lost(self, each: _Active, error: Exception) -> None:
        """Take note of a job's actor that raised an error or is gone."""
        cause = getattr(error, "cause", None)
        if not isinstance(cause, Exception):
            self._rooms.machines.doubt(each.machine)
        self._died(each, failed_by(cause if isinstance(cause, Exception) else error, each.machine.name))

    def _died(self, each: _Active, outcome: Outcome) -> None:
        """Let a job that failed or died go on elsewhere, or tell how it ended."""
        order = each.order
        self._let_go(each)
        if order.cancelled and outcome.fate == "died":
            self._over(order, error_message(_not_begun()))
            return
        tried = {each.machine.id, *self._waiting.avoided(order.name)}
        elsewhere = each.machine.id if any(one not in tried for one in self._rooms.machines.good) else ""
        end = self._waiting.ended({"name": order.name}, outcome, elsewhere=elsewhere)
        if end is not None:
            self._over(order, {"type": "failed", **{name: end.trouble.get(name, "") for name in _TROUBLE}})
            return
        self._note(order, f"{outcome.trouble.get('why', '')} It goes on from its last checkpoint.")

    def _let_go(self, each: _Active) -> None:
        self._active.pop(each.order.name, None)
        self._release(each)

    def _over(self, order: Order, message: Mapping[str, Any], data: bytes = b"") -> None:
        self._waiting.drop(order.name)
        self._orders.pop(order.name, None)
        self._say(order.name, message, data)

    def _fail_all(self, error: EngineError) -> None:
        for each in list(self._active.values()):
            self._let_go(each)
        for order in list(self._orders.values()):
            self._over(order, error_message(error))

    def _release(self, each: _Active) -> None:
        with contextlib.suppress(Exception):
            ray.get(each.actor.leave.remote(), timeout=5)
        with contextlib.suppress(Exception):
            ray.kill(each.actor)

    def _note(self, order: Order, text: str) -> None:
        self._say(order.name, {"type": "note", "code": "cluster", "text": text.strip()}, b"")

    # The way in and the end.

    def _watch(self) -> None:
        """End this process when the head is gone: Ray's own calls would wait for it."""
        wait_for_loss(self._door)
        error = head_lost("its head does not answer any more")
        for order in list(self._orders.values()):
            self._say(order.name, error_message(error), b"")
        self._leave(LOST)


def _not_begun() -> Cancelled:
    return Cancelled(
        "cancelled",
        what="Cancelled.",
        why="The job had not begun on the cluster.",
        fix="Resume it, or make it anew.",
    )
