"""A Ray cluster as the place where the jobs of `serve` run: what a server gives to it. Ray is not imported here."""

from __future__ import annotations

import importlib.util
import re
import signal
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dreamfusion_engine.batch import engine_process
from dreamfusion_engine.batch.needs import needs_of
from dreamfusion_engine.batch.orders import Order
from dreamfusion_engine.batch.ray_faults import no_ray, one_card
from dreamfusion_engine.batch.ray_place import CARRY_SECONDS, readable_parcels
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.stop_signals import stop_signals
from dreamfusion_engine.request.run import Request

if TYPE_CHECKING:
    from dreamfusion_engine.batch.serve_cluster import ServeCluster

ADDRESS = re.compile(r"ray|(ray://)?[^\s:/]+:\d{1,5}")


class ServePlace:
    """A cluster for the jobs of a client.

    address: str, as --on: 'ray', 'ray://HOST:PORT' or 'HOST:PORT'.
    every_s: float, seconds between two checkpoints of a job that come back.
    """

    def __init__(self, address: str, *, every_s: float = CARRY_SECONDS) -> None:
        self._address, self._every = address, every_s
        self._cluster: ServeCluster | None = None

    def open(self, say: Callable[[str, Mapping[str, Any], bytes], None], changed: Callable[[], None]) -> None:
        """Go to the cluster.

        say: called with a job's id, a message of the protocol about it, and the data of that.
        changed: called when `report` has changed.
        To be called in the main thread, which alone may say what becomes of signals.
        Raises SetupError or InputError where it cannot be used.
        """
        if self._cluster is not None:
            return
        if not ADDRESS.fullmatch(self._address):
            raise InputError(
                "input.place",
                what="There is no such place for jobs.",
                why=f"--on {self._address[:100]!r} is none.",
                fix="Give --on local, --on ray, --on HOST:PORT or --on ray://HOST:PORT.",
            )
        if importlib.util.find_spec("ray") is None:
            raise no_ray()
        from dreamfusion_engine.batch.serve_cluster import ServeCluster

        program = engine_process.PROGRAM
        ours = {number: signal.getsignal(number) for number in stop_signals()}
        try:
            self._cluster = ServeCluster(self._address, program=program, every_s=self._every, say=say, changed=changed)
        finally:
            for number, handler in ours.items():  # Ray puts its own in their place
                signal.signal(number, handler)

    @property
    def busy(self) -> bool:
        """Whether it has a job."""
        return self._cluster is not None and self._cluster.busy

    def report(self) -> dict[str, Any]:
        """What was found there, ready for JSON."""
        return {"address": self._address, **({} if self._cluster is None else self._cluster.report())}

    def give(self, name: str, message: Mapping[str, Any], data: bytes, request: Request) -> None:
        """Let a job wait for its turn there.

        name: str, its id.
        message: the client's command, which has been found good.
        data: bytes that came with it.
        request: Request that came of it.
        Raises InputError for a card by its name.
        """
        assert self._cluster is not None
        if request.config.device not in ("auto", "cpu", "cuda"):
            raise one_card(request.config.device)
        order = Order(
            name=name,
            message=message,
            data=data,
            output=request.output,
            needs=needs_of(request.config),
            device=request.config.device,
        )
        self._cluster.give(order, lambda: readable_parcels(request.config))

    def tell(self, name: str, message: Mapping[str, Any]) -> None:
        """Hand on a command about a job.

        name: str, its id.
        message: of the protocol.
        """
        if self._cluster is not None:
            self._cluster.tell(name, message)

    def end(self) -> None:
        """Stop every job with a checkpoint, and let go of the cluster."""
        if self._cluster is not None:
            self._cluster.end()
