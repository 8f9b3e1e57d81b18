"""What is loaded for a part is what diffusers and transformers load, and nothing that is missing goes unseen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.paper_model import paper_weights
from reference.tiny_pipeline import tiny_pipeline

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.part_weights import read_part_weights


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return tiny_pipeline()


def refusal(folder: Path, part: str = "unet") -> SetupError:
    with pytest.raises(SetupError) as caught:
        read_part_weights(folder, part)
    return caught.value


def index_for(*, names: dict[str, str]) -> str:
    return json.dumps({"metadata": {}, "weight_map": names})


@pytest.fixture
def part(tmp_path: Path) -> Path:
    (tmp_path / "unet").mkdir()
    return tmp_path / "unet"


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_shards_as_the_libraries_write_them_are_counted_whole(
    pipeline: Any, tmp_path: Path, variant: str | None
) -> None:
    for name in ("unet", "text_encoder"):
        model = getattr(pipeline, name)
        model.save_pretrained(tmp_path / name, max_shard_size="20KB", variant=variant)
        weights = read_part_weights(tmp_path, name)
        assert len(weights.files) > 1 and weights.variant == variant
        assert weights.dtype == "F32" and weights.bytes == 4 * weights.parameters
        assert weights.parameters == sum(p.numel() for p in model.parameters())


def test_a_missing_shard_is_named(pipeline: Any, tmp_path: Path) -> None:
    pipeline.unet.save_pretrained(tmp_path / "unet", max_shard_size="20KB")
    lost = sorted((tmp_path / "unet").glob("*.safetensors"))[1]
    lost.unlink()
    error = refusal(tmp_path)
    assert error.code == "model.incomplete" and f"unet/{lost.name}" in error.why


def test_a_shard_that_was_cut_off_is_named(pipeline: Any, tmp_path: Path) -> None:
    pipeline.unet.save_pretrained(tmp_path / "unet", max_shard_size="20KB")
    broken = sorted((tmp_path / "unet").glob("*.safetensors"))[-1]
    broken.write_bytes(broken.read_bytes()[:-64])
    error = refusal(tmp_path)
    assert error.code == "model.damaged" and f"unet/{broken.name}" in error.why and "cut off" in error.why


def test_a_tensor_that_is_not_where_the_index_says_is_told(part: Path) -> None:
    (part / "diffusion_pytorch_model-00001-of-00001.safetensors").write_bytes(paper_weights(name="here"))
    names = {"gone": "diffusion_pytorch_model-00001-of-00001.safetensors"}
    (part / "diffusion_pytorch_model.safetensors.index.json").write_text(index_for(names=names))
    error = refusal(part.parent)
    assert error.code == "model.damaged" and "gone" in error.why


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "a/b.safetensors"])
def test_an_index_cannot_lead_out_of_its_folder(part: Path, name: str) -> None:
    (part / "model.safetensors.index.json").write_text(index_for(names={"a": name}))
    assert refusal(part.parent).code == "model.damaged"


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}'])
def test_an_index_that_says_nothing_is_damaged(part: Path, content: str) -> None:
    (part / "model.safetensors.index.json").write_text(content)
    assert refusal(part.parent).code == "model.damaged"


def test_half_precision_is_taken_where_it_is(part: Path) -> None:
    (part / "model.safetensors").write_bytes(paper_weights())
    assert read_part_weights(part.parent, "unet").variant is None
    (part / "model.fp16.safetensors").write_bytes(paper_weights())
    assert read_part_weights(part.parent, "unet").variant == "fp16"
    (part / "model.non_ema.safetensors").write_bytes(b"never opened")
    assert read_part_weights(part.parent, "unet").files == (part / "model.fp16.safetensors",)


@pytest.mark.parametrize("part_name", ["unet", "text_encoder"])
def test_beside_shards_the_file_is_taken_that_its_library_takes(pipeline: Any, tmp_path: Path, part_name: str) -> None:
    model = getattr(pipeline, part_name)
    model.save_pretrained(tmp_path / part_name, max_shard_size="20KB")
    shards = {path.name for path in (tmp_path / part_name).glob("*.safetensors")}
    whole = "diffusion_pytorch_model.safetensors" if part_name == "unet" else "model.safetensors"
    model.save_pretrained(tmp_path / "whole")
    (tmp_path / "whole" / whole).rename(tmp_path / part_name / whole)
    for file in shards:
        (tmp_path / part_name / file).write_bytes(b"broken")
    by_library = True
    try:
        type(model).from_pretrained(tmp_path / part_name, local_files_only=True, use_safetensors=True)
    except Exception:  # what exactly it says of a broken shard is the library's business
        by_library = False
    by_us = True
    try:
        read_part_weights(tmp_path, part_name)
    except SetupError:
        by_us = False
    assert by_us == by_library


def test_weights_under_a_name_that_nobody_loads_are_missing_weights(part: Path) -> None:
    (part / "sd_xl_base.safetensors").write_bytes(paper_weights())
    error = refusal(part.parent)
    assert error.code == "model.incomplete" and "sd_xl_base.safetensors" in error.why


def test_quantised_weights_are_refused_by_type(part: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(64, dtype=torch.float8_e4m3fn)}, part / "model.safetensors")
    error = refusal(part.parent)
    assert error.code == "model.unsupported" and "F8_E4M3" in error.why


@pytest.mark.parametrize("name", ["pytorch_model.bin", "diffusion_pytorch_model.ckpt"])
def test_pickles_are_never_taken(part: Path, name: str) -> None:
    (part / name).write_bytes(b"pickle")
    error = refusal(part.parent)
    assert error.code == "model.pickled" and name in error.why
