"""A pipe is read in large pieces and comes out as it went in, whatever the pieces are."""

from __future__ import annotations

import io
import os
import random
from typing import BinaryIO, cast

import pytest

from dreamfusion_engine.wire.pipe_reader import PipeReader


class Pieces(io.RawIOBase):
    """A stream that gives what it has in pieces of these lengths, and counts how often it was asked."""

    def __init__(self, content: bytes, lengths: list[int]) -> None:
        self.left, self.lengths, self.asked = content, lengths, 0

    def read(self, count: int = -1) -> bytes:
        self.asked += 1
        length = min(count, self.lengths.pop(0) if self.lengths else count)
        piece, self.left = self.left[:length], self.left[length:]
        return piece


def reader(content: bytes, lengths: list[int]) -> PipeReader:
    return PipeReader(cast(BinaryIO, Pieces(content, lengths)))


@pytest.mark.parametrize("seed", range(20))
def test_lines_and_counts_come_as_from_a_file(seed: int) -> None:
    chance = random.Random(seed)
    content = b"".join(chance.choice([b"\n", b"abc", b"x" * 50, bytes(3)]) for _ in range(200))
    pipe, file = reader(content, [chance.randrange(1, 40) for _ in range(1000)]), io.BytesIO(content)
    for _ in range(300):
        count = chance.randrange(1, 60)
        if chance.random() < 0.5:
            assert pipe.readline(count) == file.readline(count)
        else:
            got = pipe.read(count)
            assert file.read(len(got)) == got and len(got) <= count
    rest = b"".join(iter(lambda: pipe.read(100), b""))
    assert rest == file.read() and pipe.readline(10) == pipe.read(10) == b""


def test_a_megabyte_is_a_few_reads() -> None:
    """One read a byte took 2.3 seconds for it."""
    stream = Pieces(b"x" * 1_000_000 + b"\n", [])
    assert len(PipeReader(cast(BinaryIO, stream)).readline(1 << 20)) == 1_000_001
    assert stream.asked <= 20


def test_what_has_arrived_is_given_without_waiting_for_more() -> None:
    end, begin = os.pipe()
    os.write(begin, b"one\ntw")
    with open(end, "rb", buffering=0) as raw:
        pipe = PipeReader(cast(BinaryIO, raw))
        assert pipe.readline(100) == b"one\n"
        assert pipe.read(100) == b"tw"
        os.close(begin)
        assert pipe.readline(100) == b""
