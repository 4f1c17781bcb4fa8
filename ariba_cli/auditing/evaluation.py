"""How good a verdict is, measured against the truth of a simulation."""

from collections.abc import Sequence

from ariba_cli.base.errors import InputError
from ariba_cli.verdicts.verdict import TruthMetrics, Verdict


def truth_metrics(verdict: Verdict, compromised: Sequence[str]) -> TruthMetrics:
    """P_m%, C and AUC (arXiv 2202.04311, Sec. 5.1); a compromised one left out scores 0.

    Raises
    ------
    InputError
        When somebody is named who sent nothing.
    """
    truth = frozenset(compromised)
    unknown_ids = truth - {input_.id for input_ in verdict.inputs}
    if unknown_ids:
        raise InputError(f"the truth names '{min(unknown_ids)}', who is not in the round")
    scored = {ranked.id: ranked.share for ranked in verdict.ranking}
    shares = [scored.get(name, 0.0) for name in compromised]
    k_est = verdict.method.k_est
    caught = sum(ranked.id in truth for ranked in verdict.suspects)
    return TruthMetrics(
        compromised=tuple(compromised),
        caught=caught / len(truth),
        confidence=sum(shares) / min(len(truth), k_est),
        confidence_paper=sum(shares) / k_est,
        auc=_auc(shares, [ranked.share for ranked in verdict.ranking if ranked.id not in truth]),
    )


def _auc(compromised: Sequence[float], honest: Sequence[float]) -> float | None:
    """The Mann-Whitney statistic, as a share of all pairs."""
    pairs = len(compromised) * len(honest)
    if pairs == 0:
        return None
    wins = sum((bad > good) + 0.5 * (bad == good) for bad in compromised for good in honest)
    return wins / pairs
