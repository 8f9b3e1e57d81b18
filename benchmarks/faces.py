"""Faces: how often the judge counts one on exact objects, and more on objects whose back is their front.

    python benchmarks/faces.py [--objects 4] [--judge FOLDER] [--json]

Of every kind with a front some exact objects of the corpus are drawn from eight sides. Then the three pictures of the
back are replaced by those of the front.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.shared.portraits import truth_portraits  # noqa: E402
from dreamfusion_engine.judge.faces import SIDES, faces  # noqa: E402
from dreamfusion_engine.judge.folder import WEIGHTS  # noqa: E402
from dreamfusion_engine.judge.model import load_judge  # noqa: E402
from training.starter.captions import describe  # noqa: E402
from training.starter.objects.kinds import KINDS, Appearance  # noqa: E402

BACK, FRONT = [3, 4, 5], [7, 0, 1]  # of the eight pictures of `truth_portraits`, the front first


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=4, help="of each kind")
    parser.add_argument("--judge", type=Path, default=WEIGHTS, help="folder")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    judge = load_judge(given.judge)
    temperature = float(judge.model.logit_scale.detach().exp())
    called: dict[str, int] = {}  # kinds of exact objects that were called many-faced
    kinds = [kind for kind in KINDS if kind.front]
    found = 0
    for kind in kinds:
        sides = judge.captions([f"{describe(kind, Appearance())}, {side} view" for side in SIDES])
        for seed in range(given.objects):
            colour, _ = truth_portraits(kind, Appearance(), seed)
            if faces(judge.pictures(colour) @ sides.T, temperature).many:
                called[kind.names[0]] = called.get(kind.names[0], 0) + 1
            colour[BACK] = colour[FRONT]
            found += faces(judge.pictures(colour) @ sides.T, temperature).many
    count = len(kinds) * given.objects
    if given.json:
        print(json.dumps({"objects": count, "called_many_faced": called, "two_faced_found": found}))
        return
    print(f"Of {count} exact objects {sum(called.values())} are called many-faced: {called or 'none'}.")
    print(f"Of {count} with their front in the place of their back {found} are.")


if __name__ == "__main__":
    main()
