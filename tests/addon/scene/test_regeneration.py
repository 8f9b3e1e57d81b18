"""From an object back to a run: Variation, Regenerate, and the engine's picture on the asset.

Of: blender_addon/ui/tools/regeneration.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session

SCRIPT = Path(__file__).with_name("scripts") / "again.py"


def test_an_object_is_made_again_and_varied_beside_itself(blender: Session) -> None:
    facts = blender.run(SCRIPT).facts
    assert facts["grey"] == [False, False]
    assert facts["first"] == {
        "removed": True,
        "placeholder": True,
        "location": pytest.approx([3, 0, 0]),
        "job": True,
        "seed": 5,
    }
    assert facts["seeds"] == [6, 7, 5] and facts["prompts"] == ["a red hamburger"] * 3
    assert facts["settings"] == [True] * 3
    assert facts["steps"] == pytest.approx([1.25, 2.5, 3.75], abs=1e-3)
    assert facts["sizes"] == pytest.approx([facts["sizes"][0]] * 4, abs=1e-3)
    assert facts["picture"] == facts["thumbnail"]
