"""Every family says, through its adapter, what the pipeline of diffusers itself computes.

Of: dreamfusion_engine/models/families.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch
from reference.distillation_step import distillation_step
from reference.guided_steps import FLOW_STEPS, SCALE, as_latents, guided, guided_steps, options_of, unshifted
from reference.predictions_of_noise import flow_from_noise
from reference.tiny_families import LATENT_VARIANTS, NEGATIVE, PROMPT, VARIANTS, Case

from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.config.stages import GuidanceConfig
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.families import flux
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.parts import Parts, Precision
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.load import ADAPTERS, load_teacher
from dreamfusion_engine.models.noise import noise_from_prediction
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.models.teacher import Conditioning

CPU = torch.device("cpu")


def latent_shape(teacher: Adapter) -> tuple[int, ...]:
    return tuple(teacher.to_model_space(torch.zeros(1, 3, 16, 16)).shape[1:])


def test_every_family_has_an_adapter_and_a_case() -> None:
    assert set(ADAPTERS) == {name for name, family in FAMILIES.items() if not family.compares}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_guided_noise_is_what_the_pipeline_itself_computes(cases: Callable[[str], Case], variant: str) -> None:
    case = cases(variant)
    teacher, flow = case.teacher, case.teacher.prediction == "flow_prediction"
    steps = guided_steps(case.pipeline, **options_of(variant, teacher))
    told = case.told.rows([0, 1])
    assert len(steps) == (3 if flow else 2)
    for i, (output, time, sample) in enumerate(steps):
        t = torch.tensor([FLOW_STEPS[i]]) if flow else time.long()
        if flow:
            assert float(time) == pytest.approx(1000.0 * float(teacher.schedule.sigma[t]), rel=1e-5)
        x_t = as_latents(variant, sample)
        theirs = as_latents(variant, output)[:, : x_t.shape[1]]
        alpha, sigma = teacher.schedule.at(t)
        ours = guided(teacher, x_t, t, told, SCALE)
        as_noise = noise_from_prediction(theirs, teacher.prediction, x_t, alpha, sigma)
        assert float(theirs.std()) > 1e-3, "a silent network would agree with anything"
        assert float((ours - as_noise).abs().max()) < 1e-4 * max(1.0, float(as_noise.abs().max()))
        if flow:
            flow_back = flow_from_noise(ours, x_t, alpha)
            assert float((flow_back - theirs).abs().max()) * float(alpha) < 1e-4 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_prompt_changes_what_is_predicted(cases: Callable[[str], Case], variant: str) -> None:
    teacher, told = cases(variant).teacher, cases(variant).told.rows([1, 2])
    x_t = torch.randn(1, *latent_shape(teacher), generator=torch.Generator().manual_seed(1)).repeat(2, 1, 1, 1)
    with torch.no_grad():
        one, other = teacher.predict_noise(x_t, torch.tensor([600, 600]), told)
    assert float((one - other).abs().max()) > 1e-4


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_of_a_batch_do_not_touch_each_other(cases: Callable[[str], Case], variant: str) -> None:
    teacher, told = cases(variant).teacher, cases(variant).told.rows([1, 2])
    x_t = torch.randn(2, *latent_shape(teacher), generator=torch.Generator().manual_seed(1))
    t = torch.tensor([100, 700])
    with torch.no_grad():
        together = teacher.predict_noise(x_t, t, told)
        for i in range(2):
            alone = teacher.predict_noise(x_t[i : i + 1], t[i : i + 1], told.rows([i]))
            torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("variant", ["if", "sd", "sdxl", "pixart", "sd3", "flux-dev"])
def test_weights_in_half_precision_say_nearly_the_same_and_stay_differentiable(
    cases: Callable[[str], Case], variant: str, dtype: torch.dtype
) -> None:
    """As a GPU holds them, on a CPU: no part meets a tensor of another precision, and results are float32."""
    case = cases(variant)
    teacher = load_teacher(open_pipeline(case.folder), CPU)
    teacher.parts.dtype, teacher.parts.text_dtype = dtype, torch.bfloat16
    teacher.parts.vae_dtype = torch.float32 if dtype == torch.float16 else dtype
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(8)).requires_grad_()
    x, full = teacher.to_model_space(image), case.teacher.to_model_space(image)
    (gradient,) = torch.autograd.grad(x.square().sum(), image)
    assert bool(torch.isfinite(gradient).all()) and float(gradient.abs().max()) > 0.0
    told, t = teacher.encode_prompts([NEGATIVE, PROMPT]), torch.tensor([200, 700])
    with torch.no_grad():
        half, whole = teacher.predict_noise(full, t, told), case.teacher.predict_noise(full, t, case.told.rows([0, 1]))
        assert half.dtype == x.dtype == told.tokens.dtype == torch.float32
    assert float((x - full).detach().abs().max()) < 0.05 * float(full.abs().max())
    # Flux in bfloat16 rounds its time to 8 bits too, inside diffusers' own transformer.
    assert 0.0 < float((half - whole).abs().max()) < 0.1 * float(whole.abs().max())


@pytest.mark.parametrize("variant", LATENT_VARIANTS)
def test_images_become_the_autoencoders_scaled_mean_and_their_gradient_is_its_own(
    cases: Callable[[str], Case], variant: str
) -> None:
    case = cases(variant)
    network, config = case.pipeline.vae, case.pipeline.vae.config
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(2)).requires_grad_()
    ours = case.teacher.to_model_space(image)
    theirs = (network.encode(2.0 * image - 1.0).latent_dist.mean - (config.shift_factor or 0.0)) * config.scaling_factor
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(3))
    (mine,) = torch.autograd.grad((weight * ours).sum(), image)
    (their,) = torch.autograd.grad((weight * theirs).sum(), image)
    torch.testing.assert_close(mine, their, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("variant", LATENT_VARIANTS)
def test_noise_makes_a_sample_of_the_posterior_and_no_noise_its_mean(
    cases: Callable[[str], Case], variant: str
) -> None:
    case = cases(variant)
    network, config = case.pipeline.vae, case.pipeline.vae.config
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        mean = case.teacher.to_model_space(image)
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(5))
        sample, again = (case.teacher.to_model_space(image, noise) for _ in range(2))
        spread = network.encode(2.0 * image - 1.0).latent_dist.std * config.scaling_factor
        assert torch.equal(case.teacher.to_model_space(image, torch.zeros_like(noise)), mean)
    assert torch.equal(sample, again)
    torch.testing.assert_close(sample - mean, spread * noise, atol=1e-5, rtol=1e-4)


def test_models_of_pixels_have_no_posterior(cases: Callable[[str], Case]) -> None:
    image = torch.rand(1, 3, 16, 16)
    teacher = cases("if").teacher
    assert torch.equal(teacher.to_model_space(image, torch.ones(1, 3, 16, 16)), teacher.to_model_space(image))


@pytest.mark.parametrize(
    ("variant", "precision", "of_vae", "denoiser", "vae"),
    [
        ("sd", "auto", "auto", torch.float16, torch.bfloat16),
        ("sd", "float32", "auto", torch.float32, torch.float32),
        ("sd", "float16", "float32", torch.float16, torch.float32),
        ("sd3", "auto", "auto", torch.bfloat16, torch.bfloat16),
        ("flux-dev", "auto", "float16", torch.bfloat16, torch.float16),
    ],
)
def test_a_card_gets_float16_for_unets_and_bfloat16_for_transformers_and_vaes(
    cases: Callable[[str], Case],
    variant: str,
    precision: Precision,
    of_vae: Precision,
    denoiser: torch.dtype,
    vae: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = open_pipeline(cases(variant).folder)
    card = torch.device("cuda")
    monkeypatch.setattr("dreamfusion_engine.models.families.parts.HALF_ABOVE", 0)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setattr(Parts, "config", lambda self, part: {"force_upcast": False})
    parts = Parts(folder, card, precision, vae_precision=of_vae)
    assert (parts.dtype, parts.vae_dtype) == (denoiser, vae)
    if of_vae == "auto":
        monkeypatch.setattr(Parts, "config", lambda self, part: {"force_upcast": True})
        assert Parts(folder, card, precision).vae_dtype == torch.float32, "it overflows in half precision"
        monkeypatch.setattr(Parts, "config", lambda self, part: {})
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
        assert Parts(folder, card, precision).vae_dtype == torch.float32, "such a card has no bfloat16 of its own"
    assert Parts(folder, CPU, precision).vae_dtype == torch.float32


def test_the_gradient_of_the_latents_is_their_finite_difference_through_the_resize_too(
    cases: Callable[[str], Case],
) -> None:
    teacher = cases("sd3").teacher
    generator = torch.Generator().manual_seed(4)
    image = torch.rand(1, 3, 32, 32, generator=generator).requires_grad_()
    direction = torch.randn(image.shape, generator=generator)
    x = teacher.to_model_space(image)
    weight = torch.randn(x.shape, generator=generator)
    (gradient,) = torch.autograd.grad((weight * x).sum(), image)
    step = 1e-2
    with torch.no_grad():
        ahead, behind = (teacher.to_model_space(image + sign * step * direction) for sign in (1, -1))
    difference = float((weight * (ahead - behind)).sum()) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(difference, rel=1e-2)


@pytest.mark.slow
def test_an_empty_negative_prompt_of_sdxl_is_zeros_as_in_its_pipeline(cases: Callable[[str], Case]) -> None:
    case = cases("sdxl")
    ((output, time, x_t), *_) = guided_steps(
        case.pipeline, negative_prompt=None, guidance_scale=SCALE, num_inference_steps=2
    )
    told = case.teacher.encode_prompts(["", PROMPT])
    assert float(told.rows([0]).tokens.abs().max()) == float(told.rows([0]).tensors()["pooled"].abs().max()) == 0.0
    torch.testing.assert_close(guided(case.teacher, x_t, time.long(), told, SCALE), output, atol=1e-4, rtol=1e-4)


def test_guidance_embedded_in_flux_is_a_constant_input_beside_classifier_free_guidance(
    cases: Callable[[str], Case],
) -> None:
    """Without a negative prompt the pipeline's guidance_scale is the embedded one alone; a scale of 1 is that here."""
    case = cases("flux-dev")
    t, told = torch.tensor([400]), case.told.rows([0, 1])
    for embedded in (1.0, 3.5):
        ((output, _, sample),) = guided_steps(
            case.pipeline,
            negative_prompt=None,
            guidance_scale=embedded,
            sigmas=unshifted(case.teacher, [400]),
            height=16,
            width=16,
        )
        x_t = as_latents("flux", sample)
        teacher = load_teacher(open_pipeline(case.folder), CPU)
        assert isinstance(teacher, flux.Flux)
        assert teacher.embedded_guidance == 3.5
        teacher.embedded_guidance = embedded
        ours = flow_from_noise(guided(teacher, x_t, t, told, 1.0), x_t, teacher.schedule.at(t)[0])
        torch.testing.assert_close(ours, as_latents("flux", output), atol=1e-4, rtol=1e-4)


