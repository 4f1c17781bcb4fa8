"""Min-Max and Min-Sum: as far from the mean as the spread of the honest updates hides."""

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.forging import Forging, check_spread
from ariba_cli.attacks.strategies.honest import Deltas, HonestUpdates
from ariba_cli.attacks.strategies.strategy import Situation
from ariba_cli.base.declared import Argument
from ariba_cli.federated.models import Architecture

_SOURCE = "Shejwalkar and Houmansadr, Manipulating the Byzantine, 2021"
_ARGUMENTS = {
    "along": Argument(
        "p, against which the mean is moved", default="std", choices=("unit", "std", "sign")
    )
}


class Bounded(Forging):
    """The update mean − γ·p, with the largest γ that keeps it no farther out than an honest update.

    ‖mean − γp − δ_i‖² = a_i − 2γ·b_i + γ²·c, with a_i = ‖mean − δ_i‖², b_i = ⟨p, mean − δ_i⟩ and
    c = ‖p‖²: so γ is the root of a quadratic, and no search is needed.
    """

    def check_fits(self, architecture: Architecture, participants: int, compromised: int) -> None:
        """Refuse a single honest participant, who has no distance from another."""
        del architecture
        check_spread(self.declaration.name, participants, compromised)

    def forged(self, situation: Situation) -> Deltas:
        """Return mean − γ·p."""
        honest = situation.honest
        direction = _direction(honest, str(self.argument("along")))
        gram = honest.centred_gram
        slopes = np.zeros(len(honest))
        for index in range(len(honest)):
            delta = honest.delta(index)
            for name, p in direction.items():
                slopes[index] += np.sum(p * (honest.mean[name] - delta[name]))
        square = float(sum(np.square(p).sum() for p in direction.values()))
        gamma = self.largest(gram, slopes, square) if square > 0 else 0.0
        return {name: honest.mean[name] - gamma * p for name, p in direction.items()}

    @abstractmethod
    def largest(
        self, gram: npt.NDArray[np.float64], slopes: npt.NDArray[np.float64], square: float
    ) -> float:
        """Return the largest γ.

        Parameters
        ----------
        gram : float64 array of shape (honest, honest)
            The Gram matrix of δ_i − mean.
        slopes : float64 array of shape (honest,)
            b_i.
        square : float
            c, more than 0.
        """


class MinMax(Bounded):
    """An update at most as far from any honest one as the two farthest honest ones are apart."""

    declaration = Declaration(
        name="min-max",
        stage=Stage.FORGING,
        summary="the mean of the honest updates, moved as far as possible without being farther "
        "from any of them than two of them are from each other",
        equation="δ = mean − γ·p, the largest γ with max ‖δ − δ_i‖ ≤ max ‖δ_i − δ_j‖",
        source=_SOURCE,
        purpose="an untargeted loss of accuracy that distances do not show",
        needs=frozenset({Need.HONEST_UPDATES}),
        arguments=_ARGUMENTS,
    )

    def largest(
        self, gram: npt.NDArray[np.float64], slopes: npt.NDArray[np.float64], square: float
    ) -> float:
        """Return the least of the roots, one for each honest participant."""
        own = np.diag(gram)
        farthest = np.max(own[:, None] + own - 2 * gram)
        roots = slopes + np.sqrt(np.maximum(slopes**2 + square * (farthest - own), 0))
        return float(np.min(roots) / square)


class MinSum(Bounded):
    """An update whose sum of squared distances from the honest ones is at most their largest."""

    declaration = Declaration(
        name="min-sum",
        stage=Stage.FORGING,
        summary="the mean of the honest updates, moved as far as possible without a larger sum of "
        "squared distances than one of them has",
        equation="δ = mean − γ·p, the largest γ with Σ ‖δ − δ_i‖² ≤ max Σ ‖δ_i − δ_j‖²",
        source=_SOURCE,
        purpose="an untargeted loss of accuracy that sums of distances do not show",
        needs=frozenset({Need.HONEST_UPDATES}),
        arguments=_ARGUMENTS,
    )

    def largest(
        self, gram: npt.NDArray[np.float64], slopes: npt.NDArray[np.float64], square: float
    ) -> float:
        """Return √((max Σ ‖δ_i − δ_j‖² − Σ a_i) / (n·c)), since the slopes sum to 0."""
        del slopes
        own = np.diag(gram)
        sums = np.sum(own[:, None] + own - 2 * gram, axis=1)
        return float(np.sqrt(max(np.max(sums) - own.sum(), 0) / (len(gram) * square)))


def _direction(honest: HonestUpdates, along: str) -> Deltas:
    """Return p: the mean as a unit vector, its signs, or the standard deviations."""
    if along == "std":
        return honest.deviation
    if along == "sign":
        return {name: np.sign(mean) for name, mean in honest.mean.items()}
    norm = np.sqrt(sum(np.square(mean).sum() for mean in honest.mean.values()))
    return {name: mean / norm if norm > 0 else mean for name, mean in honest.mean.items()}
