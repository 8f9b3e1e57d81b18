"""The words of the options are read as the settings that were meant."""

from __future__ import annotations

from pathlib import Path

from dreamfusion_engine.commands.typed_settings import adapter_settings


def test_adapters_reach_the_configuration_as_files_and_weights(tmp_path: Path) -> None:
    """A LoRA's weight follows the last colon, which a path may have as well."""
    there = tmp_path / "odd:1"
    there.write_bytes(b"")
    said = adapter_settings(
        ["a.safetensors", "b.safetensors:0.5", "c:d/e.safetensors:-2", "C:\\f.safetensors", "C:/g", str(there)], ["w"]
    )
    assert said["adapters.lora"] == [
        ["a.safetensors", 1.0],
        ["b.safetensors", 0.5],
        ["c:d/e.safetensors", -2.0],
        ["C:\\f.safetensors", 1.0],
        ["C:/g", 1.0],
        [str(there), 1.0],
    ]
    assert said["adapters.embeddings"] == ["w"] and adapter_settings([], []) == {}
