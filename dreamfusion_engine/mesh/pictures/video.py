"""Encode frames as a film, by ffmpeg in a separate process whose exit code and messages are checked."""

from __future__ import annotations

import errno
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.machine.child_process import APART, child_environment

FRAMES_PER_SECOND = 20
CODEC = "libx264"
_QUALITY = ["-crf", "18", "-movflags", "+faststart"]  # hardly a loss that is seen; plays before it is loaded whole
_SAID = 400  # characters of ffmpeg's last words
_FULL = {errno.ENOSPC: "No space left on device", errno.EDQUOT: "Disk quota exceeded"}  # as ffmpeg says them


def encode_video(frames: Iterable[NDArray[np.uint8]], path: Path, size: tuple[int, int]) -> None:
    """Write frames as H.264 in yuv420p, which every player shows.

    What `frames` raises ends the encoder and passes through. After an error the file is not usable.

    frames: uint8[H, W, 3] each.
    path: Path of the file.
    size: (width, height), both even.
    Raises OSError where the disk is full, SetupError setup.video where the encoder fails in another way.
    """
    try:
        encoder = _started(path, size)
    except (OSError, RuntimeError) as error:  # RuntimeError: imageio-ffmpeg finds no program
        raise _failed(f"could not be started: {error}") from error
    said: list[bytes] = []
    listener = threading.Thread(target=_listen, args=(encoder, said), daemon=True)
    listener.start()
    assert encoder.stdin is not None
    try:
        with suppress(BrokenPipeError), encoder.stdin as film:  # it has ended early, and says why
            for frame in frames:
                film.write(np.ascontiguousarray(frame).data)
        code = encoder.wait()
    finally:
        if encoder.poll() is None:
            encoder.kill()
        encoder.wait()
        listener.join()
    words = b"".join(said).decode("utf-8", "replace").strip()
    if code != 0:
        for number, text in _FULL.items():
            if text in words:
                raise OSError(number, text, str(path))
        raise _failed(f"ended with {code}: {words[-_SAID:] or 'it said nothing'}")
    if path.stat().st_size == 0:
        raise _failed("wrote nothing")


def _started(path: Path, size: tuple[int, int]) -> subprocess.Popen[bytes]:
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(FRAMES_PER_SECOND)]
    wanted = ["-an", "-vcodec", CODEC, "-pix_fmt", "yuv420p", *_QUALITY]
    return subprocess.Popen(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *given, "-i", "-", *wanted, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=child_environment(),
        start_new_session=True,  # a Ctrl-C or a closed window is for the engine, which ends the encoder itself
        creationflags=APART,
    )


def _listen(encoder: subprocess.Popen[bytes], said: list[bytes]) -> None:
    assert encoder.stderr is not None
    with suppress(OSError), encoder.stderr as stream:
        said.append(stream.read())


def _failed(how: str) -> SetupError:
    return SetupError(
        "setup.video",
        what="The turntable video could not be encoded.",
        why=f"ffmpeg, which comes with imageio-ffmpeg, {how}",
        fix="Reinstall imageio-ffmpeg, or look at views.png and mesh.glb, which need no video encoder.",
    )
