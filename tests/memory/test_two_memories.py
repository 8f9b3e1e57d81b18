"""Where teacher and field have a memory each, each is counted, fitted and stepped down alone.

Of: dreamfusion_engine/memory/estimate.py, dreamfusion_engine/memory/ladder.py, dreamfusion_engine/memory/step_down.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.machine.backends import BACKENDS
from dreamfusion_engine.memory import step_down
from dreamfusion_engine.memory.estimate import PROCESS_BYTES, RESERVE, estimate, estimate_field
from dreamfusion_engine.memory.ladder import fit, next_saving
from dreamfusion_engine.memory.step_down import StepDown, whose_memory
from dreamfusion_engine.models.catalogue import catalogue
from dreamfusion_engine.models.sizes import ModelSizes

GIB = 1 << 30
CPU = torch.device("cpu")
SD15: ModelSizes = next(model.sizes for model in catalogue() if "1.5" in model.title)
OF_MAIN = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
OF_XPU = "XPU out of memory. Tried to allocate 2.00 GiB."


def config(**more: Any) -> GenerateConfig:
    return preset("standard", "a mug", more, "StableDiffusionPipeline")


def test_the_parts_of_a_split_run_are_those_of_a_whole_one_and_each_is_in_one_memory() -> None:
    whole = estimate(SD15, config(), "cuda").parts
    teacher, field = estimate(SD15, config(), "xpu+cpu").parts, estimate_field(config(), "xpu+cpu").parts
    shared = whole.keys() - {"reserve"}
    assert {name for name in shared if teacher.get(name) == whole[name]} == shared - {"field", "render"}
    assert "field" not in teacher and "render" not in teacher and "process" not in teacher
    assert field["field"] == whole["field"] and field["process"] == PROCESS_BYTES
    assert estimate_field(config(), "cuda").total == estimate_field(config(), "mps+cpu").total == 0


def test_a_macs_card_takes_half_precision_and_of_main_memory() -> None:
    mac, processor = (estimate(SD15, config(), kind).parts for kind in ("mps+cpu", "cpu"))
    assert mac["denoiser"] * 2 == processor["denoiser"] and mac["process"] == processor["process"]
    assert mac["render"] == processor["render"], "the field is on the processor"
    assert (
        estimate(SD15, config(memory={"offload": "all"}), "mps+cpu").total == estimate(SD15, config(), "mps+cpu").total
    )


def test_every_backend_has_figures_and_those_that_nobody_measured_are_the_larger() -> None:
    assert RESERVE.keys() == BACKENDS.keys()
    assert all(RESERVE[name] == max(RESERVE.values()) for name in ("rocm", "xpu", "mps"))


def test_settings_are_lowered_for_the_memory_that_is_short_alone() -> None:
    field = estimate_field(config(), "xpu+cpu").total
    roomy = fit(SD15, config(), 64 * GIB, "xpu+cpu", 64 * GIB)
    assert roomy.fits and roomy.savings == ()
    of_field = fit(SD15, config(), 64 * GIB, "xpu+cpu", field * 3 // 4)
    assert of_field.savings
    assert {saving.setting for saving in of_field.savings} <= {"memory.views_at_once", "optimize.resolution"}
    of_teacher = fit(SD15, config(), 3 * GIB, "xpu+cpu", 64 * GIB)
    assert "memory.recompute" in {saving.setting for saving in of_teacher.savings}
    nothing_left = fit(SD15, config(), 64 * GIB, "xpu+cpu", 1)
    assert not nothing_left.fits and nothing_left.needed == estimate_field(nothing_left.config, "xpu+cpu").total


@pytest.mark.parametrize(
    ("kind", "reason", "whose"),
    [
        ("xpu+cpu", OF_XPU, "teacher"),
        ("rocm+cpu", "HIP out of memory. Tried to allocate 2.00 GiB.", "teacher"),
        ("xpu+cpu", OF_MAIN, "field"),
        ("xpu+cpu", "Failed to allocate 4096 bytes on device 'cpu'", "field"),
        ("cpu+cuda", OF_MAIN, "teacher"),
        ("cpu+cuda", "Failed to allocate 4096 bytes on device 'cuda:0'", "field"),
        ("xpu+cpu", "MemoryError", "field"),
        ("xpu+cpu", "no words", ""),
        ("cuda+cuda", "CUDA out of memory.", ""),
        ("mps+cpu", "MPS backend out of memory", ""),
        ("cpu", OF_MAIN, ""),
    ],
)
def test_an_error_tells_whose_memory_ran_out(kind: str, reason: str, whose: str) -> None:
    assert whose_memory(reason, kind) == whose


@pytest.mark.parametrize(("reason", "whose"), [(OF_XPU, "teacher"), (OF_MAIN, "field")])
def test_out_of_memory_on_one_place_costs_what_that_place_feels_and_is_told(
    reason: str, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_down, "release_memory", lambda: None)
    told: list[Any] = []
    down = StepDown(device=CPU, report=told.append, sizes=SD15, kind="xpu+cpu")
    settings, taken = config(optimize={"views": 2}), []
    with pytest.raises(RunError) as caught:
        while True:
            settings = down.take(settings, 8, reason)
            taken.append(down.taken[-1]["setting"])
    assert f"The memory of the {whose}'s device ran out at step 8" in told[0].text
    assert f"The memory of the {whose}'s device ran out" in caught.value.what
    of_model = {"memory.recompute", "memory.offload"}
    assert of_model <= set(taken) if whose == "teacher" else not of_model & set(taken)
    assert "memory.views_at_once" in taken and "optimize.resolution" in taken
    assert "memory.graphs" not in taken, "nothing is recorded of two devices"


def test_a_mac_gains_nothing_from_layers_that_wait_in_the_same_memory() -> None:
    settings, taken = config(), []
    while (saving := next_saving(SD15, settings, "mps+cpu")) is not None:
        settings = saving.config
        taken.append(saving.setting)
    assert taken and "memory.offload" not in taken and "memory.graphs" not in taken
