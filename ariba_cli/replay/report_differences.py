"""What two reports on the same round say differently, in words: none of it should be there."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ariba_cli.reports.report import Report
from ariba_cli.reports.words import finding_in_words
from ariba_cli.verdicts.comparison import compare
from ariba_cli.verdicts.verdict import Input, LayerResult, Ranked, Verdict

# The role and the id of an input.
Key = tuple[str, str]


@dataclass(frozen=True)
class ReportDifferences:
    """One line each, with names as they are; what comes first may be why the rest differs."""

    inputs: tuple[str, ...]
    ranking: tuple[str, ...]
    rest: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.inputs or self.ranking or self.rest)


def key_of(one: Input) -> Key:
    """What an input is known by."""
    return one.role, one.id


def report_differences(
    before: Report, now: Report, changed: Mapping[Key, str]
) -> ReportDifferences:
    """What is not as it was before.

    Parameters
    ----------
    changed : in words, which files are known to have other bytes.
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
            yield f"{one.id}: {one.path} is in the round, and not in the report"


def _input(one: Input, now: Input, *, known: bool) -> Iterator[str]:
    """What differs in one input.

    Parameters
    ----------
    known : whether it was said already that the whole file has other bytes.
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
    for one in compare(first, second).participants:
        if one.first != one.second:
            was, is_ = _place(one.first), _place(one.second)
            how = f"{was} now {is_}" if was != is_ else "other shares in single layers"
            yield f"{one.id}: {how}"


def _place(ranked: Ranked | None) -> str:
    if ranked is None:
        return "not ranked"
    suspect = " (suspect)" if ranked.suspect else ""
    return f"rank {ranked.rank} with score {ranked.score} and share {ranked.share:.6g}{suspect}"


def _rest(first: Verdict, second: Verdict) -> Iterator[str]:
    yield from _values("method", asdict(first.method), asdict(second.method))
    layers = {layer.layer: layer for layer in second.layers}
    for layer in first.layers:
        if layer.layer in layers:
            yield from _layer(layer, layers[layer.layer])
    yield from _values("coverage", asdict(first.coverage), asdict(second.coverage))
    yield from _values("tie_at_cut", first.tie_at_cut, second.tie_at_cut)
    compared = compare(first, second)
    for finding in compared.new:
        yield f"new finding: {finding_in_words(finding)}"
    for finding in compared.gone:
        yield f"gone finding: {finding_in_words(finding)}"
    for name in ("evaluation", "stability"):
        was, is_ = getattr(first, name), getattr(second, name)
        yield from _values(
            name, None if was is None else asdict(was), None if is_ is None else asdict(is_)
        )


def _layer(first: LayerResult, second: LayerResult) -> Iterator[str]:
    """What differs in a layer beside scores and hashes, which the participants have said."""
    said = ("scores", "tensor_sha256")
    was, is_ = (
        {key: value for key, value in asdict(one).items() if key not in said}
        for one in (first, second)
    )
    yield from _values(first.layer, was, is_)
    if first.scores != second.scores:
        names = first.scores.keys() | second.scores.keys()
        others = sum(first.scores.get(name) != second.scores.get(name) for name in names)
        yield f"{first.layer}: {others} participants have other scores"


def _values(name: str, was: Any, is_: Any) -> Iterator[str]:
    """Every single value that differs, by where it is."""
    if was == is_:
        return
    if isinstance(was, dict) and isinstance(is_, dict):
        for key in {**was, **is_}:
            yield from _values(f"{name}.{key}", was.get(key), is_.get(key))
    elif isinstance(was, str | int | float | None) and isinstance(is_, str | int | float | None):
        yield f"{name}: {'nothing' if was is None else was} now {'nothing' if is_ is None else is_}"
    else:
        yield f"{name}: differs"
