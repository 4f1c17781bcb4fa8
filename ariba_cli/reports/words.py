"""Sentences that several reports share."""

from collections.abc import Callable, Sequence

from ariba_cli.base.findings import BROKEN_SEAL, FindingKind
from ariba_cli.base.visible import visible
from ariba_cli.detectors import DETECTORS, family
from ariba_cli.reports.reasons import calibration_in_words, unseen_in_words
from ariba_cli.verdicts.verdict import Truth, Verdict

_MOST_NAMES = 6
_MOST_SUSPECTS = 50
# Smaller ones say no more, as no calibration has seen so many honest participants.
_SMALLEST_P = 1e-12


def coverage_in_words(verdict: Verdict) -> str:
    """Return the examined part of the model, and the meaning of that for the rest."""
    coverage = verdict.coverage
    found = (
        f"{coverage.layers_examined} of {coverage.layers_total} layers examined, "
        f"{coverage.parameters_examined:,} of {coverage.parameters_total:,} parameters"
    )
    return found if examined_all(verdict) else f"{found}; an attack on the rest is not seen"


def examined_all(verdict: Verdict) -> bool:
    """Return whether no weight of the model was left out."""
    return verdict.coverage.parameters_examined == verdict.coverage.parameters_total


def headline_in_words(verdict: Verdict, shown: Callable[[str], str] = visible) -> str:
    """Return the names of those who stand out, or the suspects and that somebody always is one.

    Parameters
    ----------
    verdict : Verdict
        The verdict to put in words.
    shown : callable, optional
        The function that makes a name safe for its place.
    """
    if not verdict.ranking:
        return nobody_in_words(verdict)
    names = names_in_words([one.id for one in verdict.suspects], shown, most=_MOST_SUSPECTS)
    if verdict.by_level:
        return f"{standing_out_in_words(verdict)}{f': {names}' if names else ''}."
    tie = f" {tie_in_words(verdict)}" if verdict.decision.tie_at_cutoff else ""
    return f"Suspects: {names}.{tie} {always_in_words(verdict)}"


def rescored_in_words(verdict: Verdict, shown: Callable[[str], str] = visible) -> list[str]:
    """Return the suspects of the second result, where there is one, as a sentence.

    Parameters
    ----------
    verdict : Verdict
        The verdict to put in words.
    shown : callable, optional
        The function that makes a name safe for its place.
    """
    again = verdict.rescored
    if again is None:
        return []
    one = len(again.left_out) == 1
    far = names_in_words(again.left_out, shown, most=_MOST_SUSPECTS)
    far = f"{far} {'is' if one else 'are'} far from all others; without {'it' if one else 'them'}"
    if not again.ranking:
        return [f"{far} nobody can be told apart."]
    named = [
        f"{shown(one.id)} ({value_in_words(verdict, one.value)})"
        for one in again.ranking
        if one.named
    ]
    suspects = names_in_words(named, str, most=_MOST_SUSPECTS)
    return [f"{far} the suspects are {suspects}."]


def standing_out_in_words(verdict: Verdict) -> str:
    """Return the number of those who stand out at the level, without a full stop."""
    n, named, alpha = len(verdict.ranking), len(verdict.suspects), verdict.decision.alpha
    assert alpha is not None
    level = f"(false-discovery level {100 * alpha:.3g}%)"
    if any(one.kind == FindingKind.FEW_PARTICIPANTS for one in verdict.findings):
        return f"Nobody is flagged, since {n:,} participants are too few to tell {level}"
    if not named:
        return (
            f"None of {n:,} participants stands out {level}; this does not prove that the round "
            "is clean"
        )
    return f"{named:,} of {n:,} participants stand{'s' if named == 1 else ''} out {level}"


def named_word(verdict: Verdict) -> str:
    """Return the word for those whom the decision names: flagged, or suspect."""
    return "flagged" if verdict.by_level else "suspect"


def named_in_words(verdict: Verdict) -> str:
    """Return the word for several of them, with an article."""
    return "those who are flagged" if verdict.by_level else "the suspects"


def nobody_in_words(verdict: Verdict) -> str:
    """Return the reason why there is no ranking."""
    where = "any of these layers" if len(verdict.layers) > 1 else "this layer"
    return f"Nobody is ranked: the updates cannot be told apart in {where}."


def always_in_words(verdict: Verdict) -> str:
    """Return the meaning of being a suspect: somebody always is."""
    count, what = len(verdict.suspects), _ranked_by(verdict)
    if count == 1:
        return f"ariba always names the highest {what}, even in a clean round."
    return f"ariba always names the {count:,} highest {what}s, even in a clean round."


def tie_in_words(verdict: Verdict) -> str:
    """Return the statement that the last suspect could as well be another."""
    return f"The last of them has the same {_ranked_by(verdict)} as the next participant."


