"""The residual function of every score, by name."""

from __future__ import annotations

from collections.abc import Mapping

from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.guidance.scores import csd, nfsd, sampled, sdi, sds, vsd
from dreamfusion_engine.guidance.scores.guide import Residual

RESIDUALS: Mapping[Score, Residual] = {
    "sds": sds.residual,
    "csd": csd.residual,
    "nfsd": nfsd.residual,
    "sdi": sdi.residual,
    "vsd": vsd.residual,
    "sampled": sampled.residual,
}
