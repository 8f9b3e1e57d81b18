"""A setting, declared once: default, range, choices, unit, what it does, and how Blender shows it.

The declaration is the metadata of a stage's field. From it come the check of every value, the help of the command line,
docs/settings.md, and the file from which the add-on makes its properties. `docs/settings_table.py` writes the last two.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened

T = TypeVar("T")
_KEY = "setting"  # of a field's metadata
_HINTS: dict[type, dict[str, Any]] = {}  # what `hints` has read
_DECLARED: dict[type, dict[str, Setting]] = {}  # what `declared` has read


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How the add-on shows a setting. A setting without this is not in Blender.

    label: str, in title case.
    says: str, for artists; "": the setting's own line.
    group: str, heading above it; "": none.
    words: choice to its label and its line.
    usual: ends of the slider, inside the range; None: those of the range.
    digits: int, decimals. A range without its end begins or ends by one of the last digit from it.
    step: float, what a click on the arrow adds; None: Blender's.
    sizes: the only values that a menu offers, for a whole number.
    most: float, highest value where the setting itself has no end.
    number: float, with which a setting begins that is a word by default.
    """

    label: str
    says: str = ""
    group: str = ""
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    usual: tuple[float | None, float | None] = (None, None)
    digits: int = 2
    step: float | None = None
    sizes: tuple[int, ...] = ()
    most: float | None = None
    number: float | None = None


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a setting is and may be.

    name: str, dotted, such as 'mesh.texture'.
    hint: its type; a Literal gives its choices.
    default: its value where nobody says another; None where it must be given.
    says: str, what it is, in one line.
    unit: str, of its number or numbers; "" for none.
    low, high: ends of the range, inside; None: no such end.
    above, below: ends of the range, outside.
    rising: bool, whether a pair must rise, or stay level.
    under: str, another setting of the stage; every number must be below that one's.
    shown: Shown, or None where the add-on does not show it.
    """

    name: str = ""
    hint: Any = None
    default: Any = None
    says: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    rising: bool = False
    under: str = ""
    shown: Shown | None = None

    @functools.cached_property
    def choices(self) -> tuple[str, ...]:
        """The words that it may be; empty for a setting that is no choice."""
        arms = get_args(self.hint) if get_origin(self.hint) in (typing.Union, types.UnionType) else (self.hint,)
        return tuple(word for arm in arms if get_origin(arm) is Literal for word in get_args(arm))

    @functools.cached_property
    def is_numeric(self) -> bool:
        """Whether it is a number or holds numbers; one of two kinds may also be a word."""
        return any(leaf in (int, float) for leaf in _leaves(self.hint))

    @functools.cached_property
    def count(self) -> int:
        """How many numbers it holds: 1, 2, or 0 for a list of any length."""
        inner = get_args(self.hint) if get_origin(self.hint) is tuple else (self.hint,)
        return 0 if inner[1:] == (Ellipsis,) else len(inner)

    @functools.cached_property
    def range_text(self) -> str:
        """'[0, 1)', 'above 0', or "" for any number."""
        first = _short(self.low if self.above is None else self.above)
        last = _short(self.high if self.below is None else self.below)
        if first and last:
            return f"{'[' if self.above is None else '('}{first}, {last}{']' if self.below is None else ')'}"
        if first:
            return f"at least {first}" if self.above is None else f"above {first}"
        return (f"at most {last}" if self.below is None else f"below {last}") if last else ""

    @functools.cached_property
    def needs(self) -> str:
        """What a value must be, in words: 'in [64, 8192] (pixels)', 'one of on, off'."""
        if self.choices and not self.is_numeric:
            return "one of " + ", ".join(self.choices)
        text = f"in {self.range_text}" if self.range_text.startswith(("[", "(")) else self.range_text
        text = text or "a number" if self.is_numeric else "text"
        if self.count == 2:
            text = f"a pair low <= high {text}" if self.rising else f"two values {text}"
        words = "".join(f"'{word}' or " for word in self.choices)
        return words + text + (f" ({self.unit})" if self.unit else "")

    def takes(self, value: Any) -> bool:
        """Whether a value of the right type is possible by itself, whatever the other settings are."""
        if self.choices and (isinstance(value, str) or not self.is_numeric):
            return value in self.choices
        if not self.is_numeric:
            return True
        if self.count == 2 and (len(value) != 2 or (self.rising and not value[0] <= value[1])):
            return False
        return self._holds(value) if self.count == 1 else all(map(self._holds, _numbers(value)))

    def _holds(self, number: float) -> bool:
        """Whether a number is in the range; what is not a number never is."""
        return (
            number == number
            and (self.low is None or number >= self.low)
            and (self.high is None or number <= self.high)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )


def setting(
    default: T,
    *,
    says: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    rising: bool = False,
    under: str = "",
    shown: Shown | None = None,
) -> T:
    """Return the field of a setting. The arguments are those of `Setting`; a Literal's choices come from its type."""
    about = Setting(
        default=default,
        says=says,
        unit=unit,
        low=low,
        high=high,
        above=above,
        below=below,
        rising=rising,
        under=under,
        shown=shown,
    )
    return field(default=default, metadata={_KEY: about})


