"""The figures that sum up the records of a matrix."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from benchmarks.detection.matrix import (
    CLEAN,
    GOING_ON,
    NORM_MATCHED,
    OWN_TRAINING,
    PARTITIONS,
)
from benchmarks.detection.measuring import PANEL
from benchmarks.records import Record

HIDDEN = (NORM_MATCHED, OWN_TRAINING, GOING_ON, "constrained")
NORMALISED = "resnet"
ATTENTION = "transformer"
USUAL_PARTICIPANTS = 50
# From there on an attack does anything, and does what it is for.
WORKS_AT_ALL, WORKS = 0.1, 0.5

Which = Callable[[Record], bool]


@dataclass(frozen=True)
class Figures:
    """The figures of attacked rounds.

    Attributes
    ----------
    rounds : int
        The number of rounds.
    auc : float, optional
        The mean AUC over the rounds.
    found : float, optional
        The share of the compromised who are named, over all rounds.
    false : float, optional
        The share of the honest who are named.
    works : float, optional
        The median of X'%, as a share.
    """

    rounds: int
    auc: float | None = None
    found: float | None = None
    false: float | None = None
    works: float | None = None


def attacked(records: Sequence[Record]) -> list[Record]:
    """Return the records of rounds in which any of the compromised did something."""
    return [one for one in records if one["attack"] != CLEAN and one["acting"]]


def clean(records: Sequence[Record]) -> list[Record]:
    """Return the records of clean rounds."""
    return [one for one in records if one["attack"] == CLEAN]


def of_panel(records: Sequence[Record], alpha: str = "0.05") -> Figures:
    """Return the figures of the panel on attacked rounds at a level."""
    named = [
        (one["panel"]["found"][alpha], one["panel"]["false"][alpha], one["acting"], _honest(one))
        for one in records
    ]
    return _figures(records, PANEL, named)


def of_detector(records: Sequence[Record], detector: str) -> Figures:
    """Return the figures on attacked rounds of a detector that only ranks."""
    return _figures(records, detector, [])


def of_rule(records: Sequence[Record], rule: str) -> Figures:
    """Return the figures of a published rule, on rounds that may be clean ones, too."""
    named = [
        (one["rules"][rule]["found"], one["rules"][rule]["false"], one["acting"], _honest(one))
        for one in records
    ]
    return _figures(records, None, named)


@dataclass(frozen=True)
class CleanFigures:
    """The figures of clean rounds, at a level.

    Attributes
    ----------
    rounds, naming : int
        The number of rounds, and of those in which somebody is named.
    participants, named : int
        The number of participants, and of those who are named.
    """

    rounds: int
    naming: int
    participants: int
    named: int


def of_clean(records: Sequence[Record], alpha: str) -> CleanFigures:
    """Return the figures of clean rounds, at a level."""
    false = [one["panel"]["false"][alpha] for one in records]
    return CleanFigures(
        rounds=len(records),
        naming=sum(count > 0 for count in false),
        participants=sum(one["participants"] for one in records),
        named=sum(false),
    )


def allowed(records: Sequence[Record], alpha: str) -> float | None:
    """Return the share of the honest whom the level lets name, in attacked rounds.

    Where r of n are named, all of a chance of at most αr/n are (Benjamini and Hochberg), and so
    many of the honest have such a chance.
    """
    named = [one["panel"]["found"][alpha] + one["panel"]["false"][alpha] for one in records]
    shares = [
        float(alpha) * r / one["participants"] * _honest(one)
        for r, one in zip(named, records, strict=True)
    ]
    honest = sum(map(_honest, records))
    return sum(shares) / honest if honest else None


@dataclass(frozen=True)
class Goal:
    """A goal for some of the attacked rounds.

    Attributes
    ----------
    words : str
        The rounds, in words.
    which : callable
        Returns True for a record of these rounds.
    auc, found : float
        The least values.
    false : float, optional
        The largest value; None where there is no goal.
    """

    words: str
    which: Which
    auc: float
    found: float
    false: float | None = 0.005


def _usual(one: Record) -> bool:
    plain = not one["model"].startswith((NORMALISED, ATTENTION))
    return plain and one["participants"] == USUAL_PARTICIPANTS


GOALS = (
    Goal(
        "every attack that works (X'% ≥ 50), all partitions and networks",
        lambda one: one["works_after"] >= WORKS,
        1.0,
        1.0,
    ),
    Goal(
        "boosted and reduced σ, all partitions",
        lambda one: _usual(one) and one["attack"].startswith(("boosted", "reduced")),
        1.0,
        0.98,
    ),
    Goal(
        "norm-matched, k = 3 to 20, IID and Dirichlet .5",
        lambda one: (
            _usual(one)
            and one["attack"] in HIDDEN
            and one["k"] > 1
            and one["partition"] != PARTITIONS[-1]
        ),
        0.99,
        0.95,
    ),
    Goal(
        "lone, and Dirichlet .1, where the attack does anything (X'% ≥ 10)",
        lambda one: (
            _usual(one)
            and (one["k"] == 1 or one["partition"] == PARTITIONS[-1])
            and one["works_after"] >= WORKS_AT_ALL
        ),
        0.98,
        0.85,
    ),
    Goal(
        "networks with normalisation", lambda one: one["model"].startswith(NORMALISED), 0.97, 0.85
    ),
    Goal("transformer and LoRA", lambda one: one["model"].startswith(ATTENTION), 0.95, 0.8),
    Goal(
        "adaptive, both tricks, k = 5",
        lambda one: one["attack"] == "adaptive both" and one["k"] > 1,
        0.95,
        0.8,
        None,
    ),
)
# In clean rounds: by level, at most so large a share of them names anybody.
CLEAN_GOALS = {"0.01": 0.02, "0.05": 0.06}


def _figures(
    records: Sequence[Record],
    detector: str | None,
    named: Sequence[tuple[int, int, int, int]],
) -> Figures:
    """Return the figures of rounds, with the counts of the named in each where they are known."""
    # In clean rounds there is nobody to rank above the honest.
    aucs = [one.get("auc", {}).get(detector) for one in records]
    known = [auc for auc in aucs if auc is not None]
    columns = list(zip(*named, strict=True)) or [(0,)] * 4
    found, false, bad, good = map(sum, columns)
    works = [one["works_after"] for one in records if "works_after" in one]
    return Figures(
        rounds=len(records),
        auc=mean(known) if known else None,
        found=found / bad if bad else None,
        false=false / good if good else None,
        works=median(works) if works else None,
    )


def _honest(one: Record) -> int:
    return int(one["participants"] - one["acting"])
