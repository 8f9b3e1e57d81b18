"""Models on disk: found, checked, and every way of being wrong named before anything heavy is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from reference.tiny_pipeline import write_card

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models import pipeline_folder
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER, locate_model, open_pipeline


def refusal(action: Callable[[], object]) -> SetupError:
    with pytest.raises(SetupError) as caught:
        action()
    error = caught.value
    assert error.exit_code == 2
    assert error.what and error.why and error.fix
    return error


def test_a_good_folder_opens_with_its_family_parts_and_card(saved_pipeline: Path) -> None:
    folder = open_pipeline(locate_model(str(saved_pipeline)))
    assert folder.family == "IFPipeline"
    assert folder.components["text_encoder"] == "T5EncoderModel"
    assert folder.card.closed_vocabulary
    assert len(folder.card.files) > 5
    assert folder.variant("unet") is None


def test_half_precision_files_are_preferred_where_they_are(pipeline_copy: Path) -> None:
    weights = pipeline_copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    folder = open_pipeline(pipeline_copy)
    assert folder.variant("unet") == "fp16"
    assert folder.variant("text_encoder") is None


def test_checking_a_folder_imports_no_torch(saved_pipeline: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from dreamfusion_engine.models.pipeline_folder import open_pipeline;"
        f"open_pipeline(Path({str(saved_pipeline)!r})); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], timeout=600).returncode == 0


def test_unknown_paths_are_refused_and_hub_ids_say_how_to_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refusal(lambda: locate_model(str(tmp_path / "nowhere")))
    assert error.code == "model.missing"
    assert str(tmp_path / "nowhere") in error.what
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    error = refusal(lambda: locate_model("someone/some-model"))
    assert error.code == "model.not_downloaded"
    assert "dreamfusion-engine download someone/some-model" in error.fix
    assert refusal(lambda: locate_model("")).code == "model.missing"


def test_a_file_of_nonsense_is_not_a_model(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"x")
    assert refusal(lambda: locate_model(str(file))).code == "model.damaged"


def test_the_starter_is_the_folder_in_the_package_and_missed_when_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert STARTER_FOLDER.parent.name == "starter"
    monkeypatch.setattr(pipeline_folder, "STARTER_FOLDER", tmp_path)
    error = refusal(lambda: locate_model("starter"))
    assert error.code == "model.missing"
    assert "--model FOLDER" in error.fix


def test_a_folder_without_an_index_is_not_a_pipeline(tmp_path: Path) -> None:
    assert refusal(lambda: open_pipeline(tmp_path)).code == "model.not_pipeline"


@pytest.mark.parametrize("family", ["KandinskyPipeline", "IFSuperResolutionPipeline", None, 5])
def test_other_families_are_refused_by_name(pipeline_copy: Path, family: str | None) -> None:
    index = json.loads((pipeline_copy / "model_index.json").read_text())
    (pipeline_copy / "model_index.json").write_text(json.dumps({**index, "_class_name": family}))
    error = refusal(lambda: open_pipeline(pipeline_copy))
    assert error.code == "model.unsupported"
    assert repr(family) in error.what
    assert "IFPipeline" in error.why


@pytest.mark.parametrize("content", ["{", "[1]", "\x00"])
def test_a_damaged_index_is_named(pipeline_copy: Path, content: str) -> None:
    (pipeline_copy / "model_index.json").write_text(content)
    error = refusal(lambda: open_pipeline(pipeline_copy))
    assert error.code == "model.damaged"
    assert "model_index.json" in error.why


@pytest.mark.parametrize(
    "relative", ["unet/config.json", "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"]
)
def test_a_missing_file_is_named(pipeline_copy: Path, relative: str) -> None:
    (pipeline_copy / relative).unlink()
    error = refusal(lambda: open_pipeline(pipeline_copy))
    assert error.code == "model.incomplete"
    assert relative.split("/")[0] in error.why


def test_a_part_that_the_index_does_not_name_is_missed(pipeline_copy: Path) -> None:
    index = json.loads((pipeline_copy / "model_index.json").read_text())
    del index["scheduler"]
    (pipeline_copy / "model_index.json").write_text(json.dumps(index))
    assert "scheduler" in refusal(lambda: open_pipeline(pipeline_copy)).why


def test_pickled_weights_are_refused_unless_safetensors_lie_beside_them(pipeline_copy: Path) -> None:
    good = pipeline_copy / "unet" / "diffusion_pytorch_model.safetensors"
    (pipeline_copy / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    open_pipeline(pipeline_copy)
    good.unlink()
    error = refusal(lambda: open_pipeline(pipeline_copy))
    assert error.code == "model.pickled"
    assert "diffusion_pytorch_model.bin" in error.why


def test_one_changed_byte_of_a_listed_file_is_found(pipeline_copy: Path) -> None:
    write_card(pipeline_copy)
    open_pipeline(pipeline_copy)
    weights = pipeline_copy / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    error = refusal(lambda: open_pipeline(pipeline_copy))
    assert error.code == "model.damaged"
    assert "unet/diffusion_pytorch_model.safetensors" in error.why
