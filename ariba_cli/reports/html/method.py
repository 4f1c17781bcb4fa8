"""The section on the method in short, with every parameter."""

import json
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ariba_cli.base.parameters import Parameter
from ariba_cli.base.visible import visible
from ariba_cli.detectors import DETECTORS, family
from ariba_cli.detectors.declaration import Declaration
from ariba_cli.reports.html.blocks import code, pairs, paragraph, section
from ariba_cli.reports.html.layers import layer_names, layers_table
from ariba_cli.reports.html.markup import Child, element
from ariba_cli.reports.words import coverage_in_words, marks_fragments
from ariba_cli.verdicts.method import RequestedOptions
from ariba_cli.verdicts.verdict import DetectorResult, Verdict

_CHOICES = {
    "named": "named by the user",
    "pattern": "by a pattern that the user gave",
    "all": "all layers that can be examined",
}
_PRODUCTS = {
    "exact": "exact",
    "sketch": "computed from a sketch of each update",
}
_MOST_NAMED = 12


def method_section(verdict: Verdict) -> Element:
    """Return the method in words, the parameters, and the numbers of each layer."""
    text = _marks_in_words(verdict) if marks_fragments(verdict) else _updates_in_words(verdict)
    layers: list[Child] = []
    # Of several layers that are ranked, the table stands with their shares or scores.
    if len(layer_names(verdict)) == 1 or not verdict.ranking:
        layers = [element("h3", {}, "Layers"), layers_table(verdict)]
    return section(
        "method",
        "Method",
        paragraph(text),
        pairs(_parameters(verdict)),
        *_detectors(verdict),
        element("h3", {}, "Settings"),
        pairs(_requested(verdict.method.requested)),
        *layers,
    )


def _marks_in_words(verdict: Verdict) -> str:
    return (
        "The mean of all updates is subtracted from each update. A layer of the difference is cut "
        "into m fragments of d values for each of n participants. "
        f"{_distance(verdict)} The k_est·m fragments of largest distance are marked. "
        "The score of a participant is the number of its marks, and the k_est participants of "
        "highest score are the suspects (ARIBA, arXiv 2202.04311, Algorithms 1 and 2)."
    )


def _updates_in_words(verdict: Verdict) -> str:
    return (
        f"The detector {visible(verdict.decision.detector)} compares the whole updates of n "
        f"participants, over all examined layers. {_rule_in_words(verdict)}"
    )


def _rule_in_words(verdict: Verdict) -> str:
    if not verdict.by_level:
        return "The k_est participants of highest score are the suspects."
    return (
        "The p-value of a participant is the chance that an honest one scores as high. In the "
        "order of p-values, the first r are flagged, for the largest r at which the r-th p-value "
        "is at most α·r/n (Benjamini and Hochberg, 1995). Of all who are flagged, a share of about "
        "α is honest."
    )


def _distance(verdict: Verdict) -> str:
    if verdict.deciding.same_on_every_machine:
        return (
            "The distance of a fragment is its Mahalanobis distance from zero, with the "
            "covariance of all fragments."
        )
    return (
        "The distance of a fragment is the decision score of the detector "
        f"{visible(verdict.decision.detector)}, fitted on a sample of all fragments."
    )


def _parameters(verdict: Verdict) -> Iterator[tuple[str, Child]]:
    method = verdict.method
    yield "decided by", visible(verdict.decision.detector)
    choice = visible(_CHOICES.get(method.layer_choice, method.layer_choice))
    yield "layers", f"{_some(method.layers)} ({choice})"
    fragments = sorted({layer.fragment for layer in verdict.marked_layers})
    if fragments:
        yield "fragment", _some(tuple(fragments))
    if verdict.decision.alpha is not None:
        yield "level α", f"{verdict.decision.alpha:g}"
    if method.k_est is not None:
        yield "k_est", f"{method.k_est:,}"
    if method.inner_products is not None:
        yield "inner products", visible(_PRODUCTS.get(method.inner_products, method.inner_products))
    if verdict.calibration is not None:
        found = verdict.calibration
        yield "calibration", f"{visible(found.source)}, {found.participants:,} honest participants"
        yield "departure of this round from it", f"{found.departure:.2f}"
    yield "coverage", coverage_in_words(verdict)
    yield "seal", "every listed file hashed again" if method.seal_verified else "not verified"


def _detectors(verdict: Verdict) -> Iterator[Child]:
    """Yield a heading and the facts about each detector."""
    for own in verdict.detectors:
        yield element("h3", {}, f"Detector {visible(own.name)}")
        yield pairs(_detector(own))


def _detector(own: DetectorResult) -> Iterator[tuple[str, Child]]:
    declared = _declaration(own.name)
    if declared is None:
        yield "looks at", "unknown to this version of ariba"
    else:
        yield "looks at", declared.summary
        yield "score", declared.equation
        yield "source", declared.source
    yield "scope", visible(own.scope)
    for name, value in sorted(own.parameters.items()):
        yield visible(name), _json(value)
    same = "yes, to the byte" if own.same_on_every_machine else "no, see the verdict"
    yield "same on every machine", same


def _declaration(name: str) -> Declaration | None:
    """Return the declaration of a detector; None where a newer version made the report."""
    first = name.partition(":")[0]
    return family(first).declaration if first in DETECTORS else None


def _requested(requested: RequestedOptions) -> Iterator[tuple[str, Child]]:
    """Yield the options that were given; those that were left at their defaults are left out."""
    yield "detectors", _some(tuple(one.name for one in requested.detectors))
    for one in requested.detectors:
        for name, value in sorted(one.arguments.items()):
            yield f"{visible(name)} of {visible(one.name)}", _json(value)
        if one.fit_sample is not None:
            yield f"fit sample of {visible(one.name)}", f"{one.fit_sample:,}"
    shown = {
        "level": None if requested.level is None else f"{requested.level:g}",
        "k_est": None if requested.k_est is None else visible(requested.k_est),
        "layers": _some(requested.layers),
        "fragment": None if requested.fragment is None else visible(requested.fragment),
        "excluded": _some(requested.excluded),
        "layout": None if requested.layout is None else visible(requested.layout),
        "matched": "by order and shape" if requested.by_order else None,
        "names of arrays": None if requested.names is None else f"{len(requested.names):,} given",
    }
    yield from ((what, text) for what, text in shown.items() if text)


def _json(value: Parameter) -> Element:
    return code(visible(json.dumps(value, ensure_ascii=False)))


def _some(names: tuple[str, ...]) -> str:
    first = ", ".join(map(visible, names[:_MOST_NAMED]))
    return first if len(names) <= _MOST_NAMED else f"{first} and {len(names) - _MOST_NAMED} more"
