"""What was measured, and what it comes to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contestant in one job.

    Attributes
    ----------
    bytes : of the layers in all files; 0 for what reads none.
    rounds : of training in each run; 0 for what trains none.
    seconds : each run, the first one first.
    yardstick : what it is held against, right before each of those runs: reading the same
        bytes, or our training; empty where that says nothing.
    imports : the seconds before the first run; None where they are part of it.
    peak : the most memory that its process had, in bytes, and `peak_of_imports` before the
        first run.
    marks : what came of it, in words.
    agrees : whether it came to the same as ours did; None where that is not to be expected.
    failure : why it did not come to its marks, if so.
    """

    name: str
    bytes: int
    rounds: int = 0
    seconds: tuple[float, ...] = ()
    yardstick: tuple[float, ...] = ()
    imports: float | None = None
    peak: int | None = None
    peak_of_imports: int | None = None
    marks: str = ""
    agrees: bool | None = None
    failure: str | None = None

    @property
    def typical(self) -> float:
        """The median of the runs but the first, unless that is the only one."""
        return median(self.seconds[1:] or self.seconds)

    @property
    def rate(self) -> float:
        """Bytes of the layers per second."""
        return self.bytes / self.typical

    @property
    def rounds_per_minute(self) -> float:
        """How many rounds are trained in a minute."""
        return 60 * self.rounds / self.typical

    @property
    def ratio(self) -> float | None:
        """By how much it takes longer than the yardstick: the median over pairs of runs."""
        pairs = list(zip(self.seconds, self.yardstick, strict=False))
        pairs = pairs[1:] or pairs
        return median(run / read for run, read in pairs) if pairs else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the figures of each run, and what they come to."""
        figures = dict(vars(self))
        if self.seconds:
            figures |= {"typical": self.typical, "rate": self.rate, "ratio": self.ratio}
            figures["rounds_per_minute"] = self.rounds_per_minute
        return figures


@dataclass(frozen=True)
class Table:
    """The rows of one job, what it is about, and what else there is to say.

    Attributes
    ----------
    beside : what every row is held against.
    """

    job: str
    title: str
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    beside: str = "pread"

    @property
    def sound(self) -> bool:
        """Whether ours came to its marks, and whoever should came to the same."""
        return not any(
            row.agrees is False or (row.failure and row.name.startswith("ours"))
            for row in self.rows
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "rows": [row.as_dict() for row in self.rows]}


def difference(scores: dict[str, list[int]], reference: dict[str, list[int]]) -> str | None:
    """In words, for how many participants the scores are not those of ours; None for nobody."""
    pairs = [
        (one, other)
        for layer in reference
        for one, other in zip(scores[layer], reference[layer], strict=True)
    ]
    unlike = [abs(one - other) for one, other in pairs if one != other]
    if not unlike:
        return None
    return f"{len(unlike)} of {len(pairs)} scores DIFFER from ours, by {max(unlike):,} at most"


def apart(losses: Sequence[float], reference: Sequence[float]) -> float:
    """By how much the loss differs at most, over the rounds; infinite where some are missing.

    >>> apart([2.0, 1.5], [2.0, 1.25]), apart([2.0], [2.0, 1.25])
    (0.25, inf)
    """
    if len(losses) != len(reference):
        return math.inf
    return max(abs(one - other) for one, other in zip(losses, reference, strict=True))


def quality(scores: Sequence[int], ids: Sequence[str], compromised: Sequence[str], k: int) -> str:
    """In words, P_m% (who of the compromised is among the k̃ first) and the AUC of the ranking."""
    truth = [name in set(compromised) for name in ids]
    order = sorted(range(len(ids)), key=lambda index: (-scores[index], ids[index]))
    caught = sum(truth[index] for index in order[:k]) / sum(truth)
    bad = [score for score, is_bad in zip(scores, truth, strict=True) if is_bad]
    good = [score for score, is_bad in zip(scores, truth, strict=True) if not is_bad]
    wins = sum((one > other) + 0.5 * (one == other) for one in bad for other in good)
    return f"P_m {caught:.0%}, AUC {wins / (len(bad) * len(good)):.3f}"
