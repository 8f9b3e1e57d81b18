"""In a real window, with mouse and keyboard: from enabling the add-on to a saved file with the object in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session

SCRIPT = Path(__file__).with_name("first_object.py")
TICK_P99, TICK_MAX, INSERTION_MAX = 0.010, 0.050, 0.500  # seconds of the main thread
TICK_STALL = 1.0  # what waits for an engine lasts longer; other programs have held a tick up for 0.35 seconds


@pytest.mark.slow
def test_an_artist_gets_an_object_and_can_cancel_undo_save_and_open(window_blender: Session) -> None:
    facts = window_blender.run(SCRIPT, window=True, timeout=420, DREAMFUSION_TEST_STEPS="150").facts
    assert facts["settings"]["optimize"]["steps"] == 150 and facts["previews"] >= 1
    assert facts["cancel_seconds"] < 20
    assert facts["faces"] > 500 and min(facts["texture"]) >= 256
    ticks = sorted(seconds for seconds, _, insertion in facts["ticks"] if not insertion)
    computing = max(cpu_s for _, cpu_s, insertion in facts["ticks"] if not insertion)
    insertions = [seconds for seconds, _, insertion in facts["ticks"] if insertion]
    assert len(ticks) > 50 and len(insertions) == 1
    p99 = ticks[int(0.99 * (len(ticks) - 1))]
    print(
        f"{len(ticks)} ticks: p99 {1000 * p99:.1f} ms, longest {1000 * ticks[-1]:.1f} ms "
        f"(computing {1000 * computing:.1f} ms), object {insertions[0]:.3f} s"
    )
    assert p99 <= TICK_P99
    assert computing <= TICK_MAX and ticks[-1] < TICK_STALL
    assert insertions[0] <= INSERTION_MAX
