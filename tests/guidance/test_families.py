"""Every family says, through its adapter, what the pipeline of diffusers itself computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from reference import tiny_families as tiny

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.guidance.diffusion import ADAPTERS, load_teacher
from dreamfusion_engine.guidance.families import flux
from dreamfusion_engine.guidance.families.adapter import Adapter
from dreamfusion_engine.guidance.family import FAMILIES
from dreamfusion_engine.guidance.noise import flow_from_noise, noise_from_prediction
from dreamfusion_engine.guidance.pipeline_folder import open_pipeline
from dreamfusion_engine.guidance.teacher import Conditioning

CPU = torch.device("cpu")
PROMPT, NEGATIVE, SCALE = "a red mug", "blue clay", 7.0
FLOW_STEPS = [900, 500, 20]  # timesteps at which flows are compared; other samplers choose theirs by themselves
KINDS: dict[str, Callable[[], Any]] = {
    "if": tiny.deepfloyd_if,
    "sd": tiny.stable_diffusion,
    "sd-v": lambda: tiny.stable_diffusion("v_prediction"),
    "sd-x0": lambda: tiny.stable_diffusion("sample"),
    "sdxl": tiny.stable_diffusion_xl,
    "sdxl-v": lambda: tiny.stable_diffusion_xl("v_prediction"),
    "pixart": tiny.pixart_sigma,
    "sd3": tiny.stable_diffusion_3,
    "sd3-without-t5": lambda: tiny.stable_diffusion_3(with_t5=False),
    "flux-dev": tiny.flux,
    "flux-schnell": lambda: tiny.flux(guidance_embeds=False),
}
LATENT_KINDS = [kind for kind in KINDS if kind != "if"]


@dataclass(frozen=True)
class Case:
    pipeline: Any
    folder: Path
    teacher: Adapter


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    """Each kind's pipeline, saved as a folder and loaded from it by the engine; made once."""
    made: dict[str, Case] = {}

    def case(kind: str) -> Case:
        if kind not in made:
            pipeline = KINDS[kind]()
            pipeline.set_progress_bar_config(disable=True)
            folder = tmp_path_factory.mktemp(kind) / "model"
            pipeline.save_pretrained(folder)
            made[kind] = Case(pipeline, folder, load_teacher(open_pipeline(folder), CPU))
        return made[kind]

    return case


@pytest.fixture(autouse=True)
def small_flux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flux's configuration does not say how large its pictures are; here as small as the other families'."""
    monkeypatch.setattr(flux, "LATENT_SIZE", tiny.LATENT)


def options_of(kind: str, teacher: Adapter) -> dict[str, Any]:
    """How the pipeline is asked for a few steps, guided by SCALE; for a flow, at the noise levels of FLOW_STEPS."""
    if kind.startswith("flux"):
        return {"true_cfg_scale": SCALE, "sigmas": unshifted(teacher, FLOW_STEPS), "height": 16, "width": 16}
    if kind.startswith("sd3"):
        return {"guidance_scale": SCALE, "sigmas": unshifted(teacher, FLOW_STEPS)}
    extra = {"clean_caption": False} if kind in ("if", "pixart") else {}
    extra |= {"use_resolution_binning": False} if kind == "pixart" else {}
    return {"guidance_scale": SCALE, "num_inference_steps": 2, **extra}


def unshifted(teacher: Adapter, steps: list[int]) -> list[float]:
    """s of the schedule at each timestep, before it was shifted."""
    return [(t + 1) / len(teacher.schedule) for t in steps]


def guided_steps(case: Case, **options: Any) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """The pipeline's own guided prediction, its time and the x_t that its denoiser sees, at each step that it takes."""
    seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    scheduler = case.pipeline.scheduler
    step = scheduler.step

    def spy(output: torch.Tensor, t: torch.Tensor, sample: torch.Tensor, **more: Any) -> Any:
        # Euler's samples are x_t / alpha_t; the scheduler itself says what the denoiser is given.
        x_t = scheduler.scale_model_input(sample, t) if hasattr(scheduler, "scale_model_input") else sample
        seen.append((output, torch.as_tensor(t).reshape(1), x_t))
        return step(output, t, sample, **more)

    scheduler.step = spy
    try:
        generator = torch.Generator().manual_seed(0)
        options = {"negative_prompt": NEGATIVE, **options}
        case.pipeline(
            PROMPT, output_type="latent" if hasattr(case.pipeline, "vae") else "pt", generator=generator, **options
        )
    finally:
        del scheduler.step
    return seen


