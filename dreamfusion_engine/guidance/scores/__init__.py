"""Ways to turn predictions into the gradient of a render, one a file, each a pure function of predictions."""

from dreamfusion_engine.config.stages import Score
from dreamfusion_engine.guidance.scores.work import WORK

# Those whose step is the same work always, so that a CUDA graph can hold it. 'sdi' takes as many steps as the noise
# asks for, and 'vsd' trains a second model as it goes.
RECORDABLE: tuple[Score, ...] = tuple(score for score, work in WORK.items() if work.recordable)
