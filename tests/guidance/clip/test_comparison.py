"""The loss of a CLIP against an independent computation, its gradients against differences, and its parts.

The reference is transformers' own CLIPModel, with crops by slicing and pictures put over their backgrounds by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from reference.tiny_clip import SIZE, write_tiny_clip
from torch import Tensor
from transformers import AutoTokenizer, CLIPModel

from dreamfusion_engine.config.stages import ClipConfig, GuidanceConfig
from dreamfusion_engine.guidance.clip.comparison import ClipGuidance, CropInputs
from dreamfusion_engine.guidance.guidance import Behind
from dreamfusion_engine.guidance.step_inputs import ViewRange
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.load import load_clip
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")
PROMPT = "a red mug with a blue handle"
CLIP = ClipConfig(crops=3, crop=0.8)
VIEWS, PIXELS = 2, 30  # crops of 24 pixels, the size of the tiny model's pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def guidance_of(folder: Path) -> Callable[..., ClipGuidance]:
    teacher = load_clip(open_pipeline(folder), CPU)

    def made(clip: ClipConfig = CLIP, view_prompts: str = "off") -> ClipGuidance:
        config = GuidanceConfig(view_prompts=view_prompts, perp_neg="off")  # type: ignore[arg-type]
        return ClipGuidance(teacher, PROMPT, PromptCard(), config, clip)

    return made


def asked(guidance: ClipGuidance, size: int = PIXELS, first: int = 0, count: int = VIEWS, seed: int = 5) -> CropInputs:
    azimuth = torch.linspace(0.0, 3.0, VIEWS)[first : first + count]
    shape, where = (count, 3, size, size), ViewRange(first=first, total=VIEWS)
    generator = torch.Generator().manual_seed(seed)
    return guidance.step_inputs(shape, azimuth, 0.5 * torch.ones(count), "albedo", 0.3, generator, where)


def renders(size: int = PIXELS) -> tuple[Tensor, Behind]:
    """Pictures over a plain colour, and what is behind them."""
    generator = torch.Generator().manual_seed(7)
    own = torch.rand(VIEWS, 3, size, size, generator=generator)
    opacity = torch.rand(VIEWS, 1, size, size, generator=generator)
    colour = torch.rand(VIEWS, 3, generator=generator)
    images = opacity * own + (1.0 - opacity) * colour[:, :, None, None]
    return images, Behind(opacity=opacity, colour=colour)


def text_vector(folder: Path, text: str) -> Tensor:
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = AutoTokenizer.from_pretrained(folder)([text], return_tensors="pt")
    with torch.no_grad():
        pooled = model.text_model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask).pooler_output
        vector = model.text_projection(pooled)[0]
    return vector / vector.norm()


@pytest.mark.parametrize("size", [PIXELS, 60, 15])
def test_the_loss_is_what_transformers_own_model_computes(
    folder: Path, guidance_of: Callable[..., ClipGuidance], size: int
) -> None:
    """With crops of the model's size, larger ones, whose pixels are averaged, and smaller ones."""
    guidance = guidance_of()
    step, (images, behind) = asked(guidance, size), renders(size)
    loss, fits = guidance.loss(guidance.seen(images, step, behind), step)

    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    words, side, cosines = text_vector(folder, PROMPT), step.backgrounds.shape[-1], []
    for i, (row, column) in enumerate(step.corners.tolist()):
        view = i // CLIP.crops
        window = slice(row, row + side), slice(column, column + side)
        opacity = behind.opacity[view, 0][window]
        premultiplied = images[(view, slice(None), *window)] - (1.0 - opacity) * behind.colour[view][:, None, None]
        picture = (premultiplied + (1.0 - opacity) * step.backgrounds[i])[None]
        mode = {"mode": "area"} if side >= SIZE.pixels else {"mode": "bilinear", "align_corners": False}
        pixels = torch.nn.functional.interpolate(picture, (SIZE.pixels, SIZE.pixels), **mode)  # type: ignore[arg-type]
        with torch.no_grad():
            pooled = model.vision_model(pixel_values=2.0 * pixels - 1.0).pooler_output
            vector = model.visual_projection(pooled)[0]
        cosines.append(torch.dot(vector / vector.norm(), words))
    reference = torch.stack(cosines).view(VIEWS, CLIP.crops)
    assert float(reference.std()) > 1e-3, "a silent network would agree with anything"
    assert float(loss) == pytest.approx(-float(reference.mean()), abs=1e-5)
    torch.testing.assert_close(fits, reference.mean(1), atol=1e-5, rtol=0.0)


