"""Counts, share and the time left of a batch."""

from __future__ import annotations

import pytest

from dreamfusion_engine.batch.news import News, Outcome, share_of, told_news
from dreamfusion_engine.batch.plan import Plan, planned_jobs
from dreamfusion_engine.batch.prompt_list import Line
from dreamfusion_engine.batch.tally import Tally


def four() -> Plan:
    lines = [Line(number=number, prompt=f"thing {number}") for number in range(4)]
    return Plan(options=[], threads=1, jobs=planned_jobs(lines, (0,)))


def test_the_time_left_follows_the_pace_since_work_began() -> None:
    now = [100.0]
    plan = four()
    plan.jobs[0].state = "done"  # in an earlier life
    tally = Tally(plan, clock=lambda: now[0])
    assert tally.eta_s is None and tally.share == 0.25
    names = [job.name for job in plan.jobs]
    tally.hear(News(kind="began", job=names[1]))
    tally.hear(News(kind="began", job=names[2]))
    now[0] = 110.0
    tally.hear(News(kind="progress", job=names[1], share=0.0))
    assert tally.eta_s is None
    plan.jobs[1].state = "done"
    tally.hear(News(kind="ended", job=names[1], outcome=Outcome(fate="done")))
    assert tally.eta_s == pytest.approx(20.0), "one in 10 s, two are left"
    plan.jobs[2].state = "failed"
    tally.hear(News(kind="ended", job=names[2], outcome=Outcome(fate="failed")))
    assert tally.eta_s == pytest.approx(10.0) and tally.failed == 1 and tally.share == 0.75 and tally.running == {}


def test_what_a_checkpoint_brings_is_not_taken_for_pace() -> None:
    now = [0.0]
    plan = four()
    tally = Tally(plan, clock=lambda: now[0])
    tally.hear(News(kind="began", job=plan.jobs[0].name))
    now[0] = 10.0
    tally.hear(News(kind="progress", job=plan.jobs[0].name, share=0.5))
    tally.hear(News(kind="progress", job=plan.jobs[0].name, share=0.6))
    assert tally.eta_s == pytest.approx(10.0 / 0.1 * 3.4)


@pytest.mark.parametrize(
    ("message", "share"),
    [
        ({"stage": "load", "step": 1, "total": 1}, 0.0),
        ({"stage": "train", "step": 5, "total": 10}, 0.475),
        ({"stage": "train", "step": 99, "total": 10}, 0.95),
        ({"stage": "train", "step": -1, "total": 10}, 0.0),
        ({"stage": "train", "step": None, "total": 0}, 0.0),
        ({"stage": "bake", "step": 1, "total": 1}, 0.95),
    ],
)
def test_the_share_of_a_run_is_its_training_and_a_rest(message: dict[str, object], share: float) -> None:
    assert share_of(message) == pytest.approx(share)


def test_news_comes_back_from_json_as_it_was() -> None:
    news = News(kind="ended", job="a", outcome=Outcome(fate="failed", trouble={"what": "It failed."}, score=0.5))
    assert told_news(news.to_json()) == news
    assert told_news(News(kind="places", count=3).to_json()) == News(kind="places", count=3)
