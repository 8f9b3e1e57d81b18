"""Fixtures: saved tiny pipelines, made once, of the same classes and files as real models.

torch is imported by those who ask for one: tests of the add-on do without.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reference.tiny_families import Case


@pytest.fixture(scope="session")
def saved_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline folder with a card. Not to be changed: take `pipeline_copy` for that."""
    from reference.tiny_pipeline import tiny_pipeline, write_card

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


@pytest.fixture(scope="session")
def small_flux() -> Iterator[None]:
    """Flux's configuration does not say how large its pictures are; here as small as the other families'."""
    from reference.tiny_families import LATENT

    from dreamfusion_engine.models.families import flux

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flux, "LATENT_SIZE", LATENT)
        yield


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory, small_flux: None) -> Callable[[str], Case]:
    """A pipeline of each variant, saved as a folder and loaded from it by the engine; made once. Not to be changed."""
    import torch
    from reference.tiny_families import PROMPTS, VARIANTS, Case

    from dreamfusion_engine.models.load import load_teacher
    from dreamfusion_engine.models.pipeline_folder import open_pipeline

    made: dict[str, Case] = {}

    def case(variant: str) -> Case:
        if variant not in made:
            pipeline = VARIANTS[variant]()
            pipeline.set_progress_bar_config(disable=True)
            folder = tmp_path_factory.mktemp(variant) / "model"
            pipeline.save_pretrained(folder)
            teacher = load_teacher(open_pipeline(folder), torch.device("cpu"))
            made[variant] = Case(pipeline, folder, teacher, teacher.encode_prompts(PROMPTS))
        return made[variant]

    return case
