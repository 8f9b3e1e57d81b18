"""The teacher of a run: where it is, and what runs beside it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from reference.pretend_machine import pretend_machine
from reference.tiny_training import CPU, disc_teacher, tiny_config

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.guidance.crossing import CrossingGuidance
from dreamfusion_engine.guidance.denoiser.choice import Choice
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.machine.places import Places
from dreamfusion_engine.machine.processes import Processes
from dreamfusion_engine.memory.placement import Placement
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.sizes import ModelSizes
from dreamfusion_engine.run import teacher as run_teacher
from dreamfusion_engine.run.teacher import RunTeacher, run_places
from dreamfusion_engine.speed.device_speed import Speed

MAC = Places(teacher=torch.device("mps"), field=CPU, apart=True)


def ready(places: Places, overlap: Literal["auto", "on", "off"] = "auto") -> RunTeacher:
    config = tiny_config()
    config = dataclasses.replace(config, memory=dataclasses.replace(config.memory, overlap=overlap))
    within: Any = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
    teacher: Any = disc_teacher()
    return RunTeacher(
        places=places,
        config=config,
        fitted=config,
        sizes=ModelSizes(denoiser=1, text_encoders=0),
        placement=Placement(config.memory, places.teacher, lambda address: Path(address)),
        teacher=teacher,
        distillation=CrossingGuidance(within, places.teacher, places.field) if places.apart else within,
        weights="",
        cache_key="",
        speed=Speed(half=1e12, single=1e12),
    )


@pytest.mark.parametrize(
    ("places", "overlap", "halved", "found"),
    [
        (MAC, "auto", True, True),
        (MAC, "off", True, False),
        (MAC, "auto", False, None),
        (Places.at(CPU), "auto", True, None),
        (Places(teacher=CPU, field=CPU, apart=True), "auto", True, None),
        (Places.at(torch.device("cuda", 0)), "auto", True, None),
    ],
)
def test_the_processor_renders_while_a_card_judges(
    places: Places,
    overlap: Literal["auto", "on", "off"],
    halved: bool,
    found: bool | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settled: list[Any] = []

    def settle(teacher: Any, distillation: Any, config: Any, **more: Any) -> Choice:
        settled.append(distillation)
        asked = None if config.memory.overlap == "auto" else config.memory.overlap == "on"
        return Choice(runtime="torch", precision="float32", threads=1, overlap=asked)

    monkeypatch.setattr(run_teacher, "settle_runtime", settle)
    choice = ready(places, overlap).settle_runtime(
        alone=True,
        resumed=False,
        recorded=None,
        step_seconds=(lambda both: 1.0) if halved else None,
        report=lambda event: None,
    )
    assert choice.overlap is found
    assert isinstance(settled[0], ScoreDistillation), "what crosses is no business of the runtime's"


def test_what_is_given_up_for_memory_knows_both_places() -> None:
    down = ready(MAC).step_down(lambda event: None)
    assert (down.kind, down.device) == ("mps+cpu", CPU)


def test_every_process_of_a_run_has_a_card_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_machine(monkeypatch, nvidia=("A", "B"))
    monkeypatch.setenv("LOCAL_RANK", "1")
    second = Processes(index=1, count=2)
    card = torch.device("cuda", 1)
    asked = preset("draft", "a mug", {"device": "cuda"})
    assert run_places(asked, second) == Places.at(card)
    apart = run_places(preset("draft", "a mug", {"device": "teacher=cuda,field=cpu"}), second)
    assert (apart.teacher, apart.field, apart.apart) == (card, CPU, True)
    assert run_places(asked) == Places.at(torch.device("cuda", 0))
    with pytest.raises(InputError, match="no device"):
        run_places(preset("draft", "a mug", {"device": "an old card"}))
