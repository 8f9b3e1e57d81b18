"""A teacher on another device than the field gives the same loss and the same gradients, and little is carried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from reference.pretend_backend import FAR, pretended_mps
from reference.tiny_clip import write_tiny_clip
from reference.tiny_families import Case
from reference.tiny_training import SIZE, disc_teacher
from torch import Tensor

from dreamfusion_engine.config.stages import ClipConfig, GuidanceConfig, ScoreConfig
from dreamfusion_engine.guidance.clip.comparison import ClipGuidance
from dreamfusion_engine.guidance.crossing import CrossingGuidance
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.guidance import Behind, Guidance
from dreamfusion_engine.guidance.step_inputs import ViewRange
from dreamfusion_engine.machine.backends import BACKENDS
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.families import adapter, space
from dreamfusion_engine.models.load import load_clip, load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")
VIEWS = 2


def distilled(teacher: Any, encode: Any = None, **config: Any) -> ScoreDistillation:
    settings = GuidanceConfig(**{"scale": 5.0, "rescale": 0.5, "perp_neg": "on", **config})
    return ScoreDistillation(
        teacher, "a red mug", "blue clay", PromptCard(), settings, score=ScoreConfig(), encode=encode
    )


def judged(guidance: Guidance, size: int, behind: bool = False, halves: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of random renders, its gradient at them, and the measure of each view, all on the host."""
    draw = torch.Generator().manual_seed(5)
    images = torch.rand(VIEWS, size, size, 3, generator=draw).permute(0, 3, 1, 2).requires_grad_()
    opacity = torch.rand(VIEWS, 1, size, size, generator=draw)
    angles = torch.tensor([0.3, 2.9]), torch.tensor([0.1, 0.4])
    shape = (VIEWS, *guidance.model_shape(size))
    step = guidance.step_inputs(shape, *angles, "albedo", 0.2, draw, ViewRange(first=0, total=VIEWS))
    what = Behind(opacity=opacity, colour=torch.rand(VIEWS, 3, generator=draw)) if behind else None
    x = guidance.seen(images, step, what)
    if halves:
        gradient, measure = guidance.pull(x.detach(), step)
        loss = guidance.loss_at(x, gradient)
        measure = measure.cpu()
    else:
        loss, measure = guidance.loss(x, step)
    (found,) = torch.autograd.grad(loss, images)
    return loss.detach(), found, measure


def in_order_of_mps(case: Case, patch: pytest.MonkeyPatch) -> Any:
    """The case's teacher on the processor, its convolutions in the order that MPS wants: the same sums, bit for bit."""
    with patch.context() as order:
        for module in (adapter, space):
            order.setattr(module, "backend_of", lambda device: BACKENDS["mps"])
        teacher = load_teacher(open_pipeline(case.folder), CPU)
        teacher.to_model_space(torch.zeros(1, 3, 16, 16))
        assert teacher.denoiser is not None
    return teacher


def same(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    return all(torch.equal(a, b) and a.device == b.device == CPU for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("halves", [False, True])
def test_the_way_from_a_device_to_itself_changes_no_bit_and_is_the_way_that_crosses(halves: bool) -> None:
    plain = distilled(disc_teacher(), perp_neg="off")
    crossing = CrossingGuidance(distilled(disc_teacher(), perp_neg="off"), CPU, CPU)
    assert same(judged(plain, SIZE, halves=halves), judged(crossing, SIZE, halves=halves))
    pictures, numbers = 4 * 3 * SIZE * SIZE * VIEWS, 4 * (1 + VIEWS)
    assert crossing.traffic.there - pictures in (4, 0), "the pictures, and the loss's own gradient of one number"
    assert pictures <= crossing.traffic.back <= pictures + numbers
    assert not crossing.recordable and plain.recordable


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["if", "sd", "sdxl", "pixart", "sd3", "flux-dev"])
def test_a_teacher_on_a_device_that_refuses_what_mps_refuses_judges_as_on_the_processor(
    variant: str, cases: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = cases(variant)
    size = 2 * case.teacher.image_size
    expected = judged(distilled(in_order_of_mps(case, monkeypatch), case.encode), size)
    with pretended_mps(monkeypatch) as carried:
        teacher = load_teacher(open_pipeline(case.folder), FAR)
        guidance = CrossingGuidance(distilled(teacher, lambda texts: case.encode(texts).to(FAR)), FAR, CPU)
        assert teacher.denoiser is not None and guidance.model_shape(size)  # loaded before a step, as the first does
        teacher.to_model_space(torch.zeros(1, 3, size, size, device=FAR))
        before = carried.there, carried.back
        found = judged(guidance, size)
        there, back = carried.there - before[0], carried.back - before[1]
    if variant == "flux-dev":  # whose library takes float64 for its positions where there is one
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)
    else:
        assert same(found, expected)
    pictures = 4 * 3 * size * size * VIEWS
    noise = 4 * VIEWS * int(torch.tensor(guidance.model_shape(size)).prod())
    assert pictures + noise <= there <= pictures + noise + 1000, "pictures, noise, and a few numbers"
    assert pictures <= back <= pictures + 100
    assert guidance.traffic.there <= there and guidance.traffic.back == back


@pytest.mark.slow
@pytest.mark.parametrize("score", ["vsd", "sdi", "sampled", "nfsd", "csd"])
def test_every_score_crosses(score: Any, cases: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch) -> None:
    case = cases("if")
    size = case.teacher.image_size
    expected = judged(distilled(in_order_of_mps(case, monkeypatch), case.encode, score=score), size)
    with pretended_mps(monkeypatch):
        teacher = load_teacher(open_pipeline(case.folder), FAR)
        within = distilled(teacher, lambda texts: case.encode(texts).to(FAR), score=score)
        found = judged(CrossingGuidance(within, FAR, CPU), size)
    assert same(found, expected)


@pytest.mark.slow
def test_a_teacher_that_compares_is_shown_the_background_too(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_clip(tmp_path / "clip")
    folder = open_pipeline(tmp_path / "clip")

    def compared(device: torch.device) -> ClipGuidance:
        teacher = load_clip(folder, device)
        return ClipGuidance(teacher, "a red mug", PromptCard(), GuidanceConfig(), ClipConfig(crops=2))

    plain = compared(CPU)
    expected = judged(plain, 32, behind=True)
    with pretended_mps(monkeypatch):
        found = judged(CrossingGuidance(compared(FAR), FAR, CPU), 32, behind=True)
    assert same(found, expected)
    assert not same(judged(plain, 32), expected), "what lies behind counts"


@pytest.mark.slow
def test_questions_outside_of_a_step_cross_as_well(
    cases: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = cases("if")
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    angles = torch.tensor([0.0, 3.0]), torch.tensor([0.1, 0.2])

    def answers(guidance: Guidance) -> tuple[float, ...]:
        contrast = guidance.view_contrast(images, "albedo", torch.Generator().manual_seed(2))
        return contrast, guidance.prompt_gain(images, *angles), guidance.score_size(0.5, 8)

    expected = answers(distilled(in_order_of_mps(case, monkeypatch), case.encode))
    with pretended_mps(monkeypatch):
        teacher = load_teacher(open_pipeline(case.folder), FAR)
        within = distilled(teacher, lambda texts: case.encode(texts).to(FAR))
        assert answers(CrossingGuidance(within, FAR, CPU)) == expected
