"""The place where a single file is made into a folder: for one process at a time, and nothing of killed ones stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.single_file.convert import workplace

ROOT = Path(__file__).resolve().parents[3]
KILLED = """
import os, signal, sys
from pathlib import Path
from dreamfusion_engine.models.single_file.convert import workplace
with workplace(Path(sys.argv[1]), "model.safetensors") as new:
    (new / "pipeline").mkdir()
    (new / "pipeline" / "weights").write_bytes(b"half of some gigabytes")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_what_killed_processes_left_of_this_model_is_removed(tmp_path: Path) -> None:
    folder, other = tmp_path / "a [model]-1234", tmp_path / "a [model]-1234567"
    for path in (folder, folder, other):
        run = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, timeout=90)
        assert run.returncode == -signal.SIGKILL
    left = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert len(left) == 2, "the second of them has removed what the first one left"
    with workplace(folder, "model.safetensors") as new:
        assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {new.name} | {
            name for name in left if name.startswith(f"new-{other.name}-")
        }
    assert not new.exists() and not folder.with_name(f"{folder.name}.lock").exists()


def test_a_second_process_is_refused_and_the_first_one_s_work_stays(tmp_path: Path) -> None:
    with workplace(tmp_path / "model-1", "model.safetensors") as new:
        with pytest.raises(SetupError) as caught, workplace(tmp_path / "model-1", "model.safetensors"):
            pass
        assert caught.value.code == "model.busy" and f"process {os.getpid()} " in caught.value.why
        assert new.is_dir()
        with workplace(tmp_path / "model-2", "model.safetensors"):
            pass  # another model is nobody's business
