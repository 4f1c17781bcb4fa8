"""How the result came about: the method in short, and every parameter."""

import json
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import code, pairs, paragraph, section
from ariba_cli.reports.html.layers import layers_table
from ariba_cli.reports.html.markup import Child, element
from ariba_cli.reports.words import coverage_in_words
from ariba_cli.verdicts.verdict import Method, RequestedOptions, Verdict

_CHOICES = {
    "middle": "the convolution in the middle, by default",
    "named": "named by the user",
    "pattern": "by a pattern that the user gave",
    "all": "all layers that can be cut",
}
_MOST_NAMED = 12


def method_section(verdict: Verdict) -> Element:
    """The method in words, the parameters, and the numbers of each layer."""
    text = (
        "From each update the mean of all updates is taken away. A layer of what is left is cut "
        "into m fragments of d values for each of n participants. "
        f"{_distance(verdict)} The k̃·m fragments of largest distance are marked. "
        "The score of a participant is the number of its marks, and the k̃ participants of "
        "highest score are the suspects (ARIBA, arXiv 2202.04311, Algorithms 1 and 2)."
    )
    layers: list[Child] = []
    # Of several layers that are ranked, the table stands with their shares.
    if len(verdict.layers) == 1 or not verdict.ranking:
        layers = [element("h3", {}, "Layers"), layers_table(verdict)]
    return section("method", "Method", paragraph(text), pairs(_parameters(verdict)), *layers)


def _distance(verdict: Verdict) -> str:
    if any(layer.covariance_rank is not None for layer in verdict.layers):
        return (
            "The distance of a fragment is its Mahalanobis distance from zero, with the "
            "covariance of all fragments."
        )
    return (
        "The distance of a fragment is the decision score of the detector "
        f"{visible(verdict.method.detector)}, fitted on a sample of all fragments."
    )


def _parameters(verdict: Verdict) -> Iterator[tuple[str, Child]]:
    method = verdict.method
    yield "detector", visible(method.detector)
    choice = visible(_CHOICES.get(method.layer_choice, method.layer_choice))
    yield "layers", f"{_some(method.layers)} ({choice})"
    yield "fragment", visible(method.fragment)
    yield "k̃", f"{method.k_est:,}"
    for name, value in sorted(method.detector_parameters.items()):
        yield visible(name), code(visible(json.dumps(value, ensure_ascii=False)))
    yield from _asked(method.asked)
    yield "coverage", coverage_in_words(verdict)
    yield "seal", "every listed file hashed again" if method.seal_verified else "not verified"
    yield "same on every machine", _yes(method)


def _asked(asked: RequestedOptions | None) -> Iterator[tuple[str, Child]]:
    """What was asked for, where it is more than the defaults."""
    if asked is None:
        return
    if asked.layers:
        yield "asked for layers", _some(asked.layers)
    if asked.fragment is not None:
        yield "asked for fragment", visible(asked.fragment)
    for name, value in sorted(asked.detector_arguments.items()):
        shown = visible(json.dumps(value, ensure_ascii=False))
        yield f"asked for {visible(name)}", code(shown)
    if asked.fit_sample is not None:
        yield "asked for fit sample", f"{asked.fit_sample:,}"


def _some(names: tuple[str, ...]) -> str:
    first = ", ".join(map(visible, names[:_MOST_NAMED]))
    return first if len(names) <= _MOST_NAMED else f"{first} and {len(names) - _MOST_NAMED} more"


def _yes(method: Method) -> str:
    return "yes, to the byte" if method.same_on_every_machine else "no, see the verdict"
