"""Every family gives the same teacher whatever its memory settings; and a whole run says what it was run with.

Of: dreamfusion_engine/memory/placement.py, dreamfusion_engine/models/families.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference import tiny_families as tiny

import dreamfusion_engine.run.teacher as run_teacher
import dreamfusion_engine.tasks.generate as engine
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import MemoryConfig
from dreamfusion_engine.events import Event, Note
from dreamfusion_engine.memory.placement import Placement
from dreamfusion_engine.models.families import flux
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.models.sizes import read_sizes
from dreamfusion_engine.run.memory_fit import fit_memory

CPU = torch.device("cpu")
VARIANTS: dict[str, Callable[[], Any]] = {
    "if": tiny.deepfloyd_if,
    "sd": tiny.stable_diffusion,
    "sdxl": tiny.stable_diffusion_xl,
    "pixart": tiny.pixart_sigma,
    "sd3": tiny.stable_diffusion_3,
    "flux": tiny.flux,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def folder(variant: str) -> Path:
        if variant not in made:
            made[variant] = tmp_path_factory.mktemp(variant) / "model"
            VARIANTS[variant]().save_pretrained(made[variant])
        return made[variant]

    return folder


@pytest.fixture(autouse=True)
def small_flux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flux, "LATENT_SIZE", tiny.LATENT)


def taught(folder: Path, settings: MemoryConfig) -> tuple[torch.Tensor, ...]:
    """What a teacher with these settings makes of a prompt, a picture and noise; and the gradient to the picture."""
    place = Placement(settings, CPU, Path).place
    teacher = load_teacher(open_pipeline(folder), CPU, place=place)
    told = teacher.encode_prompts(["a red mug", ""])
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, teacher.image_size, teacher.image_size, generator=generator).requires_grad_()
    x = teacher.to_model_space(image)
    weights = torch.linspace(-1, 1, x.numel()).view_as(x)
    (gradient,) = torch.autograd.grad((x * weights).sum(), image)
    with torch.no_grad():
        noise = teacher.predict_noise(x.detach(), torch.tensor([3, 500]), told)
    return told.tokens, x.detach(), gradient, noise


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_family_teaches_the_same_with_every_saving_made(variant: str, folders: Callable[[str], Path]) -> None:
    folder = folders(variant)
    plain = taught(folder, MemoryConfig())
    saving = taught(folder, MemoryConfig(recompute=True, tiling=True, offload="all"))
    for one, other in zip(plain, saving, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_attention_is_torchs_own_in_every_part(variant: str) -> None:
    pipeline = VARIANTS[variant]()
    denoiser = getattr(pipeline, "unet", None) or pipeline.transformer
    parts = [denoiser, *([pipeline.vae] if getattr(pipeline, "vae", None) else [])]
    names = {type(processor).__name__ for part in parts for processor in part.attn_processors.values()}
    assert names <= {"AttnProcessor2_0", "JointAttnProcessor2_0", "FluxAttnProcessor"}, "the ones of torch 2"
    for name in ("text_encoder", "text_encoder_2", "text_encoder_3"):
        text = getattr(pipeline, name, None)
        assert text is None or text.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_familys_folder_tells_its_sizes(variant: str, folders: Callable[[str], Path]) -> None:
    pipeline, sizes = VARIANTS[variant](), read_sizes(folders(variant))
    denoiser = getattr(pipeline, "unet", None) or pipeline.transformer
    assert sizes.denoiser == sum(tensor.numel() for tensor in denoiser.state_dict().values())
    assert sizes.transformer == hasattr(pipeline, "transformer")
    texts = [getattr(pipeline, name, None) for name in ("text_encoder", "text_encoder_2", "text_encoder_3")]
    assert sizes.text_encoders == max(text.num_parameters() for text in texts if text is not None)
    assert (sizes.vae > 0, sizes.encoder_kept > 0) == (variant != "if",) * 2
    assert sizes.denoiser_live > 0


@pytest.mark.slow
def test_a_run_without_enough_memory_changes_its_settings_says_so_and_records_it(
    folders: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_teacher, "free_bytes", lambda device: 1 << 20)
    settings = {
        "optimize": {"steps": 3, "views": 2, "resolution": [24, 32]},
        "field": {"levels": 2},
        "render": {"steps": 32, "occupancy_resolution": 16},
        "mesh": {"resolution": 32, "texture": 64, "triangles": 200},
        "model": str(folders("sd")),
        "device": "cpu",
    }
    events: list[Event] = []
    result = engine.generate(preset("draft", "a red mug", settings), tmp_path / "out", report=events.append)
    (text,) = [event.text for event in events if isinstance(event, Note) and event.code == "memory.fit"]
    assert "one view at a time" in text and "may not fit" in text
    memory = result.report["memory"]
    assert memory["changed"] and memory["memory"]["views_at_once"] == 1 and memory["memory"]["recompute"]
    assert memory["resolution"] == [24, 32] and memory["steps_down"] == [] and memory["estimate_mib"] > 100
    assert json.loads((tmp_path / "out" / "result.json").read_text())["config"]["memory"]["recompute"] is False
    quiet = preset("draft", "a red mug", {**settings, "memory": {"fit": False}})
    assert fit_memory(quiet, read_sizes(folders("sd")), 1, "cpu", events.append) == quiet
