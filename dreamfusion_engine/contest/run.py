"""A contest of seeds, step by step: drafts of every seed, the worst given up early, the best one finished.

The command line, the server and any script with torch call `contest`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.config.texture_stage import texture_config
from dreamfusion_engine.contest.board import Board, Entry, load_board
from dreamfusion_engine.contest.course import Course
from dreamfusion_engine.contest.drafts import Drafts, seed_folder
from dreamfusion_engine.contest.grading import Grading
from dreamfusion_engine.contest.rounds import Round, all_steps, rounds_of
from dreamfusion_engine.errors import InputError, RunError
from dreamfusion_engine.events import Chosen, Control, Move, Note, Report, Result
from dreamfusion_engine.judge.appraisal import appraiser
from dreamfusion_engine.judge.folder import judge_folder
from dreamfusion_engine.machine.atomic_file import move_into_place
from dreamfusion_engine.machine.device import release_memory
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.run_folder import held
from dreamfusion_engine.run.entrance import write_result
from dreamfusion_engine.run.model import open_run_model
from dreamfusion_engine.run.source import keep_source, kept_source
from dreamfusion_engine.run.start import Start, start_of
from dreamfusion_engine.run.teacher import load_run_teacher, run_places
from dreamfusion_engine.tasks.generate import generate


def contest(
    config: GenerateConfig,
    seeds: SeedRange,
    output: Path,
    *,
    report: Report = lambda event: None,
    control: Control = lambda: "continue",
    resume: bool = False,
    blockout: bytes = b"",
    chosen: Chosen = lambda: None,
) -> Result:
    """Make the best object of several seeds, and write it to the folder `output`; the others lie in its `seeds`.

    The winner's object is the one that `generate` makes of its seed. Where `control` says 'finish', the best of what
    there is becomes the mesh; where `chosen` says a seed that has a draft, the rounds end, and that one is finished.

    config: GenerateConfig of a run; its seed does not count.
    seeds: SeedRange.
    output: Path of the contest.
    report: called with events; a draft's picture is named 'seed-N'.
    control: asked between steps whether to continue.
    resume: bool, whether to go on where the contest in `output` was broken off.
    blockout: bytes of a binary glTF, as for `generate`.
    chosen: asked between steps which seed a person lets win.
    Raises as `generate`, and InputError where several processes train together.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise InputError(
            "input.seeds",
            what="A contest of seeds is no run of several processes.",
            why="torchrun started this process as one of several, which train one object together.",
            fix="Start it without torchrun, or leave out --seeds.",
        )
    start = start_of(blockout or (kept_source(output) if resume else b""), config)
    with ExitStack() as stack:
        try:
            stack.enter_context(held(output))
        except OSError as error:
            raise output_error(output, error) from error
        board = load_board(output, seeds) if resume else Board(seeds=seeds)
        if not resume:
            _set_aside(output, report)
            keep_source(b"" if start is None else start.blockout, output)
            board.save(output)
        rounds = rounds_of(seeds.count, config.optimize.steps)
        painting = texture_config(config).optimize.steps if config.texture.model else 0
        course = Course(all_steps(seeds.count, config.optimize.steps, rounds) + painting, report)
        report(board.standing(len(rounds)))
        _rank(config, board, rounds, course, output, start, report, control, chosen)
        report(board.standing(len(rounds)))
        release_memory()  # the teacher of the drafts is gone
        winner = board.ranking[0]
        return _finish(config, board, rounds, winner, course, output, start, control)


def _rank(
    config: GenerateConfig,
    board: Board,
    rounds: tuple[Round, ...],
    course: Course,
    output: Path,
    start: Start | None,
    report: Report,
    control: Control,
    chosen: Chosen,
) -> None:
    """Hold the rounds that are left; the board has the winner then."""
    course.begin(sum(entry.step for entry in board.entries))
    if board.decided(len(rounds)) and not board.without_mesh:
        return  # the drafts are done; the winner is to be finished

    favourites: list[Entry] = []  # the first choice that can win; a draft was stopped for it

    def favourite() -> Entry | None:
        if not favourites and (found := board.candidate(chosen())) is not None:
            favourites.append(found)
        return favourites[0] if favourites else None

    def draft_control() -> Move:
        move = control()
        return "finish" if move == "continue" and favourite() is not None else move

    # 1. One teacher for all drafts, and who grades them.
    heard = course.of_draft(0)
    places = run_places(config)
    model = open_run_model(config, heard)
    teacher = load_run_teacher(config, *model, places, heard)
    judge = appraiser(config.prompt, judge_folder(config.judge, config.model, config.texture.model))
    grading = Grading(config, teacher.distillation, judge)
    board.judge = grading.by
    drafts = Drafts(config, teacher, output, start, course, report, draft_control)
    if board.decided(len(rounds)):  # and broken off since, before the meshes of the others were made
        _keep(board, drafts, output)
        return
    for number, about in enumerate(rounds):
        # 2. Every draft up to the round's step, and its grade.
        for entry in board.to_grade(number):
            if control() == "finish" and any(each.grades for each in board.alive):
                return
            if favourite() is not None:
                break
            begun = time.monotonic()
            course.begin(sum(each.step for each in board.entries))
            _grade(entry, number, about, drafts, grading)
            board.seconds += time.monotonic() - begun
            board.save(output)
            report(board.standing(len(rounds)))
        winner = favourite()
        if winner is not None:
            stopped = board.choose(winner, number)
            board.save(output)
            report(board.standing(len(rounds)))
            report(Note(code="contest.chosen", text=chosen_text(winner, stopped)))
            _keep(board, drafts, output)
            return
        if not board.alive:
            raise RunError(
                "contest.none_left",
                what="No seed of the contest became an object.",
                why=board.entries[0].trouble,
                fix="Try other seeds, or another prompt.",
            )
        # 3. The worse half stops. What it has become is kept as a mesh.
        stopped = board.close(number, about)
        board.save(output)
        report(board.standing(len(rounds)))
        report(Note(code="contest.round", text=round_text(number, len(rounds), board, stopped)))
        _keep(board, drafts, output)


