"""A report of an audit → a summary in GitHub's Markdown, as for a ticket.

Whatever is not ours is in code spans: there, no markup, link, mention or HTML is looked for.
A backslash would not do, as GitHub looks for mentions after it has taken the backslashes away.
"""

from collections.abc import Iterable, Iterator

from ariba_cli.base.findings import Finding
from ariba_cli.base.visible import visible
from ariba_cli.reports.bars import standing
from ariba_cli.reports.report import Report
from ariba_cli.reports.words import (
    always_in_words,
    coverage_in_words,
    evaluation_in_words,
    expected_share,
    machines_in_words,
    nobody_in_words,
    seal_in_words,
    stability_in_words,
    tie_in_words,
)
from ariba_cli.verdicts.verdict import Ranked, Verdict

# How many are shown after the suspects, and of whatever else there may be thousands.
_NEXT = 5
_MOST = 20
_MOST_ROWS = 100
# What would end a code span, a cell of a table, or start what GitHub takes for mathematics.
_ESCAPES = str.maketrans({"`": r"\x60", "|": r"\x7c", "$": r"\x24"})


def audit_markdown(report: Report) -> str:
    """The verdict in words, the suspects and the next few, and what stands behind them."""
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
    """Any text as a code span, which nothing in the text can end."""
    return f"`{visible(text).translate(_ESCAPES) or ' '}`"


def _codes(texts: Iterable[str]) -> str:
    shown = list(texts)
    more = f" and {len(shown) - _MOST:,} more" if len(shown) > _MOST else ""
    return ", ".join(map(code, shown[:_MOST])) + more


def _suspects(verdict: Verdict) -> str:
    if not verdict.ranking:
        return f"**{nobody_in_words(verdict)}**"
    tie = f" {tie_in_words(verdict)}" if verdict.tie_at_cut else ""
    names = _codes(ranked.id for ranked in verdict.suspects)
    return f"**Suspects:** {names}.{tie} {always_in_words(verdict)}"


def _ranking(verdict: Verdict) -> Iterator[str]:
    yield "| rank | participant | score | share | |"
    yield "| ---: | --- | ---: | ---: | --- |"
    shown = verdict.ranking[: min(len(verdict.suspects) + _NEXT, _MOST_ROWS)]
    for ranked in shown:
        yield _row(ranked, verdict)
    rest = verdict.ranking[len(shown) :]
    if rest:
        yield ""
        shares = f"{rest[-1].share:.3f} to {rest[0].share:.3f}"
        yield f"And {len(rest):,} more with shares from {shares}."


def _row(ranked: Ranked, verdict: Verdict) -> str:
    cells = (
        str(ranked.rank),
        code(ranked.id),
        f"{ranked.score:,}",
        f"{ranked.share:.3f}",
        standing(ranked, verdict),
    )
    return f"| {' | '.join(cells)} |"


def _notes(verdict: Verdict) -> Iterator[str]:
    yield f"Coverage: {coverage_in_words(verdict)}."
    if verdict.ranking:
        yield f"If nobody stood out, every share would be about {expected_share(verdict):.3g}."
    if verdict.stability is not None:
        yield from stability_in_words(verdict, verdict.stability, code)
    if verdict.evaluation is not None:
        yield evaluation_in_words(verdict.evaluation)
    if verdict.method.seal_verified:
        yield seal_in_words(verdict)
    if not verdict.method.same_on_every_machine:
        yield machines_in_words(verdict)


def _finding(finding: Finding) -> str:
    who = f"{code(finding.participant)}: " if finding.participant is not None else ""
    return f"{finding.kind}: {who}{code(finding.detail)}"


def _method(report: Report) -> Iterator[str]:
    method = report.verdict.method
    yield (
        f"detector {code(method.detector)}, fragment {code(method.fragment)}, "
        f"k_est {method.k_est}, layers: {_codes(method.layers)}"
    )
    given = method.detector_parameters
    if given:
        yield f"parameters: {_codes(f'{key}={value}' for key, value in given.items())}"
    yield f"ariba {code(report.run.ariba)}, schema {code(report.schema_version)}"
    yield f"result_sha256 {code(report.result_sha256)}"
