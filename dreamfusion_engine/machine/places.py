"""Where a run computes: the teacher on one device of torch's, the field on one of Warp's, which may be another.

An artist names a place by the kind of device, by a card's name, or leaves it to the engine. Torch and Warp are imported
on use only.
"""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.machine import main_memory
from dreamfusion_engine.machine.backends import BACKENDS, MIB, Backend, backend_of, count_of, title_of, total_bytes
from dreamfusion_engine.machine.device import usable_cores
from dreamfusion_engine.machine.device_trial import trouble_of
from dreamfusion_engine.machine.place_names import AUTOMATIC, fits, is_kind, named, no_such_device

if TYPE_CHECKING:
    import torch

_NO_WARP = "Warp, which renders the object, has no such device"
_NOT_FOUND = "Warp does not find this card: its driver or the card itself is too old for it"
_HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
_TOO_OLD = "Warp has no kernels for this card, which is older than the RTX 20 and GTX 16 series"


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device of this machine.

    name: str, as --device takes it, such as 'cuda:0'.
    title: str, its name for people.
    backend: Backend.
    memory: int, bytes.
    no_field: str, why the field cannot be there; '' where it can.
    """

    name: str
    title: str
    backend: Backend
    memory: int
    no_field: str

    @property
    def place(self) -> torch.device:
        """The device for torch."""
        import torch

        return torch.device(self.name)

    def to_json(self) -> dict[str, Any]:
        """Return what `doctor` and the protocol say of it."""
        return {
            "name": self.name,
            "title": self.title,
            "memory_mib": round(self.memory / MIB),
            "backend": self.backend.name,
            "teacher": True,
            "field": not self.no_field,
            "note": self.no_field,
        }


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the teacher and the field of a run are.

    teacher: torch.device of the diffusion model.
    field: torch.device of the field, its renders and what is made of it: the CPU or a CUDA device.
    apart: bool, whether pictures are carried from one to the other: two devices, or one that was named for both.
    why: str, why these, for people.
    unused: str, the cards that 'auto' passed over, and why, for people; '' without one.
    """

    teacher: torch.device
    field: torch.device
    apart: bool = False
    why: str = dataclasses.field(default="", compare=False)
    unused: str = dataclasses.field(default="", compare=False)

    @classmethod
    def at(cls, device: torch.device) -> Places:
        """Return the places of a run that is on one device."""
        return cls(teacher=device, field=device)

    @property
    def kind(self) -> str:
        """The kinds of devices: 'cpu', 'cuda', or two such as 'mps+cpu'. The same seed gives the same mesh for each."""
        teacher, here = backend_of(self.teacher).name, backend_of(self.field).name
        return teacher if self.teacher == self.field else f"{teacher}+{here}"

    def to_json(self) -> dict[str, Any]:
        """Return what result.json says of them."""
        each = {"teacher": self.teacher, "field": self.field}
        return {
            "kind": self.kind,
            **{name: {"device": str(device), "title": title_of(device)} for name, device in each.items()},
        }


def spoken_kind(kind: str) -> str:
    """Return a kind of places for people: 'the processor', or 'an Apple card and, for the field, the processor'.

    kind: str of `Places.kind`.
    """
    names = [BACKENDS[name].title if name in BACKENDS else shortened(name) for name in kind.split("+")[:2]]
    return " and, for the field, ".join(names)


def resolve_places(name: str) -> Places:
    """Return the devices that a word of an artist's means on this machine.

    A single word is about the teacher. The field goes along where it can, and else to the processor.

    name: str, as --device.
    Raises InputError input.device for a word that means none, or for a field that cannot be there.
    Raises SetupError setup.device for a device that is absent, saying what there is.
    """
    teacher_word, field_word = named(name)
    main_memory.check_room_to_start()
    here = devices_here()
    unused = ""
    if teacher_word == AUTOMATIC:
        chosen, why, unused = _automatic(here)
    else:
        chosen, why = _found(teacher_word, here), "named by hand"
    if field_word == AUTOMATIC:
        rendering = here[0] if chosen.no_field else chosen
        if chosen.no_field:
            why = f"{why}; the field is on the processor: {chosen.no_field}"
    else:
        rendering = _found(field_word, here)
        if rendering.no_field:
            raise _cannot_render(rendering, chosen)
    apart = rendering is not chosen or AUTOMATIC not in (teacher_word, field_word)
    return Places(teacher=chosen.place, field=rendering.place, apart=apart, why=why, unused=unused)


def resolve_device(name: str) -> torch.device:
    """Return the teacher's device of `resolve_places`, for what needs only one.

    name: str, as --device.
    Raises as `resolve_places`.
    """
    return resolve_places(name).teacher


def devices_here() -> list[Device]:
    """Return the devices that torch can use here now, the processor first."""
    import torch

    found = []
    for device_type in ("cpu", "cuda", "xpu", "mps"):
        for index in range(count_of(device_type)):
            device = torch.device(device_type, index) if device_type in ("cuda", "xpu") else torch.device(device_type)
            backend = backend_of(device)
            found.append(
                Device(
                    name=str(device),
                    title=title_of(device),
                    backend=backend,
                    memory=total_bytes(device),
                    no_field="" if device_type == "cpu" else _why_no_field(backend, index),
                )
            )
    return found


def device_report() -> dict[str, Any]:
    """Return the devices of this machine, ready for JSON, and what 'auto' is.

    Raises RunError run.out_of_memory where there is too little memory to load torch.
    """
    main_memory.check_room_to_start()
    import torch

    automatic = resolve_places(AUTOMATIC)
    return {
        "platform": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "rocm": torch.version.hip,
        "cores": usable_cores(),
        "default": str(automatic.teacher),
        "default_field": str(automatic.field),
        "why": automatic.why,
        "devices": [device.to_json() for device in devices_here()],
    }


