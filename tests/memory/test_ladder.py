"""What is given up for memory: in a fixed order, no more than is needed, and only what saves something."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import GenerateConfig, GuidanceConfig, MemoryConfig
from dreamfusion_engine.memory.estimate import estimate
from dreamfusion_engine.memory.ladder import fit, least_bytes, next_saving
from dreamfusion_engine.models.catalogue import catalogue
from dreamfusion_engine.models.sizes import ModelSizes

GIB = 1 << 30
STARTER = ModelSizes(denoiser=9_400_000, text_encoders=400_000, denoiser_live=300_000, pixels=32)
MODELS = {model.title: model.sizes for model in catalogue()}
SD15, SDXL = MODELS["Stable Diffusion 1.5"], MODELS["Stable Diffusion XL 1.0"]
FLUX, IF_XL = MODELS["FLUX.1 schnell"], MODELS["DeepFloyd IF stage I, XL"]


def config(name: str = "standard", **memory: Any) -> GenerateConfig:
    return dataclasses.replace(preset(name, "a mug"), memory=MemoryConfig(**memory))


@pytest.mark.parametrize(
    ("sizes", "gib", "settings"),
    [
        (SD15, 24, []),
        (SD15, 8, []),
        (SD15, 5, ["memory.recompute"]),
        (SD15, 2.6, ["memory.recompute", "memory.offload"]),
        (SDXL, 48, []),
        (SDXL, 16, ["memory.recompute"]),
        (SDXL, 8, ["memory.recompute", "memory.tiling"]),
        (SDXL, 5, ["memory.recompute", "memory.tiling", "memory.views_at_once", "memory.offload"]),
        (IF_XL, 12, []),
        (IF_XL, 9.4, ["memory.offload", "memory.views_at_once"]),
        (FLUX, 48, []),
        (FLUX, 32, ["memory.recompute"]),
        (FLUX, 12, ["memory.recompute", "memory.tiling", "memory.views_at_once", "memory.offload"]),
        (STARTER, 2, []),
    ],
)
def test_a_run_gives_up_what_a_card_of_its_size_asks_for(sizes: ModelSizes, gib: float, settings: list[str]) -> None:
    chosen = fit(sizes, config(), round(gib * GIB), "cuda")
    assert chosen.fits and chosen.needed <= gib * GIB
    assert sorted(saving.setting for saving in chosen.savings) == sorted(settings)
    assert estimate(sizes, chosen.config, "cuda").total == chosen.needed


def test_what_fits_is_left_as_it_is() -> None:
    for device_type in ("cpu", "cuda"):
        chosen = fit(STARTER, config("high"), 8 * GIB, device_type)
        assert chosen.config == config("high") and chosen.savings == ()


def test_where_nothing_helps_everything_is_saved_and_that_is_said() -> None:
    chosen = fit(FLUX, config(), GIB, "cuda")
    assert not chosen.fits
    assert chosen.config.memory.offload == "all"
    assert "may not fit" in chosen.describe(GIB) and "1.0 GiB of free memory" in chosen.describe(GIB)


def test_full_precision_is_the_first_thing_to_go() -> None:
    chosen = fit(IF_XL, config(precision="float32"), 12 * GIB, "cuda")
    assert [saving.setting for saving in chosen.savings] == ["memory.precision"]
    assert chosen.config.memory.precision == "auto"


def test_a_cpu_saves_what_it_can_and_never_offloads() -> None:
    chosen = fit(SDXL, config(), GIB, "cpu")
    assert chosen.config.memory == MemoryConfig(recompute=True, tiling=True, views_at_once=1)


def test_the_ladder_in_training_ends() -> None:
    for sizes in (STARTER, SDXL, FLUX):
        settings, current = [], config("high")
        while (saving := next_saving(sizes, current, "cuda")) is not None:
            settings.append(saving.setting)
            current = saving.config
        assert settings[-1] == "memory.offload" and current.memory.offload == "all"
        assert settings[0] == "memory.graphs", "first what costs no quality and hardly any time"
        assert settings.count("memory.views_at_once") == 2, "4, 2, 1"
        assert ("memory.recompute" in settings) == (sizes is not STARTER)


def test_renders_for_a_model_of_latents_never_shrink_below_64_pixels() -> None:
    for sizes, start, ends in ((SDXL, (96, 128), (64, 64)), (SDXL, (32, 48), (32, 48)), (IF_XL, (96, 128), (24, 24))):
        current = config()
        current = dataclasses.replace(current, optimize=dataclasses.replace(current.optimize, resolution=start))
        while (saving := next_saving(sizes, current, "cuda")) is not None:
            current = saving.config
        assert current.optimize.resolution == ends


def test_what_comes_too_late_is_not_offered_in_training_and_does_not_stand_in_the_way() -> None:
    for memory in ({"precision": "float32"}, {"offload": "text"}):
        saving = next_saving(SDXL, config(**memory, graphs=False), "cuda")
        assert saving is not None and saving.setting == "memory.recompute"


def test_the_score_vsd_shares_the_denoisers_weights_and_is_never_offloaded() -> None:
    vsd = dataclasses.replace(config(), guidance=GuidanceConfig(score="vsd"))
    assert fit(FLUX, vsd, GIB, "cuda").config.memory.offload != "all"


def test_the_least_that_a_model_needs_is_without_loss_of_quality() -> None:
    for sizes in (SD15, SDXL, FLUX, STARTER):
        assert least_bytes(sizes, config(), "cuda") <= estimate(sizes, config(), "cuda").total
    assert fit(SDXL, config(), least_bytes(SDXL, config(), "cuda"), "cuda").config.optimize == config().optimize


def test_views_that_are_judged_together_are_never_parted() -> None:
    sizes, views = MODELS["MVDream"], {"optimize": {"views": 12}}
    made = preset("standard", "a mug", views, "MVDreamPipeline")
    seen = []
    saving = next_saving(sizes, made, "cuda")
    while saving is not None:
        seen.append(saving.config.memory.views_at_once)
        saving = next_saving(sizes, saving.config, "cuda")
    assert [count for count in dict.fromkeys(seen) if count] == [4]
    assert least_bytes(sizes, made, "cuda") > least_bytes(sizes, preset("standard", "a mug"), "cuda")
    assert (
        estimate(sizes, made, "cuda").total
        > estimate(sizes, preset("standard", "a mug", {"optimize": {"views": 4}}, "MVDreamPipeline"), "cuda").total
    )
