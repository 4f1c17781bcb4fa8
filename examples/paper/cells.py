"""Cells, read from the JSON files that the scripts left."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from examples.paper.published import EXPERIMENTS, Experiment

# The files of a cell.
_FILES = ("attack", "audit", "plain", "pruned")
_SEED = "seed-"


@dataclass(frozen=True)
class Scored:
    """A participant of a round, as the audit ranked it."""

    name: str
    score: int
    share: float
    compromised: bool


@dataclass(frozen=True)
class Cell:
    """The figures of one attacked round; None for those that were not measured.

    Attributes
    ----------
    experiment, value : str
        The experiment, and the value that it varies.
    seed : int
        The seed.
    accuracy, backdoor : float, optional
        The accuracy and X'% of the global model after plain FedAvg.
    pruned_accuracy, pruned_backdoor : float, optional
        The same with the suspects left out.
    accuracy_before : float, optional
        The accuracy of the global model before the round.
    confidence : float, optional
        C = Σ S_i / (min(k, k_est)·m) over the compromised.
    confidence_paper : float, optional
        The same over k_est·m, which is what the paper's formula says.
    p_m : float, optional
        The share of the compromised that are suspects.
    auc : float, optional
        The AUC of the ranking.
    backdoor_images : int, optional
        The number of images on which X'% was measured.
    k_est : int, optional
        k_est.
    layers : tuple of str
        The audited layers.
    result_sha256 : str, optional
        The hash of the result.
    ranking : tuple of Scored
        All participants, highest score first.
    """

    experiment: str
    value: str
    seed: int
    accuracy: float | None = None
    backdoor: float | None = None
    pruned_accuracy: float | None = None
    pruned_backdoor: float | None = None
    accuracy_before: float | None = None
    confidence: float | None = None
    confidence_paper: float | None = None
    p_m: float | None = None
    auc: float | None = None
    backdoor_images: int | None = None
    k_est: int | None = None
    layers: tuple[str, ...] = ()
    result_sha256: str | None = None
    ranking: tuple[Scored, ...] = ()

    def measure(self, name: str) -> float | None:
        """Return one of the numbers, by its name."""
        value: float | None = getattr(self, name)
        return value


@dataclass
class Collected:
    """All cells that were found, and the versions that made them.

    Attributes
    ----------
    cells : list of Cell
        The cells.
    versions : dict of str to list of str
        The versions of each program that occur; one, unless results were mixed.
    """

    cells: list[Cell] = field(default_factory=list)
    versions: dict[str, list[str]] = field(default_factory=dict)

    def of(self, experiment: Experiment, value: str) -> list[Cell]:
        """Return the cells of one value, by seed."""
        return [c for c in self.cells if (c.experiment, c.value) == (experiment.name, value)]

    def values(self, experiment: Experiment) -> list[str]:
        """Return the values of the paper, and any others that were tried."""
        found = {cell.value for cell in self.cells if cell.experiment == experiment.name}
        return [*experiment.values, *sorted(found - set(experiment.values), key=_by_number)]

    def numbers(self, experiment: Experiment, value: str, measure: str) -> list[float]:
        """Return one measure over the seeds that have it."""
        measured = (cell.measure(measure) for cell in self.of(experiment, value))
        return [number for number in measured if number is not None]


def collect(out: Path) -> Collected:
    """Read every cell below the folder `out` (PAPER_OUT of the scripts).

    A file that is missing, or cannot be read, leaves gaps in the cells.
    """
    collected = Collected()
    versions: dict[str, set[str]] = {}
    for path in sorted((out / "federations").glob("*/run.json")):
        for program, version in dict((_load(path) or {}).get("versions", {})).items():
            versions.setdefault(program, set()).add(version)
    for experiment in EXPERIMENTS:
        for folder in sorted((out / "results" / experiment.name).glob(f"*/{_SEED}*")):
            files = {name: _load(folder / f"{name}.json") for name in _FILES}
            for content in files.values():
                if content is not None and "run" in content:
                    versions.setdefault("ariba", set()).add(content["run"]["ariba"])
            seed = int(folder.name.removeprefix(_SEED))
            collected.cells.append(_cell(experiment.name, folder.parent.name, seed, files))
    collected.cells.sort(key=lambda cell: (cell.experiment, _by_number(cell.value), cell.seed))
    collected.versions = {program: sorted(found) for program, found in sorted(versions.items())}
    return collected


def _cell(
    experiment: str, value: str, seed: int, files: Mapping[str, dict[str, Any] | None]
) -> Cell:
    told: dict[str, Any] = {}
    if (attack := files["attack"]) is not None:
        did = attack["attack"]
        told["accuracy_before"] = did["before"]["accuracy"]
        told["accuracy"] = did["after"]["accuracy"]
        told["backdoor"] = did["after"]["backdoor_accuracy"]
        told["backdoor_images"] = did["backdoor_images"]
    if (audit := files["audit"]) is not None:
        told |= _audited(audit)
    for name, prefix in (("plain", ""), ("pruned", "pruned_")):
        if (evaluated := files[name]) is not None:
            result = evaluated["result"]
            (backdoor,) = result["backdoor"]["triggers"]
            told[f"{prefix}accuracy"] = result["accuracy"]
            told[f"{prefix}backdoor"] = backdoor["backdoor_accuracy"]
            # Fewer than were asked for, where there are no more.
            told["backdoor_images"] = backdoor["images"]
    return Cell(experiment, value, seed, **told)


def _audited(report: Mapping[str, Any]) -> dict[str, Any]:
    result = report["result"]
    truth = result.get("truth", {})
    compromised = truth.get("compromised", ())
    metrics = truth.get("detectors", {}).get(result["decision"]["detector"], {})
    measures = ("confidence", "confidence_paper", "p_m", "auc")
    return {
        **{name: metrics.get(name) for name in measures},
        "k_est": result["decision"]["k_est"],
        "layers": tuple(result["method"]["layers"]),
        "result_sha256": report["result_sha256"],
        "ranking": tuple(
            Scored(one["id"], one["score"], one["share"], one["id"] in compromised)
            for one in result["ranking"]
        ),
    }


def _load(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        print(f"'{path}' cannot be read: {error}", file=sys.stderr)
        return None
    return content if isinstance(content, dict) else None


def _by_number(value: str) -> tuple[float, str]:
    try:
        return float(value), ""
    except ValueError:
        return 0.0, value


def mean(numbers: Sequence[float]) -> float:
    """Return the mean of at least one number."""
    return sum(numbers) / len(numbers)
