"""A report of an audit → a summary in GitHub's Markdown, such as for a ticket.

All text that is not ours is in code spans: there, no markup, link, mention or HTML is looked for.
A backslash would not do, as GitHub looks for mentions after it has taken the backslashes away.
"""

from collections.abc import Iterable, Iterator

from ariba_cli.base.findings import Finding
from ariba_cli.base.visible import visible
from ariba_cli.reports.bars import standing
from ariba_cli.reports.reasons import calibration_in_words, reasons_in_words, unseen_in_words
from ariba_cli.reports.report import Report
from ariba_cli.reports.words import (
    always_in_words,
    coverage_in_words,
    expected_share,
    machines_in_words,
    marks_fragments,
    nobody_in_words,
    other_machines,
    p_in_words,
    rescored_in_words,
    seal_in_words,
    stability_in_words,
    standing_out_in_words,
    tie_in_words,
    truth_in_words,
    value_in_words,
)
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Verdict

# How many are shown after the suspects, and of whatever else there may be thousands.
_NEXT = 5
_MOST = 20
_MOST_ROWS = 100
# What would end a code span, a cell of a table, or start what GitHub takes for mathematics.
_ESCAPES = str.maketrans({"`": r"\x60", "|": r"\x7c", "$": r"\x24"})


def audit_markdown(report: Report) -> str:
    """Return the verdict in words, the suspects and the next few, and the basis of the verdict."""
    verdict = report.verdict
    of_round = "" if report.run.round is None else f" of {code(report.run.round)}"
    parts = [f"## Audit{of_round}", _suspects(verdict)]
    if verdict.ranking:
        parts.append("\n".join(_ranking(verdict)))
    parts.append("\n".join(f"- {line}" for line in _notes(verdict)))
    if verdict.findings:
        findings = [f"- {_finding(one)}" for one in verdict.findings[:_MOST]]
        more = len(verdict.findings) - _MOST
        if more > 0:
            findings.append(f"- and {more:,} more, which the report lists")
        parts += ["### Findings", "\n".join(findings)]
    parts += ["### Method", "\n".join(f"- {line}" for line in _method(report))]
    return "\n\n".join(parts) + "\n"


def code(text: str) -> str:
    """Return any text as a code span, which nothing in the text can end."""
    return f"`{visible(text).translate(_ESCAPES) or ' '}`"


def _codes(texts: Iterable[str]) -> str:
    shown = list(texts)
    more = f" and {len(shown) - _MOST:,} more" if len(shown) > _MOST else ""
    return ", ".join(map(code, shown[:_MOST])) + more


def _suspects(verdict: Verdict) -> str:
    if not verdict.ranking:
        return f"**{nobody_in_words(verdict)}**"
    tie = f" {tie_in_words(verdict)}" if verdict.decision.tie_at_cutoff else ""
    names = _codes(ranked.id for ranked in verdict.suspects)
    if verdict.by_level:
        return "\n".join([f"**{standing_out_in_words(verdict)}.**", *_reasons(verdict)])
    first = f"**Suspects:** {names}.{tie} {always_in_words(verdict)}"
    return "\n\n".join([first, *rescored_in_words(verdict, code)])


def _reasons(verdict: Verdict) -> Iterator[str]:
    named = verdict.suspects
    yield from ["", *(f"- {code(one.id)}: {reasons_in_words(one, code)}" for one in named[:_MOST])]
    if len(named) > _MOST:
        yield f"- and {len(named) - _MOST:,} more, which the report lists"


def _ranking(verdict: Verdict) -> Iterator[str]:
    marks = marks_fragments(verdict)
    extra = ["share"] if marks else ["p-value"] if verdict.by_level else []
    headers = ["rank", "participant", "score", *extra, ""]
    yield f"| {' | '.join(headers)} |"
    yield f"| ---: | --- | ---: |{' ---: |' if extra else ''} --- |"
    shown = verdict.ranking[: min(len(verdict.suspects) + _NEXT, _MOST_ROWS)]
    for ranked in shown:
        yield _row(ranked, verdict)
    rest = verdict.ranking[len(shown) :]
    if rest:
        yield ""
        ends = " to ".join(value_in_words(verdict, one.value) for one in (rest[-1], rest[0]))
        yield f"And {len(rest):,} more with {'shares' if marks else 'scores'} from {ends}."


def _row(ranked: Ranked, verdict: Verdict) -> str:
    marks = marks_fragments(verdict)
    score = f"{ranked.score:,}" if marks else value_in_words(verdict, ranked.value)
    cells = [str(ranked.rank), code(ranked.id), score]
    cells += [value_in_words(verdict, ranked.value)] if marks else []
    cells += [p_in_words(ranked.p_value)] if verdict.by_level else []
    return f"| {' | '.join([*cells, standing(ranked, verdict)])} |"


def _notes(verdict: Verdict) -> Iterator[str]:
    yield f"Coverage: {coverage_in_words(verdict)}."
    expected = expected_share(verdict)
    if verdict.ranking and expected is not None:
        yield f"If nobody stood out, every share would be about {expected:.3g}."
    yield from stability_in_words(verdict, code)
    yield from unseen_in_words(verdict)
    yield from calibration_in_words(verdict)
    yield from truth_in_words(verdict)
    if verdict.method.seal_verified:
        yield seal_in_words(verdict)
    if other_machines(verdict):
        yield machines_in_words(verdict)


def _finding(finding: Finding) -> str:
    who = f"{code(finding.participant)}: " if finding.participant is not None else ""
    return f"{finding.kind}: {who}{code(finding.detail)}"


def _method(report: Report) -> Iterator[str]:
    verdict = report.verdict
    for one in verdict.detectors:
        given = _codes(f"{key}={value}" for key, value in one.parameters.items())
        yield f"detector {code(one.name)}{f', parameters: {given}' if given else ''}"
    fragments = dict.fromkeys(layer.fragment for layer in verdict.marked_layers)
    cut = f"fragment {_codes(fragments)}, " if fragments else ""
    rule = f"level {verdict.decision.alpha:g}" if verdict.decision.alpha is not None else ""
    counts = f"k_est {verdict.method.k_est}" if verdict.method.k_est is not None else ""
    decided = ", ".join(filter(None, (rule, counts)))
    yield f"{cut}{decided}, layers: {_codes(verdict.method.layers)}"
    yield f"ariba {code(report.run.ariba)}, schema {code(report.schema_version)}"
    yield f"result_sha256 {code(report.result_sha256)}"
