"""Quality of painting: exact meshes without colour get a texture by a prompt, and the judge grades the result.

    python benchmarks/texture.py [--prompts FILE] [--output DIR] [--preset standard] [--seed 0]
                                 [--set STAGE.KEY=VALUE ...] [--json]

The meshes are the corpus's own objects, as marching cubes gives them, in grey. R-Precision in colour is that of
benchmarks/quality.py, by the built-in judge. Seconds are of the whole run, and of training alone. Meshes that are in
the output folder already are not painted again, so an interrupted run can continue.
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

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.shared import portraits  # noqa: E402
from benchmarks.shared.graded_run import mean  # noqa: E402
from benchmarks.shared.grader import Grader  # noqa: E402
from benchmarks.shared.prompt_list import Prompt, prompt_file, read_prompts  # noqa: E402
from benchmarks.shared.sheets import contact_sheet  # noqa: E402
from dreamfusion_engine.judge.folder import WEIGHTS  # noqa: E402
from dreamfusion_engine.judge.model import load_judge  # noqa: E402
from dreamfusion_engine.mesh.export import GlbContent, write_glb  # noqa: E402
from dreamfusion_engine.mesh.gltf.picture import read_base_colour  # noqa: E402
from dreamfusion_engine.mesh.gltf.read import read_gltf  # noqa: E402
from dreamfusion_engine.mesh.surface.topology import vertex_normals  # noqa: E402
from dreamfusion_engine.mesh.textured import TexturedMesh  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, open_pipeline  # noqa: E402
from training.starter.exact_mesh import exact_mesh  # noqa: E402
from training.starter.objects.kinds import make_object  # noqa: E402

RESOLUTION = 64  # lattice cells along the exact mesh: some 10,000 to 20,000 triangles
GREY = 204  # sRGB


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one prompt. None where a run failed."""

    prompt: str
    colour: float | None  # R-Precision of its views, in [0, 1]
    unseen: float | None  # share of texels that no camera saw
    seam: float | None  # mean difference across UV seams, in 255ths
    seconds: float | None  # of the whole run
    training: float | None  # of that, training


def write_exact(prompt: Prompt, file: Path) -> None:
    """Write the exact mesh of a prompt's object in grey, as a GLB.

    file: Path to write.
    """
    parts = make_object(np.random.default_rng([7, 0]), prompt.kind, prompt.appearance)
    vertices, triangles = exact_mesh(parts, RESOLUTION, torch.device("cpu"))
    mesh = TexturedMesh(
        vertices=vertices.astype(np.float32),
        triangles=triangles.astype(np.int32),
        normals=vertex_normals(vertices, triangles).astype(np.float32),
        uv=np.zeros((len(triangles), 3, 2), np.float32),
        texture=np.full((4, 4, 3), GREY, np.uint8),
    )
    write_glb(mesh, file, name=prompt.text)


