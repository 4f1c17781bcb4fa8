"""Fragments in the plane of their first two principal components (Fig. 3c)."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ariba_cli.reports.html.blocks import count, note, section
from ariba_cli.reports.html.drawing import (
    CROSS,
    DOT,
    SHAPES,
    at,
    label,
    legend,
    line,
    path,
    rectangle,
    svg,
    swatch,
)
from ariba_cli.reports.html.evidence import layers_to_draw, left_out_in_words
from ariba_cli.reports.html.markup import Child, element, short
from ariba_cli.reports.words import marks_fragments
from ariba_cli.verdicts.evidence import Plane
from ariba_cli.verdicts.verdict import Verdict

Point = tuple[float, float]

# So many points of one kind are drawn at most, thinned evenly.
_MOST_POINTS = 2500
_MOST_CROSSES = 600
_SIZE = 400
_MARGIN = 46
_NAME = 24
_LAYER = 60
# A close-up is drawn where the cloud of the others takes less than this part of the picture.
_CLOUD = 0.4
# What part of the points of the others a close-up shows.
_CLOSE = 0.995


@dataclass(frozen=True)
class _Group:
    """Points that are drawn alike."""

    shape: str
    kind: str
    points: tuple[Point, ...]


def plane_section(verdict: Verdict) -> Element | None:
    """Return a picture of each layer; None where there is nothing to draw."""
    drawn = [one for one in layers_to_draw(verdict) if one.plane is not None]
    if not drawn:
        return None
    text = (
        "A sample of the fragments, from the same places of all participants, along the two "
        "directions in which all fragments vary most. One unit is a standard deviation along the "
        "first. "
        f"{_what_decides(verdict)}"
    )
    children: list[Child] = [note(text), _legend(verdict)]
    left_out = left_out_in_words(verdict)
    if left_out is not None:
        children.append(note(left_out))
    figures = (_layer(one.layer, one.plane, verdict) for one in drawn if one.plane is not None)
    children.append(element("div", {"class": "pictures"}, *figures))
    return section("plane", "Fragments", *children)


def _what_decides(verdict: Verdict) -> str:
    if marks_fragments(verdict):
        return "Marks do not depend on this view: distances take all directions into account."
    return "Whole updates decide who is named, not this view."


def _layer(name: str, plane: Plane, verdict: Verdict) -> Element:
    groups = _groups(plane, verdict)
    limit = _limit([point for group in groups for point in group.points], 1.0)
    close = _limit(groups[0].points, _CLOSE)
    pictures = [_picture(groups, limit, plane, "All points")]
    if 0 < close < _CLOUD * limit:
        pictures.append(_picture(groups, close * 1.15, plane, "Close-up of the many"))
    return element(
        "figure",
        {},
        element("h3", {}, short(name, _LAYER)),
        element("div", {"class": "pictures"}, *pictures),
        element("figcaption", {}, _caption(plane)),
    )


def _groups(plane: Plane, verdict: Verdict) -> list[_Group]:
    """Return the others first, then the suspects, the first of them with shapes of their own."""
    suspects = [ranked.id for ranked in verdict.suspects]
    others = sorted(plane.points.keys() - set(suspects))
    groups = [_group(plane, others, DOT, "dot")]
    groups.append(_group(plane, suspects[len(SHAPES) :], CROSS, "cross", most=_MOST_CROSSES))
    for place, name in reversed(list(enumerate(suspects[: len(SHAPES)]))):
        groups.append(_group(plane, [name], SHAPES[place], f"point c{place}"))
    return groups


def _group(
    plane: Plane, ids: Sequence[str], shape: str, kind: str, most: int = _MOST_POINTS
) -> _Group:
    points = [
        point
        for one in ids
        if one in plane.points
        for point in zip(plane.points[one][::2], plane.points[one][1::2], strict=False)
    ]
    every = -(-len(points) // most) or 1
    return _Group(shape, kind, tuple(points[::every]))


def _limit(points: Sequence[Point], part: float) -> float:
    """Return the distance from the middle within which that part of the points lies."""
    reach = sorted(max(abs(x), abs(y)) for x, y in points)
    return reach[max(int(len(reach) * part) - 1, 0)] if reach else 0.0


def _picture(groups: Sequence[_Group], limit: float, plane: Plane, title: str) -> Element:
    limit = limit or 1.0
    middle = _MARGIN + _SIZE / 2
    scale = (_SIZE / 2 - 8) / limit
    parts: list[Child] = [
        rectangle(_MARGIN, _MARGIN, _SIZE, _SIZE, "frame"),
        line(_MARGIN, middle, _MARGIN + _SIZE, middle, "grid"),
        line(middle, _MARGIN, middle, _MARGIN + _SIZE, "grid"),
    ]
    for group in groups:
        data = "".join(
            at(middle + x * scale, middle - y * scale, group.shape)
            for x, y in group.points
            if max(abs(x), abs(y)) <= limit
        )
        if data:
            parts.append(path(data, group.kind))
    parts += _axes(limit, plane)
    parts.append(label(_MARGIN, 20, title, "strong"))
    side = _SIZE + _MARGIN + 6
    return svg(side, side + 28, f"{title}: fragments in a plane", *parts, kind="chart square")


def _axes(limit: float, plane: Plane) -> list[Child]:
    """Return the reach of the picture in standard deviations, at its edges."""
    middle = _MARGIN + _SIZE / 2
    below = _MARGIN + _SIZE + 16
    reach = f"{limit * _SIZE / (_SIZE - 16):.3g}"
    explained = [f" ({share:.0%})" for share in plane.explained]
    first, second = [*explained, "", ""][:2]
    return [
        label(_MARGIN, below, f"−{reach}", "start"),
        label(_MARGIN + _SIZE, below, reach, "end"),
        label(middle, below, f"first component{first}", "middle"),
        label(_MARGIN - 6, _MARGIN + 10, reach, "end"),
        label(_MARGIN - 6, _MARGIN + _SIZE, f"−{reach}", "end"),
        element(
            "text",
            {"class": "middle", "x": 16, "y": middle, "transform": f"rotate(-90 16 {middle})"},
            f"second component{second}",
        ),
    ]


def _caption(plane: Plane) -> str:
    places = count(len(plane.fragments), "fragment")
    return f"{places} a participant; {sum(plane.explained):.0%} of the variance."


def _legend(verdict: Verdict) -> Element:
    """Return the suspects in the order of the ranking, then the others."""
    suspects = verdict.suspects
    entries = [
        (swatch(SHAPES[place], f"point c{place}"), short(ranked.id, _NAME))
        for place, ranked in enumerate(suspects[: len(SHAPES)])
    ]
    further = len(suspects) - len(SHAPES)
    if further > 0:
        entries.append((swatch(CROSS, "cross"), count(further, "further suspect")))
    others = len(verdict.ranking) - len(suspects)
    return legend(*entries, (swatch(DOT, "dot"), f"the other {others:,}"))
