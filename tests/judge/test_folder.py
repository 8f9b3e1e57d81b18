"""Which folder judges: ours, any whole CLIP, never the model that teaches; what cannot judge is refused in words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.judge.folder import WEIGHTS, judge_folder


def test_without_a_word_the_built_in_judge_judges_and_off_is_off() -> None:
    assert judge_folder("auto", "starter") == WEIGHTS
    assert judge_folder("off", "starter") is None


def test_a_clip_folder_takes_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    shutil.copytree(WEIGHTS, folder)
    assert judge_folder(str(folder), "starter") == folder


@pytest.mark.parametrize("change", [{"vision_config": None}, {"text_config": None}, {"model_type": "siglip"}])
def test_a_folder_that_lacks_a_tower_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    config = json.loads((WEIGHTS / "config.json").read_text(encoding="utf-8")) | change
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "preprocessor_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        judge_folder(str(tmp_path), "starter")
    assert refused.value.code == "judge.folder" and refused.value.exit_code == 2
    assert next(iter(change)).partition("_")[0] in refused.value.why or "CLIPModel" in refused.value.why


@pytest.mark.parametrize("name", ["", "nowhere", "\0"])
def test_no_folder_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="judge cannot be used"):
        judge_folder(name, "starter")


def test_what_teaches_never_judges_not_even_as_a_copy(tmp_path: Path) -> None:
    shutil.copytree(WEIGHTS, tmp_path / "copy")
    for teacher in (WEIGHTS, tmp_path / "copy"):
        with pytest.raises(InputError) as refused:
            judge_folder(str(tmp_path / "copy"), str(teacher))
        assert refused.value.code == "judge.teaches"
        assert judge_folder("auto", str(teacher)) is None
