"""The call of a step is heard whole, and calls are told apart by all but their rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from reference.tiny_families import Case

from dreamfusion_engine.config.stages import GenerateConfig, OptimizeConfig
from dreamfusion_engine.guidance.denoiser.host import FlatDenoiser, arrays, pattern, step_call, tensors_of
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("variant", ["if", "sd", "sdxl"])
def test_the_call_of_a_step_is_heard_and_made_again_from_its_tensors_alone(
    cases: Callable[[str], Case], variant: str
) -> None:
    teacher = load_teacher(open_pipeline(cases(variant).folder), torch.device("cpu"), precision="float32")
    network = teacher.denoiser
    asked = GenerateConfig(prompt="a red mug", optimize=OptimizeConfig(resolution=(16, 16)))
    distillation = ScoreDistillation(teacher, asked.prompt, "", PromptCard(), asked.guidance)
    call = step_call(teacher, distillation, asked)
    assert teacher.denoiser is network
    tensors = tensors_of(call)
    assert len(tensors[0]) % asked.optimize.views == 0 and len(tensors[0]) > asked.optimize.views
    with torch.no_grad():
        args, named = call
        expected = network(*args, **named)[0]
        assert torch.equal(FlatDenoiser(network, call)(*tensors), expected)
    assert [array.shape for array in arrays(call)] == [tuple(tensor.shape) for tensor in tensors]


def test_calls_are_alike_whatever_their_rows_and_unlike_in_anything_else() -> None:
    x, told = torch.zeros(4, 3, 8, 8), torch.zeros(4, 5, 6)
    named = {"encoder_hidden_states": told, "return_dict": False}
    same = ((x[:2],), {"encoder_hidden_states": told[:2], "return_dict": False})
    assert pattern(((x,), named)) == pattern(same)
    for other in (
        ((x[:, :, :4],), named),
        ((x.double(),), named),
        ((x,), {**named, "return_dict": True}),
        ((x,), {"encoder_hidden_states": told[:, :4], "return_dict": False}),
        ((x, torch.zeros(4)), named),
    ):
        assert pattern(((x,), named)) != pattern(other)
