"""Findings in sentences, which several reports share."""

from collections import Counter
from collections.abc import Callable, Sequence

from ariba_cli.base.findings import PER_LAYER, Finding, FindingKind
from ariba_cli.base.visible import visible

_MOST_ALIKE = 3


def findings_in_words(
    findings: Sequence[Finding], shown: Callable[[str], str] = visible
) -> list[str]:
    """Return the findings, one a line.

    What is wrong with one participant in many layers is said of the first few of them.

    Parameters
    ----------
    findings : sequence of Finding
        What was found.
    shown : callable, optional
        How the words of others are written; `str` leaves that to whoever shows the lines.
    """
    alike = Counter((finding.kind, finding.participant) for finding in findings)
    said: Counter[tuple[FindingKind, str | None]] = Counter()
    lines = []
    for finding in findings:
        key = finding.kind, finding.participant
        said[key] += 1
        if finding.kind in PER_LAYER and said[key] > _MOST_ALIKE:
            continue
        lines.append(finding_in_words(finding, shown))
        if finding.kind in PER_LAYER and said[key] == _MOST_ALIKE < alike[key]:
            lines[-1] += f" (and {alike[key] - _MOST_ALIKE} more like it; -f json lists them)"
    return lines


def finding_in_words(finding: Finding, shown: Callable[[str], str] = visible) -> str:
    """Return a finding in one line; see `findings_in_words`."""
    who = f"{shown(finding.participant)}: " if finding.participant is not None else ""
    return f"{finding.kind}: {who}{shown(finding.detail)}"
