"""A network as a graph of OpenVINO: traced once into two files, then compiled from them for the CPU.

The module loads neither torch nor OpenVINO on import, so that the trial's process, which needs no torch, starts
quickly.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

MOST_ROWS = 256  # of a call; a graph with an upper bound keeps its buffers
PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
Array = NDArray[Any]


class GraphError(RuntimeError):
    """OpenVINO could not trace, compile or compute a network; the message is what it said."""


def openvino() -> Any:
    """Import OpenVINO without its package for telemetry, which would report conversions to its maker.

    Raises ImportError.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # what makes its import fail
    return importlib.import_module("openvino")


def write_graph(network: nn.Module, example: Sequence[Tensor], path: Path) -> None:
    """Trace a network in float32 and write it as an .xml file and the .bin beside it.

    network: takes `example` as positional arguments and returns one tensor.
    example: its tensors. A first axis as long as the first tensor's counts rows, of which the graph takes 1 to
        MOST_ROWS; every other axis is fixed.
    path: Path of the .xml file.
    Raises GraphError.
    """
    import torch

    rows = len(example[0])
    with _foreign_errors(), torch.no_grad():
        library = openvino()
        graph = library.convert_model(network, example_input=tuple(example))
        any_rows = library.Dimension(1, MOST_ROWS)
        # A fixed number of rows crashed the CPU plugin of 2026.4 in float32.
        shapes = {
            place: [any_rows if tensor.ndim and len(tensor) == rows else size for size in tensor.shape[:1]]
            + list(tensor.shape[1:])
            for place, tensor in zip(graph.inputs, example, strict=True)
        }
        graph.reshape(shapes)
        library.save_model(graph, path, compress_to_fp16=False)


def graph_digest(path: Path) -> str:
    """Return the SHA-256 over both files of a graph, in hex.

    path: Path of the .xml file.
    Raises OSError.
    """
    digest = hashlib.sha256()
    for file in (path, path.with_suffix(".bin")):
        with file.open("rb") as content:
            for block in iter(lambda: content.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()


class CompiledGraph:
    """A graph, compiled for the CPU.

    The plugin has been seen to crash the process instead of raising: compile in a trial first.

    path: Path of the .xml file.
    precision: 'float32' or 'bfloat16', of its inner products.
    threads: int, threads that it computes with.
    Raises GraphError.
    """

    def __init__(self, path: Path, precision: str, threads: int) -> None:
        with _foreign_errors():
            core = openvino().Core()
            core.set_property({"ENABLE_MMAP": False})  # a file that is mapped, and cut off by others, ends the process
            compiled = core.compile_model(
                path,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
                    "INFERENCE_NUM_THREADS": threads,
                    "NUM_STREAMS": 1,
                    "PERFORMANCE_HINT": "LATENCY",
                    "ENABLE_CPU_PINNING": False,  # another program may hold the core that it would be tied to
                },
            )
            self._request = compiled.create_infer_request()

    def __call__(self, inputs: Sequence[Array]) -> Array:
        """Return the network's output, a new array.

        inputs: arrays like the example of `write_graph`, with any number of rows up to MOST_ROWS.
        Raises GraphError.
        """
        with _foreign_errors():
            answer: Array = self._request.infer(dict(enumerate(inputs)), share_inputs=True, share_outputs=False)[0]
        return answer


def least_cosine(one: Array, other: Array) -> float:
    """Return the smallest cosine between rows of two arrays; nan where a value is not finite.

    one, other: float[B, ...], of the same shape.
    """
    a, b = (value.reshape(len(value), -1).astype(np.float64) for value in (one, other))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / np.maximum(lengths, 1e-300)).min())


@contextlib.contextmanager
def _foreign_errors() -> Iterator[None]:
    """What OpenVINO and torch's trace raise, which has no common class, as GraphError."""
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise GraphError(lines[-1][:200]) from error