def warp_cards() -> list[bool]:
    """Return for each CUDA device that Warp finds, in torch's order, whether it can build kernels for it.

    Driver 580, which Warp's CUDA 13 asks for, has cards back to Maxwell, and Warp lists them. Its compiler begins at
    Turing (warp/_src/context.py, `_validate_cuda_device_arch`).
    """
    import warp

    import dreamfusion_engine.machine.warp_runtime  # noqa: F401  starts Warp, quietly

    oldest = min(warp.get_cuda_supported_archs(), default=0)
    return [card.arch >= oldest for card in warp.get_cuda_devices()]


def _why_no_field(backend: Backend, index: int) -> str:
    if not backend.renders:
        return _NO_WARP
    cards = warp_cards()
    if index >= len(cards):
        return _NOT_FOUND
    return "" if cards[index] else _TOO_OLD


def _automatic(here: Sequence[Device]) -> tuple[Device, str, str]:
    """The first card that computes rightly, best where Warp is at home, why, and what was passed over."""
    rank = os.environ.get("LOCAL_RANK", "")  # of several processes each tries its own, and takes no other's memory
    own = int(rank) if rank.isdecimal() else 0
    cards = sorted(here[1:], key=lambda device: (bool(device.no_field), device.place.index not in (own, None)))
    passed_over: list[str] = []
    for card in cards:
        trouble = trouble_of(card.place)
        if not trouble:
            unused = "; ".join(passed_over)
            why = f"{card.title} computes a small trial as the processor does"
            return card, f"{why}. Not {unused}" if unused else why, unused
        passed_over.append(f"{card.name} ({card.title}): {trouble}")
    unused = "; ".join(passed_over)
    hiding = " and ".join(name for name in _HIDING if name in os.environ)
    none = "torch finds no graphics card" + (f"; the environment sets {hiding}, which can hide one" if hiding else "")
    return here[0], f"not {unused}" if unused else none, unused


def _found(word: str, here: Sequence[Device]) -> Device:
    """The device that a word means."""
    if not is_kind(word):
        return _by_title(word, here)
    kind, _, number = word.partition(":")
    if kind == AUTOMATIC:
        return _automatic(here)[0]
    wanted = "cuda" if kind == "rocm" else kind
    alike = [device for device in here if device.backend.device_type == wanted]
    if kind == "rocm":
        alike = [device for device in alike if device.backend.name == "rocm"]
    if int(number or 0) < len(alike):
        return alike[int(number or 0)]
    raise _absent(word, wanted, alike, here)


def _by_title(word: str, here: Sequence[Device]) -> Device:
    wanted = word.casefold()
    alike = [device for device in here if wanted == device.title.casefold()]
    alike = alike or [
        device for device in here if device.title.casefold().endswith(f" {wanted}")
    ]  # not 4070 Ti by 4070
    alike = alike or [device for device in here if fits(word, device.title)]
    if len(alike) > 1:  # a Mac's chip gives its name to both
        alike = [device for device in alike if device.name != "cpu"]
    if len(alike) == 1:
        return alike[0]
    if not alike:
        raise no_such_device(word, _listed(here))
    raise InputError(
        "input.device",
        what=f"'{shortened(word)}' means more than one device.",
        why=f"This machine has {_listed(alike)}.",
        fix=f"Say which one: --device {alike[0].name}, for example.",
    )


def _absent(word: str, device_type: str, alike: Sequence[Device], here: Sequence[Device]) -> SetupError:
    import torch

    fix = "Use --device auto or cpu."
    if alike:
        why, fix = f"This machine has {_listed(alike)}.", "Use one of those, or --device auto."
    elif word.startswith("rocm"):
        why = f"The installed torch {torch.__version__} is no build for AMD's cards, or finds none."
        fix += " With an AMD card: python3 install.py engine --torch rocm"
    elif device_type == "cuda" and torch.version.hip is not None:
        why = f"torch {torch.__version__} finds no usable AMD card or driver."
    elif device_type == "cuda" and torch.version.cuda is None:
        why = f"The installed torch {torch.__version__} is a build for the CPU only."
        fix += " With an NVIDIA card: python3 install.py engine --torch cuda"
    elif device_type == "cuda":
        why = f"torch {torch.__version__} finds no usable NVIDIA card or driver."
        fix = "Use --device auto or cpu, or install NVIDIA's driver and start again."
    elif device_type == "mps":
        why = f"torch {torch.__version__} finds no Apple card: those are in Macs with Apple's own chips."
    else:
        why = f"torch {torch.__version__} finds no Intel card, or is no build for them."
        fix += " With one: python3 install.py engine --torch xpu"
    if len(here) > 1 and not alike:
        why += f" It finds {_listed(here)}."
    return SetupError("setup.device", what=f"The device '{word}' is not available.", why=why, fix=fix)


def _cannot_render(rendering: Device, chosen: Device) -> InputError:
    on_it = "" if rendering.backend.name != "rocm" else " AMD's torch calls its cards 'cuda'; Warp knows only NVIDIA's."
    return InputError(
        "input.device",
        what=f"The field cannot be on {rendering.name} ({rendering.title}).",
        why=f"{rendering.no_field}.{on_it}",
        fix=f"Leave the field to the engine: --device {chosen.name}. Or name the processor: "
        f"--device teacher={chosen.name},field=cpu",
    )


def _listed(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.name} ({device.title})" for device in devices)
