"""How an artist names where a run computes: one place or two, by kind, by a card's name, or 'auto'. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened

AUTOMATIC = "auto"
_KIND = re.compile(r"auto|cpu|mps|(cuda|rocm|xpu)(:\d{1,3})?")
_CARD = re.compile(r"[^\W_][\w .,()/+@®™-]{0,118}[\w)®™]")  # a card's name, or a part of it
_ALSO = {"processor": "cpu"}
_ROLES = {"teacher": "teacher", "model": "teacher", "field": "field", "object": "field"}  # docs and panels say both
_ROLE = rf"\s*(?:{'|'.join(_ROLES)})\s*="
_TWO = "Two places are named as teacher=mps,field=cpu."


def check_device_name(name: str) -> None:
    """Raise InputError input.device unless `name` is spelt like places.

    name: str, as --device.
    """
    named(name)


def named(name: str) -> tuple[str, str]:
    """Return the words for the teacher's place and for the field's: a kind, a card's name, or 'auto'.

    name: str, as --device: one word, which is about the teacher, or teacher=..., field=... or both of them. The
        roles may be called model and object too.
    Raises InputError input.device for what is not spelt so.
    """
    if not re.match(_ROLE, name, re.IGNORECASE):
        return _word(name, name), AUTOMATIC
    words: dict[str, str] = {}
    for part in re.split(rf",(?={_ROLE})", name, flags=re.IGNORECASE):
        role, _, word = part.partition("=")
        role = _ROLES[role.strip().casefold()]
        if role in words:
            raise _not_spelt(name, f"It names the {role} twice.")
        words[role] = _word(word, name)
    return words.get("teacher", AUTOMATIC), words.get("field", AUTOMATIC)


def is_kind(word: str) -> bool:
    """Return whether a word from `named` is a kind of device, with or without a number, and not a card's name."""
    return _KIND.fullmatch(word) is not None


def fits(word: str, title: str) -> bool:
    """Return whether all words of a card's name are in a device's title.

    word: str, from `named`.
    title: str, the device's name for people.
    """
    return all(part in title.casefold() for part in word.casefold().split())


def check_titles(name: str, titles: Sequence[str]) -> None:
    """Raise InputError input.device where `name` has words of a card's name that no title has. Needs no torch.

    name: str, as --device.
    titles: of this machine's devices.
    """
    for word in named(name):
        if not is_kind(word) and not any(fits(word, title) for title in titles):
            raise no_such_device(word, ", ".join(titles))


def no_such_device(word: str, there_are: str) -> InputError:
    """Build the error for words that are in no device's title.

    word: str, from `named`.
    there_are: str, this machine's devices.
    """
    return InputError(
        "input.device",
        what=f"There is no device '{shortened(word)}'.",
        why=f"No device of this machine is called so. It has {there_are}.",
        fix="Use one of those, by its short name or by words of its title, or --device auto.",
    )


def _word(word: str, whole: str) -> str:
    """A word for a place, in its usual form."""
    given = " ".join(word.split())
    usual = _ALSO.get(given.casefold(), given.casefold())
    if _KIND.fullmatch(usual):
        return usual
    if not _CARD.fullmatch(given):
        raise _not_spelt(whole, "A place is auto, cpu, cuda, mps, xpu, cuda:1 and so on, or a card's name.")
    return given


def _not_spelt(name: str, why: str) -> InputError:
    return InputError(
        "input.device",
        what=f"There is no device '{shortened(name)}'.",
        why=why,
        fix=f"Use --device auto to let the engine choose. {_TWO}",
    )
