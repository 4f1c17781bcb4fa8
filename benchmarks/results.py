"""The measurements, and the figures computed from them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """The result of one contestant in one job.

    Attributes
    ----------
    name : str
        The contestant.
    bytes : int
        The bytes of the layers in all files; 0 for a job that reads none.
    rounds : int
        The rounds of training in each run; 0 for a job that trains none.
    seconds : tuple of float
        The time of each run, the first one first.
    yardstick : tuple of float
        The time of the yardstick right before each of those runs: reading the same bytes, or our
        training; empty where that says nothing.
    imports : float, optional
        The seconds before the first run; None where they are part of it.
    peak : int, optional
        The most memory that its process had, in bytes.
    peak_of_imports : int, optional
        The same before the first run.
    marks : str
        The result, in words.
    agrees : bool, optional
        True if it had the same result as ours; None where that is not to be expected.
    failure : str, optional
        The reason why it did not reach its marks; None if it did.
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
        """Return the median of the runs but the first, unless that is the only one."""
        return median(self.seconds[1:] or self.seconds)

    @property
    def rate(self) -> float:
        """Return the bytes of the layers per second."""
        return self.bytes / self.typical

    @property
    def rounds_per_minute(self) -> float:
        """Return the number of rounds trained in a minute."""
        return 60 * self.rounds / self.typical

    @property
    def ratio(self) -> float | None:
        """Return the ratio of its time to the yardstick's: the median over pairs of runs."""
        pairs = list(zip(self.seconds, self.yardstick, strict=False))
        pairs = pairs[1:] or pairs
        return median(run / read for run, read in pairs) if pairs else None

    def as_dict(self) -> dict[str, Any]:
        """Return the content for JSON: the figures of each run, and those computed from them."""
        figures = dict(vars(self))
        if self.seconds:
            figures |= {"typical": self.typical, "rate": self.rate, "ratio": self.ratio}
            figures["rounds_per_minute"] = self.rounds_per_minute
        return figures


@dataclass(frozen=True)
class Table:
    """The rows of one job, its title, and the notes on it.

    Attributes
    ----------
    job : str
        The name of the job.
    title : str
        The title.
    rows : tuple of Row
        The rows.
    notes : tuple of str
        The notes.
    beside : str
        The yardstick of every row.
    """

    job: str
    title: str
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    beside: str = "pread"

    @property
    def sound(self) -> bool:
        """Return True if ours reached its marks, and no result differs that should be the same."""
        return not any(
            row.agrees is False or (row.failure and row.name.startswith("ours"))
            for row in self.rows
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the content for JSON."""
        return {**vars(self), "rows": [row.as_dict() for row in self.rows]}


def difference(scores: dict[str, list[int]], reference: dict[str, list[int]]) -> str | None:
    """Return, in words, the number of participants whose scores differ from ours; None for none."""
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
    """Return the largest difference in loss over the rounds; infinite where some are missing.

    >>> apart([2.0, 1.5], [2.0, 1.25]), apart([2.0], [2.0, 1.25])
    (0.25, inf)
    """
    if len(losses) != len(reference):
        return math.inf
    return max(abs(one - other) for one, other in zip(losses, reference, strict=True))


def quality(scores: Sequence[int], ids: Sequence[str], compromised: Sequence[str], k: int) -> str:
    """Return, in words, P_m% (the compromised among the k_est first) and the AUC of the ranking."""
    truth = [name in set(compromised) for name in ids]
    order = sorted(range(len(ids)), key=lambda index: (-scores[index], ids[index]))
    caught = sum(truth[index] for index in order[:k]) / sum(truth)
    bad = [score for score, is_bad in zip(scores, truth, strict=True) if is_bad]
    good = [score for score, is_bad in zip(scores, truth, strict=True) if not is_bad]
    wins = sum((one > other) + 0.5 * (one == other) for one in bad for other in good)
    return f"P_m {caught:.0%}, AUC {wins / (len(bad) * len(good)):.3f}"
