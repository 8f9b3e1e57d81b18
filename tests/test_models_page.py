"""The tables of docs/models.md follow the catalogue and the memory estimate.

Of: docs/models.md, dreamfusion_engine/models/catalogue.py.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from dreamfusion_engine.models.catalogue import catalogue
from dreamfusion_engine.models.family import FAMILIES

DOCS = Path(__file__).resolve().parents[1] / "docs"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("models_table", DOCS / "models_table.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_up_to_date() -> None:
    page = (DOCS / "models.md").read_text(encoding="utf-8")
    assert script().renewed(page) == page, "run: python docs/models_table.py"


def test_larger_cards_never_do_worse() -> None:
    table = script()
    order = ["no", "slow", "smaller", "saving", "yes"]
    for model in catalogue():
        ways = [order.index(table.how(model, size)) for size in (*table.CARDS_GIB, 80)]
        assert ways == sorted(ways), model.title
        assert ways[-1] >= order.index("saving"), f"{model.title} runs well on the largest cards"


def test_every_family_is_named() -> None:
    page = (DOCS / "models.md").read_text(encoding="utf-8")
    assert all(f"`{family}`" in page for family in FAMILIES)
