"""The section on the faults of the inputs."""

from collections import Counter
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.base.findings import Finding
from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import count, folded, note, paragraph, section, table
from ariba_cli.reports.html.markup import element
from ariba_cli.verdicts.verdict import Verdict

_MOST_OPEN = 40
_MOST = 1_000
_MOST_NAMED = 12


def findings_line(findings: Sequence[Finding]) -> list[Element]:
    """Return a line that says how many findings there are and leads to them; nothing for none."""
    if not findings:
        return []
    link = element("a", {"href": "#findings"}, count(len(findings), "finding"))
    return [element("p", {"class": "strong"}, link, f": {_kinds(findings)}.")]


def findings_section(verdict: Verdict) -> Element:
    """Return the findings one by one: a few of them if there are many, and more on request."""
    findings = verdict.findings
    if not findings:
        return section("findings", "Findings", paragraph("No findings."))
    children = [
        note(f"{count(len(findings), 'finding')}: {_kinds(findings)}."),
        _table(findings[:_MOST_OPEN]),
    ]
    if len(findings) > _MOST_OPEN:
        children.append(
            folded(_title(len(findings)), _table(findings[:_MOST]), rows=min(len(findings), _MOST))
        )
    return section("findings", "Findings", *children)


def _kinds(findings: Sequence[Finding]) -> str:
    kinds = Counter(str(finding.kind) for finding in findings)
    return ", ".join(f"{number:,} {visible(kind)}" for kind, number in sorted(kinds.items()))


def _title(number: int) -> str:
    return (
        f"All {number:,} findings"
        if number <= _MOST
        else f"The first {_MOST:,} of {number:,} findings; the JSON has all"
    )


def _whose(finding: Finding) -> str:
    """Return the subject of a finding: one participant, several, or the round."""
    if finding.participant is not None:
        return visible(finding.participant)
    if not finding.group:
        return "the round"
    names = ", ".join(map(visible, finding.group[:_MOST_NAMED]))
    hidden = len(finding.group) - _MOST_NAMED
    return f"{names} and {hidden:,} more" if hidden > 0 else names


def _table(findings: Sequence[Finding]) -> Element:
    rows = (
        (
            visible(finding.kind),
            _whose(finding),
            visible(finding.detail),
        )
        for finding in findings
    )
    return table(("kind", "of", "what"), rows, kind="findings")
