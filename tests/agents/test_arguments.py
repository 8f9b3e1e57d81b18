"""What tools take is told as a JSON Schema, and nothing else is taken."""

from __future__ import annotations

from typing import Any

import pytest

from dreamfusion_engine.agents.arguments import LONGEST, SETTINGS_BYTES, Argument, checked, input_schema
from dreamfusion_engine.agents.declared import TOOLS
from dreamfusion_engine.errors import InputError

TAKES = {
    "prompt": Argument(type="string", says="Words", needed=True),
    "seconds": Argument(type="number", says="Time", default=5, low=0, high=60),
    "seed": Argument(type="integer", says="A seed", default=0, low=0, high=9),
    "preset": Argument(type="string", says="A preset", default="draft", choices=("draft", "high")),
    "settings": Argument(type="object", says="Settings", default={}),
    "pictures": Argument(
        type="array",
        says="Pictures",
        default=[],
        high=2,
        entries={
            "file": Argument(type="string", says="A file", needed=True),
            "view": Argument(type="string", says="A view", default="front"),
        },
    ),
}


def test_what_is_left_out_has_its_default() -> None:
    said = {"prompt": "a mug", "seconds": 5, "seed": 0, "preset": "draft", "settings": {}, "pictures": []}
    assert checked(TAKES, {"prompt": "a mug"}) == said
    assert checked(TAKES, {"prompt": "a mug", "seed": None}) == said, "null is left out, too"
    pictures = checked(TAKES, {"prompt": "a", "pictures": [{"file": "a.png"}]})["pictures"]
    assert pictures == [{"file": "a.png", "view": "front"}]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "'prompt' is missing"),
        ({"prompt": 3}, "type string"),
        ({"prompt": "x" * (LONGEST + 1)}, "characters"),
        ({"prompt": "a", "seed": True}, "type integer"),
        ({"prompt": "a", "seed": 1.5}, "type integer"),
        ({"prompt": "a", "seed": 10}, "from 0 to 9"),
        ({"prompt": "a", "seconds": -0.1}, "from 0 to 60"),
        ({"prompt": "a", "seconds": float("nan")}, "from 0 to 60"),
        ({"prompt": "a", "preset": "ultra"}, "one of draft, high"),
        ({"prompt": "a", "settings": []}, "type object"),
        ({"prompt": "a", "settings": {"x": "y" * SETTINGS_BYTES}}, "bytes"),
        ({"prompt": "a", "sead": 1}, "no argument 'sead'"),
        ({"prompt": "a", "pictures": "a.png"}, "type array"),
        ({"prompt": "a", "pictures": ["a.png"]}, "entry 1 must be of the type object"),
        ({"prompt": "a", "pictures": [{"file": "a"}] * 3}, "2 are the most"),
        ({"prompt": "a", "pictures": [{"file": "a"}, {"view": "left"}]}, "entry 2: The argument 'file' is missing"),
        ({"prompt": "a", "pictures": [{"file": "a", "veiw": "left"}]}, "no argument 'veiw'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        checked(TAKES, given)
    assert caught.value.code == "input.argument" and told in caught.value.why and len(caught.value.why) < 300


def test_a_word_that_is_nearly_right_is_guessed() -> None:
    with pytest.raises(InputError, match="Did you mean seed"):
        checked(TAKES, {"prompt": "a", "sead": 1})


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_says_what_it_takes_within_limits(name: str) -> None:
    schema = input_schema(TOOLS[name].takes)
    assert schema["type"] == "object" and schema["additionalProperties"] is False and TOOLS[name].says
    for about in schema["properties"].values():
        assert about["description"]
        limits = {"string": {"maxLength"}, "object": set(), "boolean": set(), "array": {"maxItems", "items"}}
        assert limits.get(about["type"], {"minimum", "maximum"}) <= set(about)
    assert set(schema["required"]) <= set(schema["properties"])
