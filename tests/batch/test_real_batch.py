"""A batch of real runs, with a tiny model: the same files, bit for bit, as a run alone; here and on a cluster.

Of: dreamfusion_engine/batch.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from reference.ray_nodes import OPEN, PATIENCE, ROOT, Node, free_port
from reference.tiny_pipeline import tiny_pipeline, write_card

pytestmark = pytest.mark.slow

ENGINE = [sys.executable, "-m", "dreamfusion_engine"]
SIZE = ["--steps=12", "--device=cpu", "--set=optimize.views=1", "--set=optimize.resolution=[16,16]"]
SIZE += ["--set=checkpoint_every=4", "--set=field.levels=2", "--set=judge=off"]
SIZE += ["--set=mesh.resolution=32", "--set=mesh.texture=64", "--set=mesh.triangles=200"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny_pipeline("v_prediction").save_pretrained(folder)
    write_card(folder)
    return folder


@pytest.fixture(scope="module")
def alone(model: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The mesh of a run by itself, on one thread as the jobs of the batch are."""
    folder = tmp_path_factory.mktemp("alone")
    done([*ENGINE, "generate", "a red mug", "--seed=1", f"--model={model}", f"--output={folder}", *SIZE])
    return (folder / "mesh.glb").read_bytes()


def done(command: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE * 4)
    assert run.returncode == 0, run.stdout + run.stderr


def batch(folder: Path, model: Path, *more: str) -> bytes:
    """The mesh of 'a red mug', seed 1, out of a batch."""
    lines = folder / "list.txt"
    lines.write_text("a red mug\na hamburger\n", encoding="utf-8")
    done([*ENGINE, "batch", str(lines), "--seeds=1", f"--output={folder / 'o'}", f"--model={model}", *SIZE, *more])
    assert (folder / "o" / "a-hamburger-1" / "mesh.glb").is_file()
    return (folder / "o" / "a-red-mug-1" / "mesh.glb").read_bytes()


def test_a_real_batch_makes_the_mesh_of_a_run_alone(tmp_path: Path, model: Path, alone: bytes) -> None:
    assert batch(tmp_path, model, "--threads=1", "--jobs=2") == alone


@pytest.mark.ray
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_real_batch_on_a_cluster_makes_it_too(
    tmp_path: Path, model: Path, alone: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OPEN.items():
        monkeypatch.setenv(name, value)
    port = free_port()
    node = Node(port, head=True, cache=tmp_path / "cache")
    try:
        assert batch(tmp_path, model, "--threads=1", f"--on=127.0.0.1:{port}") == alone
    finally:
        node.kill()
