"""The encoder: a film that is whole, or an error and no film; nothing is told to it that it need not know."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.machine.atomic_file import write_whole
from dreamfusion_engine.mesh.pictures.video import encode_video

ROOT = Path(__file__).resolve().parents[3]
SIZE = (32, 16)
POSIX = pytest.mark.skipif(os.name == "nt", reason="a script in place of the encoder, signals")


def frames(count: int = 6) -> Iterator[NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    for _ in range(count):
        yield generator.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def encoder_that(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of Python in place of ffmpeg: reads all its frames, then runs `code`; `path` is the film's."""
    program = folder / "ffmpeg"
    head = f"#!{sys.executable}\nimport os, signal, sys, pathlib\nsys.stdin.buffer.read()\n"
    program.write_text(f"{head}path = pathlib.Path(sys.argv[-1])\n{code}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))


def test_every_frame_is_in_the_film(tmp_path: Path) -> None:
    encode_video(frames(), tmp_path / "film.mp4", SIZE)
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "film.mp4"))
    facts = next(reader)
    assert (facts["codec"], facts["size"], facts["fps"]) == ("h264", SIZE, 20.0) and len(list(reader)) == 6


@POSIX
@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("path.write_bytes(b'half'); print('it broke', file=sys.stderr); sys.exit(1)", "ended with 1: it broke"),
        ("path.write_bytes(b'half'); sys.exit(3)", "ended with 3: it said nothing"),
        ("path.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)", "ended with -9"),
        ("", "wrote nothing"),
    ],
    ids=["fails", "fails in silence", "is killed", "writes nothing"],
)
def test_a_film_of_an_encoder_that_failed_does_not_come_into_its_place(
    code: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder_that(code, tmp_path, monkeypatch)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "film.mp4").write_bytes(b"old")
    with pytest.raises(SetupError) as caught:
        write_whole(tmp_path / "out" / "film.mp4", lambda path: encode_video(frames(), path, SIZE))
    assert caught.value.code == "setup.video" and told in caught.value.why
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [b"old"]


@POSIX
def test_a_full_disk_is_called_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "[out#0/mp4 @ 0x55] Error writing trailer: No space left on device"
    encoder_that(f"path.write_bytes(b'half'); print({said!r}, file=sys.stderr); sys.exit(228)", tmp_path, monkeypatch)
    with pytest.raises(OSError) as caught:
        encode_video(frames(), tmp_path / "film.mp4", SIZE)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(tmp_path / "film.mp4")


def can_mount(folder: Path) -> bool:
    """Whether a small file system of our own can be made here, as it is in a container."""
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(folder)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def test_a_disk_that_is_really_full_is_told_by_the_real_encoder(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if not can_mount(small):
        pytest.skip("no right to make a small file system")
    try:
        with pytest.raises(OSError) as caught:
            write_whole(small / "film.mp4", lambda path: encode_video(frames(60), path, SIZE))
        assert caught.value.errno == errno.ENOSPC and list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_what_the_frames_raise_ends_the_encoder_and_passes_through(tmp_path: Path) -> None:
    def broken() -> Iterator[NDArray[np.uint8]]:
        yield from frames(1)
        raise KeyboardInterrupt

    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(KeyboardInterrupt):
        encode_video(broken(), tmp_path / "film.mp4", SIZE)
    assert {child.pid for child in psutil.Process().children()} <= before


@POSIX
def test_the_encoder_is_told_no_token_and_says_nothing_on_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    encoder_that("path.write_text(repr(dict(os.environ))); print('a warning', file=sys.stderr)", tmp_path, monkeypatch)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    encode_video(frames(), tmp_path / "film.mp4", SIZE)
    assert "hf_secret" not in (tmp_path / "film.mp4").read_text() and "PATH" in (tmp_path / "film.mp4").read_text()
    assert capfd.readouterr() == ("", "")


@POSIX
def test_the_encoder_ends_by_itself_when_the_engine_is_killed(tmp_path: Path) -> None:
    """Its input ends with the engine, so no orphan stays."""
    code = f"""
import os, signal, sys
from pathlib import Path
import numpy as np, psutil
from dreamfusion_engine.mesh.pictures.video import encode_video

def frames():
    yield np.zeros((16, 32, 3), np.uint8)
    print(psutil.Process().children()[0].pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

encode_video(frames(), Path({str(tmp_path / "film.mp4")!r}), (32, 16))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as engine:
        assert engine.stdout is not None
        pid = int(engine.stdout.readline())
        engine.wait(timeout=90)
        with contextlib.suppress(psutil.NoSuchProcess):  # it was quicker
            psutil.Process(pid).wait(timeout=90)