def marks_fragments(verdict: Verdict) -> bool:
    """Return whether the detector that decides marks fragments of layers."""
    return verdict.deciding.scope == "layer"


def expected_share(verdict: Verdict) -> float | None:
    """Return k_est/n, the share that everybody would have if nobody stood out.

    Of several layers it is the mean; None where the detector that decides marks no fragments.
    """
    counts = [layer.participants for layer in verdict.marked_layers if layer.marked]
    k_est = verdict.method.k_est
    if not counts or k_est is None:
        return None
    return sum(k_est / count for count in counts) / len(counts)


def value_name(verdict: Verdict) -> str:
    """Return the name of the scores of the detector that decides."""
    return score_name(verdict.decision.detector)


def score_name(detector: str) -> str:
    """Return the name of the scores of a detector."""
    name = detector.partition(":")[0]
    return family(name).declaration.score if name in DETECTORS else "score"


def value_in_words(verdict: Verdict, value: float) -> str:
    """Return a share with three decimals, and any other score with four digits."""
    return f"{value:.3f}" if marks_fragments(verdict) else f"{value:.4g}"


def known_in_words(verdict: Verdict) -> list[str]:
    """Return the facts that the numbers show, a sentence each."""
    lines = [nobody_in_words(verdict)]
    if verdict.ranking:
        lines = [_scored_in_words(verdict), _values_in_words(verdict)]
    lines += rescored_in_words(verdict)
    lines += stability_in_words(verdict)
    lines += calibration_in_words(verdict)
    lines += truth_in_words(verdict)
    if examined_all(verdict):
        lines.append(f"{coverage_in_words(verdict)}.")
    if verdict.method.seal_verified:
        lines.append(seal_in_words(verdict))
    return lines


def unknown_in_words(verdict: Verdict) -> list[str]:
    """Return the facts that the numbers do not show, a sentence each."""
    lines = []
    if not examined_all(verdict):
        lines = [f"What is in the rest of the model: {coverage_in_words(verdict)}."]
    if verdict.ranking:
        lines = [*unseen_in_words(verdict), *lines]
    # Of a round whose truth is known, who is compromised is no question.
    if verdict.ranking and verdict.truth is None:
        lines = [
            *_unproven_in_words(verdict),
            *lines,
            "Whether somebody hides: an attacker whose update is no larger than those of unlike "
            "honest participants may rank among them.",
        ]
    if other_machines(verdict):
        lines.append(machines_in_words(verdict))
    return lines


def stability_in_words(verdict: Verdict, shown: Callable[[str], str] = visible) -> list[str]:
    """Return the dependence of the suspects on k_est and on each layer, a sentence each.

    Parameters
    ----------
    verdict : Verdict
        The verdict to put in words; an empty ranking gives no sentences.
    shown : callable, optional
        The function that makes a name safe for its place.
    """
    if not verdict.ranking:
        return []
    k_est, stability = verdict.decision.k_est, verdict.deciding.stability
    lines = [_gap_in_words(verdict) if verdict.by_level else _margin_in_words(verdict)]
    if stability is None or k_est is None:
        return lines
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
            f"{len(kept):,} of the {len(verdict.suspects):,} suspects stay suspects, whichever "
            "layer "
            "is left out."
        )
    tied = [one.layer for one in verdict.marked_layers if one.marked and one.cutoff_margin == 0]
    if tied:
        lines.append(
            f"Fragments of {names_in_words(tied, shown)} are tied at the cutoff: the order of ids "
            "decides which of them are marked, which says nothing about their participants."
        )
    return lines


def truth_in_words(verdict: Verdict) -> list[str]:
    """Return the quality of each detector, where the truth is known."""
    truth = verdict.truth
    if truth is None:
        return []
    several = len(verdict.detectors) > 1
    lines = []
    for one in verdict.detectors:
        which = f" ({one.name})" if several else ""
        named = "flagged" if verdict.by_level and one is verdict.deciding else "suspects"
        lines.append(f"Truth{which}: {_metrics_in_words(truth, one.name, named)}")
    return lines


def cutoff_in_words(verdict: Verdict) -> str:
    """Return the name of the number at the cutoff of the marks."""
    return "distance" if verdict.deciding.same_on_every_machine else "decision score"


def machines_in_words(verdict: Verdict) -> str:
    """Return the sentence about scores that another machine may not reproduce."""
    names = names_in_words(other_machines(verdict), visible)
    return (
        f"The scores of {names} come from floating-point libraries: other versions or another "
        "machine may mark other fragments at the cutoff."
    )


def other_machines(verdict: Verdict) -> list[str]:
    """Return the detectors whose scores another machine may not find again."""
    return [one.name for one in verdict.detectors if not one.same_on_every_machine]


def seal_in_words(verdict: Verdict) -> str:
    """Return the result of hashing every file that the seal lists."""
    broken = any(finding.kind in BROKEN_SEAL for finding in verdict.findings)
    result = "none has changed" if not broken else "see the findings"
    return f"Seal: every listed file was hashed again; {result}."


