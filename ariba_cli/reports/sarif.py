"""A report of an audit → SARIF 2.1.0, for tools that collect the results of scanners.

The named participants come first, and then the findings, each at the file that it is about.
"""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal
from urllib.parse import quote

from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.ids import id_order
from ariba_cli.base.visible import visible
from ariba_cli.reports.canonical import canonical_bytes
from ariba_cli.reports.reasons import reasons_in_words
from ariba_cli.reports.report import Report
from ariba_cli.reports.words import (
    always_in_words,
    named_word,
    p_in_words,
    value_in_words,
    value_name,
)
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Verdict

VERSION = "2.1.0"
_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROUND = "ROUND"
# What is about no file is about the directory.
_DIRECTORY = "./"
# Those who collect results show no more, and some refuse a file with many more.
_MOST_RESULTS = 5_000
_MOST_LOCATIONS = 20
# In a message, braces are places for arguments, and brackets with a parenthesis are a link.
_BRACES = str.maketrans({"{": r"\x7b", "}": r"\x7d"})

Level = Literal["error", "warning", "note"]

# How much each rule weighs, and what it says.
RULES: dict[str, tuple[Level, str]] = {
    "flagged": ("error", "The participant stands out at the false-discovery level."),
    "suspect": ("warning", "The participant is among the most unusual; somebody always is."),
    FindingKind.WRONG_LAYOUT: ("warning", "A layer has its axes in another order than most."),
    FindingKind.EXTRA_LAYER: ("warning", "The update has a layer that most others lack."),
    FindingKind.FEW_FRAGMENTS: ("note", "A convolution seems to have few kernels."),
    FindingKind.NO_COMMON_NAME: ("note", "No tensor has the same name in most updates."),
    FindingKind.NEWEST_CHECKPOINT: ("note", "Of several checkpoints, ariba read the newest."),
    FindingKind.UNCHANGED: ("note", "Participants sent the global model back unchanged."),
    FindingKind.NOT_SCORED: ("note", "The file holds entries that cannot be scored."),
    FindingKind.NO_UPDATES: ("note", "Files that programs leave behind lie in the round."),
    FindingKind.SEVERAL_ROUNDS: ("warning", "The models seem to come from several rounds."),
    FindingKind.RENAMED: ("note", "A participant has another name than its file."),
    FindingKind.REFUSED: ("warning", "The file is not allowed, and was not examined."),
    FindingKind.MISSING_LAYER: ("warning", "The update lacks a layer that most others have."),
    FindingKind.WRONG_SHAPE: ("warning", "A layer has another shape than in most updates."),
    FindingKind.WRONG_TYPE: ("warning", "A layer holds numbers of a type that is not scored."),
    FindingKind.WRONG_SCALE: ("warning", "An adapter has another scale than most others."),
    FindingKind.NONFINITE: ("warning", "A layer holds NaN or infinity."),
    FindingKind.DUPLICATE: ("warning", "Several participants sent the same layer."),
    FindingKind.OUTSIZE: ("warning", "The file takes far more room than is usual in the round."),
    FindingKind.DOMINANT: ("warning", "An update is so far out that it hides the others."),
    FindingKind.FAR_OUT: ("warning", "Updates so far out that they hid other suspects."),
    FindingKind.DEGENERATE: ("note", "The updates of a layer cannot be told apart."),
    FindingKind.LARGE_K_EST: ("note", "k_est is at least half of the participants."),
    FindingKind.FEW_PARTICIPANTS: ("note", "There are too few participants to flag anybody."),
    FindingKind.UNCALIBRATED: ("note", "The p-values may not hold for a round such as this."),
    FindingKind.LAYER_LEFT_OUT: ("note", "A layer could not be scored."),
    FindingKind.SEVERAL_GLOBALS: ("warning", "Several models have the name of the global model."),
    FindingKind.UNUSABLE_GLOBAL: ("note", "The global model cannot be used in a layer."),
    FindingKind.UNSEALED: ("note", "Nothing shows that the files are those that were saved."),
    FindingKind.SEAL_BROKEN: ("error", "A file is not the one that was sealed."),
    FindingKind.UNLISTED_FILE: ("warning", "The seal does not list a file."),
    FindingKind.PLANTED: ("warning", "A manifest or a truth lies among the updates."),
}


def audit_sarif(report: Report) -> bytes:
    """Return the report as one run of SARIF."""
    verdict = report.verdict
    kept = list(islice(_results(verdict), _MOST_RESULTS))
    more = len(verdict.suspects) + len(verdict.findings) - len(kept)
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if more:
        text = f"{more:,} more results are in the JSON of the report."
        invocation["toolExecutionNotifications"] = [{"level": "note", "message": {"text": text}}]
    driver = {
        "name": "ariba",
        "version": visible(report.run.ariba),
        "rules": [_rule(rule) for rule in dict.fromkeys(one["ruleId"] for one in kept)],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "originalUriBaseIds": {_ROUND: {"description": {"text": "The directory of the round."}}},
        "results": kept,
        "properties": {
            "schema_version": visible(report.schema_version),
            "result_sha256": report.result_sha256,
        },
    }
    content = {"$schema": _SCHEMA, "version": VERSION, "runs": [run]}
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("ascii")


def _rule(rule: str) -> dict[str, Any]:
    level, text = RULES[rule]
    return {
        "id": rule,
        "shortDescription": {"text": text},
        "defaultConfiguration": {"level": level},
    }


def _results(verdict: Verdict) -> Iterator[dict[str, Any]]:
    paths = {one.id: one.path for one in verdict.inputs if one.role == "participant"}
    for ranked in verdict.suspects:
        text = f"{visible(ranked.id)} {_named_in_words(verdict, ranked)}"
        yield _result(named_word(verdict), text, [paths[ranked.id]], (ranked.id,))
    for finding in verdict.findings:
        who = finding.group if finding.participant is None else (finding.participant,)
        known = [paths[one] for one in who if one in paths]
        text = visible(finding.detail)
        if finding.participant is not None:
            text = f"{visible(finding.participant)}: {text}"
        yield _result(finding.kind, text, known, _about(finding))


def _named_in_words(verdict: Verdict, ranked: Ranked) -> str:
    """Return the reasons for naming somebody, without the name."""
    score = f"{value_name(verdict)} {value_in_words(verdict, ranked.value)}"
    if not verdict.by_level:
        return f"is a suspect: rank {ranked.rank:,}, {score}. {always_in_words(verdict)}"
    reasons = reasons_in_words(ranked)
    chance = f"p-value {p_in_words(ranked.p_value)}"
    return f"is flagged ({chance}, {score}){f': {reasons}' if reasons else ''}."


def _about(finding: Finding) -> tuple[Any, ...]:
    """Return the identity of a finding, the same in two audits of a round for any wording."""
    facts = {name: finding.facts[name] for name in sorted(finding.facts)}
    return finding.participant, finding.layer, finding.group, facts


def _result(rule: str, text: str, paths: list[str], about: tuple[Any, ...]) -> dict[str, Any]:
    same = hashlib.sha256(canonical_bytes([rule, *about])).hexdigest()
    return {
        "ruleId": rule,
        "level": RULES[rule][0],
        "message": {"text": text.translate(_BRACES).replace("](", r"]\x28")},
        "locations": [_location(quote(id_order(path))) for path in paths[:_MOST_LOCATIONS]]
        or [_location(_DIRECTORY)],
        "partialFingerprints": {"about/v1": same},
    }


def _location(uri: str) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": _ROUND}}}
