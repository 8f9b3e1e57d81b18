"""Facts about processes that train together, seen in two real ones started as people start them, by torchrun.

Of: dreamfusion_engine/machine/processes.py, dreamfusion_engine/optimize/volume_training.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from paint.part_runs import noise, right_half, with_part
from paint.surfaces import unwrapped_ball
from reference.one_process import CANCEL_AT, SHORT_FROM, refined
from reference.tiny_training import CPU, disc_teacher, tiny_config
from refinement.surfaces import surface

from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.machine import processes
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.optimize.volume_training import VolumeTraining

ROOT = Path(__file__).resolve().parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def torchrun(*arguments: str, timeout: float = 900.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TORCHRUN, *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind."""
    where = tmp_path_factory.mktemp("two")
    done = torchrun("tests/reference/one_process.py", str(where))
    assert done.returncode == 0, done.stderr[-3000:]
    return where


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one_on_the_same_views(folder: Path) -> None:
    config = tiny_config(views=4, albedo_until=0.0, gradient_clip=0.0)
    scores = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
    training = VolumeTraining(config, seed=3, device=CPU)
    both: list[Any] = [torch.load(folder / f"gradients-{k}.pt") for k in range(2)]
    for step in range(3):
        training.train_step(scores)
        one = torch.cat([p.grad.flatten() for p in training.field.parameters() if p.grad is not None])
        assert torch.equal(both[0][step], both[1][step])
        # After the first step Adam has divided gradients by their own tiny size: differences of rounding grow.
        assert float((both[0][step] - one).norm() / one.norm()) < (1e-5 if step == 0 else 1e-2)


@pytest.mark.slow
def test_a_wish_of_the_first_process_stops_both_at_the_same_step_in_the_same_state(folder: Path) -> None:
    first, second = (json.loads((folder / f"stopped-{k}.json").read_text()) for k in range(2))
    assert first == second
    assert (first["step"], first["count"]) == (CANCEL_AT, 2)


@pytest.mark.slow
def test_memory_that_runs_out_in_one_process_makes_both_step_down_and_go_on(folder: Path) -> None:
    first, second = (json.loads((folder / f"short-{k}.json").read_text()) for k in range(2))
    assert first == second, "the same field after the same steps"
    assert first["step"] == 8
    (taken,) = first["taken"]
    assert (taken["step"], taken["setting"]) == (SHORT_FROM, "memory.views_at_once")
    assert taken["reason"] == "CUDA out of memory in the second process."


@pytest.mark.slow
def test_only_the_first_process_writes(folder: Path) -> None:
    assert (folder / "checkpoint-of-0" / "checkpoint.json").is_file()
    assert not (folder / "checkpoint-of-1").exists()


@pytest.mark.slow
def test_the_command_line_makes_one_object_with_two_processes(tmp_path: Path) -> None:
    small = ["optimize.steps=3", "optimize.resolution=[8,8]", "mesh.resolution=24", "mesh.triangles=200"]
    small += ["mesh.texture=64", "render.steps=16", "mesh.iso=1.0"]
    words = [word for setting in small for word in ("--set", setting)]
    done = torchrun(
        "-m", "dreamfusion_engine", "generate", "a hamburger", "--device", "cpu", "--output", str(tmp_path), *words
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("mesh.glb") == 1, "the second process says nothing"
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["steps"], result["processes"]) == (3, 2)


@pytest.mark.slow
def test_two_processes_move_vertices_as_one_does_on_the_same_views(folder: Path) -> None:
    first, second = (torch.load(folder / f"refined-{k}.pt") for k in range(2))
    one, began = refined(4, processes.ALONE), torch.from_numpy(surface().canvas.vertices)
    assert torch.equal(first, second)
    moved = float((one - began).norm())
    assert moved > 0.0 and float((first - one).norm()) < 1e-2 * moved


@pytest.mark.slow
@pytest.mark.parametrize("command", [("refine",), ("texture",), ("texture", "--shape")], ids=lambda words: words[-1])
def test_the_command_line_works_on_a_mesh_with_two_processes(tmp_path: Path, command: tuple[str, ...]) -> None:
    mesh = unwrapped_ball(2, 64)
    part = right_half(mesh) if "--shape" in command else np.ones((len(mesh[1]), 3))
    made = with_part(mesh, part, noise(64, 64))
    if part.all():
        del made.document["meshes"][0]["primitives"][0]["attributes"]["_PART"]
    (tmp_path / "ball.glb").write_bytes(made.data())
    small = ["optimize.steps=2", "optimize.resolution=[8,8]", "optimize.views=1", "mesh.texture=64", "judge=off"]
    words = [word for setting in small for word in ("--set", setting)]
    words += [*command[1:], "--device", "cpu", "--output", str(tmp_path / "out")]
    done = torchrun("-m", "dreamfusion_engine", command[0], str(tmp_path / "ball.glb"), "a hamburger", *words)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("mesh.glb") == 1, "the second process says nothing"
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (result["steps"], result["processes"]) == (2, 2)
    assert result.get("outside_changed", 0) == 0 and (tmp_path / "out" / "mesh.glb").is_file()


def test_a_process_of_its_own_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert processes.join("cpu") is processes.ALONE
    assert processes.ALONE.first and not processes.started_as_follower()
    assert processes.ALONE.agree("pause") == "pause"
    assert processes.ALONE.device(torch.device("cuda", 3)) == torch.device("cuda", 3)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert processes.started_as_follower()
    assert processes.Processes(index=2, count=4).device(torch.device("cuda", 0)) == torch.device("cuda", 2)
    assert processes.Processes(index=2, count=4).device(CPU) == CPU