def _ranked_by(verdict: Verdict) -> str:
    return "share" if marks_fragments(verdict) and len(verdict.marked_layers) > 1 else "score"


def _metrics_in_words(truth: Truth, detector: str, named: str) -> str:
    metrics, compromised = truth.detectors[detector], len(truth.compromised)
    auc = "not defined" if metrics.auc is None else f"{metrics.auc:.3f}"
    confidence = ""
    if metrics.confidence is not None and metrics.confidence_paper is not None:
        confidence = (
            f"confidence C {metrics.confidence:.3f} (as in the paper "
            f"{metrics.confidence_paper:.3f}); "
        )
    caught = f"{metrics.caught:.0%} of the {compromised} compromised are {named}"
    others = f"{metrics.falsely_named:,} of the others"
    return f"{caught}, and {others}; {confidence}AUC {auc}."


def _scored_in_words(verdict: Verdict) -> str:
    scored = len(verdict.ranking)
    sent = sum(one.role == "participant" for one in verdict.inputs)
    kept_out = "" if scored == sent else "; for the others, see the inputs and findings"
    return f"{scored:,} of {sent:,} participants were scored{kept_out}."


def _values_in_words(verdict: Verdict) -> str:
    named = [value_in_words(verdict, one.value) for one in verdict.suspects]
    if not named:
        first = verdict.ranking[0]
        return f"The highest {value_name(verdict)} is {value_in_words(verdict, first.value)}."
    rest = [one for one in verdict.ranking if not one.named]
    least, highest = named[-1], named[0]
    own = highest if least == highest else f"{least} to {highest}"
    others = ""
    if rest:
        others = f"; the highest of anybody else is {value_in_words(verdict, rest[0].value)}"
    expected = expected_share(verdict)
    if expected is None:
        who = "the flagged" if verdict.by_level else "the suspects"
        return f"Scores of {who} ({value_name(verdict)}): {own}{others}."
    return (
        f"Shares of the suspects: {own}{others}. If nobody stood out, everybody's would "
        f"be about k_est/n = {expected:.3g}."
    )


def _gap_in_words(verdict: Verdict) -> str:
    """Return the gap between the last who is flagged and the next participant."""
    named, n, alpha = len(verdict.suspects), len(verdict.ranking), verdict.decision.alpha or 0.0
    chances = [p_in_words(one.p_value) for one in verdict.ranking[max(named - 1, 0) : named + 1]]
    if not named:
        return (
            f"The smallest p-value is {chances[0]}; a single participant is flagged at "
            f"{alpha / n:.2g} or less."
        )
    if named == n:
        return f"The largest p-value is {chances[0]}."
    return (
        f"The largest p-value of the flagged is {chances[0]}; the next participant's is "
        f"{chances[1]}."
    )


def p_in_words(p_value: float | None) -> str:
    """Return a p-value with two digits, and the smallest of them as a bound."""
    if p_value is None:
        return "-"
    return f"{p_value:.2g}" if p_value >= _SMALLEST_P else f"<{_SMALLEST_P:g}"


def _unproven_in_words(verdict: Verdict) -> list[str]:
    """Return sentences about the limits of every decision."""
    if not verdict.by_level:
        return [
            f"Whether anybody is compromised. {always_in_words(verdict)}",
            "Whether everybody else is honest: k_est is an estimate, and ranking below the "
            "suspects clears nobody.",
        ]
    if not verdict.suspects:
        return ["Whether everybody is honest: not being flagged clears nobody."]
    return [
        "Whether each of them is compromised: an honest participant with rare data, or with "
        "other training, can stand out too.",
        "Whether everybody else is honest: not being flagged clears nobody.",
    ]


def _margin_in_words(verdict: Verdict) -> str:
    what = "share" if marks_fragments(verdict) else "score"
    if verdict.decision.tie_at_cutoff:
        return (
            f"The last suspect and the next participant have the same {what}; the order of ids "
            "decides who is named."
        )
    return (
        f"The {what} of the last suspect exceeds that of the next participant by "
        f"{verdict.decision.margin:.3g}."
    )


def _change_in_words(
    named: Sequence[str], not_named: Sequence[str], shown: Callable[[str], str]
) -> str:
    """Return the participants who would be suspects instead, and those who would not."""
    parts = []
    if named:
        parts.append(f"{names_in_words(named, shown)} would be named too")
    if not_named:
        parts.append(f"{names_in_words(not_named, shown)} would not be named")
    return ", and ".join(parts) or "the suspects would be the same"


def names_in_words(
    ids: Sequence[str], shown: Callable[[str], str] = visible, most: int = _MOST_NAMES
) -> str:
    """Return the first few ids, and the number of the others."""
    names = ", ".join(map(shown, ids[:most]))
    return names if len(ids) <= most else f"{names} and {len(ids) - most:,} more"
