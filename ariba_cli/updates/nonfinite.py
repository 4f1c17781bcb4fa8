"""Values that cannot be reckoned with."""

import numpy as np

from ariba_cli.base.findings import Fact
from ariba_cli.formats.model import Values

# No weight of a trained model comes near float32's largest; beyond it, sums overflow.
LARGEST_VALUE = float(np.finfo(np.float32).max)

_BLOCK = 2**18


class NonFiniteCounter:
    """Counts values that cannot be reckoned with, by kind."""

    def __init__(self) -> None:
        self._counts = {"NaN": 0, "Inf": 0, f"beyond ±{LARGEST_VALUE:.1e}": 0}

    @property
    def found(self) -> bool:
        """Whether there are any."""
        return any(self._counts.values())

    @property
    def facts(self) -> dict[str, Fact]:
        """How many of each kind, by the kinds' short names."""
        return dict(zip(("nan", "inf", "beyond"), self._counts.values(), strict=True))

    def __str__(self) -> str:
        """How many of each kind."""
        return ", ".join(f"{count:,} {kind}" for kind, count in self._counts.items() if count)

    def count(self, values: Values) -> None:
        """Add what is in these values."""
        for start in range(0, values.size, _BLOCK):
            block = values[start : start + _BLOCK]
            # The sum of squares is finite for all that a model has, and one pass.
            with np.errstate(all="ignore"):
                if float(np.dot(block, block)) < LARGEST_VALUE:
                    continue
            nan, inf = np.isnan(block), np.isinf(block)
            large = np.isfinite(block) & (np.abs(block) > LARGEST_VALUE)
            for kind, found in zip(self._counts, (nan, inf, large), strict=True):
                self._counts[kind] += int(np.count_nonzero(found))
