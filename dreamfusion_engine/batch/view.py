"""A batch for people and for programs: a line for every job that ends above one line of progress; or JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dreamfusion_engine.batch.news import News
from dreamfusion_engine.batch.plan import Job, Plan
from dreamfusion_engine.batch.prompt_list import BadLine
from dreamfusion_engine.batch.tally import Tally
from dreamfusion_engine.commands.console import ProgressDisplay, duration_text, labelled
from dreamfusion_engine.wire.printed import JsonLines


class View:
    """Shows how a batch goes.

    folder: path of the batch, or its URL.
    screen: ProgressDisplay for people.
    lines: JsonLines, in place of the screen; None for none.
    """

    def __init__(self, folder: Path | str, screen: ProgressDisplay, lines: JsonLines | None) -> None:
        self._folder, self._screen, self._lines = folder, screen, lines
        self._jobs: dict[str, Job] = {}
        self._tally: Tally | None = None

    @property
    def gone(self) -> bool:
        """Whether nobody reads any more."""
        return self._screen.gone or (self._lines is not None and self._lines.gone)

    def left_out(self, bad: BadLine) -> None:
        """Tell of a line of the list that is left out.

        bad: BadLine.
        """
        if self._lines is not None:
            self._say({"type": "batch_line", "line": bad.number, "text": bad.text, "why": bad.why, "fix": bad.fix})
            return
        self._screen.line(f"left out: line {bad.number}, {bad.text!r}")
        self._screen.line(labelled("  why:", bad.why))
        self._screen.line(labelled("  fix:", bad.fix))

    def begin(self, plan: Plan) -> None:
        """Tell what there is to do.

        plan: Plan, whose states follow the news.
        """
        self._tally = Tally(plan)
        self._jobs = {job.name: job for job in plan.jobs}
        done = plan.count("done")
        if self._lines is None:
            words = f"{len(plan.jobs):,} objects" + (f", {done:,} of them done before" if done else "")
            self._screen.line(f"{words}: {self._folder}")
        self._progress(now=True)

    def hear(self, news: News) -> None:
        """Show a piece of news.

        news: News, which the plan has taken in.
        """
        assert self._tally is not None
        self._tally.hear(news)
        if news.kind == "note":
            self._note(news)
        elif news.kind in ("began", "ended"):
            self._job(news)
        self._progress(now=news.kind in ("began", "ended"))

    def end(self, plan: Plan, bad: int, *, stopped: bool) -> None:
        """Tell what became of it.

        plan: Plan at the end.
        bad: int, lines that were left out.
        stopped: bool, whether it was stopped.
        """
        self._screen.clear()
        done, failed, waiting = (plan.count(state) for state in ("done", "failed", "waiting"))
        if self._lines is not None:
            counts = {"done": done, "failed": failed, "waiting": waiting, "left_out": bad}
            self._say({"type": "batch", "folder": str(self._folder), **counts, "stopped": stopped})
            return
        parts = [f"{done:,} of {len(plan.jobs):,} objects are done"]
        parts += [f"{failed:,} failed"] if failed else []
        parts += [f"{waiting:,} wait"] if waiting else []
        parts += [f"{bad:,} line{' was' if bad == 1 else 's were'} left out"] if bad else []
        self._screen.line(f"{', '.join(parts)}: {self._folder}")

    def _job(self, news: News) -> None:
        job = self._jobs[news.job]
        outcome = news.outcome
        if self._lines is not None:
            said = {"type": "batch_job", "name": job.name, "prompt": job.prompt, "seed": job.seed}
            said |= {"state": "began" if outcome is None else outcome.fate, "where": news.where}
            if outcome is not None:
                said |= {"seconds": outcome.seconds, "score": outcome.score, "trouble": outcome.trouble}
            self._say(said)
            return
        if outcome is None or outcome.fate == "stopped":
            return
        who = f"{job.prompt[:60]}, seed {job.seed}"
        if outcome.fate == "done":
            judged = "" if outcome.score is None else f", found in {outcome.score:.0%} of the views"
            self._screen.line(f"done: {who}, in {duration_text(outcome.seconds)}{judged}: {job.name}")
            return
        self._screen.line(f"failed: {who}: {outcome.trouble.get('what', '')}")
        self._screen.line(labelled("  why:", outcome.trouble.get("why", "")))
        self._screen.line(labelled("  fix:", outcome.trouble.get("fix", "")))

    def _note(self, news: News) -> None:
        if self._lines is not None:
            self._say({"type": "note", "code": "batch.note", "text": news.text, "name": news.job})
        else:
            self._screen.line(f"note: {news.job + ': ' if news.job else ''}{news.text}")

    def _progress(self, *, now: bool) -> None:
        tally = self._tally
        assert tally is not None
        if self._lines is not None:
            if now:
                said = {"done": tally.done, "failed": tally.failed, "running": len(tally.running)}
                eta = tally.eta_s
                said |= {"total": tally.total, "places": tally.places}
                share = round(tally.share, 4)
                rest = {"share": share, "eta_s": None if eta is None else round(eta, 1)}
                self._say({"type": "batch_progress", **said, **rest})
            return
        parts = [f"{tally.done:,}/{tally.total:,} done"]
        parts += [f"{tally.failed:,} failed"] if tally.failed else []
        parts += [f"{len(tally.running):,} at work"] if tally.running else []
        parts += [f"ETA {duration_text(tally.eta_s)}"] if tally.eta_s is not None else []
        self._screen.bar(tally.share, "  ".join(parts), now=now and not self._screen.sparse)

    def _say(self, message: dict[str, Any]) -> None:
        if self._lines is not None:
            self._lines.say(message)
