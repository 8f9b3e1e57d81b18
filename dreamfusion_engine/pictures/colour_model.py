"""What colours the background and the object have: a mixture of Gaussians, and a smooth backdrop. N pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

KINDS = 5  # Gaussians of a mixture, as in GrabCut (Rother 2004)
ROUNDS = 8  # of k-means
LEAST_SPREAD = 2.0  # standard deviation of a colour, in units of L*a*b*, of which 2.3 are just seen
_ROBUST_ROUNDS = 6
_OUTLIER = 2.5  # times the spread: farther pixels on the border are the object's, which touches it


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians over colours.

    means: float64[K, 3], L*a*b*.
    inverses: float64[K, 3, 3], of the covariances.
    offsets: float64[K], logarithms of weight and norm.
    """

    means: Doubles
    inverses: Doubles
    offsets: Doubles

    def log_density(self, colours: Doubles) -> Doubles:
        """Return the logarithm of the density of colours float64[N, 3], float64[N]: of the nearest Gaussian.

        colours: float64[N, 3], L*a*b*.
        """
        found = np.full(len(colours), -np.inf)
        for mean, inverse, offset in zip(self.means, self.inverses, self.offsets, strict=True):
            away = colours - mean
            found = np.maximum(found, offset - 0.5 * np.einsum("ni,ij,nj->n", away, inverse, away))
        return found


def mixture_of(colours: Doubles) -> Mixture:
    """Fit a mixture by k-means from colours that lie far apart. The same colours give the same mixture.

    colours: float64[N, 3], L*a*b*, N at least 1.
    """
    middle = colours.mean(0)
    centres = [colours[np.argmax(((colours - middle) ** 2).sum(1))]]
    nearest = ((colours - centres[0]) ** 2).sum(1)
    while len(centres) < KINDS and nearest.max() > LEAST_SPREAD**2:
        centres.append(colours[np.argmax(nearest)])
        nearest = np.minimum(nearest, ((colours - centres[-1]) ** 2).sum(1))
    means = np.array(centres)
    for _ in range(ROUNDS):
        which = np.argmin(((colours[:, None] - means) ** 2).sum(-1), 1)
        means = np.array([colours[which == k].mean(0) if (which == k).any() else means[k] for k in range(len(means))])
    inverses, offsets = [], []
    for k, mean in enumerate(means):
        members = colours[which == k] - mean
        covariance = members.T @ members / max(len(members), 1) + LEAST_SPREAD**2 * np.eye(3)
        inverses.append(np.linalg.inv(covariance))
        share = max(len(members), 1) / len(colours)
        offsets.append(np.log(share) - 0.5 * np.linalg.slogdet(2.0 * np.pi * covariance)[1])
    return Mixture(means, np.array(inverses), np.array(offsets))


@dataclass(frozen=True)
class Backdrop:
    """Colours that change smoothly over the picture, as a studio's background does.

    colours: float64[H, W, 3], L*a*b*.
    spread: float, standard deviation around them, L*a*b*.
    """

    colours: Doubles
    spread: float

    def log_density(self, picture: Doubles) -> Doubles:
        """Return the logarithm of the density of a picture's colours under it, float64[H, W].

        picture: float64[H, W, 3], L*a*b*.
        """
        away = ((picture - self.colours) ** 2).sum(-1)
        return -0.5 * away / self.spread**2 - 3.0 * np.log(self.spread * np.sqrt(2.0 * np.pi))


def backdrop_of(picture: Doubles, known: NDArray[np.bool_]) -> tuple[Backdrop, NDArray[np.bool_]]:
    """Fit a polynomial of second degree in the place to known pixels, and tell which of these it explains.

    picture: float64[H, W, 3], L*a*b*.
    known: bool[H, W], pixels that are thought to be background; a minority may be the object's.
    """
    height, width = known.shape
    y, x = np.meshgrid(np.linspace(-1.0, 1.0, height), np.linspace(-1.0, 1.0, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
    rows, seen = terms[known], picture[known]
    inlier = np.ones(len(rows), bool)
    for _ in range(_ROBUST_ROUNDS):
        factors = np.linalg.lstsq(rows[inlier], seen[inlier], rcond=None)[0]
        away = np.linalg.norm(seen - rows @ factors, axis=1)
        spread = max(LEAST_SPREAD, 1.2 * float(np.median(away)))  # of what lies in three dimensions
        inlier = away < _OUTLIER * spread
        if inlier.sum() < len(rows) // 4:
            inlier = away <= np.median(away)
    explained = np.zeros_like(known)
    explained[known] = inlier
    return Backdrop(terms @ factors, spread), explained
