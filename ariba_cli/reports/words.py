"""Sentences that several reports share."""

from collections import Counter
from collections.abc import Callable, Sequence

from ariba_cli.base.findings import BROKEN_SEAL, PER_LAYER, Finding, FindingKind
from ariba_cli.base.visible import visible
from ariba_cli.verdicts.verdict import Stability, TruthMetrics, Verdict

_MOST_ALIKE = 3
_MOST_NAMES = 6


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
        return nobody_in_words(verdict)
    names = ", ".join(visible(ranked.id) for ranked in verdict.suspects)
    tie = f" {tie_in_words(verdict)}" if verdict.tie_at_cut else ""
    return f"Suspects: {names}.{tie} {always_in_words(verdict)}"


def nobody_in_words(verdict: Verdict) -> str:
    """Why there is no ranking."""
    where = "any of these layers" if len(verdict.layers) > 1 else "this layer"
    return f"Nobody is ranked: the updates cannot be told apart in {where}."


def always_in_words(verdict: Verdict) -> str:
    """What it means to be a suspect: somebody always is."""
    count, what = verdict.method.k_est, _ranked_by(verdict)
    if count == 1:
        return f"The highest {what} is always named, in a clean round too."
    return f"The {count:,} highest {what}s are always named, in a clean round too."


def tie_in_words(verdict: Verdict) -> str:
    """That the last suspect could as well be another."""
    return f"The last of them has the same {_ranked_by(verdict)} as the next participant."


def expected_share(verdict: Verdict) -> float:
    """k̃/n, the share that everybody would have if nobody stood out: the mean over the layers."""
    counts = [layer.participants for layer in verdict.layers if layer.marked]
    return sum(verdict.method.k_est / count for count in counts) / len(counts)


def known_in_words(verdict: Verdict) -> list[str]:
    """What the numbers say, a sentence each."""
    lines = [nobody_in_words(verdict)]
    if verdict.ranking:
        lines = [_scored_in_words(verdict), _shares_in_words(verdict)]
    if verdict.stability is not None:
        lines += stability_in_words(verdict, verdict.stability)
    if verdict.evaluation is not None:
        lines.append(evaluation_in_words(verdict.evaluation))
    if verdict.method.seal_verified:
        lines.append(seal_in_words(verdict))
    return lines


def unknown_in_words(verdict: Verdict) -> list[str]:
    """What the numbers do not say, a sentence each."""
    coverage = coverage_in_words(verdict)
    lines = [f"What is in the rest of the model: {coverage}."]
    if verdict.ranking:
        lines = [
            f"Whether anybody is compromised. {always_in_words(verdict)}",
            "Whether everybody else is honest: k_est is an estimate, and who ranks below the cut "
            "is not cleared.",
            *lines,
            "Whether somebody hides: an attacker whose update is no larger than those of unlike "
            "honest participants may rank among them.",
        ]
    if not verdict.method.same_on_every_machine:
        lines.append(machines_in_words(verdict))
    return lines


def stability_in_words(
    verdict: Verdict, stability: Stability, shown: Callable[[str], str] = visible
) -> list[str]:
    """How far the suspects depend on k̃ and on each layer, a sentence each.

    Parameters
    ----------
    shown : makes a name safe where it is to stand.
    """
    k_est = verdict.method.k_est
    lines = [_margin_in_words(verdict, stability)]
    steps = {step.k_est: step for step in stability.steps}
    fewer, more = steps.get(k_est), steps.get(k_est + 1)
    if k_est > 1 and fewer is not None:
        change = _change_in_words(fewer.leave, fewer.enter, shown)
        lines.append(f"With k_est {k_est - 1:,}, {change}.")
    if more is not None:
        change = _change_in_words(more.enter, more.leave, shown)
        lines.append(f"With k_est {k_est + 1:,}, {change}.")
    if stability.without_layer:
        kept = set.intersection(*map(set, stability.without_layer.values()))
        lines.append(
            f"{len(kept):,} of the {len(verdict.suspects):,} suspects stay such whichever layer is "
            "left out."
        )
    tied = [layer.layer for layer in verdict.layers if layer.marked and layer.cut_margin == 0]
    if tied:
        lines.append(
            f"Fragments of {_names(tied, shown)} are tied at the cut: which of them are marked is "
            "decided by the order of the ids, and says nothing of whose they are."
        )
    return lines


def evaluation_in_words(evaluation: TruthMetrics) -> str:
    """How good the verdict is, where the truth is known."""
    auc = "not defined" if evaluation.auc is None else f"{evaluation.auc:.3f}"
    return (
        f"Truth: {evaluation.caught:.0%} of the {len(evaluation.compromised)} compromised are "
        f"suspects; confidence C {evaluation.confidence:.3f} (as in the paper "
        f"{evaluation.confidence_paper:.3f}); AUC {auc}."
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


def findings_in_words(
    findings: Sequence[Finding], shown: Callable[[str], str] = visible
) -> list[str]:
    """Return the findings, one a line.

    What is wrong with one participant in many layers is said of the first few of them.

    Parameters
    ----------
    findings : Sequence[Finding]
        What was found.
    shown : Callable[[str], str]
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


def _ranked_by(verdict: Verdict) -> str:
    return "share" if len(verdict.layers) > 1 else "score"


def _scored_in_words(verdict: Verdict) -> str:
    scored = len(verdict.ranking)
    sent = sum(input_.role == "participant" for input_ in verdict.inputs)
    kept_out = "" if scored == sent else "; the others were kept out, see the findings"
    return f"{scored:,} of {sent:,} participants were scored{kept_out}."


def _shares_in_words(verdict: Verdict) -> str:
    shares = [ranked.share for ranked in verdict.suspects]
    rest = [ranked.share for ranked in verdict.ranking if not ranked.suspect]
    least, highest = f"{shares[-1]:.3f}", f"{shares[0]:.3f}"
    own = highest if least == highest else f"{least} to {highest}"
    others = f"; the highest of anybody else is {rest[0]:.3f}" if rest else ""
    return (
        f"Shares of suspects: {own}{others}. If nobody stood out, everybody's would "
        f"be about k_est/n = {expected_share(verdict):.3g}."
    )


def _margin_in_words(verdict: Verdict, stability: Stability) -> str:
    if verdict.tie_at_cut:
        return (
            "The last suspect and the next participant have the same share; who is named is "
            "decided by the order of the ids."
        )
    return (
        "The share of the last suspect exceeds that of the next participant by "
        f"{stability.share_margin:.3g}."
    )


def _change_in_words(
    named: Sequence[str], not_named: Sequence[str], shown: Callable[[str], str]
) -> str:
    """Who else would be a suspect, and who would not."""
    parts = []
    if named:
        parts.append(f"{_names(named, shown)} would be named too")
    if not_named:
        parts.append(f"{_names(not_named, shown)} would not be named")
    return ", and ".join(parts) or "the suspects would be the same"


def _names(ids: Sequence[str], shown: Callable[[str], str]) -> str:
    """The first few ids, and how many more there are."""
    names = ", ".join(map(shown, ids[:_MOST_NAMES]))
    return names if len(ids) <= _MOST_NAMES else f"{names} and {len(ids) - _MOST_NAMES} more"
