"""JSON from outside is read as the library reads it, or refused in words: nothing else comes out of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from dreamfusion_engine.wire.bounded_json import DEPTH_LIMIT, UnsafeJson, parse_json, read_json_file


@pytest.mark.parametrize(
    "value", [None, [], {"a": [1, -2.5, "\u00fc \U0001f354", None, True, {"b": [[]]}]}, 2**63, -(2**63), "x", 1e308]
)
def test_what_is_inside_the_bounds_is_read_as_the_library_reads_it(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"shape": [1e999]}', "not finite"),
        (b"[0, Infinity]", "Infinity"),
        (b"[NaN]", "NaN"),
        (b'{"size": 1' + b"0" * 400 + b"}", "401 digits"),
        (b"1" * 5000, "5000 digits"),
        (b"9223372036854775809", "19 digits"),
        (b"[" * 100_000, "deep"),
        (b'{"a":' * 100_000, "deep"),
        (b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1), "deep"),
        (b'"\\ud800"', "half a character"),
        (b'{"\\udc00x": 1}', "half a character"),
        (b'"\xff"', "utf-8"),
        (b"{nonsense", "property name"),
        (b"", "Expecting value"),
    ],
    ids=range(14),
)
def test_what_is_beyond_them_is_refused_in_a_sentence(text: bytes, told: str) -> None:
    with pytest.raises(UnsafeJson) as caught:
        parse_json(text)
    assert told in str(caught.value) and len(str(caught.value)) <= 200


def test_the_deepest_and_the_largest_that_are_believed() -> None:
    assert parse_json(b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT)
    assert parse_json(b"1000000000000000019884624838656", largest=10**31) == int(1e30), "a tokenizer without a limit"


def test_infinity_is_taken_where_the_caller_says_so() -> None:
    assert parse_json(b'{"lambda_min_clipped": -Infinity}', infinite=True) == {"lambda_min_clipped": float("-inf")}
    with pytest.raises(UnsafeJson):
        parse_json(b"[1e999]", infinite=True)


def test_the_depth_that_python_itself_takes_does_not_matter() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        with pytest.raises(UnsafeJson):
            parse_json(b"[" * 5000 + b"]" * 5000)
    finally:
        sys.setrecursionlimit(limit)


def test_a_file_is_read_up_to_its_limit_and_no_further(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b'"' + b"x" * 98 + b'"')
    assert read_json_file(file, limit=100) == "x" * 98
    with pytest.raises(UnsafeJson, match="larger than 99"):
        read_json_file(file, limit=99)
    with pytest.raises(OSError):
        read_json_file(tmp_path / "b.json")
