"""How many faces an object shows: of a ring of pictures, which ones the judge takes for its front.

Of exact objects with a front the judge finds one face, from one to four of eight pictures. An object with the same side
in front and at the back (the "Janus problem", DreamFusion, arXiv 2209.14988, section 5) has two, apart from each other,
or a front all around.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

SIDES = ("front", "side", "back")
_SURE = 0.5  # of the probability: a judge that cannot tell the sides finds no front anywhere
_MOST = 0.5  # of the pictures in the front, beyond which no exact object was seen


@dataclass(frozen=True, kw_only=True)
class Faces:
    """What the pictures show.

    share: float in [0, 1], of the pictures that show the front.
    count: int >= 0, faces: runs of neighbouring pictures of the front.
    """

    share: float
    count: int

    @property
    def many(self) -> bool:
        """Whether the object probably has more than one face."""
        return self.count > 1 or self.share > _MOST


def faces(similarity: Tensor, temperature: float) -> Faces:
    """Count the faces of an object.

    similarity: float32[B, 3], of B pictures evenly spaced all around, in order, with the captions of SIDES.
    temperature: float > 0, that the similarity is scaled by for a softmax.
    """
    front = (similarity * temperature).softmax(dim=1)[:, SIDES.index("front")] > _SURE
    begins = front & ~front.roll(1)  # a ring: before the first comes the last
    count = 1 if bool(front.all()) else int(begins.sum())
    return Faces(share=float(front.float().mean()), count=count)