def _keep(board: Board, drafts: Drafts, output: Path) -> None:
    """Make the meshes of the drafts that have stopped."""
    for entry in board.without_mesh:
        begun = time.monotonic()
        entry.mesh = "yes" if drafts.keep(entry.seed, entry.step) else "none"
        board.seconds += time.monotonic() - begun
        board.save(output)


def _grade(entry: Entry, number: int, about: Round, drafts: Drafts, grading: Grading) -> None:
    """Train and grade a draft; one whose training fails is out."""
    try:
        training = drafts.train(entry.seed, entry.step, about.step)
        drafts.show(entry.seed, training)
        entry.step = training.step
        entry.grades.append(round(grading.grade(training), 6))
    except RunError as error:
        entry.trouble, entry.out = f"{error.what} {error.why}", number


def _finish(
    config: GenerateConfig,
    board: Board,
    rounds: tuple[Round, ...],
    winner: Entry,
    course: Course,
    output: Path,
    start: Start | None,
    control: Control,
) -> Result:
    """Finish the winner by the ordinary run, and move its files to the top."""
    folder = seed_folder(output, winner.seed)
    painting = texture_config(config).optimize.steps if config.texture.model else 0
    course.begin(course.total - painting - (config.optimize.steps - winner.step))
    made = generate(
        replace(config, seed=winner.seed),
        folder,
        report=course.of_winner(winner.step),
        control=control,
        resume=True,
        blockout=b"" if start is None else start.blockout,
    )
    content: dict[str, Any] = {**made.report, "contest": board.report(rounds)}
    try:
        files = {}
        for name, path in made.files.items():
            files[name] = str(output / name)
            move_into_place(Path(path), Path(files[name]))
        write_result(json.loads(json.dumps(content)), output / "result.json")
    except OSError as error:
        raise output_error(output, error) from error
    return Result(folder=str(output), files=files, report=content)


def _set_aside(output: Path, report: Report) -> None:
    """Make room for the drafts of a new contest. Those of one that was not finished are kept."""
    drafts = output / "seeds"
    if not drafts.is_dir():
        return
    try:
        if (output / "result.json").is_file():
            shutil.rmtree(drafts)
            return
        names = (f"seeds-before-{number}" for number in range(1, 10_000))
        aside = next(output / name for name in names if not (output / name).exists())
        move_into_place(drafts, aside)
    except OSError as error:
        raise output_error(output, error) from error
    report(Note(code="run.set_aside", text=f"An unfinished contest was in this folder. It is kept: {aside.name}"))


def chosen_text(winner: Entry, stopped: list[Entry]) -> str:
    """Return one or two sentences on a person's choice, for the artist.

    winner: Entry that was chosen.
    stopped: Entry each, that stopped for it.
    """
    out = ", ".join(str(entry.seed) for entry in sorted(stopped, key=lambda entry: entry.seed))
    text = f"Seed {winner.seed} was chosen by hand, and is finished."
    return f"{text} Stopped: {out}." if out else text


def round_text(number: int, count: int, board: Board, stopped: list[Entry]) -> str:
    """Return one or two sentences on a round for the artist.

    number: int, of the round.
    count: int, rounds in all.
    board: Board after it.
    stopped: Entry each, that stopped in it.
    """
    best = board.ranking[0]
    out = ", ".join(str(entry.seed) for entry in sorted(stopped, key=lambda entry: entry.seed))
    text = f"Round {number + 1} of {count}: seed {best.seed} leads, by {board.judge}."
    return f"{text} Stopped: {out}." if out else text
