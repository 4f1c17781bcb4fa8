"""The differences between two reports on the same round, in words; there should be none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ariba_cli.reports.finding_words import finding_in_words
from ariba_cli.reports.report import Report
from ariba_cli.verdicts.comparison import compare
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import DetectorResult, Input, MarkedLayer, Score, Verdict, plain

# The role and the id of an input.
Key = tuple[str, str]


@dataclass(frozen=True)
class ReportDifferences:
    """The differences, one line each, with names as they are; earlier ones may cause later ones."""

    inputs: tuple[str, ...]
    ranking: tuple[str, ...]
    rest: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.inputs or self.ranking or self.rest)


def key_of(one: Input) -> Key:
    """Return the key of an input: its role and its id."""
    return one.role, one.id


def report_differences(
    before: Report, now: Report, changed: Mapping[Key, str]
) -> ReportDifferences:
    """Return the differences between two reports.

    Parameters
    ----------
    before : Report
        The report.
    now : Report
        The report of the same audit run again.
    changed : dict of Key to str
        The descriptions of files that are known to have other bytes.
    """
    first, second = before.verdict, now.verdict
    found = ReportDifferences(
        inputs=tuple(_inputs(first, second, changed)),
        ranking=tuple(_ranking(first, second)),
        rest=tuple(_rest(first, second)),
    )
    if not found and before.result_sha256 != now.result_sha256:
        rest = f"result_sha256: {before.result_sha256} now {now.result_sha256}"
        return ReportDifferences((), (), (rest,))
    return found


def _inputs(first: Verdict, second: Verdict, changed: Mapping[Key, str]) -> Iterator[str]:
    now = {key_of(one): one for one in second.inputs}
    for one in first.inputs:
        key = key_of(one)
        if key in changed:
            yield changed[key]
        if key in now:
            yield from _input(one, now[key], known=key in changed)
    before = {key_of(one) for one in first.inputs}
    for one in second.inputs:
        if key_of(one) not in before:
            yield f"{one.id}: {one.path} is in the round, but not in the report"


def _input(one: Input, now: Input, *, known: bool) -> Iterator[str]:
    """Yield the differences in one input.

    Parameters
    ----------
    one : Input
        The input before.
    now : Input
        The input now.
    known : bool
        True if the whole file is already known to have other bytes.
    """
    if one.path != now.path:
        yield f"{one.id}: was {one.path}, is {now.path}"
    if one.status != now.status:
        yield f"{one.id}: was {one.status}, is {now.status}"
    if known:
        return
    if one.file_sha256 != now.file_sha256:
        was, is_ = one.file_sha256 or "nothing", now.file_sha256 or "nothing"
        yield f"{one.id}: the seal says {is_} of {now.path}, and said {was}"
    if one.tensor_sha256 != now.tensor_sha256:
        was, is_ = one.tensor_sha256 or "none", now.tensor_sha256 or "none"
        yield f"{one.id}: other bytes of {now.path} were analysed (sha256 {was} now {is_})"
    if one.bytes != now.bytes:
        yield f"{one.id}: {now.path} had {one.bytes} bytes, has {now.bytes}"


def _ranking(first: Verdict, second: Verdict) -> Iterator[str]:
    before, now = ({one.id: one for one in each.deciding.scores} for each in (first, second))
    for one in compare(first, second).participants:
        if one.first != one.second:
            yield f"{one.id}: {_place(one.first)} now {_place(one.second)}"
        elif before.get(one.id) != now.get(one.id):
            yield f"{one.id}: other scores in single layers, or other details"


def _place(ranked: Ranked | None) -> str:
    if ranked is None:
        return "not ranked"
    share = "" if ranked.share is None else f" and share {ranked.share:.6g}"
    chance = "" if ranked.p_value is None else f" and p-value {ranked.p_value:.6g}"
    named = " (flagged)" if ranked.flagged else " (suspect)" if ranked.suspect else ""
    return f"rank {ranked.rank} with score {ranked.score:.6g}{share}{chance}{named}"


def _rest(first: Verdict, second: Verdict) -> Iterator[str]:
    yield from _values("method", plain(first.method), plain(second.method))
    yield from _values("decision", plain(first.decision), plain(second.decision))
    layers = {layer.layer: layer for layer in second.layers}
    for layer in first.layers:
        if layer.layer in layers:
            was, is_ = plain(layer), plain(layers[layer.layer])
            yield from _values(layer.layer, *_without(was, is_, "tensor_sha256"))
    detectors = {one.name: one for one in second.detectors}
    for one in first.detectors:
        if one.name in detectors:
            decides = one.name == first.decision.detector
            yield from _detector(one, detectors[one.name], scores=not decides)
    yield from _values("coverage", plain(first.coverage), plain(second.coverage))
    compared = compare(first, second)
    for finding in compared.new:
        yield f"new finding: {finding_in_words(finding, str)}"
    for finding in compared.gone:
        yield f"gone finding: {finding_in_words(finding, str)}"
    calibrations = (
        None if one.calibration is None else plain(one.calibration) for one in (first, second)
    )
    yield from _values("calibration", *calibrations)
    again = (None if one.rescored is None else plain(one.rescored) for one in (first, second))
    yield from _values("rescored", *again)
    truths = (None if one.truth is None else plain(one.truth) for one in (first, second))
    yield from _values("truth", *truths)


def _detector(first: DetectorResult, second: DetectorResult, *, scores: bool) -> Iterator[str]:
    """Yield the differences in the results of a detector.

    Parameters
    ----------
    first : DetectorResult
        The result before.
    second : DetectorResult
        The result now.
    scores : bool
        True to compare its scores, too; False if the ranking has covered them.
    """
    said = ("scores", "layers")
    yield from _values(first.name, *_without(plain(first), plain(second), *said))
    if scores and first.scores != second.scores:
        was, is_ = (_by_id(one.scores) for one in (first, second))
        others = sum(was.get(name) != is_.get(name) for name in was.keys() | is_.keys())
        where = f"{others} participants have other scores" if others else "another order"
        yield f"{first.name}: {where}"
    layers = {layer.layer: layer for layer in second.layers}
    for layer in first.layers:
        if layer.layer in layers:
            yield from _layer(f"{first.name}.{layer.layer}", layer, layers[layer.layer])


def _by_id(scores: tuple[Score, ...]) -> dict[str, Score]:
    return {one.id: one for one in scores}


def _layer(name: str, first: MarkedLayer, second: MarkedLayer) -> Iterator[str]:
    """Yield the differences in a layer, with the number of participants whose marks differ."""
    yield from _values(name, *_without(plain(first), plain(second), "scores"))
    if first.scores != second.scores:
        names = first.scores.keys() | second.scores.keys()
        others = sum(first.scores.get(name) != second.scores.get(name) for name in names)
        yield f"{name}: {others} participants have other scores"


def _without(
    was: dict[str, Any], is_: dict[str, Any], *keys: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both dicts without the keys that are covered elsewhere."""
    first, second = (
        {key: value for key, value in one.items() if key not in keys} for one in (was, is_)
    )
    return first, second


def _values(name: str, was: Any, is_: Any) -> Iterator[str]:
    """Yield every single value that differs, with its place."""
    if was == is_:
        return
    if isinstance(was, dict) and isinstance(is_, dict):
        for key in {**was, **is_}:
            yield from _values(f"{name}.{key}", was.get(key), is_.get(key))
    elif isinstance(was, str | int | float | None) and isinstance(is_, str | int | float | None):
        yield f"{name}: {'nothing' if was is None else was} now {'nothing' if is_ is None else is_}"
    else:
        yield f"{name}: differs"
