"""The agent of docs/automation.md makes a hamburger with the real engine, and a headless Blender gets it.

Of: docs/automation.md, dreamfusion_engine/agents, dreamfusion_engine/cli/mcp.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from addon.blenders import Session
from reference.page_examples import on_path, put

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="The command is a shell's")]
# The page makes a whole draft. Here a few steps do, and a small mesh.
SMALL = (
    'preset="draft", settings={"optimize": {"steps": 5}, "mesh": {"resolution": 48, "texture": 128}, "judge": "off"}'
)


def test_an_agent_makes_a_hamburger_and_blender_gets_it(newest_blender: Session, tmp_path: Path) -> None:
    pytest.importorskip("mcp")
    script = put("agent", tmp_path, ('preset="draft"', SMALL))
    run = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=on_path(tmp_path, "-m dreamfusion_engine"),
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    said = run.stdout.splitlines()
    shares = [float(line.partition(" %")[0]) for line in said[:-1]]
    assert shares == sorted(shares) and shares[-1] == 100.0 and any("training" in line for line in said)
    mesh = Path(said[-1])
    assert mesh == (tmp_path / "objects" / "a-hamburger-0" / "mesh.glb").resolve() and mesh.is_file()
    target = tmp_path / "hamburger.blend"
    outcome = newest_blender.run(put("into_blender", tmp_path), str(mesh), str(target), addon=False)
    assert target.stat().st_size > 10_000 and " faces" in outcome.output
