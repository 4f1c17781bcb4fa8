"""Sentences that several reports share."""

from collections import Counter
from collections.abc import Sequence

from ariba_cli.findings import BROKEN_SEAL, PER_LAYER, Finding, FindingKind
from ariba_cli.verdict import Verdict
from ariba_cli.visible import visible

_MOST_ALIKE = 3


def coverage_in_words(verdict: Verdict) -> str:
    """What was examined, and what that means for what was not."""
    coverage = verdict.coverage
    return (
        f"{coverage.layers_examined} of {coverage.layers_total} layers examined, "
        f"{coverage.parameters_examined:,} of {coverage.parameters_total:,} parameters; "
        "an attacker who left them alone is not seen"
    )


def suspects_in_words(verdict: Verdict) -> str:
    """Who the suspects are, and that somebody always is."""
    several = len(verdict.layers) > 1
    if not verdict.ranking:
        where = "any of these layers" if several else "this layer"
        return f"Nobody is ranked: the updates cannot be told apart in {where}."
    names = ", ".join(visible(ranked.id) for ranked in verdict.suspects)
    what = "share" if several else "score"
    tie = ""
    if verdict.tie_at_cut:
        tie = f" The last of them has the same {what} as the next participant."
    return (
        f"Suspects: {names}.{tie} The {verdict.method.k_est} highest {what}s are always "
        "named, in a clean round too."
    )


def cut_in_words(verdict: Verdict) -> str:
    """What the number at the cut is."""
    return "distance" if verdict.method.same_on_every_machine else "decision score"


def machines_in_words(verdict: Verdict) -> str:
    """What of the result another machine may not find again."""
    return (
        f"The scores of {verdict.method.detector} come from floating-point libraries: with other "
        "versions, or on another machine, other fragments may be marked at the cut."
    )


def seal_in_words(verdict: Verdict) -> str:
    """What came of hashing every file that the seal lists."""
    broken = any(finding.kind in BROKEN_SEAL for finding in verdict.findings)
    result = "all are as they were sealed" if not broken else "see the findings"
    return f"Seal: every listed file was hashed again; {result}."


def findings_in_words(findings: Sequence[Finding]) -> list[str]:
    """The findings, one a line.

    What is wrong with one participant in many layers is said of the first few of them.
    """
    alike = Counter((finding.kind, finding.participant) for finding in findings)
    said: Counter[tuple[FindingKind, str | None]] = Counter()
    lines = []
    for finding in findings:
        key = finding.kind, finding.participant
        said[key] += 1
        if finding.kind in PER_LAYER and said[key] > _MOST_ALIKE:
            continue
        lines.append(finding_in_words(finding))
        if finding.kind in PER_LAYER and said[key] == _MOST_ALIKE < alike[key]:
            lines[-1] += f" (and {alike[key] - _MOST_ALIKE} more like it; -f json lists them)"
    return lines


def finding_in_words(finding: Finding) -> str:
    """A finding in one line."""
    who = f"{visible(finding.participant)}: " if finding.participant is not None else ""
    return f"{finding.kind}: {who}{visible(finding.detail)}"
