"""Findings in sentences, which several reports share."""

from collections import Counter
from collections.abc import Callable, Sequence

from ariba_cli.base.findings import PER_LAYER, Finding, FindingKind
from ariba_cli.base.visible import visible

_MOST_ALIKE = 3
_MOST_LINES = 1_000


def findings_in_words(
    findings: Sequence[Finding], shown: Callable[[str], str] = visible
) -> list[str]:
    """Return the findings, one a line.

    A fault of one participant in many layers is given for the first few of them. Of a
    great many lines, the first are given, and the number of the others.

    Parameters
    ----------
    findings : sequence of Finding
        The findings.
    shown : callable, optional
        The function that makes untrusted names safe; `str` leaves that to the caller.
    """
    alike = Counter((finding.kind, finding.participant) for finding in findings)
    said: Counter[tuple[FindingKind, str | None]] = Counter()
    lines: list[str] = []
    for finding in findings:
        key = finding.kind, finding.participant
        said[key] += 1
        if finding.kind in PER_LAYER and said[key] > _MOST_ALIKE:
            continue
        if len(lines) == _MOST_LINES:
            left_out = len(findings) - sum(said.values()) + 1
            return [*lines, f"and {left_out:,} more findings; -f json lists them"]
        lines.append(finding_in_words(finding, shown))
        if finding.kind in PER_LAYER and said[key] == _MOST_ALIKE < alike[key]:
            lines[-1] += f" (and {alike[key] - _MOST_ALIKE} more like it; -f json lists them)"
    return lines


def finding_in_words(finding: Finding, shown: Callable[[str], str] = visible) -> str:
    """Return a finding in one line; see `findings_in_words`."""
    who = f"{shown(finding.participant)}: " if finding.participant is not None else ""
    return f"{finding.kind}: {who}{shown(finding.detail)}"
