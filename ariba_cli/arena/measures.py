"""The measures of a cell, from the reports of its commands."""

from pathlib import Path
from typing import Any

from ariba_cli.arena.steps import MEASURES, REPORT, Cell
from ariba_cli.base.errors import OutputError, RefusedFileError
from ariba_cli.files.strict_json import parse_object
from ariba_cli.reports.canonical import rounded


def about(cell: Cell) -> dict[str, Any]:
    """Return the federation, attack and defence of a cell, as JSON."""
    attack = cell.attack
    own = None
    if attack is not None:
        own = {"name": attack.title, "k": attack.k, "options": dict(attack.options)}
        own["from_round"] = attack.from_round
    return {
        "name": str(cell.path),
        "federation": dict(cell.federation.options),
        "attack": own,
        "defence": cell.defence.name,
    }


def measured(cell: Cell, folder: Path) -> dict[str, float | int | None]:
    """Return the figures of a cell.

    Parameters
    ----------
    cell : Cell
        The cell, whose commands have run.
    folder : path
        The folder of the arena.

    Returns
    -------
    dict of str to float, int or None
        `accuracy` and `backdoor_accuracy` (X'%) of the model that the defence lets the server
        have; of a defence that names participants also `auc`, `found` (the share of the
        compromised that it names), `falsely_named` (the share of the honest) and `named` (the
        number). None for figures that do not apply.

    Raises
    ------
    OutputError
        When a report is not there, or lacks a figure.
    """
    found: dict[str, float | int | None] = dict.fromkeys(
        ("auc", "found", "falsely_named", "named"), None
    )
    quality = _result(folder / cell.path / MEASURES)
    try:
        found["accuracy"] = quality["accuracy"]
        backdoors = [one["backdoor_accuracy"] for one in quality["backdoor"]["triggers"]]
        found["backdoor_accuracy"] = backdoors[0] if cell.attack is not None else None
        if cell.defence.audit is not None:
            found |= _named(_result(folder / cell.path / REPORT))
    except (KeyError, IndexError, TypeError) as error:
        raise OutputError(
            f"a report in '{folder / cell.path}' lacks {error}; remove the folder and start again"
        ) from error
    return found


def _named(result: dict[str, Any]) -> dict[str, float | int | None]:
    ranking, truth = result["ranking"], result.get("truth")
    named = {one["id"] for one in ranking if one.get("flagged") or one.get("suspect")}
    compromised = set() if truth is None else set(truth["compromised"])
    honest = {one["id"] for one in ranking} - compromised
    auc = None if truth is None else truth["detectors"][result["decision"]["detector"]]["auc"]
    return {
        "auc": auc,
        "found": rounded(len(named & compromised) / len(compromised)) if compromised else None,
        "falsely_named": rounded(len(named & honest) / len(honest)) if honest else None,
        "named": len(named),
    }


def _result(path: Path) -> dict[str, Any]:
    try:
        result = parse_object(path.read_bytes(), "a report")["result"]
    except (OSError, RefusedFileError, KeyError) as error:
        raise OutputError(f"'{path}' is not the report of a command: {error}") from error
    if not isinstance(result, dict):
        raise OutputError(f"'{path}' is not the report of a command")
    return result