def guided(teacher: Adapter, x_t: torch.Tensor, t: torch.Tensor, told: Conditioning, scale: float) -> torch.Tensor:
    """The guided noise of the adapter. told: the negative prompt, then the prompt."""
    with torch.no_grad():
        without, with_prompt = teacher.predict_noise(x_t.repeat(2, 1, 1, 1), t.repeat(2), told).chunk(2)
    return without + scale * (with_prompt - without)


def as_latents(kind: str, x: torch.Tensor) -> torch.Tensor:
    """Flux's tokens as a picture of latents, by its pipeline's own function."""
    if not kind.startswith("flux"):
        return x
    from diffusers import FluxPipeline

    return FluxPipeline._unpack_latents(x, 16, 16, 2)


def test_every_family_has_an_adapter_and_a_case() -> None:
    assert set(ADAPTERS) == set(FAMILIES)


@pytest.mark.parametrize("kind", KINDS)
def test_the_guided_noise_is_what_the_pipeline_itself_computes(cases: Callable[[str], Case], kind: str) -> None:
    case = cases(kind)
    teacher, flow = case.teacher, case.teacher.prediction == "flow_prediction"
    steps = guided_steps(case, **options_of(kind, teacher))
    told = teacher.encode_prompts([NEGATIVE, PROMPT])
    assert len(steps) == (3 if flow else 2)
    for i, (output, time, sample) in enumerate(steps):
        t = torch.tensor([FLOW_STEPS[i]]) if flow else time.long()
        if flow:
            assert float(time) == pytest.approx(1000.0 * float(teacher.schedule.sigma[t]), rel=1e-5)
        x_t = as_latents(kind, sample)
        theirs = as_latents(kind, output)[:, : x_t.shape[1]]
        alpha, sigma = teacher.schedule.at(t)
        ours = guided(teacher, x_t, t, told, SCALE)
        as_noise = noise_from_prediction(theirs, teacher.prediction, x_t, alpha, sigma)
        assert float(theirs.std()) > 1e-3, "a silent network would agree with anything"
        assert float((ours - as_noise).abs().max()) < 1e-4 * max(1.0, float(as_noise.abs().max()))
        if flow:
            flow_back = flow_from_noise(ours, x_t, alpha)
            assert float((flow_back - theirs).abs().max()) * float(alpha) < 1e-4 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_prompt_changes_what_is_predicted(cases: Callable[[str], Case], kind: str) -> None:
    teacher = cases(kind).teacher
    told = teacher.encode_prompts(["a red mug", "a white hamburger"])
    x_t = torch.randn(1, *latent_shape(teacher), generator=torch.Generator().manual_seed(1)).repeat(2, 1, 1, 1)
    with torch.no_grad():
        one, other = teacher.predict_noise(x_t, torch.tensor([600, 600]), told)
    assert float((one - other).abs().max()) > 1e-4


