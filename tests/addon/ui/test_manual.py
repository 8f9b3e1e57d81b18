"""F1 leads to a section that exists, for every operator and every property."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

from addon.blenders import ROOT, Session

sys.path.insert(0, str(ROOT))

from installer.manual_pages import page

SCRIPT = Path(__file__).with_name("scripts") / "manual_links.py"


def test_every_operator_and_property_has_its_section(blender: Session) -> None:
    facts = blender.run(SCRIPT).facts
    assert [name for name, link in facts["links"].items() if link is None] == []
    assert len(facts["links"]) > 150
    pages: dict[str, str] = {}
    for name, link in facts["links"].items():
        place = urlparse(link)
        file = Path(unquote(place.path))
        if str(file) not in pages:
            pages[str(file)] = page(file.read_text(encoding="utf-8"))
        assert f'id="{place.fragment}"' in pages[str(file)], f"{name}: {link}"
    assert facts["links"]["bpy.types.DREAMFUSION_PG_guidance.scale"].endswith("settings.md#guidance.scale")
    assert facts["blenders_own"].startswith("https://") and facts["after"] is None