def test_flux_packs_its_latents_as_its_pipeline_does() -> None:
    from diffusers import FluxPipeline

    x = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(6))
    packed = flux.pack(x)
    assert torch.equal(packed, FluxPipeline._pack_latents(x, 2, 4, 6, 8))
    assert torch.equal(flux.unpack(packed, 3, 4), x)
    assert torch.equal(flux.positions(3, 4, x), FluxPipeline._prepare_latent_image_ids(2, 3, 4, CPU, torch.float32))


def test_the_shift_of_flux_is_the_one_of_its_pipeline_for_a_picture_of_its_size(
    cases: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers.pipelines.flux.pipeline_flux import calculate_shift

    monkeypatch.setattr(flux, "LATENT_SIZE", 128)
    case = cases("flux-dev")
    teacher = load_teacher(open_pipeline(case.folder), CPU)
    scheduler = type(case.pipeline.scheduler).from_config(case.pipeline.scheduler.config)
    scheduler.set_timesteps(sigmas=[1.0 - i / 1000 for i in range(1000)], mu=calculate_shift(64 * 64))
    torch.testing.assert_close(teacher.schedule.sigma.flip(0), scheduler.sigmas[:-1], atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("score", get_args(Score))
@pytest.mark.parametrize("variant", ["sd-v", "sdxl", "pixart", "sd3", "flux-dev"])
def test_every_score_moves_the_pixels_of_a_render_by_every_family(
    cases: Callable[[str], Case], variant: str, score: Score
) -> None:
    case, config = cases(variant), GuidanceConfig(score=score)
    distillation = ScoreDistillation(case.teacher, PROMPT, "", PromptCard(), config, encode=case.encode)
    image = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(9)).requires_grad_()
    angle = torch.tensor([0.3])
    loss, seen = distillation_step(distillation, image, angle, angle, "albedo", 0.3, torch.Generator().manual_seed(10))
    loss.backward()
    assert image.grad is not None
    assert bool(torch.isfinite(image.grad).all()) and bool(torch.isfinite(seen.gradient_norm).all())
    assert int((image.grad.abs().amax(dim=1) > 0.0).sum()) == 24 * 24
    assert not any(parameter.requires_grad for parameter in case.teacher.denoiser.parameters())


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_conditioning_survives_the_disk_and_its_rows_are_its_prompts(
    cases: Callable[[str], Case], variant: str, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    told = cases(variant).told
    save_file(told.tensors(), tmp_path / "told.safetensors")
    back = Conditioning.from_tensors(load_file(tmp_path / "told.safetensors"))
    for name, value in told.tensors().items():
        assert torch.equal(back.tensors()[name], value)
        assert value.dtype == (torch.bool if name == "mask" else torch.float32)
    again = Conditioning.join([told.rows([2]), told.rows([1, 1])])
    assert len(again) == 3
    for name, value in again.tensors().items():
        torch.testing.assert_close(value, told.rows([2, 1, 1]).tensors()[name])
