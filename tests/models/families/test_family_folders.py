"""What the families' folders hold, how it is loaded, and every way of not fitting.

Of: dreamfusion_engine/models/families/parts.py, dreamfusion_engine/models/pipeline_folder.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.tiny_families import Case
from safetensors.torch import load_file, save_file

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.models.families import parts as parts_module
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.text import token_numbers
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "length"), [("sd", 77), ("sdxl", 77), ("pixart", 300), ("sd3", 256), ("flux-dev", 512)]
)
def test_a_prompt_beyond_the_tokens_of_a_family_is_refused(
    cases: Callable[[str], Case], variant: str, length: int
) -> None:
    teacher = cases(variant).teacher
    teacher.encode_prompts([" ".join(["red"] * (length - 1))])
    with pytest.raises(InputError) as caught:
        teacher.encode_prompts([" ".join(["red"] * length)])
    assert caught.value.code == "input.prompt_tokens"
    assert f"the model reads {length}" in caught.value.why


def test_without_t5_stable_diffusion_3_reads_only_what_clip_reads(cases: Callable[[str], Case]) -> None:
    with pytest.raises(InputError, match=r"(?s).*too long"):
        cases("sd3-without-t5").teacher.encode_prompts([" ".join(["red"] * 80)])


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["if", "sdxl", "sd3-without-t5", "flux-dev"])
def test_networks_are_loaded_when_used_frozen_and_text_encoders_before_the_denoiser(
    cases: Callable[[str], Case], variant: str
) -> None:
    order: list[str] = []

    def place(part: str, module: torch.nn.Module) -> torch.nn.Module:
        order.append(part)
        return module

    folder = open_pipeline(cases(variant).folder)
    teacher = load_teacher(folder, CPU, place=place)
    assert order == []
    told = teacher.encode_prompts(["a red mug"])
    encoders = [part for part in FAMILIES[folder.family].text_encoders if part in folder.components]
    assert order == encoders
    x = teacher.to_model_space(torch.rand(1, 3, 16, 16))
    teacher.predict_noise(x, torch.tensor([10]), told)
    assert sorted(order[len(encoders) :]) == sorted(
        {FAMILIES[folder.family].denoiser, *(["vae"] if variant != "if" else [])}
    )
    assert not any(parameter.requires_grad for parameter in teacher.denoiser.parameters())


def test_a_clip_tokenizer_in_its_published_form_reads_as_clip_does(
    cases: Callable[[str], Case], tmp_path: Path
) -> None:
    """A vocabulary and its merges, without tokenizer.json, as checkpoints of Stable Diffusion come."""
    folder = tmp_path / "model"
    shutil.copytree(cases("sd").folder, folder)
    shutil.rmtree(folder / "tokenizer")
    (folder / "tokenizer").mkdir()
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "re", "red</w>", "<|startoftext|>", "<|endoftext|>"]
    ends = {"bos_token": words[-2], "eos_token": words[-1], "unk_token": words[-1], "pad_token": words[-1]}
    values = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **ends}
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\nr e\nre d</w>\n")
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(values))
    (folder / "tokenizer" / "special_tokens_map.json").write_text(json.dumps(ends))
    tokenizer = Parts(open_pipeline(folder), CPU).tokenizer("tokenizer")
    numbers, _ = token_numbers(tokenizer, ["Red a"], 6)
    assert [words[number] for number in numbers[0]] == [words[-2], "red</w>", "a</w>", words[-1], words[-1], words[-1]]


def test_a_sentencepiece_tokenizer_reads_as_sentencepiece_itself(cases: Callable[[str], Case], tmp_path: Path) -> None:
    import sentencepiece

    text = tmp_path / "corpus.txt"
    text.write_text("a red mug\na blue chair\na photo of a peacock on a surfboard\nthe back of a house\n" * 20)
    model = tmp_path / "spiece"
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(model), vocab_size=28, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2
    )
    folder = tmp_path / "model"
    shutil.copytree(cases("pixart").folder, folder)
    for file in (folder / "tokenizer").iterdir():
        file.unlink()
    shutil.copy(f"{model}.model", folder / "tokenizer" / "spiece.model")
    config = {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(config | {"extra_ids": 0}))
    own = sentencepiece.SentencePieceProcessor(model_file=f"{model}.model")
    tokenizer = Parts(open_pipeline(folder), CPU).tokenizer("tokenizer")
    for said in ("a red mug", "the back of a blue house"):
        numbers, _ = token_numbers(tokenizer, [said], 30)
        ids = own.encode(said)
        assert numbers[0][: len(ids) + 1].tolist() == [*ids, own.eos_id()]


@pytest.mark.parametrize("there", [(), ("sentencepiece",)])
def test_a_sentencepiece_tokenizer_without_its_packages_names_them(
    cases: Callable[[str], Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(cases("pixart").folder, folder)
    (folder / "tokenizer" / "tokenizer.json").unlink()
    (folder / "tokenizer" / "spiece.model").write_bytes(b"")
    monkeypatch.setattr(parts_module, "_installed", lambda module: module in there)
    with pytest.raises(SetupError) as caught:
        load_teacher(open_pipeline(folder), CPU).encode_prompts(["a red mug"])
    assert caught.value.code == "setup.package"
    assert "protobuf" in caught.value.why
    assert ("needs sentencepiece" in caught.value.why) == (there == ())


def test_a_tiny_autoencoder_in_the_place_of_the_models_gives_its_own_latents(cases: Callable[[str], Case]) -> None:
    from diffusers import AutoencoderTiny

    torch.manual_seed(0)
    tiny_vae = AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
        latent_channels=4,
    ).eval()
    folder = open_pipeline(cases("sd").folder)
    teacher = load_teacher(folder, CPU, place=lambda part, module: tiny_vae if part == "vae" else module)
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    z = teacher.to_model_space(image)
    torch.testing.assert_close(z, tiny_vae.encode(2.0 * image - 1.0).latents)


@pytest.mark.parametrize(
    ("variant", "part", "change"),
    [
        ("sd", "unet", {"in_channels": 9}),  # an inpainting model
        ("sd", "unet", {"sample_size": [64, 96]}),
        ("pixart", "transformer", {"in_channels": 8}),
        ("sd", "scheduler", {"_class_name": "FlowMatchEulerDiscreteScheduler"}),
        ("sdxl", "scheduler", {"prediction_type": "flow_prediction"}),
    ],
)
def test_a_model_unlike_its_family_is_refused_before_its_weights_are_read(
    cases: Callable[[str], Case], tmp_path: Path, variant: str, part: str, change: dict[str, Any]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(cases(variant).folder, folder)
    file = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(SetupError) as caught:
        load_teacher(open_pipeline(folder), CPU)
    assert caught.value.code == "model.unsupported"


def test_a_part_of_another_class_is_refused_by_name(cases: Callable[[str], Case], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(cases("sd").folder, folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["text_encoder"] = ["transformers", "RobertaModel"]
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(SetupError, match="RobertaModel") as caught:
        load_teacher(open_pipeline(folder), CPU).encode_prompts(["a red mug"])
    assert caught.value.code == "model.unsupported"


@pytest.mark.parametrize("variant", ["sd", "pixart", "sd3", "flux-dev"])
def test_a_damaged_autoencoder_or_denoiser_is_found_when_it_is_loaded(
    cases: Callable[[str], Case], variant: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(cases(variant).folder, folder)
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
