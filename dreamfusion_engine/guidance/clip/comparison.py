"""Guidance by a CLIP: take renders, return a loss that falls as they fit the prompt better.

L = -mean cos(picture, prompt), over K crops of each of B views, each over a background of its own. The reward for
empty pictures, the other half of Dream Fields' loss, needs no model: `optimize.losses.transmittance_loss`.
Source: Dream Fields, Jain 2021, arXiv 2112.01455, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import ClipConfig, GuidanceConfig, PromptsConfig, Shading
from dreamfusion_engine.guidance.clip.backgrounds import patterned_backgrounds
from dreamfusion_engine.guidance.clip.crops import crop_size, cropped
from dreamfusion_engine.guidance.guidance import Behind
from dreamfusion_engine.guidance.prompt_conditioning import Encode, PromptConditioning
from dreamfusion_engine.guidance.scores.sds import mean_score_loss
from dreamfusion_engine.guidance.step_inputs import ViewRange
from dreamfusion_engine.machine.device import sent
from dreamfusion_engine.models.card import AUTOMATIC, PromptCard
from dreamfusion_engine.models.families.clip import ClipTeacher


@dataclass(frozen=True, kw_only=True)
class CropInputs:
    """What a step needs for its B renders, drawn before they are made; all on the model's device.

    told: float32[B, D], unit vector of the prompt as seen from each view.
    corners: int64[B * K, 2], first row and column of each crop.
    backgrounds: float32[B * K, 3, c, c], what lies behind the object in each.
    """

    told: Tensor
    corners: Tensor
    backgrounds: Tensor


def similarity(pictures: Tensor, words: Tensor) -> Tensor:
    """cos, float32[N], of unit vectors.

    pictures, words: float32[N, D].
    """
    return (pictures * words).sum(-1)


class ClipGuidance:
    """The guidance of one CLIP for one prompt, for all views and shadings. Every text is encoded once, at the start.

    teacher: ClipTeacher, frozen.
    prompt: str, the artist's words.
    card: PromptCard, how to word prompts for this model.
    config: GuidanceConfig; of it only the view words count.
    clip: ClipConfig, what the model sees of a render.
    texts: PromptsConfig, prompts that the artist wrote by hand for single views.
    encode: texts to Conditioning; replaces the teacher's own encoding, for example by one with a cache.
    """

    together = 1
    looks_behind = True

    def __init__(
        self,
        teacher: ClipTeacher,
        prompt: str,
        card: PromptCard,
        config: GuidanceConfig,
        clip: ClipConfig,
        *,
        texts: PromptsConfig = AUTOMATIC,
        encode: Encode | None = None,
    ) -> None:
        self.teacher = teacher
        self.config = config
        self.clip = clip
        self.has_front = card.has_front(prompt)
        self.conditioning = PromptConditioning(encode or teacher.encode_prompts, prompt, "", card, config, texts)

    @property
    def recordable(self) -> bool:
        """Whether every step does the same work: it does."""
        return True

    def restart(self, config: GuidanceConfig, seed: int) -> None:
        """Continue with the settings of another attempt; nothing was learned."""
        self.config = config

    def state(self) -> dict[str, Tensor]:
        """Return no tensors: nothing is learned."""
        return {}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore nothing."""

    def model_shape(self, size: int) -> tuple[int, ...]:
        """Return (3, size, size): crops are cut from the render itself."""
        return (3, size, size)

    def further_noises(self, step: CropInputs) -> int:
        """Return 0."""
        return 0

    @torch.no_grad()
    def step_inputs(
        self,
        shape: Sequence[int],
        azimuth: Tensor,
        elevation: Tensor,
        shading: Shading,
        progress: float,
        generator: torch.Generator,
        part: ViewRange,
    ) -> CropInputs:
        """Draw crops and backgrounds, as `Guidance.step_inputs`; the same for any division of a step into parts."""
        count, crops, size = shape[0], self.clip.crops, shape[-1]
        side = crop_size(size, self.clip.crop)
        total, mine = part.total * crops, slice(part.first * crops, (part.first + count) * crops)
        device = self.teacher.device
        corners = torch.randint(size - side + 1, (total, 2), generator=generator, device=generator.device)
        plain = self.clip.third == "plain"
        backgrounds = patterned_backgrounds(total, side, self.clip.blur, generator, plain=plain)
        return CropInputs(
            told=self._told(azimuth, elevation, shading),
            corners=sent(corners[mine], device),
            backgrounds=sent(backgrounds[mine], device),
        )

    def seen(self, images: Tensor, step: CropInputs, behind: Behind | None = None) -> Tensor:
        """Return crops over their own backgrounds as the model sees them, float32[B * K, 3, h, h].

        images: float32[B, 3, H, H] in [0, 1].
        step: CropInputs of the same renders.
        behind: Behind of the renders; None: they keep their background.
        """
        side = step.backgrounds.shape[-1]
        crops = cropped(images, step.corners, side)
        if behind is not None:
            clear = 1.0 - cropped(behind.opacity, step.corners, side)
            colour = behind.colour.repeat_interleave(len(crops) // len(images), 0)[:, :, None, None]
            crops = crops + clear * (step.backgrounds - colour)
        return self.teacher.to_model_space(crops)

    def loss(self, x: Tensor, step: CropInputs) -> tuple[Tensor, Tensor]:
        """Return -mean cos(crop, prompt), a scalar, and the mean cosine of each view, float32[B].

        x: float32[B * K, 3, h, h], crops as the model sees them, with their graph.
        step: CropInputs of the same renders.
        """
        words = step.told.repeat_interleave(len(x) // len(step.told), 0)
        fits = similarity(self.teacher.picture_vectors(x), words).view(len(step.told), -1).mean(1)
        return -fits.mean(), fits.detach()

    def pull(self, x: Tensor, step: CropInputs) -> tuple[Tensor, Tensor]:
        """Return the gradient of `loss` at x, float32 as x, and the mean cosine of each view."""
        with torch.enable_grad():
            leaf = x.detach().requires_grad_(True)
            loss, fits = self.loss(leaf, step)
            (gradient,) = torch.autograd.grad(loss, leaf)
        return gradient, fits

    def loss_at(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Return the loss whose gradient at x is that of `pull`."""
        return mean_score_loss(x, gradient)

    def score_size(self, progress: float, size: int) -> float:
        """Return 1: the weights of this family's recipe are beside a loss between -1 and 1."""
        return 1.0

    @torch.no_grad()
    def view_contrast(self, images: Tensor, shading: Shading, generator: torch.Generator) -> float:
        """Return how differently the model reads the prompt's front and back: |f - b| / |(f + b) / 2 - u|.

        f, b and u are the vectors of the front's words, of the back's, and of no words.

        images, generator: not used; the words alone decide.
        shading: of all the renders.
        """
        front, back = (self.conditioning.of_views([side], shading).tokens[0, 0] for side in ("front", "back"))
        apart = (front - back).norm()
        of_prompt = (0.5 * (front + back) - self.conditioning.unconditional(1).tokens[0, 0]).norm()
        return float(apart / of_prompt.clamp_min(1e-12))

    @torch.no_grad()
    def prompt_gain(self, images: Tensor, azimuth: Tensor, elevation: Tensor) -> float:
        """Return the mean cosine of whole pictures and the prompt.

        images: float32[B, 3, H, H] in [0, 1].
        azimuth, elevation: float32[B], radians, cameras of the pictures.
        """
        vectors = self.teacher.picture_vectors(self.teacher.to_model_space(images))
        return float(similarity(vectors, self._told(azimuth, elevation, "albedo")).mean())

    def _told(self, azimuth: Tensor, elevation: Tensor, shading: Shading) -> Tensor:
        """The prompt's unit vector from each view; mixed words are brought back to unit length."""
        mixed = self.conditioning.of_cameras(azimuth, elevation, shading).tokens[:, 0]
        return torch.nn.functional.normalize(mixed, dim=-1)
