"""What the command line, Python and the server begin alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # an import of it fails
from dreamfusion_engine import cli
sys.exit(cli.main(["generate", "a red mug", "--preset", "draft", "--resume", "--output", sys.argv[1]]))
"""


@pytest.mark.slow
def test_where_there_is_nothing_to_resume_no_torch_and_no_model_are_loaded(tmp_path: Path) -> None:
    words = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "nowhere")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "There is nothing to resume." in done.stderr and "Leave out --resume" in done.stderr
    assert not (tmp_path / "nowhere").exists()