def required(*, says: str, shown: Shown | None = None) -> Mapping[str, Setting]:
    """Return the metadata of a setting that has no default: `field(metadata=required(...))`."""
    return {_KEY: Setting(says=says, shown=shown)}


class Stage:
    """A group of settings that is checked where it is made.

    stage: str, its name in a run's settings; "" for the run's own.
    """

    stage: ClassVar[str] = ""

    def __init_subclass__(cls, *, stage: str) -> None:
        """Note the name of the stage."""
        cls.stage = stage

    def __post_init__(self) -> None:
        """Raise InputError input.setting for a value outside its range, and as `check_together` does."""
        for key, about in declared(type(self)).items():
            value = getattr(self, key)
            if not about.takes(value):
                require(False, about.name, value, about.needs)
            if about.under:
                upper = getattr(self, about.under)
                ok = all(low < high for low, high in zip(value, upper, strict=True))
                require(ok, about.name, value, f"below {about.under}, which is {upper}, {about.needs}")
        self.check_together()

    def check_together(self) -> None:
        """Check what one setting's range cannot say: rules between settings, and texts. Raises InputError."""


def require(ok: bool, name: str, value: object, needs: str) -> None:
    """Raise InputError input.setting unless `ok`.

    ok: bool, whether the setting is possible.
    name: str, dotted name of the setting.
    value: its value.
    needs: str, what the setting must be, in words.
    """
    if not ok:
        raise InputError(
            "input.setting",
            what=f"The setting '{name}' cannot be {shortened(repr(value))}.",
            why=f"{name} must be {needs}.",
            fix=f"Give {name} a value that is {needs}, or leave it out for the preset's value.",
        )


def hints(stage_class: type) -> dict[str, Any]:
    """Return the annotated types of a dataclass by field. Reading them is most of the time that settings take."""
    if stage_class not in _HINTS:
        _HINTS[stage_class] = typing.get_type_hints(stage_class)
    return _HINTS[stage_class]


def declared(stage_class: type[Stage]) -> dict[str, Setting]:
    """Return the settings of a stage by field, without those of the stages below it."""
    if stage_class not in _DECLARED:
        found = {}
        for each in dataclasses.fields(stage_class):  # type: ignore[arg-type]  # every stage is a dataclass
            if _KEY in each.metadata:
                name = f"{stage_class.stage}.{each.name}" if stage_class.stage else each.name
                hint = hints(stage_class)[each.name]
                found[each.name] = dataclasses.replace(each.metadata[_KEY], name=name, hint=hint)
        _DECLARED[stage_class] = found
    return _DECLARED[stage_class]


def every_setting(stage_class: type[Stage]) -> dict[str, Setting]:
    """Return the settings of a stage and of all stages below it, by dotted name."""
    found = {about.name: about for about in declared(stage_class).values()}
    for below in stages_below(stage_class).values():
        found |= every_setting(below)
    return found


def stages_below(stage_class: type[Stage]) -> dict[str, type[Stage]]:
    """Return the stages that are fields of a stage, by field."""
    every = hints(stage_class).items()
    return {key: hint for key, hint in every if isinstance(hint, type) and issubclass(hint, Stage)}


def _leaves(hint: Any) -> Iterator[Any]:
    """The plain types that a type is made of."""
    if get_origin(hint) is Literal or not get_args(hint):
        yield hint
    else:
        for arm in get_args(hint):
            yield from _leaves(arm)


def _numbers(value: Any) -> Iterator[float]:
    """The numbers in a value, through lists in lists; texts are passed over."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
    elif not isinstance(value, str):
        yield value


def _short(number: float | None) -> str:
    """A number without an exponent or needless decimals; "" for none."""
    if number is None:
        return ""
    return str(int(number)) if number == int(number) else f"{number:g}"
