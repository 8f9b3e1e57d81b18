"""What refining adds: prompts to meshes, then the same meshes refined, both graded as benchmarks/quality.py grades.

    python benchmarks/refine.py [--prompts FILE] [--output DIR] [--preset standard] [--seed 0]
                                [--set STAGE.KEY=VALUE ...] [--json]

Every --set is for the refinement. Beside the judge, Chamfer distance and volume IoU there are two measures of the
texture, both of unlit views of 128 pixels. Sharpness: the sum of squared steps between neighbouring pixels over the sum
of the steps, in 255ths: the mean contrast that a pixel of an edge has, whatever the edges' length. Purity: the mean
distance of a pixel's colour from the nearest exact colour, sRGB in 255ths, of the best of many exact objects. The
corpus's own objects have a purity of 0, and the sharpness in the last column.
Runs that are in the output folder already are not made again, so an interrupted call can continue.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.shared import graded_run, portraits  # noqa: E402
from benchmarks.shared.grader import Grader  # noqa: E402
from benchmarks.shared.prompt_list import Prompt, prompt_file, read_prompts  # noqa: E402
from benchmarks.shared.shape_distance import distance_to_kind  # noqa: E402
from dreamfusion_engine.judge.model import load_judge  # noqa: E402
from dreamfusion_engine.judge.portraits import HALF_LENGTH, judge_cameras, light_above, to_box  # noqa: E402
from dreamfusion_engine.mesh.export import GlbContent, read_glb  # noqa: E402
from dreamfusion_engine.mesh.pictures.render import render_mesh, scene_of  # noqa: E402
from dreamfusion_engine.mesh.textured import TexturedMesh  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, open_pipeline  # noqa: E402
from training.starter.objects.kinds import make_object  # noqa: E402
from training.starter.renderer import compose, render_objects  # noqa: E402

PIXELS = 128
EXACT = 8  # exact objects that a texture is held against
Pictures = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Grade:
    """The figures of one mesh."""

    colour: float  # R-Precision of its views, in [0, 1]
    textureless: float
    chamfer: float  # half lengths of the box
    iou: float
    sharpness: float  # 255ths
    purity: float  # 255ths from the nearest exact colour


@dataclass(frozen=True, kw_only=True)
class Row:
    """One prompt: before, after, and what the run said. None where a run failed."""

    prompt: str
    before: Grade | None
    after: Grade | None
    exact_sharpness: float
    crossings: tuple[int, int] | None
    folds: tuple[int, int] | None
    moved: float | None  # mean, world units
    seconds: float | None


def refined(prompt: Prompt, mesh: Path, folder: Path, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Refine a mesh, unless an earlier call did. Returns result.json, or None where the run failed.

    mesh: Path of the GLB.
    folder: Path of the run's folder.
    arguments: of the command line.
    Raises SystemExit where the engine was stopped from outside.
    """
    result = folder / "result.json"
    if not result.is_file():
        command = [sys.executable, "-m", "dreamfusion_engine", "refine", str(mesh), prompt.text, "--json"]
        command += ["--output", str(folder), "--seed", str(arguments.seed), "--preset", arguments.preset]
        command += ["--model", arguments.model, "--device", arguments.device]
        command += [word for each in arguments.set for word in ("--set", each)]
        command += ["--resume"] if (folder / "checkpoint" / "checkpoint.json").is_file() else []
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode not in (0, 2, 3):  # stopped from outside, not refused or failed
            raise SystemExit(f"The engine ended with {done.returncode}:\n{done.stderr[-2000:]}")
        if done.returncode:
            print(done.stdout[-1000:], file=sys.stderr)
            return None
    content: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return content


def grade(prompt: Prompt, content: GlbContent, grader: Grader) -> Grade:
    """Grade a mesh."""
    seen = grader.grade(prompt, *portraits.mesh_portraits(content))
    distance, overlap = distance_to_kind(
        content.positions, content.triangles, prompt.kind, prompt.appearance, graded_run.EXACT
    )
    albedo, inside = mesh_albedo(content)
    return Grade(
        colour=seen.colour,
        textureless=seen.textureless,
        chamfer=round(distance / HALF_LENGTH, 4),
        iou=round(overlap, 3),
        sharpness=round(sharpness(albedo, inside), 2),
        purity=round(min(impurity(albedo[inside], palette) for palette in palettes(prompt)), 2),
    )


