"""A second result without those who are far out: it shows participants who hid behind them."""

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from ariba_cli.auditing.choice import Choice
from ariba_cli.auditing.decisions import decide
from ariba_cli.auditing.detection import detector_results
from ariba_cli.auditing.examination import Examined, examine_all
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.examples import first_few
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.ids import id_order
from ariba_cli.base.progress import Progress
from ariba_cli.detectors.mahalanobis import DECLARATION
from ariba_cli.updates.intake import FEWEST_PARTICIPANTS, Submission
from ariba_cli.verdicts.ranked import Ranked, Rescored

# By so many times the part of whoever hid in the marks of all but those who are far out is larger
# without these; and so many times as large as everybody's if nobody stood out. A small layer has
# few marks: there are so many deviations more of them than chance would give.
_GAIN = 2.0
_STANDS_OUT = 1.5
_DEVIATIONS = 4.0
# Ids that one finding names.
_MOST_LISTED = 20


def rescored(
    submissions: Sequence[Submission],
    choice: Choice,
    settings: AuditSettings,
    examined: Sequence[Examined],
    ranking: Sequence[Ranked],
    progress: Progress,
) -> Rescored | None:
    """Score all but those who are far out, where these hide somebody.

    They move the mean that everybody is compared with, and stretch the covariance. They hide
    somebody if there are so many that one of them is not a suspect; or if another
    participant has far more marks without them than beside them.

    Parameters
    ----------
    submissions : sequence of Submission
        The submissions of the round.
    choice : Choice
        The layers.
    settings : AuditSettings
        The options of the audit.
    examined : sequence of Examined
        The results for the layers.
    ranking : sequence of Ranked
        The first result.
    progress : callable
        The function that receives the progress of the work.

    Returns
    -------
    Rescored, optional
        The second result. None where the first result stands: nobody is far out, nobody is hidden,
        or another detector decides than the paper's, which alone rests on a mean.
    """
    far = set[str]().union(*(one.far_out for one in examined))
    rest = max(len(set(one.ids) - far) for one in examined)
    decides = settings.detectors[0]
    if decides.declaration is not DECLARATION:
        return None
    if not far or not ranking or rest < FEWEST_PARTICIPANTS:
        return None
    k_est = min(max(one.k_est for one in examined), rest - 1)
    alone = replace(
        settings,
        detectors=(decides,),
        k_est=KEst(str(k_est), number=k_est),
        evidence=False,
        explained=(),
    )
    others = [one for one in submissions if one.member.id not in far]

    def once_more(what: str, done: int, total: int) -> None:
        progress(f"once more: {what}", done, total)

    again = examine_all(others, choice, alone, None, once_more)
    (found,) = detector_results(alone.detectors, again, None, k_est)
    _, second = decide(found, None, k_est)
    suspects = {one.id for one in ranking if one.named}
    if far <= suspects and not _hidden(ranking, second, far):
        return None
    return Rescored(tuple(sorted(far, key=id_order)), k_est, second)


def far_out_in_words(found: Rescored, ranking: Sequence[Ranked]) -> Finding:
    """Return the finding that somebody is far out, with its consequences."""
    hidden = _hidden(ranking, found.ranking, found.left_out)
    one = len(found.left_out) == 1
    detail = (
        f"{first_few(found.left_out, _MOST_LISTED)} {'is' if one else 'are'} so far from all "
        "others that an attacker may hide behind "
        f"{'it' if one else 'them'}; the others were scored again without {'it' if one else 'them'}"
    )
    if hidden:
        one = len(hidden) == 1
        suspects = "is a suspect" if one else "are suspects"
        detail += f", and then {first_few(hidden, _MOST_LISTED)} {suspects}"
    return Finding(FindingKind.FAR_OUT, detail, group=found.left_out)


def _hidden(first: Sequence[Ranked], second: Sequence[Ranked], far: Collection[str]) -> list[str]:
    """Return those who are suspects of the second result alone, and stand out only there."""
    before = {one.id: one for one in first if one.id not in far}
    usual_before, usual = _mean_value(before.values()), _mean_value(second)
    marks = sum(one.score for one in second) / max(len(second), 1)
    by_chance = marks + _DEVIATIONS * math.sqrt(marks)
    new = [(one, before[one.id]) for one in second if one.named and one.id in before]
    return [
        one.id
        for one, was in new
        if not was.named
        and one.value >= _STANDS_OUT * usual
        and one.value * usual_before >= _GAIN * was.value * usual
        and one.score >= by_chance
    ]


def _mean_value(several: Collection[Ranked]) -> float:
    return sum(one.value for one in several) / max(len(several), 1)
