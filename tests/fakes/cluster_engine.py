"""The real engine whose jobs are made by the scripted one: `python cluster_engine.py serve --on HOST:PORT`.

With CLUSTER_MAKES=real they are made by the real engine too.

With FAKE_CLUSTER the cluster is played. Its two machines, first and second, take one job each; where the folder of that
name gets a file with a machine's name, that machine dies. Without it the cluster is a real one.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fakes.pretend_ray import Cluster, PretendNode, modules

from dreamfusion_engine import cli
from dreamfusion_engine.batch import engine_process
from dreamfusion_engine.batch.serve_place import ServePlace

CARRY_SECONDS = 0.3  # between two checkpoints that come back
LOOK_SECONDS = 0.05


def play(folder: Path) -> None:
    """Put a cluster that is played in the place of Ray."""
    cluster = Cluster(first=PretendNode(), second=PretendNode())
    sys.modules.update(modules(cluster))

    def watch() -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            for name, node in cluster.nodes.items():
                if node.alive and (folder / name).exists():
                    cluster.kill(name)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    if "FAKE_CLUSTER" in os.environ:
        play(Path(os.environ["FAKE_CLUSTER"]))
    if os.environ.get("CLUSTER_MAKES") != "real":
        engine_process.PROGRAM = (sys.executable, str(Path(__file__).with_name("scripted_engine.py")))
    vars(cli)["ServePlace"] = functools.partial(ServePlace, every_s=CARRY_SECONDS)
    sys.exit(cli.main(sys.argv[1:]))
