"""Contact sheets: the pictures that finished runs wrote, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def contact_sheet(folders: Sequence[Path], file: Path) -> None:
    """Write a picture with a row for each finished run: four colour views from front to back, and two clay views."""
    rows = []
    for folder in folders:
        if not (folder / "views.png").is_file():
            continue
        views = np.asarray(Image.open(folder / "views.png").convert("RGB"))
        half = views.shape[0] // 2
        colour = [views[:half, i * half : (i + 1) * half] for i in (0, 1, 2, 4)]
        clay = [views[half:, i * half : (i + 1) * half] for i in (1, 3)]
        rows.append(np.concatenate(colour + clay, axis=1))
    if rows:
        sheet = Image.fromarray(np.concatenate(rows))
        sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS).save(file)


def variants_sheet(folders: Sequence[Sequence[Path]], file: Path, width: int = 96) -> None:
    """Write a picture with a row for each variant: front, side and back of every prompt, white where a run failed.

    folders: for each variant, Paths of its runs' folders, as many for each.
    file: Path of the picture.
    width: int, pixels along a side of a view.
    """
    rows = []
    for line in folders:
        cells = []
        for folder in line:
            cell = Image.new("RGB", (3 * width, width), "white")
            if (folder / "views.png").is_file():
                views = Image.open(folder / "views.png").convert("RGB")
                side = views.height // 2  # two rows of pictures: colour and clay, the first of each the front
                for place, column in enumerate((0, 2, 4)):
                    part = views.crop((column * side, 0, (column + 1) * side, side))
                    cell.paste(part.resize((width, width), Image.Resampling.LANCZOS), (place * width, 0))
            cells.append(np.asarray(cell))
        rows.append(np.concatenate(cells, axis=1))
    Image.fromarray(np.concatenate(rows)).save(file)
