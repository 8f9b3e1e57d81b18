"""The pixel-space teacher: loads parts of a real pipeline, says what the pipeline itself would say."""

from __future__ import annotations

import copy
import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.tiny_pipeline import tiny_pipeline

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.noise import NoiseSchedule, noise_from_prediction
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.models.teacher import resize_square

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def teacher_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Adapter]:
    """Saves a pipeline and loads it from its folder, as the engine does."""

    def load(pipeline: Any) -> Adapter:
        folder = tmp_path_factory.mktemp("pipeline") / "model"
        pipeline.save_pretrained(folder)
        return load_teacher(open_pipeline(folder), CPU)

    return load


@pytest.mark.slow
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_the_guided_noise_is_what_the_if_pipeline_itself_computes(
    teacher_of: Callable[[Any], Adapter], prediction: str
) -> None:
    pipeline = tiny_pipeline(prediction, length=77)  # the pipeline pads its prompts to 77 tokens
    pipeline.set_progress_bar_config(disable=True)
    seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    step = pipeline.scheduler.step

    def spy(output: torch.Tensor, t: torch.Tensor, sample: torch.Tensor, **options: Any) -> Any:
        seen.append((output, t.reshape(1), sample))
        return step(output, t, sample, **options)

    pipeline.scheduler.step = spy
    pipeline(
        "A red mug",
        negative_prompt="blue",
        num_inference_steps=3,
        guidance_scale=7.0,
        clean_caption=False,
        output_type="pt",
        generator=torch.Generator().manual_seed(0),
    )
    teacher = teacher_of(pipeline)
    told = teacher.encode_prompts(["blue", "A red mug"])
    assert len(seen) == 3
    for output, t, sample in seen:
        alpha, sigma = NoiseSchedule.variance_preserving(pipeline.scheduler.alphas_cumprod).at(t)
        theirs = noise_from_prediction(output[:, :3], prediction, sample, alpha, sigma)  # type: ignore[arg-type]
        without, with_prompt = teacher.predict_noise(sample.repeat(2, 1, 1, 1), t.repeat(2), told).chunk(2)
        ours = without + 7.0 * (with_prompt - without)
        assert float((ours - theirs).abs().max()) < 1e-4 * max(1.0, float(theirs.abs().max()))


def test_embeddings_are_those_of_the_pipeline(teacher_of: Callable[[Any], Adapter]) -> None:
    pipeline = tiny_pipeline(length=77)
    theirs, _ = pipeline.encode_prompt("a red mug", do_classifier_free_guidance=False)
    torch.testing.assert_close(teacher_of(pipeline).encode_prompts([" A Red mug"]).tokens, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_a_loaded_folder_predicts_what_its_pipeline_in_memory_predicts(saved_pipeline: Path) -> None:
    loaded, made = load_teacher(open_pipeline(saved_pipeline), CPU), tiny_pipeline("v_prediction")
    assert loaded.image_size == 16
    assert loaded.prediction == "v_prediction"
    told = loaded.encode_prompts(["a mug, front view", ""])
    assert told.tokens.shape == (2, 16, 32)
    x_t, t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([10, 900])
    v = made.unet(x_t, t, encoder_hidden_states=told.tokens).sample[:, :3]
    alpha, sigma = NoiseSchedule.variance_preserving(made.scheduler.alphas_cumprod).at(t)
    torch.testing.assert_close(loaded.predict_noise(x_t, t, told), alpha * v + sigma * x_t, atol=1e-5, rtol=1e-5)


def test_views_of_a_batch_do_not_touch_each_other(saved_pipeline: Path) -> None:
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU)
    x_t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    t, embeddings = torch.tensor([100, 700]), teacher.encode_prompts(["a mug", "a hamburger"])
    together = teacher.predict_noise(x_t, t, embeddings)
    for i in range(2):
        alone = teacher.predict_noise(x_t[i : i + 1], t[i : i + 1], embeddings.rows([i]))
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_reduced_precision_on_the_cpu_stays_near_full_precision(saved_pipeline: Path) -> None:
    folder = open_pipeline(saved_pipeline)
    full, reduced = load_teacher(folder, CPU, "float32"), load_teacher(folder, CPU, "bfloat16")
    x_t, t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([100, 900])
    embeddings = full.encode_prompts(["a mug", ""])
    difference = full.predict_noise(x_t, t, embeddings) - reduced.predict_noise(x_t, t, embeddings)
    assert 0.0 < float(difference.abs().max()) < 0.05  # bfloat16 has 8 bits


def test_the_teacher_is_frozen_and_the_caller_decides_whether_there_is_a_graph(saved_pipeline: Path) -> None:
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU)
    assert not any(parameter.requires_grad for parameter in teacher.denoiser.parameters())
    x_t, t, told = torch.randn(1, 3, 16, 16, requires_grad=True), torch.tensor([5]), teacher.encode_prompts(["a mug"])
    assert teacher.predict_noise(x_t, t, told).requires_grad
    with torch.no_grad():
        assert not teacher.predict_noise(x_t, t, told).requires_grad


def test_the_text_encoder_is_made_when_needed_and_not_kept(saved_pipeline: Path) -> None:
    encoders: list[weakref.ref[torch.nn.Module]] = []

    def place(part: str, module: torch.nn.Module) -> torch.nn.Module:
        assert part == "text_encoder"
        encoders.append(weakref.ref(module))
        return module

    teacher = load_teacher(open_pipeline(saved_pipeline), CPU, place=place)
    assert not encoders
    teacher.encode_prompts(["a mug"])
    assert [encoder() for encoder in encoders] == [None]


