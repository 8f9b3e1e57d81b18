"""A run on a terminal: one progress line, notes and errors. Standard output stays clean for data."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Mapping
from typing import Any, BinaryIO, TextIO, cast

from dreamfusion_engine.errors import Cancelled, EngineError
from dreamfusion_engine.events import Event, Note, Progress
from dreamfusion_engine.inputs.outside_text import shown
from dreamfusion_engine.wire.protocol import STAGE_WORDS

SPARSE_SECONDS = 10.0  # between two lines of progress where the output is a file or a pipe
REDRAW_SECONDS = 0.1
BAR = 24  # characters
_LONGEST = 20_000  # characters of one text: all that a model's card may list


def claim_stdout() -> BinaryIO:
    """Return a private duplicate of standard output; then let file descriptor 1 and sys.stdout lead to standard error.

    Libraries print on standard output, even from C. Call this before importing them where data goes there.
    """
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(private, "wb")


def claim_stdin() -> BinaryIO:
    """Return a private, unbuffered duplicate of standard input; leave descriptor 0 empty, so no child reads it.

    It is unbuffered because a thread that waits inside a buffered reader holds a lock that Python wants when it exits.
    """
    private = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return cast(BinaryIO, os.fdopen(private, "rb", buffering=0))


def tell(text: str) -> None:
    """Write a text and a line's end on standard error; where a terminal is gone there is nobody to tell.

    text: str.
    """
    with contextlib.suppress(OSError):
        sys.stderr.write(text + "\n")


def error_text(error: EngineError, columns: int = 88) -> str:
    """Return an error as an artist reads it: what happened, why, and what to do, folded to `columns`.

    error: EngineError.
    columns: int, of a line.
    """
    lines = textwrap.wrap(error.what if isinstance(error, Cancelled) else f"error: {error.what}", columns)
    return "\n".join([*lines, labelled("  why:", error.why, columns), labelled("  fix:", error.fix, columns)])


def labelled(label: str, text: str, columns: int = 88) -> str:
    """Return `text` after a label, folded to `columns` with an indent; paths and commands are never cut.

    label: str, that stands before the text.
    text: str.
    columns: int, of a line.
    """
    return textwrap.fill(
        f"{label} {shown(text, _LONGEST)}",
        columns,
        subsequent_indent=" " * (len(label) + 1),
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def verdict_lines(report: Mapping[str, Any]) -> list[str]:
    """Return what a result is said to be worth: who won a contest, the judge's grade, what may be done with it.

    report: content of result.json.
    """
    lines = []
    contest, judge, terms = (report.get(name) for name in ("contest", "judge", "terms"))
    if contest:
        places = ", ".join(str(place["seed"]) for place in contest["ranking"])
        lines.append(f"Best first, by {contest['judge']}: {places}. The drafts are in seeds/N: thumbnail.png, mesh.glb")
    if judge:
        lines.append(f"Found by {judge['by']} in {judge['score']:.0%} of the views, as a shape in {judge['shape']:.0%}")
    if terms:
        lines.append(terms["line"])
    return lines


def duration_text(seconds: float) -> str:
    """Return seconds as 0:07, 3:12 or 1:02:03."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def progress_text(event: Progress, *, width: int = BAR, full: str = "#", empty: str = "-") -> str:
    """Return one line: stage, bar, step, it/s, ETA and peak memory; what is not known yet is left out.

    event: Progress.
    width: int, characters of the bar.
    full, empty: characters of its done and open part.
    """
    share = min(1.0, event.step / event.total) if event.total > 0 else 0.0
    filled = round(share * width)
    parts = [f"{STAGE_WORDS.get(event.stage, event.stage):<23}", f"[{full * filled}{empty * (width - filled)}]"]
    if event.stage == "download":
        parts.append(f"{event.step / 1e6:,.0f}/{event.total / 1e6:,.0f} MB")
        if event.rate is not None:
            parts.append(f"{event.rate / 1e6:,.1f} MB/s")
    elif event.rate is not None:
        parts += [f"{event.step}/{event.total}", f"{event.rate:.1f} it/s"]
    elif event.total > 1:
        parts.append(f"{share:.0%}")
    if event.eta_s is not None:
        parts.append(f"ETA {duration_text(event.eta_s)}")
    if event.memory_mib > 0:
        parts.append(f"peak {event.memory_mib:,.0f} MiB")
    return "  ".join(parts)


class ProgressDisplay:
    """Progress on a stream: one line redrawn on a terminal; elsewhere a line for a new stage, every 10 s, and the end.

    stream: to write on.
    terminal: bool, whether it is one; None: ask the stream.
    """

    def __init__(self, stream: TextIO, *, terminal: bool | None = None) -> None:
        self._stream = stream
        self._terminal = stream.isatty() if terminal is None else terminal
        self._drawn = 0  # characters of the progress line on screen
        self._stage = ""
        self._over = False
        self._last = -1e9
        self.gone = False  # whether nobody reads any more: a closed window, an ended pager
        self.sparse = not self._terminal  # whether every line stays, so that few are written
        self._full, self._empty = ("█", "░") if self._terminal and _can_encode(stream, "█░") else ("#", "-")

    def show(self, event: Event) -> None:
        """Draw a progress event or a note. Pictures and meshes are not for terminals."""
        if isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Note):
            self.line(f"note: {shown(event.text, _LONGEST)}")

    def bar(self, share: float, words: str, *, now: bool = False) -> None:
        """Draw another progress than a run's.

        share: float, 0..1.
        words: str, after the bar.
        now: bool, whether to draw it even if the last one is young.
        """
        moment = time.monotonic()
        if not now and moment - self._last < (REDRAW_SECONDS if self._terminal else SPARSE_SECONDS):
            return
        self._last = moment
        filled = round(min(1.0, max(0.0, share)) * BAR)
        self._draw(f"[{self._full * filled}{self._empty * (BAR - filled)}]  {words}")

    def line(self, text: str) -> None:
        """Write a line above the progress line."""
        self.clear()
        self._write(text + "\n")

    def clear(self) -> None:
        """Clear the progress line from the terminal."""
        if self._drawn:
            self._write("\r" + " " * self._drawn + "\r")  # spaces, because not every console knows the escape
            self._drawn = 0

    def _write(self, text: str) -> None:
        """Write at once. A stream that is gone does not end what is shown: `gone` says so."""
        if self.gone:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self.gone = True

    def _progress(self, event: Progress) -> None:
        now = time.monotonic()
        new_stage = event.stage != self._stage
        over = event.step >= event.total and not (self._over and not new_stage)
        gap = REDRAW_SECONDS if self._terminal else SPARSE_SECONDS
        if not (new_stage or over or now - self._last >= gap):
            return
        self._stage, self._last, self._over = event.stage, now, event.step >= event.total
        self._draw(progress_text(event, full=self._full, empty=self._empty))

    def _draw(self, text: str) -> None:
        if self._terminal:
            text = text[: shutil.get_terminal_size().columns - 1]
            self._write("\r" + text.ljust(self._drawn))
            self._drawn = len(text)
        else:
            self._write(text.rstrip() + "\n")


def _can_encode(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
