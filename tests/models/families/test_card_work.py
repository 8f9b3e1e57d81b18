"""What the diffusion model does in a step is work for the card alone, in every family: nothing is read from it, nothing
is sent to it, and a recording of it is as good as the work itself.

Of: dreamfusion_engine/models/families.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.pretend_card import CARD, HostWork, SentValues
from reference.tape_graph import TapeRecorder
from reference.tiny_families import Case
from torch import Tensor

from dreamfusion_engine.config.stages import GuidanceConfig, MemoryConfig
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.prompt_conditioning import PromptEmbeddings
from dreamfusion_engine.guidance.step_inputs import StepInputs, ViewRange
from dreamfusion_engine.memory.placement import Placement
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.noise import NoiseSchedule
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.models.teacher import Conditioning

pytestmark = pytest.mark.slow

FAMILIES = ("if", "sd", "sdxl", "pixart", "sd3", "flux-dev")


def nowhere(address: str) -> Path:
    raise AssertionError(address)


def distilled(teacher: Any, encode: Callable[[list[str]], Conditioning] | None = None) -> ScoreDistillation:
    config = GuidanceConfig(scale=5.0, rescale=0.5, perp_neg="on", view_prompts="interpolated")
    return ScoreDistillation(teacher, "a red mug", "blue clay", PromptCard(), config, encode=encode)


def asked(scores: ScoreDistillation, shape: Sequence[int], seed: int) -> StepInputs:
    angles = torch.tensor([0.3, 2.9]) + seed, torch.tensor([0.1, 0.4])
    generator = torch.Generator().manual_seed(seed)
    return scores.step_inputs(shape, *angles, "albedo", 0.1 * seed, generator, ViewRange(first=0, total=2))


@pytest.mark.parametrize(("variant", "recompute"), [*((variant, False) for variant in FAMILIES), ("sd", True)])
def test_a_steps_judgement_reads_nothing_from_the_card_and_sends_nothing_to_it(
    variant: str, recompute: bool, cases: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = cases(variant)
    # The pretended card knows no autocast; a real one has none either, since weights are in half precision there.
    monkeypatch.setattr(torch, "autocast", lambda *arguments, **options: contextlib.nullcontext())
    monkeypatch.setattr(NoiseSchedule, "usable", case.teacher.schedule.usable)  # found out once, before training
    placement = Placement(MemoryConfig(recompute=recompute), CARD, nowhere)
    teacher = load_teacher(open_pipeline(case.folder), CARD, precision="bfloat16", place=placement.place)
    scores = distilled(teacher, lambda texts: case.encode(texts).to(CARD))
    size = teacher.image_size
    images = torch.rand(2, 3, size, size, device=CARD, requires_grad=True)
    step = asked(scores, (2, *scores.model_shape(size)), 1)
    assert teacher.denoiser is not None  # loaded before a step, as the first one does
    with HostWork() as host, SentValues() as sent:
        loss, norm = scores.loss(teacher.to_model_space(images), step)
        (gradient,) = torch.autograd.grad(loss, images)
    assert not host.found and not sent.found
    assert gradient.shape == images.shape and norm.shape == (2,)
    assert {p.dtype for p in teacher.denoiser.parameters()} <= {torch.bfloat16, torch.float32}  # some keep their norms


@pytest.mark.parametrize("variant", ["if", "sd", "sdxl"])
def test_every_convolution_is_channels_last_on_a_card_and_the_denoisers_in_half_precision(
    variant: str, cases: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = cases(variant)
    monkeypatch.setattr(torch, "autocast", lambda *arguments, **options: contextlib.nullcontext())
    teacher = load_teacher(open_pipeline(case.folder), CARD, precision="bfloat16")
    networks = [teacher.denoiser]
    size = teacher.image_size
    x = teacher.to_model_space(torch.rand(1, 3, size, size, device=CARD))
    if variant != "if":
        networks.append(teacher._space.vae.encoder)  # type: ignore[attr-defined]
    given: list[Tensor] = []
    for network in networks:
        convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
        assert len(convolutions) > 5
        assert all(c.weight.is_contiguous(memory_format=torch.channels_last) for c in convolutions)
        network.conv_in.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    teacher.to_model_space(torch.rand(1, 3, size, size, device=CARD))
    teacher.predict_noise(x, torch.zeros(1, dtype=torch.long, device=CARD), case.told.rows([0]).to(CARD))
    assert len(given) == len(networks)
    assert all(picture.is_contiguous(memory_format=torch.channels_last) for picture in given)
    assert teacher.denoiser.conv_in.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("variant", FAMILIES)
def test_a_recorded_judgement_is_the_judgement(
    variant: str, cases: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = cases(variant)
    teacher, scores = case.teacher, distilled(case.teacher, case.encode)
    size = teacher.image_size

    def judged(pictures: Tensor, step: StepInputs, into: Tensor) -> None:
        images = pictures.detach().requires_grad_()
        loss, _ = scores.loss(teacher.to_model_space(images), step)
        into.copy_(torch.autograd.grad(loss, images)[0])

    shape = (2, *scores.model_shape(size))
    pictures = [torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    questions = [asked(scores, shape, seed) for seed in (1, 2)]
    found, expected = torch.zeros(2, 2, 3, size, size)
    kept = pictures[0].clone()
    replay = TapeRecorder(monkeypatch).record(lambda: judged(kept, questions[0], found))
    assert not found.any(), "a recording does nothing"
    kept.copy_(pictures[1])
    for mine, other in zip(told_tensors(questions[0]), told_tensors(questions[1]), strict=True):
        mine.copy_(other)
    replay()
    judged(pictures[1], questions[1], expected)
    assert torch.equal(found, expected)
    assert expected.any()


def told_tensors(step: StepInputs) -> list[Tensor]:
    told: PromptEmbeddings = step.embeddings
    parts = [told.uncond, told.cond, *told.against]
    weights = [] if told.weights is None else [told.weights]
    each = [tensor for part in parts for tensor in part.tensors().values()]
    return [step.t, step.noise, step.scale, *weights, *each]
