"""The quality of a verdict, measured against the truth of a simulation."""

from collections.abc import Sequence

from ariba_cli.base.errors import InputError
from ariba_cli.detectors.declaration import Scope
from ariba_cli.verdicts.verdict import DetectorResult, Truth, TruthMetrics, Verdict


def truth_metrics(verdict: Verdict, compromised: Sequence[str]) -> Truth:
    """Return P_m%, C and AUC of each detector (arXiv 2202.04311, Sec. 5.1).

    A compromised participant that was left out has a share of 0.

    Raises
    ------
    InputError
        When somebody is named who sent nothing.
    """
    unknown_ids = set(compromised) - {one.id for one in verdict.inputs}
    if unknown_ids:
        raise InputError(f"the truth names '{min(unknown_ids)}', who is not in the round")
    return Truth(
        compromised=tuple(compromised),
        detectors={
            one.name: _metrics(one, compromised, _named_by(one, verdict))
            for one in verdict.detectors
        },
    )


def _named_by(found: DetectorResult, verdict: Verdict) -> tuple[str, ...]:
    """Return those whom the decision names, or the k_est first of another detector."""
    if found is verdict.deciding or verdict.method.k_est is None:
        return tuple(one.id for one in verdict.suspects)
    return found.ids[: verdict.method.k_est]


def _metrics(
    found: DetectorResult, compromised: Sequence[str], named: Sequence[str]
) -> TruthMetrics:
    truth = frozenset(compromised)
    values = {one.id: one.value for one in found.scores}
    least = min(values.values(), default=0.0)
    bad = [values.get(name, min(0.0, least)) for name in compromised]
    caught = sum(name in truth for name in named)
    marks = found.scope == Scope.LAYER
    return TruthMetrics(
        caught=caught / len(truth),
        falsely_named=len(named) - caught,
        confidence=sum(bad) / min(len(truth), len(named)) if marks and named else None,
        confidence_paper=sum(bad) / len(named) if marks and named else None,
        auc=_auc(bad, [value for name, value in values.items() if name not in truth]),
    )


def _auc(compromised: Sequence[float], honest: Sequence[float]) -> float | None:
    """Return the Mann-Whitney statistic, as a share of all pairs."""
    pairs = len(compromised) * len(honest)
    if pairs == 0:
        return None
    wins = sum((bad > good) + 0.5 * (bad == good) for bad in compromised for good in honest)
    return wins / pairs
