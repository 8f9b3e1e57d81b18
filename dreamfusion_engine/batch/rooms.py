"""The room of a Ray cluster for jobs of a client, which need more or less of it: that of the largest counts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import ray

from dreamfusion_engine.batch.orders import Order
from dreamfusion_engine.batch.ray_cluster import Machines
from dreamfusion_engine.batch.room import HOST_BYTES

_FIRST_LOOK = 60.0  # seconds for the first machine that can work
_OTHERS = 20.0  # seconds for all, once there is one, so that a client is told of all
_USUAL = {"main": HOST_BYTES, "card": 7 << 30}  # bytes of a run while no job says more; a card's is Stable Diffusion's


class Rooms:
    """Machines, with room for the jobs that are there. Ray must be connected."""

    def __init__(self) -> None:
        self._spec: dict[str, Any] = {"threads": _threads(), "device": "auto", "most": 0, **_USUAL}
        self.machines = Machines(self._spec, _unheard)
        self._places = 1

    @property
    def threads(self) -> int:
        """Threads of a run on a CPU."""
        return int(self._spec["threads"])

    @property
    def places(self) -> int:
        """How many jobs there is room for; while machines are asked anew, how many there was."""
        if self.machines.good:
            self._places = max(1, self.machines.places)
        return self._places

    def report(self) -> dict[str, Any]:
        """Return what was found, ready for JSON."""
        return {
            "machines": [machine.name for machine in list(self.machines.good.values())],
            "left_out": list(self.machines.bad.values()),
            "places": self.places,
            "on_cards": self.machines.on_cards,
        }

    def first_look(self) -> None:
        """Wait until every machine has said whether it can work: slow ones have less time once another can.

        Raises SetupError where none can.
        """
        begun = time.monotonic()
        while True:
            self.machines.look(at_work=False)
            some = bool(self.machines.good)
            if (some and self.machines.complete) or time.monotonic() - begun > (_OTHERS if some else _FIRST_LOOK):
                return
            time.sleep(0.05)

    def look(self, orders: Sequence[Order], *, at_work: bool) -> None:
        """Look for machines that are new, with as much room as the largest job needs.

        orders: those that are not over, one at least.
        at_work: bool, whether jobs are.
        Raises SetupError where no machine can work.
        """
        wanted: dict[str, Any] = {
            "main": max(self._spec["main"], *(each.needs.main for each in orders)),
            "card": max(self._spec["card"], *(each.needs.card for each in orders)),
            "device": "cpu" if all(each.device == "cpu" for each in orders) else "auto",
        }
        if any(self._spec[name] != value for name, value in wanted.items()):
            self._spec |= wanted
            self.machines = Machines(self._spec, _unheard)  # they are asked anew: what they answer is their room
        self.machines.look(at_work=at_work)


def _threads() -> int:
    """The cores of the smallest machine: so every run computes the same, wherever it is."""
    cores = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    return max(1, int(min((each for each in cores if each >= 1), default=1)))


def _unheard(text: str) -> None:
    """Pass over a note for people: `report` has what it says."""
