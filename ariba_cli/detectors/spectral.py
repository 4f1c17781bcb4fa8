"""DnC's projection: the length of an update along the direction in which all vary most."""

import numpy as np

from ariba_cli.detectors.declaration import Declaration, Scope, UpdateFamily
from ariba_cli.native.products import exact_square
from ariba_cli.scoring.update_statistics import Float64, UpdateStatistics, centred

DECLARATION = Declaration(
    name="spectral",
    scope=Scope.UPDATE,
    summary="the share of an update along the direction in which updates vary most",
    equation="⟨δ_i − mean δ, v⟩² over the sum of all, with v the first right singular vector",
    source="Shejwalkar and Houmansadr, Manipulating the Byzantine (DnC), 2021",
    score="share of the variance",
)

# After so many squarings a direction has weight (λ₂/λ₁)^4096 beside the first.
_SQUARINGS = 12


def spectral_scores(statistics: UpdateStatistics) -> Float64:
    """Return the share of each update in the variance along the first principal direction.

    All coordinates are taken, where DnC draws some of them. The Gram matrix is squared again
    and again, in products that are the same on every machine, and not handed to LAPACK.
    """
    power = centred(statistics.gram)
    for _ in range(_SQUARINGS):
        largest = float(np.abs(power).max())
        if largest == 0:
            return np.zeros(statistics.participants)
        power = exact_square(np.ldexp(power, -int(np.frexp(largest)[1])))
    column = power[:, int(np.diagonal(power).argmax())]
    squares = np.square(column / np.abs(column).max())
    scores: Float64 = squares / squares.sum()
    return scores


FAMILY = UpdateFamily(DECLARATION, spectral_scores)
