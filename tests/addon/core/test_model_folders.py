"""Add Model finds diffusers folders and whole single files, and leaves LoRAs alone."""

from __future__ import annotations

from pathlib import Path

from blender_addon.core.model_folders import WHOLE_BYTES, find


def sized(path: Path, size: int) -> Path:
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


def test_a_folder_that_is_a_model_is_found_alone(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    sized(tmp_path / "extra.safetensors", WHOLE_BYTES)
    assert find(tmp_path) == [tmp_path]


def test_models_of_both_kinds_in_a_folder_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model_index.json").write_text("{}")
    whole = sized(tmp_path / "a whole one.safetensors", WHOLE_BYTES)
    sized(tmp_path / "lora.safetensors", 150_000_000)
    sized(tmp_path / "old.ckpt", WHOLE_BYTES)
    assert find(tmp_path) == [whole, tmp_path / "folder"]


def test_nothing_is_found_where_there_is_nothing(tmp_path: Path) -> None:
    assert find(tmp_path) == find(tmp_path / "absent") == []


def test_a_whole_clip_is_a_model_and_a_tower_or_a_damaged_config_is_none(tmp_path: Path) -> None:
    configs = {
        "whole": '{"model_type": "clip"}',
        "tower": '{"model_type": "clip_vision_model"}',
        "damaged": "{",
        "deep": "[" * 100_000,
        "large": '{"model_type": "clip"}' + " " * (1 << 20),
    }
    for name, text in configs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text, encoding="utf-8")
    assert find(tmp_path) == [tmp_path / "whole"] == find(tmp_path / "whole")