def mesh_albedo(content: GlbContent) -> tuple[Pictures, NDArray[np.bool_]]:
    """Unlit views of a mesh, float32[B, H, W, 3], and where only the mesh is seen, bool[B, H, W]."""
    mesh = TexturedMesh(
        vertices=to_box(content.positions),
        triangles=content.triangles,
        normals=content.normals,
        uv=content.uv[content.triangles],
        texture=content.texture,
    )
    views = render_mesh(scene_of(mesh, torch.device("cpu")), judge_cameras(), PIXELS, PIXELS, grid=2)
    return views.albedo, views.coverage > 0.999


def exact_albedo(prompt: Prompt, seed: int) -> tuple[Pictures, NDArray[np.bool_]]:
    """The same of an exact object of the corpus. seed: int, chooses the object."""
    seen = judge_cameras()
    parts = make_object(np.random.default_rng([11, seed]), prompt.kind, prompt.appearance)
    traced = render_objects(
        [parts] * len(seen), seen, light_above(seen), torch.ones(len(seen)), pixels=PIXELS, samples=2
    )
    colour = compose(traced, torch.zeros(len(seen), 3), "albedo").permute(0, 2, 3, 1).numpy()
    return colour, traced[:, 7].numpy() > 0.999


def sharpness(albedo: Pictures, inside: NDArray[np.bool_]) -> float:
    """Sum of squared steps between neighbouring pixels over the sum of the steps, in 255ths; 0 without steps."""
    steps = []
    for axis in (1, 2):
        both = np.delete(inside, 0, axis) & np.delete(inside, -1, axis)
        steps.append(255.0 * np.abs(np.diff(albedo.astype(np.float64), axis=axis))[both].mean(-1))
    whole = np.concatenate(steps)
    return float(np.square(whole).sum() / max(float(whole.sum()), 1e-9))


def palettes(prompt: Prompt) -> list[NDArray[np.float64]]:
    """The colours of the parts of EXACT exact objects, float64[P, 3] each, sRGB in [0, 1]."""
    objects = [make_object(np.random.default_rng([7, seed]), prompt.kind, prompt.appearance) for seed in range(EXACT)]
    return [np.array([colour for part in parts for colour in (part.colour, part.second)]) for parts in objects]


def impurity(colours: Pictures, palette: NDArray[np.float64]) -> float:
    """The mean distance of colours float32[N, 3] from the nearest of a palette, sRGB in 255ths."""
    apart = np.linalg.norm(colours[:, None].astype(np.float64) - palette[None], axis=-1)
    return float(255.0 * apart.min(1).mean())


def measure(prompt: Prompt, output: Path, grader: Grader, arguments: argparse.Namespace) -> Row:
    """Make the mesh of a prompt, refine it, and grade both.

    output: Path of the benchmark's folder.
    arguments: of the command line.
    """
    name = prompt.text.replace(" ", "-")
    plain, folder = output / "plain" / name, output / "refined" / name
    made = argparse.Namespace(**{**vars(arguments), "set": []})
    exact = float(np.mean([sharpness(*exact_albedo(prompt, seed)) for seed in range(EXACT)]))
    failed = Row(
        prompt=prompt.text,
        before=None,
        after=None,
        exact_sharpness=round(exact, 2),
        crossings=None,
        folds=None,
        moved=None,
        seconds=None,
    )
    if "failed" in graded_run.make(prompt, plain, made):
        return failed
    result = refined(prompt, plain / "mesh.glb", folder, arguments)
    if result is None:
        return failed
    facts = result["refine"]
    return Row(
        prompt=prompt.text,
        before=grade(prompt, read_glb(plain / "mesh.glb"), grader),
        after=grade(prompt, read_glb(folder / "mesh.glb"), grader),
        exact_sharpness=round(exact, 2),
        crossings=tuple(facts["crossings"]),
        folds=tuple(facts["folds"]),
        moved=facts["moved_mean"],
        seconds=round(sum(s for name, s in result["seconds"].items() if name != "train_all_sessions"), 1),
    )


