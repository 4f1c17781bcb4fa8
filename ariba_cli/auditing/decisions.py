"""The decision: the order of the participants → the named ones, by one of two rules."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from ariba_cli.auditing.detection import Detected
from ariba_cli.base.findings import Fact, Finding, FindingKind
from ariba_cli.scoring.panel import reasons as of_panel
from ariba_cli.verdicts.method import Decision
from ariba_cli.verdicts.ranked import Ranked, Reason
from ariba_cli.verdicts.verdict import Score

# Of fewer participants the usual is not known well enough to accuse anybody.
FEWEST_TO_FLAG = 10


def decide(
    decides: Detected, alpha: float | None, k_est: int
) -> tuple[Decision, tuple[Ranked, ...]]:
    """Name participants, with the reasons for it where the detector gives any.

    Parameters
    ----------
    decides : Detected
        The result of the detector that decides.
    alpha : float, optional
        The false-discovery level; None to name the k_est first.
    k_est : int
        The number k_est of suspected participants.
    """
    name, scores = decides.result.name, decides.result.scores
    if alpha is None:
        decision, ranking = top_k(name, scores, k_est, decides.margin)
    else:
        decision, ranking = level(name, scores, alpha)
    if decides.scores is None:
        return decision, ranking
    places = {name: place for place, name in enumerate(decides.ids)}
    named = [places[one.id] for one in ranking if one.named]
    reasons = with_ids(decides.scores.reasons(named), decides.ids)
    return decision, tuple(replace(one, reasons=reasons.get(one.id, ())) for one in ranking)


def top_k(
    detector: str, scores: Sequence[Score], k_est: int, margin: float
) -> tuple[Decision, tuple[Ranked, ...]]:
    """Name the k_est participants of highest score.

    Parameters
    ----------
    detector : str
        The detector that gave the scores.
    scores : sequence of Score
        The scores, the most suspicious first; none when nobody can be told apart.
    k_est : int
        The number k_est of suspected participants.
    margin : float
        The excess of the k_est-th value over the next.
    """
    decision = Decision(
        rule="top-k",
        detector=detector,
        k_est=k_est,
        margin=margin,
        tie_at_cutoff=bool(scores) and margin == 0,
    )
    return decision, tuple(replace(one, suspect=one.rank <= k_est) for one in _in_order(scores))


def level(
    detector: str, scores: Sequence[Score], alpha: float
) -> tuple[Decision, tuple[Ranked, ...]]:
    """Flag those whose p-values are small for the number of participants.

    The rule is that of Benjamini and Hochberg (1995). With p_(1) ≤ … ≤ p_(n), the first r are
    flagged for the largest r with p_(r) ≤ α·r/n: so at most a share α of all who are flagged is
    expected to be honest.

    Parameters
    ----------
    detector : str
        The detector that gave the scores.
    scores : sequence of Score
        The scores, the most suspicious first, each with its p-value, which grows from one to the
        next.
    alpha : float
        The level α.
    """
    n = len(scores)
    p_values = [1.0 if one.p_value is None else one.p_value for one in scores]
    named = max((r for r, p in enumerate(p_values, 1) if p <= alpha * r / n), default=0)
    if n < FEWEST_TO_FLAG:
        named = 0
    margin = scores[named - 1].value - scores[named].value if 0 < named < n else 0.0
    decision = Decision(rule="level", detector=detector, alpha=alpha, margin=margin)
    return decision, tuple(replace(one, flagged=one.rank <= named) for one in _in_order(scores))


def few_participants(participants: int) -> list[Finding]:
    """Return the finding that there are too few to accuse anybody, where that is so."""
    if participants >= FEWEST_TO_FLAG:
        return []
    detail = (
        f"{participants} participants are too few to tell who is unusual: with fewer than "
        f"{FEWEST_TO_FLAG}, ariba ranks everybody and flags nobody"
    )
    facts: dict[str, Fact] = {"participants": participants, "needed": FEWEST_TO_FLAG}
    return [Finding(FindingKind.FEW_PARTICIPANTS, detail, facts=facts)]


def with_ids(
    reasons: Mapping[int, Sequence[of_panel.Reason]], ids: Sequence[str]
) -> dict[str, tuple[Reason, ...]]:
    """Return the reasons by participant id instead of by index."""
    return {
        ids[who]: tuple(
            Reason(
                family=one.family,
                statistic=one.statistic,
                value=one.value,
                honest_range=one.honest_range,
                p_value=one.p_value,
                layer=one.layer,
                alike=tuple(ids[other] for other in one.alike),
                label=one.label,
            )
            for one in several
        )
        for who, several in reasons.items()
    }


def _in_order(scores: Sequence[Score]) -> list[Ranked]:
    return [
        Ranked(rank=place, id=one.id, score=one.score, share=one.share, p_value=one.p_value)
        for place, one in enumerate(scores, 1)
    ]
