"""Files that were damaged by chance: each is read or refused, and nothing else ever happens.

Of: dreamfusion_engine/mesh/gltf.
"""

from __future__ import annotations

import json
import random
import struct
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pytest
from mesh.gltf.painted import lamp, layout, png
from reference.glb_builder import parts

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.gltf.picture import read_base_colour
from dreamfusion_engine.mesh.gltf.read import read_gltf
from dreamfusion_engine.mesh.gltf.write import NewTexture, with_textures

VALUES: list[Any] = [None, True, -1, 0, 1, 3, 1.5, 2**31, 2**62, 1e308, "", "x", [], {}, [1], {"index": 0}, [[]], [{}]]


def outcome(data: bytes) -> str:
    """'read' or why it was refused. Whatever is read can be painted, and is then read again."""
    try:
        file = read_gltf(data)
    except InputError as error:
        assert error.code == "input.mesh" and error.why and error.fix
        return error.why
    textures = []
    for number, found in enumerate(file.primitives):
        assert np.isfinite(found.vertices).all() and found.triangles.max() < len(found.vertices)
        assert found.name and len(found.name) <= 64
        read_base_colour(file, number)
        textures.append(NewTexture(primitive=number, png=png(), uv=layout(len(found.triangles), number)))
    again = read_gltf(with_textures(file, textures))
    for number, found in enumerate(again.primitives):
        np.testing.assert_array_equal(found.uv, textures[number].uv)
        before = file.primitives[number]
        np.testing.assert_array_equal(found.vertices[found.triangles], before.vertices[before.triangles])
    return "read"


@pytest.mark.parametrize("seed", range(4))
def test_bytes_that_changed_are_read_or_refused(seed: int) -> None:
    rng, data = random.Random(seed), lamp().data()
    outcomes: Counter[str] = Counter()
    for _ in range(100):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 8])):
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        outcomes[outcome(bytes(changed))] += 1
    assert outcomes["read"] > 5 and len(outcomes) > 5, outcomes


def test_files_that_were_cut_off_are_refused() -> None:
    rng, data = random.Random(5), lamp().data()
    for _ in range(100):
        end = rng.randrange(len(data))
        assert outcome(data[:end]) != "read"
        if end >= 12:
            outcome(data[:8] + struct.pack("<I", end) + data[12:end])


@pytest.mark.parametrize("seed", range(8))
def test_descriptions_that_changed_are_read_or_refused(seed: int) -> None:
    """One value of the JSON is another one, or missing: what chance would rarely make of bytes."""
    rng, glb = random.Random(seed), lamp()
    outcomes: Counter[str] = Counter()
    for _ in range(120):
        changed = glb.copy()
        box = rng.choice(boxes(changed.document))
        key = rng.choice(list(box) if isinstance(box, dict) else range(len(box)))
        if rng.random() < 0.2:
            del box[key]
        else:
            box[key] = rng.choice(VALUES)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            outcomes[outcome(changed.data())] += 1
    assert outcomes["read"] > 5 and len(outcomes) > 5, outcomes


def boxes(value: Any) -> list[Any]:
    """All lists and objects within a value that hold something."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return ([value] if inner else []) + [box for item in inner for box in boxes(item)]


def test_an_undamaged_file_is_read_and_its_json_is_valid() -> None:
    assert outcome(lamp().data()) == "read"
    json.dumps(parts(lamp().data())[0])