def test_gradients_to_pictures_and_opacity_agree_with_finite_differences(
    guidance_of: Callable[..., ClipGuidance],
) -> None:
    guidance = guidance_of()
    step, (images, behind) = asked(guidance), renders()

    def loss(pictures: Tensor, opacity: Tensor) -> Tensor:
        there = Behind(opacity=opacity, colour=behind.colour)
        return guidance.loss(guidance.seen(pictures, step, there), step)[0]

    places = [images.clone().requires_grad_(True), behind.opacity.clone().requires_grad_(True)]
    for which, gradient in enumerate(torch.autograd.grad(loss(*places), places)):
        direction = gradient / gradient.norm()  # uphill, where a difference is largest beside the rounding
        h = 2e-3
        ends = []
        for sign in (1.0, -1.0):
            moved = [each.detach().clone() for each in places]
            moved[which] += sign * h * direction
            ends.append(float(loss(*moved)))
        assert (ends[0] - ends[1]) / (2.0 * h) == pytest.approx(float(gradient.norm()), rel=0.02)


def test_what_lies_behind_a_solid_object_is_not_seen(guidance_of: Callable[..., ClipGuidance]) -> None:
    guidance = guidance_of()
    step, (images, behind) = asked(guidance), renders()
    solid = Behind(opacity=torch.ones_like(behind.opacity), colour=behind.colour)
    torch.testing.assert_close(guidance.seen(images, step, solid), guidance.seen(images, step))
    empty = Behind(opacity=torch.zeros_like(behind.opacity), colour=behind.colour)
    plain = behind.colour[:, :, None, None].expand_as(images)
    torch.testing.assert_close(
        guidance.seen(plain, step, empty), guidance.teacher.to_model_space(step.backgrounds), atol=1e-5, rtol=0.0
    )


def test_a_step_in_parts_is_the_whole_step(guidance_of: Callable[..., ClipGuidance]) -> None:
    guidance = guidance_of()
    whole, parts = asked(guidance), [asked(guidance, first=i, count=1) for i in range(VIEWS)]
    for name in ("told", "corners", "backgrounds"):
        torch.testing.assert_close(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    images, behind = renders()
    loss, _ = guidance.loss(guidance.seen(images, whole, behind), whole)
    each = []
    for i, part in enumerate(parts):
        there = Behind(opacity=behind.opacity[i : i + 1], colour=behind.colour[i : i + 1])
        each.append(guidance.loss(guidance.seen(images[i : i + 1], part, there), part)[0])
    torch.testing.assert_close(loss, torch.stack(each).mean())


def test_the_pull_is_the_gradient_of_the_loss(guidance_of: Callable[..., ClipGuidance]) -> None:
    guidance = guidance_of()
    step, (images, behind) = asked(guidance), renders()
    x = guidance.seen(images, step, behind).requires_grad_(True)
    (gradient,) = torch.autograd.grad(guidance.loss(x, step)[0], x)
    with torch.no_grad():
        torch.testing.assert_close(guidance.pull(x, step)[0], gradient)


def test_every_crop_lies_inside_and_the_same_seed_gives_the_same(guidance_of: Callable[..., ClipGuidance]) -> None:
    guidance = guidance_of(ClipConfig(crops=64, crop=0.5))
    step = asked(guidance)
    assert step.corners.min() == 0 and step.corners.max() == PIXELS - 15
    assert torch.equal(step.corners, asked(guidance).corners)
    assert not torch.equal(step.corners, asked(guidance, seed=6).corners)


@pytest.mark.slow
def test_view_words_tell_the_model_where_a_picture_is_from(
    folder: Path, guidance_of: Callable[..., ClipGuidance]
) -> None:
    plain, told = guidance_of(), guidance_of(view_prompts="nearest")
    torch.testing.assert_close(asked(plain).told, text_vector(folder, PROMPT).expand(VIEWS, -1), atol=1e-5, rtol=0.0)
    seen = asked(told).told
    torch.testing.assert_close(seen[0], text_vector(folder, f"{PROMPT}, front view"), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(seen[1], text_vector(folder, f"{PROMPT}, back view"), atol=1e-5, rtol=0.0)
    nothing = torch.Generator()
    assert plain.view_contrast(torch.zeros(0), "albedo", nothing) == 0.0
    front, back, none = (text_vector(folder, text) for text in (f"{PROMPT}, front view", f"{PROMPT}, back view", ""))
    expected = (front - back).norm() / (0.5 * (front + back) - none).norm()
    assert told.view_contrast(torch.zeros(0), "albedo", nothing) == pytest.approx(float(expected), rel=1e-3)


def test_mixed_view_words_are_a_unit_vector(guidance_of: Callable[..., ClipGuidance]) -> None:
    told = asked(guidance_of(view_prompts="interpolated")).told
    torch.testing.assert_close(told.norm(dim=1), torch.ones(VIEWS))


def test_the_gain_of_a_prompt_is_the_cosine_of_whole_pictures(guidance_of: Callable[..., ClipGuidance]) -> None:
    guidance, (images, _) = guidance_of(), renders()
    vectors = guidance.teacher.picture_vectors(guidance.teacher.to_model_space(images))
    expected = (vectors @ asked(guidance).told[0]).mean()
    zero = torch.zeros(VIEWS)
    assert guidance.prompt_gain(images, zero, zero) == pytest.approx(float(expected), abs=1e-6)
