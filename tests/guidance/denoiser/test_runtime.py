"""Another runtime predicts what torch does, is chosen once, and leaves torch in its place where it cannot serve."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from reference.tiny_families import Case

from dreamfusion_engine.config.stages import GenerateConfig, GuidanceConfig, MemoryConfig, OptimizeConfig
from dreamfusion_engine.events import Event, Note
from dreamfusion_engine.guidance.denoiser import choice as denoiser_choice
from dreamfusion_engine.guidance.denoiser import cpu_ways, openvino_graph, runtime, trial
from dreamfusion_engine.guidance.denoiser.choice import (
    FEWEST_HOSTED_STEPS,
    LARGEST_HOSTED,
    LEAST_COSINE,
    Choice,
    Computed,
    why_torch,
)
from dreamfusion_engine.guidance.denoiser.host import HostedDenoiser
from dreamfusion_engine.guidance.denoiser.openvino_graph import GraphError
from dreamfusion_engine.guidance.denoiser.runtime import settle_runtime, worth_trying
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
UNETS = ["if", "sd", "sdxl"]
with_openvino = pytest.mark.skipif(not denoiser_choice.installed(), reason="OpenVINO is not installed")


def config(wish: str = "openvino", **memory: Any) -> GenerateConfig:
    return GenerateConfig(
        prompt="a red mug",
        memory=MemoryConfig(denoiser_runtime=wish, **memory),  # type: ignore[arg-type]
        optimize=OptimizeConfig(steps=FEWEST_HOSTED_STEPS, resolution=(16, 16)),
    )


def settled(teacher: Adapter, asked: GenerateConfig, **given: Any) -> tuple[Choice, list[Event]]:
    events: list[Event] = []
    distillation = ScoreDistillation(teacher, asked.prompt, "", PromptCard(), asked.guidance)
    usual: dict[str, Any] = {"parameters": 1, "model": "tiny", "alone": True, "changed": False}
    usual |= {"resumed": False, "recorded": None}
    return settle_runtime(teacher, distillation, asked, report=events.append, **{**usual, **given}), events


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ways are timed twice, not for seconds: which is the fastest here is no fact of these tests."""
    monkeypatch.setattr(cpu_ways, "_ROUNDS", (2, 2))


@pytest.fixture
def own_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DREAMFUSION_CACHE", str(tmp_path))
    return tmp_path


@with_openvino
@pytest.mark.parametrize("variant", UNETS)
def test_the_host_predicts_what_torch_does_for_any_number_of_rows(
    cases: Callable[[str], Case], variant: str, own_cache_folder: Path
) -> None:
    case = cases(variant)
    teacher = load_teacher(open_pipeline(case.folder), CPU, precision="float32")
    choice, events = settled(teacher, config(precision="float32"))
    assert (choice.runtime, choice.precision, events) == ("openvino", "float32", [])
    assert isinstance(teacher.denoiser, HostedDenoiser)
    shape = case.teacher.to_model_space(torch.zeros(1, 3, 16, 16)).shape[1:]
    for rows in (1, 3, 6):
        x = torch.randn(rows, *shape, generator=torch.Generator().manual_seed(rows))
        t, told = torch.linspace(20, 900, rows).long(), case.told.rows([i % 2 for i in range(rows)])
        with torch.no_grad():
            ours, again = (teacher.predict_noise(x, t, told) for _ in range(2))
            theirs = case.teacher.predict_noise(x, t, told)
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)
        assert torch.equal(ours, again), "the same call gives the same bits"


@with_openvino
def test_with_gradients_or_for_another_pattern_torch_answers(saved_pipeline: Path, own_cache_folder: Path) -> None:
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, precision="float32")
    settled(teacher, config(precision="float32"))
    reference = load_teacher(open_pipeline(saved_pipeline), CPU, precision="float32")
    told, t = teacher.encode_prompts(["a red mug"]), torch.tensor([500])
    x = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (ours,), (theirs,) = (torch.autograd.grad(each.predict_noise(x, t, told).sum(), x) for each in (teacher, reference))
    assert torch.equal(ours, theirs)
    larger = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(teacher.predict_noise(larger, t, told), reference.predict_noise(larger, t, told))


