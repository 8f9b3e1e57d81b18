"""Contact sheets: a row for each run, and white where there is none.

Of: benchmarks/shared/sheets.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.shared.sheets import contact_sheet, variants_sheet

SIDE, VIEWS = 8, 8


def run(folder: Path) -> Path:
    """A run's folder whose picture has two rows of views, each in a grey of its own: 0, 10, 20, ... from the left."""
    folder.mkdir(parents=True)
    row = np.repeat(np.arange(VIEWS, dtype=np.uint8) * 10, SIDE)
    views = np.concatenate([np.tile(row, (SIDE, 1)), np.tile(row + 100, (SIDE, 1))])
    Image.fromarray(np.repeat(views[..., None], 3, -1)).save(folder / "views.png")
    return folder


def test_a_sheet_has_a_row_for_each_finished_run_and_none_for_the_others(tmp_path: Path) -> None:
    contact_sheet([run(tmp_path / "a"), tmp_path / "unfinished", run(tmp_path / "b")], tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * SIDE // 2, 6 * SIDE // 2, 3)
    middles = np.rint(sheet[2, SIDE // 4 :: SIDE // 2, 0] / 10.0)  # the filter reaches over edges
    assert middles.tolist() == [0, 1, 2, 4, 11, 13], "four in colour, two as clay"
    contact_sheet([tmp_path / "unfinished"], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_variants_keep_their_places_and_a_missing_run_is_white(tmp_path: Path) -> None:
    runs = [[run(tmp_path / "a"), tmp_path / "unfinished"], [tmp_path / "unfinished", run(tmp_path / "b")]]
    variants_sheet(runs, tmp_path / "sheet.png", SIDE)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))[..., 0]
    assert sheet.shape == (2 * SIDE, 6 * SIDE)
    middles = sheet[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE]
    assert middles.tolist() == [[0, 20, 40, 255, 255, 255], [255, 255, 255, 0, 20, 40]]