def painted(prompt: Prompt, folder: Path, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Paint a prompt's mesh, unless an earlier call did. Returns result.json, or None where the run failed.

    folder: Path of the run's folder.
    arguments: of the command line.
    Raises SystemExit where the engine was stopped from outside.
    """
    result = folder / "result.json"
    if not result.is_file():
        exact = arguments.output / f"{folder.name}.glb"
        arguments.output.mkdir(parents=True, exist_ok=True)
        write_exact(prompt, exact)
        command = [sys.executable, "-m", "dreamfusion_engine", "texture", str(exact), prompt.text, "--json"]
        command += ["--output", str(folder), "--seed", str(arguments.seed), "--preset", arguments.preset]
        command += ["--set", "paint.uv=new", *(word for each in arguments.set for word in ("--set", each))]
        command += ["--resume"] if (folder / "checkpoint" / "checkpoint.json").is_file() else []
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode not in (0, 2, 3):  # stopped from outside, not refused or failed
            raise SystemExit(f"The engine ended with {done.returncode}:\n{done.stderr[-2000:]}")
        if done.returncode:
            print(done.stdout[-1000:], file=sys.stderr)
            return None
    content: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return content


def measure(prompt: Prompt, folder: Path, grader: Grader, arguments: argparse.Namespace) -> Row:
    """Paint the mesh of a prompt and grade it.

    folder: Path of the run's folder.
    arguments: of the command line.
    """
    result = painted(prompt, folder, arguments)
    if result is None:
        return Row(prompt=prompt.text, colour=None, unseen=None, seam=None, seconds=None, training=None)
    grade = grader.grade(prompt, *portraits.mesh_portraits(content_of(folder / "mesh.glb")))
    seconds = {name: s for name, s in result["seconds"].items() if name != "train_all_sessions"}
    part = result["parts"][0]
    return Row(
        prompt=prompt.text,
        colour=grade.colour,
        unseen=part["unseen"],
        seam=part["seam"],
        seconds=round(sum(seconds.values()), 1),
        training=round(result["seconds"]["train_all_sessions"], 1),
    )


def content_of(file: Path) -> GlbContent:
    """Return the first part of a GLB with its base colour, one vertex a corner.

    file: Path of the GLB.
    """
    read = read_gltf(file.read_bytes())
    part = read.primitives[0]
    picture = read_base_colour(read, 0)
    if part.uv is None or picture is None:
        raise ValueError(f"{file} has no texture.")
    positions = part.vertices[part.triangles].reshape(-1, 3)
    corners = np.arange(len(positions), dtype=np.int32).reshape(-1, 3)
    normals = vertex_normals(part.vertices, part.triangles) if part.normals is None else part.normals
    return GlbContent(
        positions=positions,
        normals=normals[part.triangles].reshape(-1, 3).astype(np.float32),
        uv=part.uv.reshape(-1, 2),
        triangles=corners,
        texture=picture,
    )


def row_text(row: Row) -> str:
    """One prompt's line of the table, Markdown."""
    if row.colour is None:
        return f"| {row.prompt} | failed | | | | |"
    return (
        f"| {row.prompt} | {row.colour:.0%} | {row.unseen:.1%} | {row.seam:.2f} | {row.training:.0f} "
        f"| {row.seconds:.0f} |"
    )


def table(rows: Sequence[Row]) -> str:
    """The whole table, Markdown."""
    head = "| prompt | R-Prec. colour | unseen | seams | training, s | all, s |\n|---|---|---|---|---|---|"
    made = [row for row in rows if row.colour is not None]
    foot = (
        f"| **all {len(rows)}** | **{mean([r.colour for r in rows]):.0%}** | {mean([r.unseen for r in made]):.1%} "
        f"| {mean([r.seam for r in made]):.2f} | {mean([r.training for r in made]):.0f} "
        f"| {mean([r.seconds for r in made]):.0f} |"
    )
    return "\n".join([head, *map(row_text, rows), foot])


def main() -> None:
    """Measure every prompt, print the table, and write summary and sheet into the output folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--prompts", type=prompt_file, default=ROOT / "benchmarks" / "prompts" / "twelve.txt", help="one a line"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "texture")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = open_pipeline(locate_model("starter")).card.kinds
    prompts, _ = read_prompts(given.prompts.read_text(encoding="utf-8").splitlines(), known)
    torch.set_num_threads(1)
    grader = Grader(load_judge(WEIGHTS), prompts)
    folders = [given.output / prompt.text.replace(" ", "-") for prompt in prompts]
    rows = []
    for prompt, folder in zip(prompts, folders, strict=True):
        rows.append(measure(prompt, folder, grader, given))
        print(row_text(rows[-1]), file=sys.stderr, flush=True)
    contact_sheet(folders, given.output / "sheet.png")
    summary = {
        "preset": given.preset,
        "seed": given.seed,
        "settings": given.set,
        "colour": mean([row.colour for row in rows]),
        "rows": [asdict(row) for row in rows],
    }
    (given.output / "texture.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(summary) if given.json else table(rows))


if __name__ == "__main__":
    main()