def latent_shape(teacher: Adapter) -> tuple[int, ...]:
    return tuple(teacher.to_model_space(torch.zeros(1, 3, 16, 16)).shape[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_batch_do_not_touch_each_other(cases: Callable[[str], Case], kind: str) -> None:
    teacher = cases(kind).teacher
    told = teacher.encode_prompts(["a red mug", "a white hamburger with front view"])
    x_t = torch.randn(2, *latent_shape(teacher), generator=torch.Generator().manual_seed(1))
    t = torch.tensor([100, 700])
    with torch.no_grad():
        together = teacher.predict_noise(x_t, t, told)
        for i in range(2):
            alone = teacher.predict_noise(x_t[i : i + 1], t[i : i + 1], told.rows([i]))
            torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", LATENT_KINDS)
def test_images_become_the_autoencoders_scaled_mean_and_their_gradient_is_its_own(
    cases: Callable[[str], Case], kind: str
) -> None:
    case = cases(kind)
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


@pytest.mark.parametrize("kind", LATENT_KINDS)
def test_latents_become_the_images_that_the_pipeline_would_show(cases: Callable[[str], Case], kind: str) -> None:
    case = cases(kind)
    network, config = case.pipeline.vae, case.pipeline.vae.config
    z = torch.randn(1, *latent_shape(case.teacher), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        theirs = network.decode(z / config.scaling_factor + (config.shift_factor or 0.0)).sample
        torch.testing.assert_close(case.teacher.to_image(z), (0.5 * theirs + 0.5).clamp(0, 1), atol=1e-5, rtol=1e-5)


def test_an_empty_negative_prompt_of_sdxl_is_zeros_as_in_its_pipeline(cases: Callable[[str], Case]) -> None:
    case = cases("sdxl")
    ((output, time, x_t), *_) = guided_steps(case, negative_prompt=None, guidance_scale=SCALE, num_inference_steps=2)
    told = case.teacher.encode_prompts(["", PROMPT])
    assert float(told.rows([0]).tokens.abs().max()) == float(told.rows([0]).tensors()["pooled"].abs().max()) == 0.0
    torch.testing.assert_close(guided(case.teacher, x_t, time.long(), told, SCALE), output, atol=1e-4, rtol=1e-4)


def test_guidance_embedded_in_flux_is_a_constant_input_beside_classifier_free_guidance(
    cases: Callable[[str], Case],
) -> None:
    """Without a negative prompt the pipeline's guidance_scale is the embedded one alone; a scale of 1 is that here."""
    case = cases("flux-dev")
    t, told = torch.tensor([400]), case.teacher.encode_prompts([NEGATIVE, PROMPT])
    for embedded in (1.0, 3.5):
        ((output, _, sample),) = guided_steps(
            case,
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


@pytest.mark.parametrize(
    ("kind", "length"), [("sd", 77), ("sdxl", 77), ("pixart", 300), ("sd3", 256), ("flux-dev", 512)]
)
def test_a_prompt_beyond_the_tokens_of_a_family_is_refused(
    cases: Callable[[str], Case], kind: str, length: int
) -> None:
    teacher = cases(kind).teacher
    teacher.encode_prompts([" ".join(["red"] * (length - 1))])
    with pytest.raises(InputError) as caught:
        teacher.encode_prompts([" ".join(["red"] * length)])
    assert caught.value.code == "input.prompt_tokens"
    assert f"the model reads {length}" in caught.value.why


def test_without_t5_stable_diffusion_3_reads_only_what_clip_reads(cases: Callable[[str], Case]) -> None:
    with pytest.raises(InputError, match=r"(?s).*too long"):
        cases("sd3-without-t5").teacher.encode_prompts([" ".join(["red"] * 80)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_conditioning_survives_the_disk_and_its_rows_are_its_prompts(
    cases: Callable[[str], Case], kind: str, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    told = cases(kind).teacher.encode_prompts(["a red mug", "clay", "a red mug"])
    save_file(told.tensors(), tmp_path / "told.safetensors")
    back = Conditioning.from_tensors(load_file(tmp_path / "told.safetensors"))
    for name, value in told.tensors().items():
        assert torch.equal(back.tensors()[name], value)
        assert value.dtype == (torch.bool if name == "mask" else torch.float32)
    again = Conditioning.join([told.rows([2]), told.rows([1, 1])])
    assert len(again) == 3
    for name, value in again.tensors().items():
        torch.testing.assert_close(value, told.rows([0, 1, 1]).tensors()[name])


@pytest.mark.parametrize("kind", KINDS)
def test_networks_are_loaded_when_used_frozen_and_text_encoders_before_the_denoiser(
    cases: Callable[[str], Case], kind: str
) -> None:
    order: list[str] = []

    def place(part: str, module: torch.nn.Module) -> torch.nn.Module:
        order.append(part)
        return module

    folder = open_pipeline(cases(kind).folder)
    teacher = load_teacher(folder, CPU, place=place)
    assert order == []
    told = teacher.encode_prompts(["a red mug"])
    encoders = [part for part in FAMILIES[folder.family].text_encoders if part in folder.components]
    assert order == encoders
    x = teacher.to_model_space(torch.rand(1, 3, 16, 16))
    teacher.predict_noise(x, torch.tensor([10]), told)
    assert sorted(order[len(encoders) :]) == sorted(
        {FAMILIES[folder.family].denoiser, *(["vae"] if kind != "if" else [])}
    )
    assert not any(parameter.requires_grad for parameter in teacher.denoiser.parameters())


@pytest.mark.parametrize("kind", ["sd", "pixart", "sd3", "flux-dev"])
def test_a_damaged_autoencoder_or_denoiser_is_found_when_it_is_loaded(
    cases: Callable[[str], Case], kind: str, tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(cases(kind).folder, folder)
    denoiser = FAMILIES[open_pipeline(folder).family].denoiser
    for part in (denoiser, "vae"):
        file = folder / part / "diffusion_pytorch_model.safetensors"
        weights = load_file(file)
        weights.pop(sorted(weights)[0])
        save_file(weights, file, metadata={"format": "pt"})
    teacher = load_teacher(open_pipeline(folder), CPU)
    for action in (lambda: teacher.denoiser, lambda: teacher.to_model_space(torch.rand(1, 3, 16, 16))):
        with pytest.raises(SetupError) as caught:
            action()
        assert caught.value.code == "model.damaged"