def test_a_copy_of_a_teacher_may_have_another_denoiser(saved_pipeline: Path) -> None:
    """What a LoRA needs: the same model beside itself, with one part exchanged."""
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU)
    other = copy.copy(teacher)
    other.denoiser = copy.deepcopy(teacher.denoiser)
    with torch.no_grad():
        next(other.denoiser.parameters()).add_(1.0)
    x_t, t, told = torch.randn(1, 3, 16, 16), torch.tensor([500]), teacher.encode_prompts(["a mug"])
    assert not torch.equal(teacher.predict_noise(x_t, t, told), other.predict_noise(x_t, t, told))


def test_a_prompt_beyond_the_models_tokens_is_refused_because_its_view_words_would_be_lost(
    saved_pipeline: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU)
    teacher.encode_prompts([" ".join(["red"] * 15)])  # and the end token: 16
    with pytest.raises(InputError) as caught:
        teacher.encode_prompts([" ".join(["red"] * 180)])
    assert caught.value.code == "input.prompt_tokens"
    assert "181 tokens; the model reads 16" in caught.value.why
    assert len(caught.value.why) < 200, "it begins, and is not repeated"
    assert "longer than" not in capfd.readouterr().err, "no warning of the library's own"


def test_images_come_to_the_models_size_and_range(saved_pipeline: Path) -> None:
    teacher = load_teacher(open_pipeline(saved_pipeline), CPU)
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    x = teacher.to_model_space(image)
    torch.testing.assert_close(x, 2.0 * image - 1.0)


@pytest.mark.parametrize("size", [8, 16, 24, 32, 48])
def test_resizing_keeps_constants_and_every_pixel_has_a_share_in_the_result(size: int) -> None:
    image = torch.full((1, 3, size, size), 0.3, dtype=torch.float64, requires_grad=True)
    small = resize_square(image, 16)
    torch.testing.assert_close(small, torch.full((1, 3, 16, 16), 0.3, dtype=torch.float64))
    small.sum().backward()
    assert image.grad is not None
    assert float(image.grad.min()) > 0.0
    assert float(image.grad.sum()) == pytest.approx(3 * 16 * 16)


def test_halving_is_the_mean_of_four_pixels() -> None:
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(resize_square(image, 16), image.view(1, 3, 16, 2, 16, 2).mean(dim=(3, 5)))


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def drop_a_weight(file: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(file)
    weights.pop(sorted(weights)[0])
    save_file(weights, file, metadata={"format": "pt"})


def poison(file: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_file({k: v * float("nan") for k, v in load_file(file).items()}, file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("relative", "harm"),
    [
        ("unet/diffusion_pytorch_model.safetensors", truncate),
        ("unet/diffusion_pytorch_model.safetensors", drop_a_weight),
        ("text_encoder/model.safetensors", truncate),
        ("text_encoder/model.safetensors", drop_a_weight),
        ("text_encoder/model.safetensors", poison),
        ("unet/config.json", truncate),
        ("tokenizer/tokenizer.json", truncate),
        ("scheduler/scheduler_config.json", truncate),
    ],
)
def test_damage_to_any_part_is_one_error_with_what_why_and_fix(
    pipeline_copy: Path, relative: str, harm: Callable[[Path], None]
) -> None:
    harm(pipeline_copy / relative)
    with pytest.raises(SetupError) as caught:
        teacher = load_teacher(open_pipeline(pipeline_copy), CPU)
        teacher.encode_prompts(["a mug"])
        teacher.denoiser.eval()
    assert caught.value.code == "model.damaged"
    assert caught.value.fix


def test_a_weight_of_another_shape_is_damage(pipeline_copy: Path) -> None:
    path = pipeline_copy / "unet" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "cross_attention_dim": 48}))
    with pytest.raises(SetupError) as caught:
        load_teacher(open_pipeline(pipeline_copy), CPU).denoiser.eval()
    assert caught.value.code == "model.damaged"


@pytest.mark.parametrize("change", [{"in_channels": 4}, {"in_channels": 6}, {"out_channels": 4}, {"sample_size": None}])
def test_a_denoiser_that_is_not_a_first_pixel_stage_is_refused(pipeline_copy: Path, change: dict[str, Any]) -> None:
    path = pipeline_copy / "unet" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(SetupError) as caught:
        load_teacher(open_pipeline(pipeline_copy), CPU)
    assert caught.value.code == "model.unsupported"


def test_loading_prints_nothing(pipeline_copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Not even the libraries' progress bars, which they show for weights in several files."""
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained(pipeline_copy / "unet")
    (pipeline_copy / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    unet.save_pretrained(pipeline_copy / "unet", max_shard_size="100KB")
    assert len(list((pipeline_copy / "unet").glob("*.safetensors"))) > 1
    capfd.readouterr()
    teacher = load_teacher(open_pipeline(pipeline_copy), CPU)
    teacher.encode_prompts(["a mug"])
    teacher.denoiser.eval()
    assert capfd.readouterr() == ("", "")


@pytest.mark.cuda
def test_the_gpu_predicts_what_the_cpu_predicts(saved_pipeline: Path) -> None:
    folder = open_pipeline(saved_pipeline)
    x_t, t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([100, 900])
    on_cpu = load_teacher(folder, CPU)
    expected = on_cpu.predict_noise(x_t, t, on_cpu.encode_prompts(["a mug", ""]))
    for precision, tolerance in (("float32", 1e-2), ("float16", 5e-2), ("bfloat16", 1e-1)):
        gpu = load_teacher(folder, torch.device("cuda"), precision)  # type: ignore[arg-type]
        actual = gpu.predict_noise(x_t.cuda(), t.cuda(), gpu.encode_prompts(["a mug", ""])).cpu()
        torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)
