"""`generate --from MESH`: what is asked of the engine, and what is refused before it begins.

Of: dreamfusion_engine/request/generate.py, dreamfusion_engine/cli, dreamfusion_engine/tasks/generate.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run.test_start import blockout

from dreamfusion_engine import cli
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Result
from dreamfusion_engine.mesh.gltf.read import read_gltf


class Spy:
    """Takes the place of generate.generate."""

    def __init__(self) -> None:
        self.config: GenerateConfig | None = None
        self.more: dict[str, Any] = {}

    def __call__(self, config: GenerateConfig, output: Path, **more: Any) -> Result:
        self.config, self.more = config, more
        return Result(folder=str(output), files={})


def asked(tmp_path: Path, *words: str, mesh: bytes | None = None) -> tuple[int, Spy]:
    """The exit code, and what generate was asked."""
    spy = Spy()
    file = tmp_path / "block.glb"
    file.write_bytes(blockout() if mesh is None else mesh)
    command = ["generate", "a gift", "--from", str(file), "--output", str(tmp_path / "out"), *words]
    return cli.main(command, generate=spy), spy


def test_the_mesh_and_its_lock_reach_the_engine(tmp_path: Path) -> None:
    code, spy = asked(tmp_path, "--lock", "0.8")
    assert code == 0 and spy.config is not None
    assert spy.more["blockout"] == blockout()
    assert spy.config.start.lock == 0.8
    assert spy.config.optimize.levels_until == 0.0


def test_levels_that_were_asked_for_stay(tmp_path: Path) -> None:
    _, spy = asked(tmp_path, "--set", "optimize.levels_until=0.2")
    assert spy.config is not None and spy.config.optimize.levels_until == 0.2


@pytest.mark.parametrize(
    ("words", "mesh", "said"),
    [
        (("--lock", "1.5"), None, "start.lock"),
        (("--lock", "nan"), None, "start.lock"),
        (("--lock", "1", "--set", "start.lock=0"), None, "contradict"),
        (("--lock", "1", "--set", "start=5"), None, "contradict"),
        (("--from", ""), None, "--from: nothing was given"),
        ((), b"", "binary glTF"),
        ((), b"\x00" * 64, "binary glTF"),
        ((), b'{"asset": {"version": "2.0"}}', "binary glTF"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    words: tuple[str, ...], mesh: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, spy = asked(tmp_path, *words, mesh=mesh)
    assert code == 2 and spy.config is None
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["generate", "a gift", "--from", str(tmp_path / "nothing.glb")], generate=Spy()) == 2
    assert "mesh file cannot be read" in capsys.readouterr().err


def test_a_lock_without_a_mesh_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["generate", "a gift", "--lock", "1", "--output", str(tmp_path)], generate=Spy()) == 2
    assert "--from" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_run_from_a_block_ends_where_the_block_stands_and_can_be_resumed_without_it(tmp_path: Path) -> None:
    file = tmp_path / "block.glb"
    file.write_bytes(blockout())
    settings = ["--preset", "draft", "--steps", "40", "--set", "mesh.resolution=48", "--set", "mesh.texture=128"]
    words = ["generate", "a gift", "--output", str(tmp_path / "out"), "--json", *settings]
    assert cli.main([*words, "--from", str(file), "--lock", "1"]) == 0
    mesh = read_gltf((tmp_path / "out" / "mesh.glb").read_bytes()).primitives[0].vertices
    assert np.allclose(mesh.min(0), [4.0, 5.0, 6.0], atol=0.3) and np.allclose(mesh.max(0), [7.0, 8.0, 9.0], atol=0.3)
    first = (tmp_path / "out" / "mesh.glb").read_bytes()
    assert cli.main([*words, "--lock", "1", "--resume"]) == 0
    assert (tmp_path / "out" / "mesh.glb").read_bytes() == first
    assert json.loads((tmp_path / "out" / "result.json").read_text())["config"]["start"]["lock"] == 1.0
