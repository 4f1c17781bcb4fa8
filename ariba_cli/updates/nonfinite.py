"""A count of the values of a tensor that cannot be computed with, by kind."""

import numpy as np

from ariba_cli.base.findings import Fact
from ariba_cli.formats.model import Values
from ariba_cli.native.checks import LARGEST_VALUE, in_range

_BLOCK = 2**18


class NonFiniteCounter:
    """A counter of the values that cannot be computed with, by kind."""

    def __init__(self) -> None:
        self._counts = {"NaN": 0, "Inf": 0, f"beyond ±{LARGEST_VALUE:.1e}": 0}

    @property
    def found(self) -> bool:
        """Return whether any were counted."""
        return any(self._counts.values())

    @property
    def facts(self) -> dict[str, Fact]:
        """Return the number of values of each kind, by the kinds' short names."""
        return dict(zip(("nan", "inf", "beyond"), self._counts.values(), strict=True))

    def __str__(self) -> str:
        """Return the number of values of each kind, in words."""
        return ", ".join(f"{count:,} {kind}" for kind, count in self._counts.items() if count)

    def count(self, values: Values) -> None:
        """Add the unusable values of an array to the counts."""
        for start in range(0, values.size, _BLOCK):
            block = values[start : start + _BLOCK]
            if in_range(block):
                continue
            nan, inf = np.isnan(block), np.isinf(block)
            large = np.isfinite(block) & (np.abs(block) > LARGEST_VALUE)
            for kind, found in zip(self._counts, (nan, inf, large), strict=True):
                self._counts[kind] += int(np.count_nonzero(found))
