"""JSON from outside, believed inside bounds only: depth, finite numbers, whole characters. Standard library only.

For everything that another process, a hub or a stranger's model wrote. The add-on carries a copy, as of protocol.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DEPTH_LIMIT = 64  # lists and objects within each other; no message, model or hub has more than ten
LARGEST_INTEGER = 1 << 63
FILE_LIMIT = 1 << 20  # bytes of a file that people could have written: configs, cards
_DIGITS = 40  # of a whole number that is looked at, at most


class UnsafeJson(ValueError):
    """Text that is no JSON, or is JSON beyond what is believed; the message says why."""


def read_json_file(
    path: Path, *, limit: int = FILE_LIMIT, largest: int = LARGEST_INTEGER, infinite: bool = False
) -> Any:
    """Return the JSON of a file.

    path: Path.
    limit: int, bytes; a larger file is refused.
    largest, infinite: as for `parse_json`.
    Raises OSError, and UnsafeJson.
    """
    with path.open("rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise UnsafeJson(f"it is larger than {limit:,} bytes")
    return parse_json(content, largest=largest, infinite=infinite)


def parse_json(content: bytes, *, largest: int = LARGEST_INTEGER, infinite: bool = False) -> Any:
    """Return JSON from outside: UTF-8, at most DEPTH_LIMIT deep, every number finite, every text whole Unicode.

    content: bytes, bounded in length by the caller.
    largest: int, the largest whole number, either side of 0.
    infinite: bool, whether the words Infinity and NaN are taken, which the configs of some schedulers have.
    Raises UnsafeJson.
    """

    def whole(digits: str) -> int:
        number = int(digits) if len(digits) <= _DIGITS else math.inf
        if abs(number) > largest:
            raise UnsafeJson(f"it holds a number of {len(digits)} digits")
        return int(number)

    try:
        text = content.decode("utf-8")
        constant = float if infinite else _no_number
        value = json.loads(text, parse_int=whole, parse_float=_finite_float, parse_constant=constant)
        if "\\u" in text:  # the only way for half a character to come into UTF-8
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise UnsafeJson("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise UnsafeJson("a text in it holds half a character") from None
    except ValueError as error:
        raise UnsafeJson(str(error)[:200]) from None
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [item for box in level for item in _contents(box) if isinstance(item, dict | list)]
        if not level:
            return value
    raise UnsafeJson("it is nested too deeply")


def _contents(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnsafeJson(f"it holds the number {text[:20]}, which is not finite")
    return number


def _no_number(name: str) -> float:
    raise UnsafeJson(f"it holds {name}, which is no number")
