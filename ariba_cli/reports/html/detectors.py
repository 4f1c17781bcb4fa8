"""Several detectors side by side: the places that each of them gives the same participants."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import count, note, section, table
from ariba_cli.reports.html.markup import Child, element
from ariba_cli.reports.html.people import shown
from ariba_cli.reports.words import score_name
from ariba_cli.verdicts.verdict import DetectorResult, Score, Truth, Verdict

# Who is shown where the detector that decides ranks nobody.
_FIRST = 10


def detectors_section(verdict: Verdict) -> Element | None:
    """Return the rankings of all detectors; None where there is one, or all rank nobody."""
    ids = _ids(verdict)
    if len(verdict.detectors) < 2 or not ids:
        return None
    text = (
        "The rank by each detector, with its score in brackets. "
        f"{visible(verdict.decision.detector)} decides who is named. A triangle marks these, and "
        f"the first {verdict.method.k_est or 0:,} by each other detector. Scores of different "
        "detectors cannot be compared."
    )
    children: list[Child] = [note(text), _ranks(ids, verdict)]
    hidden = len({one.id for own in verdict.detectors for one in own.scores}.difference(ids))
    if hidden:
        children.append(note(f"Another {count(hidden, 'participant')} not shown here."))
    if verdict.truth is not None:
        children += [
            element("h3", {}, "Against the truth"),
            _truth(verdict.truth, [one.name for one in verdict.detectors]),
        ]
    return section("detectors", "Detectors", *children)


def _ids(verdict: Verdict) -> list[str]:
    """Return the participants to show: the first by the detector that decides, else by another."""
    if verdict.ranking:
        return [ranked.id for ranked in shown(verdict).all]
    return next((list(own.ids[:_FIRST]) for own in verdict.detectors if own.scores), [])


def _ranks(ids: Sequence[str], verdict: Verdict) -> Element:
    headers = ["participant"]
    headers += [f"{visible(own.name)} ({score_name(own.name)})" for own in verdict.detectors]
    places = [_places(own) for own in verdict.detectors]
    named = [_named(own, verdict) for own in verdict.detectors]
    rows = (
        [
            visible(name),
            *(
                _cell(own, place.get(name), first)
                for own, place, first in zip(verdict.detectors, places, named, strict=True)
            ),
        ]
        for name in ids
    )
    return table(headers, rows)


def _places(own: DetectorResult) -> dict[str, tuple[int, Score]]:
    return {score.id: (rank, score) for rank, score in enumerate(own.scores, 1)}


def _named(own: DetectorResult, verdict: Verdict) -> int:
    """Return the number of the first participants of a detector that are marked."""
    return len(verdict.suspects) if own is verdict.deciding else verdict.method.k_est or 0


def _cell(own: DetectorResult, place: tuple[int, Score] | None, named: int) -> Child:
    """Return a rank with the score, or a dash where somebody was not scored."""
    if place is None:
        return "–"
    rank, score = place
    value = f"{score.value:.3f}" if own.scope == "layer" else f"{score.value:.4g}"
    if rank > named:
        return f"{rank:,} ({value})"
    return element("span", {"class": "suspect"}, f"▲ {rank:,} ({value})")


def _truth(truth: Truth, order: Sequence[str]) -> Element:
    headers = ("detector", "compromised who are named", "others who are", "AUC")
    found = ((name, truth.detectors[name]) for name in order if name in truth.detectors)
    rows = (
        (
            visible(name),
            f"{metrics.caught:.0%}",
            f"{metrics.falsely_named:,}",
            "not defined" if metrics.auc is None else f"{metrics.auc:.3f}",
        )
        for name, metrics in found
    )
    return table(headers, rows, right=(2, 3, 4))
