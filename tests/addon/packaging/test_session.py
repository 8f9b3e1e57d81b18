"""The way tests run scripts in Blender: what it tells, and that a failure cannot pass unseen.

Of: tests/addon/blenders.py.
"""

from __future__ import annotations

import pytest
from addon.blenders import ScriptFailed, Session

BLENDERS = {"blender", "newest_blender", "window_blender", "series"}  # the fixtures and the parameter that name one
HELLO = """
import sys, bpy, addon
addon.tell(version=list(bpy.app.version[:2]), arguments=sys.argv[1:], objects=len(bpy.data.objects))
addon.tell(resources=bpy.utils.user_resource("SCRIPTS"))
"""


def test_a_script_runs_in_the_blender_it_is_meant_for_with_clean_folders(blender: Session) -> None:
    facts = blender.run(HELLO, "a", "b c", addon=False).facts
    assert facts["version"] == [int(part) for part in blender.series.split(".")]
    assert facts["arguments"] == ["a", "b c"] and facts["objects"] == 0
    assert facts["resources"].startswith(str(blender.folder))


def test_what_runs_in_a_blender_is_marked_and_nothing_else(
    newest_blender: Session, request: pytest.FixtureRequest
) -> None:
    """So that the quick suite starts none."""
    here = request.node.get_closest_marker("blender")
    plain = [item for item in request.session.items if not BLENDERS & set(getattr(item, "fixturenames", ()))]
    assert here is not None and not any(item.get_closest_marker("blender") for item in plain)


def test_a_script_that_raises_fails_with_its_output(blender: Session) -> None:
    with pytest.raises(ScriptFailed, match="(?s)a carrot.*ZeroDivisionError"):
        blender.run("print('a carrot')\n1 / 0", addon=False)


def test_a_script_that_hangs_fails_and_says_where(newest_blender: Session) -> None:
    with pytest.raises(ScriptFailed, match=r"(?s)did not end in 40 s.*script\.py"):
        newest_blender.run("import time\ntime.sleep(100)", timeout=40, addon=False)
