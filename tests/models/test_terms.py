"""What may be sold: by the catalogue, with its conditions, and never guessed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.models.catalogue import KnownModel, catalogue, licences
from dreamfusion_engine.models.terms import terms


@pytest.mark.parametrize("model", catalogue(), ids=lambda model: model.id)
def test_a_model_of_the_catalogue_says_what_its_licence_allows(model: KnownModel) -> None:
    found = terms(preset("draft", "a mug", {"model": model.id}))
    if model.license not in licences():
        assert found["sell"] == "unknown" and model.license in found["line"], "nothing is guessed by its name"
        return
    assert found["sell"] in ("yes", "conditions", "no")
    assert re.fullmatch(r"Made with .+ \(.+\): you may sell it: (yes|no).*\.", found["line"])


def test_a_condition_is_named() -> None:
    by_sale = {licence.sell: licence for licence in licences().values()}
    assert set(by_sale) == {"yes", "conditions", "no"}
    assert by_sale["conditions"].says and by_sale["no"].says and not by_sale["yes"].says
    assert all(re.match(r"\d{4}-\d{2}-\d{2}", licence.checked) for licence in licences().values())


def test_the_starters_results_may_be_sold() -> None:
    assert terms(preset("draft", "a mug"))["line"].endswith("you may sell it: yes.")


def test_nothing_is_guessed_of_an_unknown_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("somebody/something", str(tmp_path)):
        found = terms(preset("draft", "a mug", {"model": name}))
        assert found["sell"] == "unknown" and name in found["line"] and "read its licence" in found["line"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / catalogue()[0].id).mkdir(parents=True)  # a folder of that name is what a run would load
    assert terms(preset("draft", "a mug", {"model": catalogue()[0].id}))["sell"] == "unknown"


def test_a_lora_makes_the_sale_uncertain_but_never_allows_it() -> None:
    adapters = {"adapters": {"lora": [["style.safetensors", 1.0]]}}
    found = {model.license: terms(preset("draft", "a mug", {"model": model.id, **adapters})) for model in catalogue()}
    assert found["apache-2.0"]["sell"] == "unknown" and "LoRA" in found["apache-2.0"]["line"]
    assert found["deepfloyd-if-license"]["sell"] == "no"


def test_of_two_models_the_line_is_about_both_and_the_stricter_one_counts() -> None:
    order = ("no", "unknown", "conditions", "yes")
    ids: dict[str, str] = {"unknown": "some/body-elses"}
    ids |= {licences()[model.license].sell: model.id for model in catalogue() if model.license in licences()}
    for first in order:
        for second in order:
            if first not in ids or second not in ids:
                continue
            found = terms(preset("draft", "a mug", {"model": ids[first], "texture": {"model": ids[second]}}))
            assert found["sell"] == min(first, second, key=order.index), (first, second)
            assert found["texture"]["sell"] == second and found["texture"]["model"] == ids[second]
            made, painted = found["line"].split(" Its texture was made with ")
            assert made == terms(preset("draft", "a mug", {"model": ids[first]}))["line"]
            assert painted == terms(preset("draft", "a", {"model": ids[second]}))["line"].removeprefix("Made with ")
