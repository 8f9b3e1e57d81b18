"""Run Warp kernels: started quietly, on torch tensors, on every core or on torch's CUDA stream.

Warp runs a CPU launch on the calling thread, and releases Python's lock while it does. So a launch over many items is
cut here into pieces that the calling thread and a few helpers take in turn. A helper that the machine is too busy to
wake is not waited for. A kernel that is launched this way takes `begin: int` first and works on item
`begin + wp.tid()`. Two items must never write to the same number. Then the result does not depend on who took which
piece, and the same input gives the same bits on any number of cores.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
import warp as wp

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.machine.device import kernel_threads

PIECES = 4  # pieces a thread, so that threads which start late or run slowly leave the rest to the others

_threads = kernel_threads()
_streams: dict[tuple[int, int], Any] = {}


def threads() -> int:
    """Return the threads that share a launch on the CPU."""
    return _threads


def set_threads(count: int) -> None:
    """Share launches on the CPU among `count` threads, at least 1. The results are the same bits for any number.

    Raises ValueError for less than 1.
    """
    global _threads
    if count < 1:
        raise ValueError(f"Kernels need at least one thread, not {count}.")
    _threads = count


def owners() -> int:
    """Return into how many parts sums are split on the CPU: a power of two, so that kernels find an owner by its bits.

    It is the largest one that does not exceed the number of threads. The sums have the same bits for any number.
    """
    return 1 << (_threads.bit_length() - 1)


def launch(kernel: Any, items: int, arguments: Sequence[Any], *, device: torch.device, grain: int = 1024) -> None:
    """Run `kernel` for items 0 to items - 1.

    kernel: a Warp kernel whose first parameter is `begin: int`.
    items: int.
    arguments: the parameters after `begin`: numbers, contiguous tensors on `device`, or what `array` made of them.
    device: torch.device to run on.
    grain: int, on the CPU, fewest items worth handing to another thread.
    """
    if items <= 0:
        return
    packed = [array(a) if isinstance(a, torch.Tensor) else a for a in arguments]
    if device.type != "cpu":
        stream = _stream(torch.cuda.current_stream(device))
        wp.launch(kernel, items, [0, *packed], device=wp.device_from_torch(device), stream=stream, record_tape=False)
        return
    workers = min(_threads, items // max(1, grain))
    if workers <= 1:
        wp.launch(kernel, items, [0, *packed], device="cpu", record_tape=False)
        return
    length = -(-items // min(PIECES * workers, items // max(1, grain)))
    todo = deque(range(0, items, length))
    command = wp.launch(kernel, length, [0, *packed], device="cpu", record_tape=False, record_cmd=True)
    helpers = [
        _pool(workers - 1).submit(_take_pieces, _copied(command), todo, items, length) for _ in range(workers - 1)
    ]
    _take_pieces(command, todo, items, length)
    for helper in helpers:
        if not helper.cancel():
            helper.result()


@contextlib.contextmanager
def recording(stream: torch.cuda.Stream) -> Iterator[Any]:
    """Add kernels launched inside to the CUDA graph that torch is recording on `stream`.

    It yields what keeps their modules loaded; hold it for as long as the graph. Each kernel must have run before.
    """
    with wp.ScopedCapture(stream=_stream(stream), external=True, force_module_load=False) as capture:
        yield capture


@contextlib.contextmanager
def on_stream_of_torch(device: torch.device) -> Iterator[None]:
    """Let what Warp does inside by itself, such as to build a hierarchy of boxes, run on torch's present stream."""
    if device.type == "cpu":
        yield
        return
    with wp.ScopedStream(_stream(torch.cuda.current_stream(device)), sync_enter=False):
        yield


def _stream(stream: torch.cuda.Stream) -> Any:
    """Warp's object for a stream of torch's, the same one always.

    Warp keeps what it knows of a stream, a recording under way included, until any of its objects for it is gone.
    """
    handle = (stream.device_index, stream.cuda_stream)
    if handle not in _streams:
        _streams[handle] = wp.stream_from_torch(stream)
    return _streams[handle]


def _take_pieces(command: Any, todo: deque[int], items: int, length: int) -> None:
    """Launch the command, recorded for `length` items, on pieces that begin at the numbers in `todo`, until all are."""
    while True:
        try:
            begin = todo.popleft()
        except IndexError:
            return
        command.set_param_at_index_from_ctype(0, begin)
        if items - begin < length:  # the last piece, so the recorded length is not needed again
            command.set_dim(items - begin)
        command.launch()


def _copied(command: Any) -> Any:
    """The recorded launch with a `begin` of its own: recording again would take ten times as long."""
    other = copy.copy(command)
    other.params = list(command.params)
    other.params[1] = copy.copy(command.params[1])
    return other


@cache
def _pool(helpers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(helpers, thread_name_prefix="warp")


def array(tensor: torch.Tensor, dtype: Any = None) -> Any:
    """Return the contiguous tensor as a kernel's one-dimensional array, sharing its memory.

    tensor: contiguous.
    dtype: Warp vector type of an element, such as `wp.vec3`, taken from the last axes in order; None: numbers.
    Raises RuntimeError where the tensor is not contiguous or not made of whole elements of the type.
    """
    width = 1 if dtype is None else dtype._length_
    count, rest = divmod(tensor.numel(), width)
    if rest or not tensor.is_contiguous():
        raise RuntimeError(
            f"A tensor {tuple(tensor.shape)} is no row of elements of {width} numbers. Make it contiguous."
        )
    if dtype is not None and dtype._wp_scalar_type_ is not _SCALARS.get(tensor.dtype):
        raise RuntimeError(f"A tensor of {tensor.dtype} has no elements of the type {dtype.__name__}.")
    # As `wp.from_torch` makes it, which takes three times as long: 6 microseconds. A picture of a mesh takes some 180.
    described = _Descriptor(tensor.data_ptr(), 0, 1, (count,), (width * tensor.element_size(),))
    described._ref = tensor  # its memory lives as long
    return described


def vectors(tensor: torch.Tensor, width: int = 3) -> Any:
    """Return the contiguous float32[..., width] tensor as a kernel's array of vectors: width 2, 3 or 4."""
    return array(tensor, {2: wp.vec2, 3: wp.vec3, 4: wp.vec4}[width])


def _start() -> None:
    """Start Warp without a word.

    Raises SetupError when the folder of its compiled kernels cannot be made.
    """
    # Warp greets and reports compilation on stdout, which is the protocol's wire: only warnings, and those on stderr.
    wp.config.log_level = wp.LOG_WARNING
    try:
        if torch.cuda.is_available():
            wp.init()
        else:
            _without_native_stderr(wp.init)
    except OSError as error:
        raise SetupError(
            "setup.kernel_cache",
            what="The folder for compiled kernels cannot be written.",
            why=str(error),
            fix="Make it writable, or set the environment variable WARP_CACHE_PATH to a folder that is.",
        ) from error


def _without_native_stderr(call: Callable[[], Any]) -> None:
    """Run `call` with native code's stderr elsewhere: without a GPU Warp warns there of a missing driver."""
    try:
        kept = os.dup(2)
    except OSError:  # a window program has no stderr to protect
        call()
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        call()
    finally:
        os.dup2(kept, 2)
        os.close(kept)


_start()

_Descriptor: Any = type(wp.from_torch(torch.zeros(1), return_ctype=True))
_SCALARS = {torch.float64: wp.float64, torch.float32: wp.float32, torch.float16: wp.float16}
