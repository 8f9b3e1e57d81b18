"""Textual inversion: a prompt with a learned word tells the teacher what it tells the pipeline of diffusers.

Of: dreamfusion_engine/models/adapters/learned_word.py, dreamfusion_engine/models/families/text.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from reference.guided_steps import FLOW_STEPS, SCALE, as_latents, guided, guided_steps, options_of
from reference.tiny_adapters import write
from reference.tiny_families import NEGATIVE, VARIANTS

from dreamfusion_engine.config.stages import AdaptersConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.models.adapters.files import read_adapters
from dreamfusion_engine.models.adapters.fit import check_adapters
from dreamfusion_engine.models.adapters.learned_word import spelt_out, unsaid, vocabulary
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.noise import noise_from_prediction
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")
PARTS = {"sd": ("text_encoder",), "sdxl": ("text_encoder", "text_encoder_2"), "flux-dev": ("text_encoder",)}
WIDTHS = {"sd": (32,), "sdxl": (32, 24), "flux-dev": (24,)}
WORD = "<my-mug>"
pytestmark = pytest.mark.usefixtures("small_flux")


def made(variant: str, folder: Path) -> Any:
    pipeline = VARIANTS[variant]()
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder)
    return pipeline


def taught(folder: Path, *files: Path) -> Adapter:
    pipeline = open_pipeline(folder)
    read = read_adapters(AdaptersConfig(embeddings=tuple(str(file) for file in files)))
    check_adapters(read, pipeline.family, pipeline)
    return load_teacher(pipeline, CPU, adapters=read)


def vectors(variant: str, count: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, width, generator=generator) for width in WIDTHS[variant]]


def inversion(path: Path, variant: str, count: int, word: str = WORD) -> Path:
    """The file of a word: under the word itself, or under the names of the two encoders, and then named by the file."""
    made = vectors(variant, count)
    names = [word] if len(made) == 1 else ["clip_l", "clip_g"]
    return write(path / f"{word}.safetensors", dict(zip(names, made, strict=True)))


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("variant", PARTS)
def test_the_guided_noise_is_that_of_the_pipeline_with_the_word(variant: str, count: int, tmp_path: Path) -> None:
    pipeline = made(variant, tmp_path / "model")
    teacher = taught(tmp_path / "model", inversion(tmp_path, variant, count))
    prompt = f"a red {WORD} with handle"
    told = teacher.encode_prompts([NEGATIVE, prompt])
    plain = load_teacher(open_pipeline(tmp_path / "model"), CPU).encode_prompts([NEGATIVE, prompt])
    assert not torch.equal(told.rows([1]).tensors()["tokens"], plain.rows([1]).tensors()["tokens"]) or variant[0] == "f"
    for name, tensor in told.rows([0]).tensors().items():
        torch.testing.assert_close(tensor, plain.rows([0]).tensors()[name], atol=0.0, rtol=0.0)
    for part, rows in zip(PARTS[variant], vectors(variant, count), strict=True):
        number = part.removeprefix("text_encoder")
        pipeline.load_textual_inversion(
            {WORD: rows},
            text_encoder=getattr(pipeline, part),
            tokenizer=getattr(pipeline, f"tokenizer{number}"),
        )
    flow = teacher.prediction == "flow_prediction"
    for i, (output, time, sample) in enumerate(guided_steps(pipeline, prompt, **options_of(variant, teacher))):
        t = torch.tensor([FLOW_STEPS[i]]) if flow else time.long()
        x_t = as_latents(variant, sample)
        theirs = noise_from_prediction(as_latents(variant, output), teacher.prediction, x_t, *teacher.schedule.at(t))
        ours = guided(teacher, x_t, t, told, SCALE)
        assert float((ours - theirs).abs().max()) < 1e-4 * max(1.0, float(theirs.abs().max()))


@pytest.mark.slow
def test_a_word_named_by_its_file_is_read_in_any_case(tmp_path: Path) -> None:
    made("sd", tmp_path / "model")
    (rows,) = vectors("sd", 2)
    teacher = taught(tmp_path / "model", write(tmp_path / "Clayish.safetensors", {"emb_params": rows}))
    exact, other, without = (
        teacher.encode_prompts([text]).tokens for text in ("a Clayish mug", "a clayish mug", "a claying mug")
    )
    assert torch.equal(exact, other) and not torch.equal(exact, without)


@pytest.mark.slow
def test_two_words_stand_beside_each_other(tmp_path: Path) -> None:
    made("sd", tmp_path / "model")
    files = [inversion(tmp_path, "sd", 1, word) for word in ("<one>", "<two>")]
    both, first = taught(tmp_path / "model", *files), taught(tmp_path / "model", files[0])
    text = ["a <one> mug"]
    assert torch.equal(both.encode_prompts(text).tokens, first.encode_prompts(text).tokens)
    assert not torch.equal(both.encode_prompts(["a <two> mug"]).tokens, first.encode_prompts(["a <two> mug"]).tokens)


def test_a_word_of_many_vectors_counts_as_many_tokens(tmp_path: Path) -> None:
    made("sd", tmp_path / "model")
    teacher = taught(tmp_path / "model", inversion(tmp_path, "sd", 40))
    teacher.encode_prompts([f"a {WORD}"])
    with pytest.raises(InputError) as caught:
        teacher.encode_prompts([f"a {WORD} and a {WORD}"])
    assert caught.value.code == "input.prompt_tokens"


@pytest.mark.slow
def test_an_old_clip_finds_the_end_of_the_text_in_spite_of_a_learned_word(tmp_path: Path) -> None:
    """Configs with eos_token_id 2 pool at the highest number; the learned word's is higher than the end's."""
    pipeline = VARIANTS["sdxl"]()
    folder = tmp_path / "model"
    for part in (pipeline.text_encoder, pipeline.text_encoder_2):
        part.config.eos_token_id = 2
    pipeline.save_pretrained(folder)
    teacher = taught(folder, inversion(tmp_path, "sdxl", 1))
    pooled = teacher.encode_prompts(["a mug", f"a mug {WORD}", f"{WORD} a mug"]).tensors()["pooled"]
    for i, end in ((1, 3), (2, 3)):
        tokenizer = teacher.parts.tokenizer("tokenizer_2")
        numbers = tokenizer(["a mug", f"a mug {WORD}", f"{WORD} a mug"])["input_ids"][i]
        assert numbers[end] == tokenizer.eos_token_id
        encoder: Any = teacher.parts.network("text_encoder_2", "CLIPTextModelWithProjection")
        states = encoder(torch.tensor([numbers])).last_hidden_state[0, end]
        torch.testing.assert_close(pooled[i], encoder.text_projection(states), atol=1e-5, rtol=1e-5)


def test_a_text_is_spelt_out_by_whole_words_and_the_longest_first() -> None:
    words = {"style": ["style", "style_1"], "style_x": ["style_x"]}
    assert spelt_out("a Style mug, style_x stylish", words) == "a style style_1 mug, style_x stylish"
    assert spelt_out("a <c>-mug", {"<c>": ["<c>", "<c>_1"]}) == "a <c> <c>_1-mug"
    assert spelt_out("style", {}) == "style"


def test_a_word_that_no_prompt_says_is_noticed(tmp_path: Path) -> None:
    files = [str(inversion(tmp_path, "sd", 2, word)) for word in ("<one>", "<two>")]
    words = read_adapters(AdaptersConfig(embeddings=tuple(files))).words
    assert unsaid(words, ["a <ONE> mug", ""]) == ["<two>"]
    assert unsaid(words, ["a <one>", "<two>"]) == [] and unsaid(words, ["one"]) == ["<one>", "<two>"]


def test_a_vocabulary_is_read_from_either_format(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text('{"mug</w>": 1, "Clay": 2}')
    assert vocabulary(tmp_path) == {"mug", "clay"}
    (tmp_path / "vocab.json").write_text("[")
    assert vocabulary(tmp_path) == frozenset()


@pytest.mark.parametrize(
    ("variant", "name", "tensors", "said"),
    [
        ("sd", "mug", {"emb_params": (1, 32)}, "a word 'mug' already"),
        ("sd", "x", {"mug": (1, 32)}, "a word 'mug' already"),
        ("sd", "new", {"emb_params": (1, 48)}, "48 wide, and those of"),
        ("sd", "two words", {"emb_params": (1, 32)}, "no word that a prompt can say"),
        ("sd", "new", {"clip_l": (1, 32), "clip_g": (1, 24)}, "needs them for text_encoder"),
        ("sdxl", "new", {"emb_params": (1, 32)}, "needs them for text_encoder and text_encoder_2"),
        ("sdxl", "new", {"clip_l": (1, 32), "clip_g": (1, 32)}, "text_encoder_2 are 32 wide"),
        ("sdxl", "new", {"clip_l": (1, 32), "clip_g": (2, 24)}, "it has [1, 2] vectors"),
        ("sd", "new", {"emb_params": (2, 3, 32)}, "no textual inversion"),
        ("sd", "new", {"a": (1, 32), "b": (1, 32), "c": (1, 32)}, "it holds 3 tensors"),
        ("sd", "new", {"unet.x.lora_A.weight": (1, 32)}, "for --lora"),
        ("sd3", "new", {"emb_params": (1, 32)}, "Stable Diffusion 3"),
        ("pixart", "new", {"emb_params": (1, 32)}, "PixArt-Sigma"),
        ("if", "new", {"emb_params": (1, 32)}, "DeepFloyd IF"),
    ],
)
def test_a_file_that_is_no_word_for_the_model_is_refused_with_a_reason(
    variant: str, name: str, tensors: dict[str, tuple[int, ...]], said: str, tmp_path: Path
) -> None:
    made(variant, tmp_path / "model")
    file = write(tmp_path / f"{name}.safetensors", {key: torch.zeros(shape) for key, shape in tensors.items()})
    with pytest.raises(InputError) as caught:
        taught(tmp_path / "model", file)
    assert caught.value.code == "input.embedding" and said in caught.value.why and str(file) in caught.value.why


def test_two_files_with_one_word_are_refused(tmp_path: Path) -> None:
    made("sd", tmp_path / "model")
    first = write(tmp_path / "x.safetensors", {"<a>": torch.zeros(2, 32)})
    second = write(tmp_path / "y.safetensors", {"<A>_1": torch.zeros(1, 32)})
    with pytest.raises(InputError) as caught:
        taught(tmp_path / "model", first, second)
    assert caught.value.code == "input.embedding" and str(first) in caught.value.why


def test_vectors_that_are_no_numbers_are_refused_before_a_network_is_loaded(tmp_path: Path) -> None:
    made("sd", tmp_path / "model")
    file = write(tmp_path / "new.safetensors", {"emb_params": torch.full((1, 32), float("nan"))})
    with pytest.raises(InputError) as caught:
        taught(tmp_path / "model", file)
    assert "finite" in caught.value.why
