"""Facts about the benchmarks that ask about single views: a model that judges several together is refused.

Of: benchmarks/shared/lone_views.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from reference.paper_model import write_paper_model
from reference.tiny_mvdream import write_mvdream

from benchmarks.shared.lone_views import lone_pipeline


@pytest.mark.slow
def test_a_model_that_judges_views_together_is_refused_in_a_sentence_and_others_are_opened(tmp_path: Path) -> None:
    write_mvdream(tmp_path / "together")
    with pytest.raises(SystemExit, match="MVDream judges 4 views of an object together"):
        lone_pipeline(str(tmp_path / "together"))
    alone = write_paper_model(tmp_path / "alone", words=("a", "mug"))
    assert lone_pipeline(str(alone)).path == alone