@with_openvino
def test_a_choice_is_measured_once_named_with_its_figures_and_gives_the_same_bits_again(
    saved_pipeline: Path, own_cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, bits = config(), []
    first = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    choice, _ = settled(first, asked)
    assert choice.runtime == "openvino" and choice.milliseconds[choice.name] > 0.0
    assert choice.cosines[choice.name] >= LEAST_COSINE

    def no_trial(*given: object) -> None:
        raise AssertionError("it was measured again")

    monkeypatch.setattr(cpu_ways, "Trial", no_trial)
    second = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    assert settled(second, asked)[0].to_json() == choice.to_json()
    assert isinstance(second.denoiser, HostedDenoiser)
    for graph in own_cache_folder.glob("denoisers/*/graph.bin"):  # cut off: it is traced again
        graph.write_bytes(graph.read_bytes()[:100])
    third = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    assert settled(third, config("auto"), resumed=True, recorded=choice)[0] == choice
    for teacher in (first, second, third):
        x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        told = teacher.encode_prompts(["a red mug", ""] * 2)
        with torch.no_grad():
            bits.append(teacher.predict_noise(x, torch.tensor([100, 300, 500, 900]), told))
    assert torch.equal(bits[0], bits[1]) and torch.equal(bits[0], bits[2])


@with_openvino
def test_whether_steps_overlap_is_measured_once_and_repeated(
    saved_pipeline: Path, own_cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def step_seconds(overlap: bool) -> float:
        asked.append(overlap)
        return 1.0 if overlap else 2.0

    monkeypatch.setattr(cpu_ways, "kernel_threads", lambda: 2)
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    choice, _ = settled(teacher, config(), step_seconds=step_seconds)
    assert choice.overlap is True and set(asked) == {True, False}
    assert choice.milliseconds[choice.step_name] == 1000.0 and isinstance(teacher.denoiser, HostedDenoiser)
    asked.clear()
    assert settled(teacher, config(), step_seconds=step_seconds)[0].to_json() == choice.to_json()
    again, events = settled(teacher, config("auto"), resumed=True, recorded=choice, step_seconds=step_seconds)
    assert (again.to_json(), events, asked) == (choice.to_json(), [], [])
    for wish in ("on", "off"):
        forced, events = settled(
            teacher, config("auto", overlap=wish), resumed=True, recorded=choice, step_seconds=step_seconds
        )
        assert (forced.overlap, events, asked) == (wish == "on", [], [])


@with_openvino
def test_on_one_core_steps_do_not_overlap_and_nothing_is_measured(
    saved_pipeline: Path, own_cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step_seconds(overlap: bool) -> float:
        raise AssertionError("it was measured")

    monkeypatch.setattr(cpu_ways, "kernel_threads", lambda: 1)
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    assert settled(teacher, config(), step_seconds=step_seconds)[0].overlap is False


@with_openvino
def test_a_checkpoint_from_another_machine_is_tried_before_it_is_repeated(
    saved_pipeline: Path, own_cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = Choice(runtime="openvino", precision="float32", threads=1)
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    monkeypatch.setattr(trial, "__name__", "a_module_that_is_not_there")
    choice, events = settled(teacher, config("auto"), resumed=True, recorded=recorded)
    assert choice.runtime == "torch" and "does not work on this machine" in choice.why and len(events) == 1
    monkeypatch.undo()
    monkeypatch.setenv("DREAMFUSION_CACHE", str(own_cache_folder))
    assert settled(teacher, config("auto"), resumed=True, recorded=recorded) == (recorded, [])
    assert isinstance(teacher.denoiser, HostedDenoiser)


@with_openvino
def test_telemetry_is_never_loaded() -> None:
    openvino_graph.openvino()
    assert sys.modules["openvino_telemetry"] is None


@with_openvino
def test_a_runtime_that_crashes_the_process_leaves_torch(
    saved_pipeline: Path, own_cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the CPU plugin did in this project's own first try; to who waits, a process that ends early is the same."""
    monkeypatch.setattr(trial, "__name__", "a_module_that_is_not_there")
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    network = teacher.denoiser
    choice, events = settled(teacher, config())
    assert choice.runtime == "torch" and teacher.denoiser is network
    assert [event.code for event in events if isinstance(event, Note)] == ["memory.denoiser_runtime"]


def test_a_graph_that_cannot_be_made_leaves_torch_and_says_why(
    saved_pipeline: Path, own_cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object) -> None:
        raise GraphError("no rule for aten::strange")

    monkeypatch.setattr(denoiser_choice, "installed", lambda: True)
    monkeypatch.setattr(cpu_ways.CpuWays, "_graph", fails)
    monkeypatch.setattr(cpu_ways, "metadata", SimpleNamespace(version=lambda name: "1"))
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    choice, events = settled(teacher, config())
    assert (choice.runtime, choice.precision) == ("torch", "bfloat16") and "aten::strange" in choice.why
    assert len(events) == 1
    recorded = Choice(runtime="openvino", precision="bfloat16", threads=1)
    choice, events = settled(teacher, config("auto"), resumed=True, recorded=recorded)
    assert choice.runtime == "torch"
    (note,) = events
    assert isinstance(note, Note) and "openvino bfloat16 x 1" in note.text and "differ" in note.text


def test_a_cache_that_cannot_be_written_leaves_torch(
    saved_pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A choice that cannot be kept could be another one the next time."""
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setenv("DREAMFUSION_CACHE", str(blocked))
    monkeypatch.setattr(denoiser_choice, "installed", lambda: True)
    monkeypatch.setattr(cpu_ways, "metadata", SimpleNamespace(version=lambda name: "1"))
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    assert settled(teacher, config("auto"))[0].runtime == "torch"


def test_a_run_of_an_earlier_version_goes_on_in_torch(saved_pipeline: Path) -> None:
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    choice, events = settled(teacher, config("auto"), resumed=True)
    assert (choice.runtime, choice.precision, events) == ("torch", "bfloat16", [])


def test_torch_in_the_precision_that_was_recorded_is_repeated(saved_pipeline: Path) -> None:
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, precision="bfloat16")
    recorded = Choice(runtime="torch", precision="float32", threads=1, why="the fastest of those measured")
    asked = config("auto")
    asked = dataclasses.replace(asked, optimize=dataclasses.replace(asked.optimize, steps=FEWEST_HOSTED_STEPS - 1))
    assert settled(teacher, asked, resumed=True, recorded=recorded)[0] == recorded
    assert teacher.parts.autocast is None


def test_a_precision_that_is_asked_for_when_resuming_wins_over_the_recorded_one(saved_pipeline: Path) -> None:
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, precision="float32")
    recorded = Choice(runtime="torch", precision="bfloat16", threads=1)
    choice, events = settled(teacher, config("auto", precision="float32"), resumed=True, recorded=recorded, alone=False)
    assert (choice.runtime, choice.precision, events) == ("torch", "float32", [])
    assert teacher.parts.autocast is None


@pytest.mark.parametrize(
    ("change", "given", "says"),
    [
        ({"memory": MemoryConfig(denoiser_runtime="torch")}, {}, "ask"),
        ({"guidance": GuidanceConfig(score="vsd")}, {}, "gradients"),
        ({"memory": MemoryConfig(precision="float16")}, {}, "float16"),
        ({}, {"device": "cuda"}, "card"),
        ({}, {"alone": False}, "processes"),
        ({}, {"changed": True}, "memory"),
        ({}, {"parameters": LARGEST_HOSTED + 1}, "memory"),
        ({"optimize": OptimizeConfig(steps=FEWEST_HOSTED_STEPS - 1)}, {}, "short"),
    ],
)
def test_where_another_runtime_cannot_serve_torch_does(
    change: dict[str, Any], given: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denoiser_choice, "installed", lambda: True)
    usual: dict[str, Any] = {"parameters": LARGEST_HOSTED, "device": "cpu", "alone": True, "changed": False}
    assert why_torch(config=dataclasses.replace(config("auto")), **usual) == ""
    assert says in why_torch(config=dataclasses.replace(config("auto"), **change), **{**usual, **given})


def test_without_openvino_torch_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoiser_choice, "installed", lambda: False)
    assert "not installed" in why_torch(1, config(), device="cpu", alone=True, changed=False)


def test_only_precisions_that_the_processor_computes_in_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: tuple[Computed, ...] = ("bfloat16", "float32")
    exact, half = (Choice(runtime="torch", precision=p, threads=1) for p in ("float32", "bfloat16"))
    monkeypatch.setattr(runtime, "has_bfloat16", lambda name: False)
    assert worth_trying(allowed, exact) == ("float32",)
    assert worth_trying(allowed, half) == allowed  # the settings ask for it: it is what others are held against
    monkeypatch.setattr(runtime, "has_bfloat16", lambda name: True)
    assert worth_trying(allowed, exact) == allowed
