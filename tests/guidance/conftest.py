"""A saved tiny pipeline, made once: the same classes and files as a real model's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from reference.tiny_pipeline import tiny_pipeline, write_card


@pytest.fixture(scope="session")
def saved_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline folder with a card. Not to be changed: take `pipeline_copy` for that."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tiny_pipeline("v_prediction").save_pretrained(folder)
    write_card(folder)
    return folder


@pytest.fixture
def pipeline_copy(saved_pipeline: Path, tmp_path: Path) -> Path:
    """A copy of the saved pipeline that a test may damage, without its card's checksums."""
    folder = tmp_path / "copy"
    shutil.copytree(saved_pipeline, folder)
    (folder / "dreamfusion.json").unlink()
    return folder
