"""Try another runtime for a denoiser in a separate process, where a plugin that crashes harms nothing.

    python -m dreamfusion_engine.guidance.denoiser.trial GRAPH.xml CALL.npz PRECISION THREADS

CALL.npz holds the inputs as arr_0, arr_1 and so on, and as reference what torch predicts in float32. The process
compiles the graph, calls it once and answers with a line: the smallest cosine of a row to the reference. For each line
that it then gets, it makes the call again and answers with the seconds that it took. It ends at the end of its input.
This lets torch and all runtimes be timed in turn, on the same load of the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from dreamfusion_engine.guidance.denoiser.openvino_graph import CompiledGraph, GraphError, least_cosine
from dreamfusion_engine.machine.child_process import engine_child_environment, module_words

PATIENCE = 120.0  # seconds for an answer: a compilation takes two, and thirty where others want the cores too


class Trial:
    """A runtime under trial, seen from the process that asks.

    `begin` waits for it, so that several compile one after another and do not disturb each other.

    graph: Path of the .xml file.
    call: Path of the .npz file.
    precision: 'float32' or 'bfloat16'.
    threads: int, threads to compile with.
    """

    def __init__(self, graph: Path, call: Path, precision: str, threads: int) -> None:
        words = [*module_words(__name__), str(graph), str(call), precision, str(threads)]
        self.cosine = float("nan")
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env=engine_child_environment(),
            )
        except OSError:
            return  # no Python to start: nothing is tried

    def begin(self) -> bool:
        """Wait for the first call; return whether it worked."""
        self.cosine = self._answer()
        return self.cosine == self.cosine

    def seconds(self) -> float:
        """Make one more call; return its seconds, nan where the process is gone."""
        if self._process is None or self._process.stdin is None:
            return float("nan")
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except OSError:
            return float("nan")
        return self._answer()

    def end(self) -> None:
        """Kill the process and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _answer(self) -> float:
        if self._process is None or self._process.stdout is None:
            return float("nan")
        # A pipe cannot be waited for with a limit everywhere; a process that is ended closes it.
        late = threading.Timer(PATIENCE, self._process.kill)
        late.start()
        try:
            return float(self._process.stdout.readline())
        except ValueError:
            return float("nan")
        finally:
            late.cancel()


def main() -> int:
    """Try what the command line says; return 1 where the graph cannot be compiled or called."""
    # Answers leave by a private duplicate: whatever a library prints goes to stderr.
    wire = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    graph, call, precision, threads = sys.argv[1:]
    try:
        compiled = CompiledGraph(Path(graph), precision, int(threads))
        with np.load(call, allow_pickle=False) as given:
            reference = given["reference"]
            inputs = [given[f"arr_{i}"] for i in range(len(given.files) - 1)]
        wire.write(f"{least_cosine(compiled(inputs), reference)}\n")
        wire.flush()
        for _ in sys.stdin:
            begun = time.perf_counter()
            compiled(inputs)
            wire.write(f"{time.perf_counter() - begun}\n")
            wire.flush()
    except (GraphError, OSError, ValueError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
