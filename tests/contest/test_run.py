"""A whole contest on a tiny model: its winner is what its seed alone gives, broken off or not.

Of: dreamfusion_engine/contest/run.py, dreamfusion_engine/contest/drafts.py, dreamfusion_engine/contest/grading.py.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from reference.tiny_pipeline import tiny_pipeline, write_card

from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.contest.grading import BY_TEACHER
from dreamfusion_engine.contest.run import contest
from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.events import DraftMesh, Event, Move, Preview, Progress, Standing
from dreamfusion_engine.optimize.previews import BACKGROUND
from dreamfusion_engine.request.contest import checked_contest_request
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.tasks.generate import generate

pytestmark = pytest.mark.slow

SEEDS = SeedRange(first=3, count=2)
SETTINGS = {
    "optimize": {"steps": 10, "views": 1, "resolution": [16, 16]},
    "checkpoint_every": 2,
    "field": {"levels": 2},
    "mesh": {"resolution": 32, "texture": 64, "triangles": 200},
    "memory": {"overlap": "off"},
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def no_video(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty frames would be most of the work, and another test has them."""
    monkeypatch.setattr(
        "dreamfusion_engine.tasks.generate.write_turntable", lambda _, path, *rest: path.write_bytes(b"")
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny_pipeline("v_prediction").save_pretrained(folder)
    write_card(folder)
    return folder


def asked(model: Path, output: Path, *, resume: bool = False, judge: str = "auto") -> Request:
    settings = SETTINGS | {"model": str(model), "judge": judge}
    return checked_contest_request("a red mug", SEEDS, settings=settings, output=output, resume=resume)


def test_the_winner_is_what_its_seed_gives_and_every_draft_is_there(model: Path, tmp_path: Path) -> None:
    told: list[Event] = []
    request = asked(model, tmp_path / "whole")
    made = contest(request.config, SEEDS, request.output, report=told.append)

    report = json.loads((request.output / "result.json").read_text(encoding="utf-8"))
    places = [place["seed"] for place in report["contest"]["ranking"]]
    assert sorted(places) == [3, 4] and places[0] == report["seed"] == made.report["seed"]
    assert report["contest"]["judge"] == "the built-in judge" == report["judge"]["by"]
    assert {Path(path).parent for path in made.files.values()} == {request.output}
    assert all((request.output / "seeds" / str(seed) / "thumbnail.png").is_file() for seed in places)
    for seed in places:  # on grey, on which a white object is seen
        corner = Image.open(request.output / "seeds" / str(seed) / "thumbnail.png").convert("L").getpixel((0, 0))
        assert corner == pytest.approx(255 * BACKGROUND, abs=10)
    losers = [place["seed"] for place in report["contest"]["ranking"][1:] if place["mesh"]]
    assert sorted(losers) == sorted(event.seed for event in told if isinstance(event, DraftMesh))
    for seed in losers:
        assert (request.output / "seeds" / str(seed) / "mesh.glb").read_bytes()[:4] == b"glTF"
    assert {f"seed-{seed}" for seed in places} <= {event.name for event in told if isinstance(event, Preview)}
    steps = [event.step for event in told if isinstance(event, Progress) and event.stage == "train"]
    assert steps == sorted(steps) and steps[-1] == max(steps)

    alone = replace(request.config, seed=places[0])
    generate(alone, tmp_path / "alone")
    assert (tmp_path / "alone" / "mesh.glb").read_bytes() == (request.output / "mesh.glb").read_bytes()


def test_a_contest_that_was_broken_off_twice_ends_as_one_that_was_not(model: Path, tmp_path: Path) -> None:
    whole, broken = asked(model, tmp_path / "whole", judge="off"), asked(model, tmp_path / "broken", judge="off")
    contest(whole.config, SEEDS, whole.output)
    for moves, resume in ((3, False), (5, True)):
        left = iter(["continue"] * moves)

        def control(left: object = left) -> Move:
            return next(left, "cancel")  # type: ignore[call-overload, no-any-return]

        with pytest.raises(Cancelled):
            contest(broken.config, SEEDS, broken.output, control=control, resume=resume)
    made = contest(broken.config, SEEDS, broken.output, resume=True)
    assert made.report["contest"]["judge"] == BY_TEACHER
    assert (whole.output / "mesh.glb").read_bytes() == (broken.output / "mesh.glb").read_bytes()
    rankings = [json.loads((each.output / "result.json").read_text())["contest"]["ranking"] for each in (whole, broken)]
    assert rankings[0] == rankings[1]


def test_the_seed_that_a_person_chooses_is_finished_whatever_its_grade(model: Path, tmp_path: Path) -> None:
    told: list[Event] = []
    request = asked(model, tmp_path / "chosen")

    def chosen() -> int | None:
        """The first seed, as soon as the second one is at work: its draft ends early."""
        return 3 if any(isinstance(event, Standing) and event.seeds[0]["grade"] is not None for event in told) else None

    made = contest(request.config, SEEDS, request.output, report=told.append, chosen=chosen)
    assert made.report["seed"] == made.report["contest"]["chosen"] == 3
    standings = [event for event in told if isinstance(event, Standing)]
    assert [row["seed"] for row in standings[-1].seeds] == [3, 4]
    assert [row["on"] for row in standings[-1].seeds] == [True, False]
    generate(replace(request.config, seed=3), tmp_path / "alone")
    assert (tmp_path / "alone" / "mesh.glb").read_bytes() == (request.output / "mesh.glb").read_bytes()
