"""The dependence of the suspects on k_est and on each layer."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import bullets, figure, note, scrolling, section, table
from ariba_cli.reports.html.drawing import label, legend, line, rectangle, svg, swatch
from ariba_cli.reports.html.markup import Child, element, short
from ariba_cli.reports.html.people import order
from ariba_cli.reports.words import stability_in_words
from ariba_cli.verdicts.verdict import KEstStep, Stability, Verdict

Span = tuple[int, int]

_MOST_ROWS = 40
_MOST_COLUMNS = 24
_ROW = 18
_RIGHT, _TOP = 24, 30
_LETTER = 7
_ROOM = 720
_WIDEST = 34.0
_NAME = 20
_AXIS = "k_est"


def stability_section(verdict: Verdict) -> Element | None:
    """Return the suspects for other values of k_est, and without each layer; None if not known."""
    stability, k_est = verdict.deciding.stability, verdict.decision.k_est
    if stability is None or k_est is None or not verdict.ranking:
        return None
    children: list[Child] = [bullets(stability_in_words(verdict))]
    if stability.steps:
        children.append(_by_k_est(stability.steps, k_est, verdict))
    if stability.without_layer:
        children.append(element("h3", {}, "When a layer is left out"))
        children.append(_by_layer(stability, verdict))
    return section("stability", "Stability", *children)


def spans(steps: Sequence[KEstStep]) -> dict[str, list[Span]]:
    """Return the ranges of k_est in which each participant is a suspect who ever is.

    Of k_est for which no marks were counted, nothing is said: a range ends before them.

    >>> spans([KEstStep(1, ("a",), ()), KEstStep(2, ("b", "c"), ("a",))])
    {'a': [(1, 1)], 'b': [(2, 2)], 'c': [(2, 2)]}
    """
    found: dict[str, list[Span]] = {}
    since: dict[str, int] = {}
    before = 0
    for step in steps:
        for name in step.leave:
            if name in since:
                found[name].append((since.pop(name), before))
        for name in step.enter:
            found.setdefault(name, [])
            since[name] = step.k_est
        before = step.k_est
    for name, start in since.items():
        found[name].append((start, steps[-1].k_est))
    return {name: own for name, own in found.items() if own}


def _by_k_est(steps: Sequence[KEstStep], decides: int, verdict: Verdict) -> Element:
    """Return a row for everybody who ever is a suspect, with bars over its ranges of k_est."""
    found = spans(steps)
    rows = sorted(order(list(found), verdict), key=lambda name: found[name][0][0])
    shown = _nearest_to_cutoff(rows, found, decides)
    first, last = steps[0].k_est, steps[-1].k_est
    step = min(_ROOM / (last - first + 1), _WIDEST)
    left = 16 + _LETTER * max(len(short(name, _NAME)) for name in (_AXIS, *shown))
    height = _TOP + len(shown) * _ROW
    parts: list[Child] = _axis(steps, step, left, height)
    suspects = {ranked.id for ranked in verdict.suspects}
    for place, name in enumerate(shown):
        y = _TOP + place * _ROW
        word = "suspect" if name in suspects else "other"
        parts.append(label(left - 10, y + 13, short(name, _NAME), f"end {word}"))
        for since, until in found[name]:
            x = left + (since - first) * step
            tip = f"{visible(name)}: a suspect for k_est from {since:,} to {until:,}"
            width = max((until - since + 1) * step - 1, 1.0)
            parts.append(rectangle(x, y + 4, width, _ROW - 8, f"bar {word}", tip))
    x = left + (decides - first + 1) * step
    parts.append(line(x, _TOP - 4, x, height + 4, "cut"))
    right = left + (last - first + 1) * step + _RIGHT
    picture = svg(right, height + 10, "From which k_est on each participant is a suspect", *parts)
    return figure(scrolling(picture), *_caption(len(shown), len(rows), steps, verdict))


def _nearest_to_cutoff(
    rows: Sequence[str], found: Mapping[str, Sequence[Span]], k_est: int
) -> Sequence[str]:
    """Return, of those in the order in which they enter, the ones for whom k_est decides."""
    inside = sum(found[name][0][0] <= k_est for name in rows)
    start = max(min(inside - _MOST_ROWS // 2, len(rows) - _MOST_ROWS), 0)
    return rows[start : start + _MOST_ROWS]


def _caption(shown: int, all_: int, steps: Sequence[KEstStep], verdict: Verdict) -> list[Child]:
    text = "k_est grows from left to right; a bar shows for which k_est a participant is a suspect."
    if len(steps) < steps[-1].k_est:
        text += f" Marks were counted for {len(steps)} of these k_est."
    if shown < all_:
        text += f" Shown are the {shown} of {all_:,} who enter nearest to the cutoff."
    entries = legend(
        (swatch("m-6 -4h12v8h-12z", "bar suspect"), "suspect of this audit"),
        (swatch("m-6 -4h12v8h-12z", "bar other"), "suspect for another k_est only"),
        (swatch("m0 -7v14", "cut"), f"k_est = {verdict.decision.k_est:,}, this audit"),
    )
    return [text, entries]


def _axis(steps: Sequence[KEstStep], step: float, left: float, height: float) -> list[Child]:
    """Return the numbers k_est above the rows, as many as there is room for."""
    first, last = steps[0].k_est, steps[-1].k_est
    every = next(every for every in _round_numbers() if every * step >= 26)
    parts: list[Child] = [label(left - 10, _TOP - 12, _AXIS, "end strong")]
    for k_est in range(first, last + 1):
        if k_est == first or k_est % every == 0:
            x = left + (k_est - first + 0.5) * step
            parts.append(label(x, _TOP - 12, f"{k_est:,}", "middle"))
            parts.append(line(x, _TOP - 6, x, height, "grid"))
    return parts


def _round_numbers() -> list[int]:
    return [factor * 10**power for power in range(7) for factor in (1, 2, 5)]


def _by_layer(stability: Stability, verdict: Verdict) -> Element:
    """Return a table of the suspects that stay, by the layer that is left out."""
    people = verdict.suspects[:_MOST_ROWS]
    kept = {layer: set(ids) for layer, ids in stability.without_layer.items()}
    telling = [layer for layer, ids in kept.items() if len(ids) < len(verdict.suspects)]
    layers = (list(kept) if len(kept) <= _MOST_COLUMNS else telling)[:_MOST_COLUMNS]
    headers = ["suspect"]
    headers += [f"without {short(layer.removesuffix('.weight'), _NAME)}" for layer in layers]
    rows = (_stays(one.id, [one.id in kept[layer] for layer in layers]) for one in people)
    parts = [table(headers, rows, kind="stays")]
    if len(people) < len(verdict.suspects):
        parts.append(note(f"The first {len(people)} of {len(verdict.suspects):,} suspects."))
    if len(layers) < len(kept):
        text = (
            f"A suspect leaves without {len(telling):,} of the {len(kept):,} layers; "
            f"{len(layers)} of them are shown."
        )
        parts.append(note(text))
    return element("div", {}, *parts)


def _stays(name: str, stays: Sequence[bool]) -> list[Child]:
    row: list[Child] = [visible(name)]
    for stay in stays:
        cell = ({"class": "yes"}, "● stays") if stay else ({"class": "no"}, "○ leaves")
        row.append(element("td", *cell))
    return row