def row_text(row: Row) -> str:
    """One prompt's line of the table, Markdown."""
    if row.before is None or row.after is None:
        return f"| {row.prompt} | failed | | | | | | | {row.exact_sharpness:.1f} |"
    pairs = list(zip(asdict(row.before).values(), asdict(row.after).values(), strict=True))
    shown = ["{:.0%} {:.0%}", "{:.0%} {:.0%}", "{:.3f} {:.3f}", "{:.2f} {:.2f}", "{:.1f} {:.1f}", "{:.1f} {:.1f}"]
    cells = [form.format(*pair).replace(" ", " to ") for form, pair in zip(shown, pairs, strict=True)]
    faults = f"{row.crossings}, {row.folds}"
    return f"| {row.prompt} | {' | '.join(cells)} | {faults} | {row.exact_sharpness:.1f} |"


def table(rows: Sequence[Row]) -> str:
    """The whole table, Markdown."""
    names = "prompt", "R-Prec. colour", "textureless", "Chamfer", "IoU", "sharpness", "purity", "crossings, folds"
    head = f"| {' | '.join(names)} | exact sharpness |\n" + "|---" * (len(names) + 1) + "|"
    return "\n".join([head, *map(row_text, [*rows, mean_row(rows)])])


def mean_row(rows: Sequence[Row]) -> Row:
    """The means of those that did not fail, and the sums of crossings and folds."""
    made = [row for row in rows if row.before is not None and row.after is not None]

    def mean(grades: Sequence[Grade | None]) -> Grade | None:
        each = [asdict(g) for g in grades if g is not None]
        return Grade(**{name: float(np.mean([g[name] for g in each])) for name in each[0]}) if each else None

    def total(pairs: Sequence[tuple[int, int] | None]) -> tuple[int, int]:
        return sum(p[0] for p in pairs if p), sum(p[1] for p in pairs if p)

    return Row(
        prompt=f"**all {len(made)}**",
        before=mean([row.before for row in made]),
        after=mean([row.after for row in made]),
        exact_sharpness=float(np.mean([row.exact_sharpness for row in rows])) if rows else 0.0,
        crossings=total([row.crossings for row in made]),
        folds=total([row.folds for row in made]),
        moved=float(np.mean([row.moved or 0.0 for row in made])) if made else None,
        seconds=float(np.mean([row.seconds or 0.0 for row in made])) if made else None,
    )


def pairs_sheet(folders: Sequence[Path], file: Path) -> None:
    """Write a picture with two rows for each refined run, before above after: three colour views and two of clay."""
    rows = []
    for folder in folders:
        for name in ("before.png", "views.png"):
            if (folder / name).is_file():
                views = np.asarray(Image.open(folder / name).convert("RGB"))
                half = views.shape[0] // 2
                colour = [views[:half, i * half : (i + 1) * half] for i in (0, 1, 4)]
                clay = [views[half:, i * half : (i + 1) * half] for i in (0, 1)]
                rows.append(np.concatenate(colour + clay, axis=1))
    if rows:
        Image.fromarray(np.concatenate(rows)).save(file)


def main() -> None:
    """Measure every prompt, print the table, and write summary and sheet into the output folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--prompts", type=prompt_file, default=ROOT / "benchmarks" / "prompts" / "twelve.txt", help="one a line"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "refine")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = open_pipeline(locate_model(given.model)).card.kinds
    prompts, _ = read_prompts(given.prompts.read_text(encoding="utf-8").splitlines(), known)
    torch.set_num_threads(1)
    grader = Grader(load_judge(), prompts)
    rows = []
    for prompt in prompts:
        rows.append(measure(prompt, given.output, grader, given))
        print(row_text(rows[-1]), file=sys.stderr, flush=True)
    pairs_sheet([given.output / "refined" / p.text.replace(" ", "-") for p in prompts], given.output / "sheet.png")
    summary = {
        "preset": given.preset,
        "seed": given.seed,
        "settings": given.set,
        "all": asdict(mean_row(rows)),
        "rows": [asdict(row) for row in rows],
    }
    (given.output / "refine.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(summary) if given.json else table(rows))


if __name__ == "__main__":
    main()
