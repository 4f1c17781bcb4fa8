"""The chances that honest participants reach a value: tails that were fitted on clean rounds.

They are read from `tails.json`, which `python -m benchmarks calibration` writes.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ariba_cli.scoring.update_statistics import Float64

# Before the number of signs by which somebody stands out, in the names of tails.
OF_STANDING = "standing:"
RARE = 0.05
_RARE_DEVIATIONS = 1.6448536269514722
_TINY = 1e-300


class Tail(NamedTuple):
    """The distribution of a statistic among the honest.

    Attributes
    ----------
    median : float
        The value that half of them are below.
    rare : float
        The value that a twentieth of them exceed.
    excess : float
        The mean by which these exceed it.
    shape : float
        The weight of the tail beyond an exponential one: ξ of a generalised Pareto distribution,
        from 0 (exponential) to below 1.
    """

    median: float
    rare: float
    excess: float
    shape: float = 0.0

    def chance(self, values: Float64) -> Float64:
        """Return the chance that an honest participant has as large a value, or a larger one.

        Below the rare value the tail is that of a normal distribution, above it that of a
        generalised Pareto distribution (Pickands, Annals of Statistics 1975).

        Parameters
        ----------
        values : float64 array of shape (n,)
            The statistic of each.
        """
        scaled = (values - self.median) / (self.rare - self.median) * _RARE_DEVIATIONS
        body = [
            0.5 * math.erfc(min(one, _RARE_DEVIATIONS) / math.sqrt(2)) for one in scaled.tolist()
        ]
        beyond = np.maximum(values - self.rare, 0.0) / self._scale
        if self.shape:
            beyond = np.log1p(self.shape * beyond) / self.shape
        return np.where(values > self.rare, RARE * np.exp(-beyond), np.array(body))

    def reached_at(self, chances: Float64) -> Float64:
        """Return the values that have these chances; −∞ where such a value is not rare."""
        times = np.log(RARE / np.maximum(chances, _TINY))
        if self.shape:
            times = np.expm1(self.shape * times) / self.shape
        return np.where(chances < RARE, self.rare + self._scale * times, -np.inf)

    @property
    def _scale(self) -> float:
        """The scale σ of the Pareto distribution, whose mean is σ/(1 − ξ)."""
        return self.excess * (1 - self.shape)


@dataclass(frozen=True)
class Calibration:
    """The tails of all readings and signs.

    Attributes
    ----------
    tails : dict of str to Tail
        The tails by name of reading, and those of standing by the number of signs.
    shape : float
        The weight of the tails of standing beyond exponential ones. With it, no level names
        somebody too often in rounds of bases that were left out of the fit.
    participants : int
        The number of honest participants who show them.
    source : str
        The source of the tails.
    """

    tails: Mapping[str, Tail]
    shape: float
    participants: int
    source: str

    def chance(self, key: str, values: Float64) -> Float64:
        """Return the chance that an honest participant has as large a value of a reading."""
        return self.tails[key].chance(values)

    def of_sign(self, _: str, chances: Float64) -> Float64:
        """Return the chance by a sign, from that of all its readings together."""
        return chances

    def of_standing(self, signs: int, standing: Float64) -> Float64:
        """Return the chance that an honest participant stands as far out, by that many signs."""
        return self._tail_of_standing(signs).chance(standing)

    def standing_at(self, signs: int, chances: Float64) -> Float64:
        """Return the standing that has such a chance; −∞ where that is not a rare one."""
        return self._tail_of_standing(signs).reached_at(chances)

    def _tail_of_standing(self, signs: int) -> Tail:
        """Return the tail for that number of signs, or for the next larger number that is known."""
        known = sorted(
            int(name.removeprefix(OF_STANDING))
            for name in self.tails
            if name.startswith(OF_STANDING)
        )
        nearest = next((number for number in known if number >= signs), known[-1])
        return self.tails[f"{OF_STANDING}{nearest}"]._replace(shape=self.shape)


def smallest_of(chances: Iterable[Float64]) -> Float64:
    """Return the chance that the smallest of several chances is that small (Šidák)."""
    several = np.array(list(chances))
    least = np.minimum(several.min(axis=0), 1 - 2.0**-53)
    found: Float64 = -np.expm1(len(several) * np.log1p(-least))
    return found


def _read(path: Path) -> Calibration:
    content: dict[str, Any] = json.loads(path.read_bytes())
    tails = {
        name: Tail(own["median"], own["rare"], own["excess"])
        for name, own in content["tails"].items()
    }
    return Calibration(tails, content["shape"], content["participants"], "built-in")


BUILT_IN = _read(Path(__file__).with_name("tails.json"))
"""The tails that come with ariba."""
