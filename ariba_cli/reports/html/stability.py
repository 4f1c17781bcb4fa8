"""How far the suspects depend on k̃ and on each layer."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.reports.html.blocks import bullets, figure, note, scrolling, section, table
from ariba_cli.reports.html.drawing import label, legend, line, rectangle, svg, swatch
from ariba_cli.reports.html.markup import Child, element, short
from ariba_cli.reports.html.people import order
from ariba_cli.reports.words import stability_in_words
from ariba_cli.verdict import Stability, Step, Verdict
from ariba_cli.visible import visible

Span = tuple[int, int]

_MOST_ROWS = 40
_ROW = 18
_LEFT, _RIGHT, _TOP = 150, 40, 30
_ROOM = 660
_WIDEST = 34.0
_NAME = 20


def stability_section(verdict: Verdict) -> Element | None:
    """Who would be a suspect for another k̃, or without a layer; None where it is not known."""
    stability = verdict.stability
    if stability is None:
        return None
    children: list[Child] = [bullets(stability_in_words(verdict, stability))]
    if stability.steps:
        children.append(_by_k_est(stability.steps, verdict))
    if stability.without_layer:
        children.append(element("h3", {}, "When a layer is left out"))
        children.append(_by_layer(stability, verdict))
    return section("stability", "Stability", *children)


def spans(steps: Sequence[Step]) -> dict[str, list[Span]]:
    """From which k̃ to which everybody is a suspect who ever is.

    >>> spans([Step(1, ("a",), ()), Step(2, ("b", "c"), ("a",))])
    {'a': [(1, 1)], 'b': [(2, 2)], 'c': [(2, 2)]}
    """
    found: dict[str, list[Span]] = {}
    since: dict[str, int] = {}
    for step in steps:
        for name in step.leave:
            if name in since:
                found[name].append((since.pop(name), step.k_est - 1))
        for name in step.enter:
            found.setdefault(name, [])
            since[name] = step.k_est
    for name, start in since.items():
        found[name].append((start, steps[-1].k_est))
    return {name: own for name, own in found.items() if own}


def _by_k_est(steps: Sequence[Step], verdict: Verdict) -> Element:
    """A row for everybody who is a suspect for some k̃, with a bar from where to where."""
    found = spans(steps)
    rows = sorted(order(list(found), verdict), key=lambda name: found[name][0][0])
    suspects = {ranked.id for ranked in verdict.suspects}
    shown = rows[:_MOST_ROWS]
    first, last = steps[0].k_est, steps[-1].k_est
    step = min(_ROOM / (last - first + 1), _WIDEST)
    height = _TOP + len(shown) * _ROW
    parts: list[Child] = _axis(steps, step, height)
    for place, name in enumerate(shown):
        y = _TOP + place * _ROW
        word = "suspect" if name in suspects else "other"
        parts.append(label(_LEFT - 10, y + 13, short(name, _NAME), f"end {word}"))
        for start, end in found[name]:
            x = _LEFT + (start - first) * step
            tip = f"{visible(name)}: a suspect for k̃ from {start:,} to {end:,}"
            width = (end - start + 1) * step - 1
            parts.append(rectangle(x, y + 4, width, _ROW - 8, f"bar {word}", tip))
    x = _LEFT + (verdict.method.k_est - first + 1) * step
    parts.append(line(x, _TOP - 4, x, height + 4, "cut"))
    right = _LEFT + (last - first + 1) * step + _RIGHT
    picture = svg(right, height + 10, "From which k̃ on each participant is a suspect", *parts)
    caption = "Left to right, k̃ grows from 1; a bar shows for which k̃ a participant is a suspect."
    if len(rows) > len(shown):
        caption += f" Another {len(rows) - len(shown):,} follow."
    entries = legend(
        (swatch("m-6 -4h12v8h-12z", "bar suspect"), "suspect of this audit"),
        (swatch("m-6 -4h12v8h-12z", "bar other"), "suspect for another k̃ only"),
        (swatch("m0 -7v14", "cut"), f"k̃ = {verdict.method.k_est:,}, this audit"),
    )
    return figure(scrolling(picture), caption, entries)


def _axis(steps: Sequence[Step], step: float, height: float) -> list[Child]:
    """The numbers k̃ above the rows, as many as there is room for."""
    first, last = steps[0].k_est, steps[-1].k_est
    every = next(every for every in _round_numbers() if every * step >= 26)
    parts: list[Child] = [label(_LEFT - 10, _TOP - 12, "k̃", "end strong")]
    for k_est in range(first, last + 1):
        if k_est == first or k_est % every == 0:
            x = _LEFT + (k_est - first + 0.5) * step
            parts.append(label(x, _TOP - 12, f"{k_est:,}", "middle"))
            parts.append(line(x, _TOP - 6, x, height, "grid"))
    return parts


def _round_numbers() -> list[int]:
    return [factor * 10**power for power in range(7) for factor in (1, 2, 5)]


def _by_layer(stability: Stability, verdict: Verdict) -> Element:
    """Whether each suspect stays one, by the layer that is left out."""
    layers = list(stability.without_layer)
    kept = {layer: set(ids) for layer, ids in stability.without_layer.items()}
    people = verdict.suspects[:_MOST_ROWS]
    names = [visible(layer.removesuffix(".weight")) for layer in layers]
    rows = (
        [visible(one.id), *(_stay(one.id in kept[layer]) for layer in layers)] for one in people
    )
    headers = ("suspect", *(f"without {name}" for name in names))
    parts = [table(headers, rows, kind="stays")]
    if len(people) < len(verdict.suspects):
        parts.append(note(f"The first {len(people)} of {len(verdict.suspects):,} suspects."))
    return element("div", {}, *parts)


def _stay(stays: bool) -> Element:
    if stays:
        return element("td", {"class": "yes"}, "● stays")
    return element("td", {"class": "no"}, "○ leaves")
