"""The contents of models that cannot be scored: reported, and otherwise ignored."""

from collections.abc import Iterable

from ariba_cli.base.examples import first_few
from ariba_cli.base.findings import Fact, Finding, FindingKind
from ariba_cli.formats.model import Model

# More entries, and more participants, than these are counted.
_MOST_NAMED = 5


def not_scored(models: Iterable[tuple[str, Model]]) -> list[Finding]:
    """Return a finding for each kind of file that holds more than can be scored.

    Parameters
    ----------
    models : iterable of pairs
        The ids of participants, with their models.
    """
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for identifier, model in models:
        if model.skipped:
            groups.setdefault(tuple(model.skipped.items()), []).append(identifier)
    return [_finding(entries, ids) for entries, ids in groups.items()]


def _finding(entries: tuple[tuple[str, str], ...], ids: list[str]) -> Finding:
    what = first_few([f"{name} ({kind})" for name, kind in entries], _MOST_NAMED)
    facts: dict[str, Fact] = {"entries": len(entries)}
    if len(ids) == 1:
        detail = f"also holds {what}, which is not scored"
        return Finding(FindingKind.NOT_SCORED, detail, ids[0], facts=facts)
    detail = f"{first_few(ids, _MOST_NAMED)} also hold {what}, which is not scored"
    return Finding(FindingKind.NOT_SCORED, detail, group=tuple(ids), facts=facts)
