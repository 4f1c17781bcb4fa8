"""What is wrong with the inputs."""

from collections import Counter
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.base.findings import Finding
from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import count, folded, note, paragraph, section, table
from ariba_cli.verdicts.verdict import Verdict

_MOST_OPEN = 40


def findings_section(verdict: Verdict) -> Element:
    """The findings one by one; the first of them if there are many, and all on request."""
    findings = verdict.findings
    if not findings:
        return section("findings", "Findings", paragraph("Nothing is wrong with any input."))
    kinds = Counter(str(finding.kind) for finding in findings)
    counts = ", ".join(f"{number:,} {visible(kind)}" for kind, number in sorted(kinds.items()))
    children = [
        note(f"{count(len(findings), 'finding')}: {counts}."),
        _table(findings[:_MOST_OPEN]),
    ]
    if len(findings) > _MOST_OPEN:
        children.append(
            folded(f"All {len(findings):,} findings", _table(findings), rows=len(findings))
        )
    return section("findings", "Findings", *children)


def _table(findings: Sequence[Finding]) -> Element:
    rows = (
        (
            visible(finding.kind),
            "the round" if finding.participant is None else visible(finding.participant),
            visible(finding.detail),
        )
        for finding in findings
    )
    return table(("kind", "of", "what"), rows, kind="findings")
