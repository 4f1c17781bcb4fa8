"""Figures of the results: means over cells, worst cases, and published ones beside ours."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ariba_cli.arena.steps import CLEAN

Cells = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Measure:
    """A figure of a cell, a share from 0 to 1.

    Attributes
    ----------
    key : str
        Its name in the JSON.
    title, meaning : str
        Its name for readers, and its meaning.
    high_is_good : bool
        True if a high figure is good for the defence.
    """

    key: str
    title: str
    meaning: str
    high_is_good: bool

    def worse(self, one: float, other: float) -> bool:
        """Return whether one figure is worse for the defence than another."""
        return one < other if self.high_is_good else one > other

    def harm(self, value: float) -> float:
        """Return the harm of a figure to the defence, from 0 to 1."""
        return 1 - value if self.high_is_good else value


MEASURES = (
    Measure(
        "falsely_named",
        "Falsely named",
        "The share of the honest participants whom the defence names.",
        high_is_good=False,
    ),
    Measure(
        "found",
        "Found",
        "The share of the compromised participants whom the defence names.",
        high_is_good=True,
    ),
    Measure(
        "auc",
        "AUC",
        "The chance that a compromised participant ranks above an honest one.",
        high_is_good=True,
    ),
    Measure(
        "backdoor_accuracy",
        "Backdoor accuracy after the defence (X'%)",
        "The share of the images with the trigger that the next global model takes for the "
        "target class.",
        high_is_good=False,
    ),
    Measure(
        "accuracy",
        "Accuracy after the defence",
        "The share of the test images that the next global model takes for what they are.",
        high_is_good=True,
    ),
)
BY_KEY = {measure.key: measure for measure in MEASURES}


@dataclass(frozen=True)
class Figure:
    """A measure over the cells of one attack and one defence.

    Attributes
    ----------
    mean, worst : float, optional
        The mean and the worst value; None where no cell has it.
    cells, failed : int
        The number of cells, and the number of those that failed.
    """

    mean: float | None
    worst: float | None
    cells: int
    failed: int


@dataclass(frozen=True)
class Compared:
    """A published figure beside ours.

    Attributes
    ----------
    entry : dict
        The published figure in the form of the results.
    ours : float, optional
        The mean over the cells that it is about; None where there is none.
    reproduced : bool, optional
        True if ours is within the tolerance; None where there is none.
    """

    entry: Mapping[str, Any]
    ours: float | None
    reproduced: bool | None


def attack_name(cell: Mapping[str, Any]) -> str:
    """Return the name of a cell's column."""
    attack = cell["attack"]
    return CLEAN if attack is None else f"{attack['name']}-k{attack['k']}"


def federation_name(cell: Mapping[str, Any]) -> str:
    """Return the options that federations share but for their seeds, in words."""
    options = cell["federation"]
    given = {"dataset": "digits", "partition": "iid", **options}
    rest = [f"{key} {value}" for key, value in given.items() if key not in _LEADING]
    return ", ".join([str(given["dataset"]), str(given["partition"]), *rest])


_LEADING = ("dataset", "partition", "seed")


def by_federation(cells: Cells) -> dict[str, list[Mapping[str, Any]]]:
    """Return the cells of each kind of federation, over its seeds."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        found.setdefault(federation_name(cell), []).append(cell)
    return found


def of(cells: Cells, attack: str, defence: str) -> list[Mapping[str, Any]]:
    """Return the cells of one attack and one defence."""
    return [one for one in cells if attack_name(one) == attack and one["defence"] == defence]


def figure(cells: Cells, measure: Measure) -> Figure:
    """Return a measure over cells."""
    values = list(_values(cells, measure))
    worst = None
    for value in values:
        if worst is None or measure.worse(value, worst):
            worst = value
    return Figure(
        mean=sum(values) / len(values) if values else None,
        worst=worst,
        cells=len(cells),
        failed=sum(cell["status"] == "failed" for cell in cells),
    )


def worst_attack(
    cells: Cells, attacks: Iterable[str], defence: str, measure: Measure
) -> tuple[str, float] | None:
    """Return the attack of the worst mean, and this mean; None where no cell has the measure."""
    worst: tuple[str, float] | None = None
    for attack in attacks:
        mean = figure(of(cells, attack, defence), measure).mean
        if mean is not None and (worst is None or measure.worse(mean, worst[1])):
            worst = attack, mean
    return worst


def naming_anybody(cells: Cells, defence: str) -> float | None:
    """Return the share of the clean rounds in which a defence names somebody."""
    named = [
        cell["measures"]["named"]
        for cell in of(cells, CLEAN, defence)
        if cell["measures"] is not None and cell["measures"]["named"] is not None
    ]
    return sum(count > 0 for count in named) / len(named) if named else None


def compared(cells: Cells, published: Iterable[Mapping[str, Any]]) -> list[Compared]:
    """Return each published figure beside ours."""
    found = []
    for entry in published:
        own = [
            cell
            for cell in of(cells, entry["attack"], entry["defence"])
            if all(
                str(cell["federation"].get(key)) == value
                for key, value in entry["federation"].items()
            )
        ]
        mean = figure(own, BY_KEY[entry["measure"]]).mean
        near = None if mean is None else abs(mean - entry["value"]) <= entry["tolerance"]
        found.append(Compared(entry, mean, near))
    return found


def _values(cells: Cells, measure: Measure) -> Iterator[float]:
    for cell in cells:
        value = None if cell["measures"] is None else cell["measures"][measure.key]
        if value is not None:
            yield value
