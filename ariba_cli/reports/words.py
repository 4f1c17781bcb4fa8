"""Sentences that several reports share."""

from ariba_cli.findings import BROKEN_SEAL, Finding
from ariba_cli.verdict import Verdict
from ariba_cli.visible import visible


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
    if not verdict.ranking:
        return "Nobody is ranked: the updates cannot be told apart in this layer."
    names = ", ".join(visible(ranked.id) for ranked in verdict.suspects)
    tie = ""
    if verdict.tie_at_cut:
        tie = " The last of them has the same score as the next participant."
    return (
        f"Suspects: {names}.{tie} The {verdict.method.k_est} highest scores are always "
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


def finding_in_words(finding: Finding) -> str:
    """A finding in one line."""
    who = f"{visible(finding.participant)}: " if finding.participant is not None else ""
    return f"{finding.kind}: {who}{visible(finding.detail)}"
