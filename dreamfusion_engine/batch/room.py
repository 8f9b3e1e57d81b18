"""How many runs this machine takes side by side: by its cores, its memory, and the memory of its cards."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dreamfusion_engine.machine.child_process import bounded_answer
from dreamfusion_engine.machine.place_names import is_kind, named

MIB = 1 << 20
_SPARE = 0.9  # of the free memory of a card, and ...
_SPARE_MAIN = 0.8  # ... of main memory that is given to runs
CONTEXT_BYTES = 600 * MIB  # CUDA's context and libraries, on a card besides torch's memory
HOST_BYTES = 2048 * MIB  # of main memory that a run on a card takes


@dataclass(frozen=True, kw_only=True)
class Card:
    """A graphics card.

    name: str, its index or id, as CUDA_VISIBLE_DEVICES takes it.
    total, free: int, bytes.
    """

    name: str
    total: int
    free: int


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Room for one run.

    where: str, for people.
    environment: variables of the run's process.
    """

    where: str
    environment: Mapping[str, str]


def cards(device: str, environ: Mapping[str, str] = os.environ) -> list[Card]:
    """Return the cards that runs will use; none where they compute on the CPU. Torch is not loaded.

    device: str, as --device.
    environ: the environment; its CUDA_VISIBLE_DEVICES limits them.
    """
    program = shutil.which("nvidia-smi")
    if _elsewhere(device) or program is None or _is_cpu_build():
        return []
    query = [program, "--query-gpu=index,uuid,memory.total,memory.free,name", "--format=csv,noheader,nounits"]
    return chosen_cards(bounded_answer(query, 30.0), device, environ.get("CUDA_VISIBLE_DEVICES"))


def chosen_cards(said: str, device: str, visible: str | None) -> list[Card]:
    """Return the cards of nvidia-smi's lines that runs may use.

    said: str, a line a card: index, id, MiB in all, MiB that are free, name.
    device: str, as --device; cuda:1 is the second of the visible ones, and words are those of a card's name.
    visible: str of CUDA_VISIBLE_DEVICES; None where it is not set.
    """
    found: dict[str, Card] = {}
    titles: dict[str, str] = {}
    for line in said.splitlines():
        words = [word.strip() for word in line.split(",", 4)]
        if len(words) >= 4 and words[2].isdigit() and words[3].isdigit():
            card = Card(name=words[0], total=int(words[2]) * MIB, free=int(words[3]) * MIB)
            found[words[0]] = found[words[1]] = card
            titles[words[0]] = "".join(words[4:]).casefold()
    order = list(dict.fromkeys(found.values()))
    if visible is not None:
        names = [name.strip() for name in visible.split(",") if name.strip()]
        order = [found[name] for name in names if name in found]
    wanted = named(device)[0]
    if not is_kind(wanted):
        return [card for card in order if all(word in titles[card.name] for word in wanted.casefold().split())]
    _, _, index = wanted.partition(":")
    return order[int(index) : int(index) + 1] if index.isdigit() else order


def slots(
    *,
    cores: int,
    threads: int,
    main_memory: int,
    needs: int,
    cards: Sequence[Card] = (),
    needs_of_card: int = 0,
    most: int = 0,
) -> list[Slot]:
    """Return the room of a machine, one Slot a run; there is always one.

    cores: int, that may be used.
    threads: int, of a run on the CPU.
    main_memory: int, bytes that are free.
    needs: int, bytes of it that a run on the CPU takes at its peak, by the engine's estimate.
    cards: Card each.
    needs_of_card: int, bytes of a card that a run takes, likewise.
    most: int, the limit that was asked for; 0: none.
    """
    if cards:
        each = [max(1, int(card.free * _SPARE) // max(1, needs_of_card + CONTEXT_BYTES)) for card in cards]
        # One more on every card in turn, so that a limit leaves no card without work.
        found = [
            Slot(where=f"card {card.name}", environment={"CUDA_VISIBLE_DEVICES": card.name})
            for turn in range(max(each))
            for card, room in zip(cards, each, strict=True)
            if turn < room
        ]
        room = min(len(found), max(1, int(main_memory * _SPARE_MAIN) // HOST_BYTES))
    else:
        room = max(1, min(cores // max(1, threads), int(main_memory * _SPARE_MAIN) // max(1, needs)))
        if most:
            room = max(1, min(most, int(main_memory * _SPARE_MAIN) // max(1, needs)))
        found = [Slot(where="this machine", environment={})] * room
    return found[: min(room, most) if most else room]


def shared_threads(cores: int, jobs: int) -> int:
    """Return the threads of a run where several share the cores.

    cores: int, that may be used.
    jobs: int, of the batch.
    """
    return max(1, cores // max(1, min(cores, jobs)))


def numbered(device: str) -> bool:
    """Return whether a run is told which of the visible cards is its own: then it must see them all.

    device: str, as --device.
    """
    return ":" in named(device)[0]


def _elsewhere(device: str) -> bool:
    """Whether the teacher is on no card of NVIDIA's."""
    return named(device)[0].partition(":")[0] in ("cpu", "mps", "xpu", "rocm")


def _is_cpu_build() -> bool:
    try:
        return "+cpu" in importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return False
