"""A Ray cluster to which an engine gives its jobs: its address, and what the engine says of it. No bpy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..job import Trouble
from ..phrase import phrase

MOST_PLACES = 64  # jobs that one queue gives to an engine at once
_LONGEST = 200  # characters of an address
# As the engine takes it. A shell of another machine may read it too, so it has nothing that means something there.
_ADDRESS = re.compile(r"ray|(ray://)?[A-Za-z0-9._-]+:[0-9]{1,5}")


def address_trouble(address: str) -> Trouble | None:
    """What is wrong with an address; None for one that can be asked.

    address: str, as the artist typed it.
    """
    if len(address) <= _LONGEST and _ADDRESS.fullmatch(address):
        return None
    return Trouble(
        "engine.cluster_address",
        "The cluster's address cannot be read.",
        phrase("'{address}' is no host and port.", address=address[:60]),
        "Correct it in the add-on's preferences, for example: gpu-box:6379",
    )


def places(devices: Mapping[str, Any] | None) -> int:
    """How many jobs the engine takes at once: 1 where it has no cluster.

    devices: the engine's report on its devices, None while it is not known.
    """
    count = _cluster(devices).get("places")
    return min(count, MOST_PLACES) if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 1


def is_there(devices: Mapping[str, Any] | None) -> bool:
    """Whether the engine gives its jobs to a cluster.

    devices: as for `places`.
    """
    return bool(_cluster(devices))


def text(devices: Mapping[str, Any] | None) -> str:
    """One sentence on the cluster; "" where there is none.

    devices: as for `places`.
    """
    found = _cluster(devices)
    if not found:
        return ""
    good, bad = (len(listed) if isinstance(listed := found.get(name), list) else 0 for name in ("machines", "left_out"))
    if bad:
        return phrase(
            "Jobs go to a Ray cluster: machines: {good}, jobs at once: {places}, machines left out: {bad}",
            good=good,
            places=places(devices),
            bad=bad,
        )
    return phrase(
        "Jobs go to a Ray cluster: machines: {good}, jobs at once: {places}", good=good, places=places(devices)
    )


def _cluster(devices: Mapping[str, Any] | None) -> dict[str, Any]:
    found = (devices or {}).get("cluster")
    return found if isinstance(found, dict) else {}
