"""A Ray cluster: the way in, whether its head still answers, and its machines with the room that they have."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
from ray._private import services
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dreamfusion_engine.batch.carried import Parcel, pieces
from dreamfusion_engine.batch.ray_faults import cluster_error, no_answer, no_machine, several_heads, unlike
from dreamfusion_engine.batch.ray_node import facts
from dreamfusion_engine.batch.room import CONTEXT_BYTES, HOST_BYTES
from dreamfusion_engine.inputs.outside_text import first_line

LOST = 75  # exit code: the cluster is gone, and may come back
_LOOK_EVERY = 10.0  # seconds between two looks for new machines
_KNOCK_EVERY = 2.0  # seconds between two knocks at the head's door ...
_KNOCKS = 4  # ... of which so many in vain mean that it is gone
_DISK_LEAST = 400 << 20  # bytes that a machine must have free
_PARCEL_SECONDS = 600.0  # for a piece of a model
_CARD_SHARE = 0.9  # of a card's memory that is given to jobs
_MOST_A_CARD = 64


@dataclass
class Machine:
    """A machine of the cluster.

    id: str, Ray's.
    name: str, for people.
    places: int, jobs that it has room for.
    """

    id: str
    name: str
    places: int


@dataclass
class Machines:
    """The machines of a cluster, as they come and go.

    spec: the work, as `ray_place` tells it.
    note: called with a sentence for people.
    """

    spec: Mapping[str, Any]
    note: Callable[[str], None]
    good: dict[str, Machine] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)  # id of a machine that cannot work -> why
    on_cards: bool = False
    jobs_a_card: int = _MOST_A_CARD

    def __post_init__(self) -> None:
        self._here = facts()
        self._looked = -1e9
        self._doubted: dict[str, Machine] = {}
        self._alive: dict[str, Any] = {}
        self._asked: dict[Any, str] = {}  # a question -> the machine's id

    @property
    def places(self) -> int:
        """How many jobs there is room for, within the limit that was asked for."""
        places = sum(machine.places for machine in self.good.values())
        return min(places, self.spec["most"] or places)

    @property
    def complete(self) -> bool:
        """Whether every machine that was asked what it is has answered."""
        return not self._asked

    @property
    def needs(self) -> dict[str, Any]:
        """What a job asks of Ray."""
        if not self.on_cards:
            return {"num_cpus": self.spec["threads"], "memory": self.spec["main"]}
        share = round(1.0 / self.jobs_a_card - 5e-5, 4) if self.jobs_a_card > 1 else 1
        return {"num_cpus": 1, "memory": HOST_BYTES, "num_gpus": share}

    def doubt(self, machine: Machine) -> None:
        """Give a machine nothing before it has answered again: an actor of ours was lost there.

        machine: Machine.
        """
        if self.good.pop(machine.id, None) is not None:
            self._doubted[machine.id] = machine
        self._looked = -1e9

    def look(self, *, at_work: bool) -> None:
        """Ask machines that are new what they are, and take in what those that were asked have answered.

        at_work: bool, whether jobs are.
        Raises SetupError where no machine can work.
        """
        if time.monotonic() - self._looked >= _LOOK_EVERY:
            self._looked = time.monotonic()
            self._ask()
        if self._asked:
            ready, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0.1)
            for answer in ready:
                self._answered(answer)
            if ready and not at_work and not self._asked and not self.places:
                raise no_machine([*self.bad.values(), *map(self._too_small, self.good.values())])

    def _ask(self) -> None:
        """See which machines are alive, and ask those that are not known."""
        self._alive = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        for known in (self.good, self._doubted):
            for gone in [name for name in known if name not in self._alive]:
                self.note(f"The machine {known.pop(gone).name} is gone. Its jobs go on elsewhere.")
        on_cards = self.spec["device"] != "cpu"
        self.on_cards = on_cards and any(node["Resources"].get("GPU") for node in self._alive.values())
        self._asked = {ref: name for ref, name in self._asked.items() if name in self._alive}
        met = {*self.good, *self.bad, *self._asked.values()}
        for name in [name for name in self._alive if name not in met]:
            there = NodeAffinitySchedulingStrategy(node_id=name, soft=False)
            asked = ray.remote(facts).options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote()
            self._asked[asked] = name

    def _answered(self, answer: Any) -> None:
        name = self._asked.pop(answer)
        self._doubted.pop(name, None)
        node = self._alive[name]
        try:
            said: dict[str, Any] = ray.get(answer)
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, Exception):  # else it died under the question, which is no fault of the engine there
                reason = first_line(str(cause))
                self._leave_out(name, f"{node['NodeManagerAddress']}: the engine does not run there ({reason})")
            return
        why = unlike(self._here, said)
        if not why and said["disk_free"] < _DISK_LEAST:
            why = f"its disk has only {said['disk_free'] >> 20} MiB free in {said['folder']}"
        if why:
            self._leave_out(name, f"{said['host']}: {why}")
            return
        title = f"{said['host']} ({node['NodeManagerAddress']})"
        self.good[name] = Machine(name, title, self._room(node["Resources"], said))

    def _leave_out(self, name: str, why: str) -> None:
        self.bad[name] = why
        self.note(f"A machine is left out. {why}.")

    def _too_small(self, machine: Machine) -> str:
        needs = f"{self.spec['threads']} cores and {self.spec['main'] >> 20:,} MiB"
        return f"{machine.name} has too little room: a run takes {needs}"

    def _room(self, resources: Mapping[str, float], there: Mapping[str, Any]) -> int:
        """How many jobs a machine takes at once."""
        memory = resources.get("memory", 0.0)
        if self.on_cards:
            cards = there["cards"][: int(resources.get("GPU", 0))]
            each = min((self._a_card(total) for total in cards), default=0)
            self.jobs_a_card = min(self.jobs_a_card, each) if each else self.jobs_a_card
            room = int(resources.get("GPU", 0)) * self.jobs_a_card if each else 0
            return min(room, int(memory // HOST_BYTES))
        return min(int(resources.get("CPU", 0) // self.spec["threads"]), int(memory // self.spec["main"]))

    def _a_card(self, total: int) -> int:
        return max(1, int(total * _CARD_SHARE) // (self.spec["card"] + CONTEXT_BYTES))


def connect(address: str) -> str:
    """Connect to a cluster; return HOST:PORT of what must keep answering.

    address: 'ray', 'ray://HOST:PORT' or 'HOST:PORT'.
    Raises EngineError.
    """
    if address == "ray":
        address = os.environ.get("RAY_ADDRESS", "") or _only_head()
    door = address.removeprefix("ray://")
    host, _, port = door.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5.0).close()
    except (OSError, ValueError, OverflowError) as error:
        raise no_answer(address, str(error)) from error
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # Ray has no common base for what can go wrong here
        raise cluster_error(error, address) from error
    return door


def _only_head() -> str:
    """The address of the one cluster that runs on this machine."""
    found = sorted(services.find_gcs_addresses())
    if len(found) > 1:
        raise several_heads(found)
    if not found:
        raise no_answer("ray", "no cluster runs on this machine, and RAY_ADDRESS is not set")
    return str(found[0])


def watch(door: str) -> None:
    """End this process when the head is gone: Ray's own calls would wait for it."""
    wait_for_loss(door)
    os._exit(LOST)


def wait_for_loss(door: str) -> None:
    """Return when the head is gone.

    door: HOST:PORT, from `connect`.
    """
    host, _, port = door.rpartition(":")
    missed = 0
    while missed < _KNOCKS:
        time.sleep(_KNOCK_EVERY)
        try:
            socket.create_connection((host, int(port)), timeout=_KNOCK_EVERY).close()
            missed = 0
        except OSError:
            missed += 1


def sending(actor: Any, parcel: Parcel) -> Iterator[None]:
    """Send a machine a model or adapter that it lacks; yields once before the first piece, and after each.

    actor: of a job on that machine.
    parcel: Parcel.
    Raises what Ray raises where the machine is gone, or it cannot keep it; OSError where it cannot be read here.
    """
    if not ray.get(actor.lacks.remote(parcel), timeout=_PARCEL_SECONDS):
        return
    yield
    for name, offset, piece in pieces(parcel):
        ray.get(actor.take.remote(parcel, name, offset, piece), timeout=_PARCEL_SECONDS)
        yield
    ray.get(actor.close.remote(parcel), timeout=_PARCEL_SECONDS)
