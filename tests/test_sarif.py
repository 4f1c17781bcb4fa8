"""SARIF: who is named and what was found, each at its file, as collectors of results take it."""

import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import jsonschema
import pytest

from ariba_cli.auditing.settings import KEst
from ariba_cli.base.findings import OF_HISTORY, Finding, FindingKind
from ariba_cli.detectors import make_detectors
from ariba_cli.reports.report import Report, parse_report
from ariba_cli.reports.sarif import RULES, audit_sarif
from tests.conftest import FIXTURES, Ariba
from tests.html_reports import html_report
from tests.models import write_flat_round
from tests.reports import renamed, report_bytes, spoiled
from tests.test_report import NAMES

TEXT = {"type": "string", "minLength": 1, "pattern": r"^[^{}\x00-\x1f]*$"}


def closed(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the schema of an object with these properties and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


MESSAGE = closed({"text": TEXT})
LEVEL = {"enum": ["error", "warning", "note"]}
ARTIFACT = closed({"uri": TEXT, "uriBaseId": {"const": "ROUND"}})
LOCATION = closed({"physicalLocation": closed({"artifactLocation": ARTIFACT})})
RESULT = closed(
    {
        "ruleId": TEXT,
        "level": LEVEL,
        "message": MESSAGE,
        "locations": {"type": "array", "minItems": 1, "items": LOCATION},
        "partialFingerprints": {"type": "object", "additionalProperties": TEXT},
    }
)
RULE = closed(
    {"id": TEXT, "shortDescription": MESSAGE, "defaultConfiguration": closed({"level": LEVEL})}
)
DRIVER = closed(
    {"name": TEXT, "version": TEXT, "rules": {"type": "array", "items": RULE, "uniqueItems": True}}
)
INVOCATION = closed(
    {"executionSuccessful": {"const": True}},
    {"toolExecutionNotifications": {"items": closed({"level": LEVEL, "message": MESSAGE})}},
)
RUN = closed(
    {
        "tool": closed({"driver": DRIVER}),
        "invocations": {"type": "array", "items": INVOCATION, "minItems": 1},
        "originalUriBaseIds": closed({"ROUND": closed({"description": MESSAGE})}),
        "results": {"type": "array", "items": RESULT},
        "properties": {"type": "object"},
    }
)
# What SARIF 2.1.0 asks of the parts that are written here.
SCHEMA = closed(
    {
        "$schema": TEXT,
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": RUN, "minItems": 1, "maxItems": 1},
    }
)


def checked(report: Report) -> Any:
    """Return the run, once everything in it fits together."""
    content = json.loads(audit_sarif(report))
    jsonschema.validate(content, SCHEMA)
    run = content["runs"][0]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert rules.keys() == {result["ruleId"] for result in run["results"]}
    for result in run["results"]:
        assert result["level"] == rules[result["ruleId"]]["defaultConfiguration"]["level"]
    return run


def uris(result: Any) -> list[str]:
    return [one["physicalLocation"]["artifactLocation"]["uri"] for one in result["locations"]]


def test_who_is_flagged_is_a_result_at_its_file() -> None:
    panel = make_detectors(("panel",))
    run = checked(parse_report(report_bytes(FIXTURES / "attacked", detectors=panel, level=0.05)))
    assert [(one["ruleId"], one["level"], uris(one)) for one in run["results"]] == [
        ("flagged", "error", ["participants/p18.safetensors"]),
        ("flagged", "error", ["participants/p15.safetensors"]),
    ]
    text = run["results"][0]["message"]["text"]
    assert text.startswith("p18 is flagged (p-value ")
    assert ": is unusually long (16.4 times the median length; " in text


def test_of_suspects_it_says_that_somebody_always_is() -> None:
    run = checked(parse_report(report_bytes(FIXTURES / "clean", layers=("conv2",))))
    assert [(one["ruleId"], one["level"]) for one in run["results"]] == [("suspect", "warning")] * 4
    assert "ariba always names the " in run["results"][0]["message"]["text"]


def test_findings_are_results_at_their_files(tmp_path: Path) -> None:
    root = write_flat_round(tmp_path / "round", 11)
    (root / "p20.safetensors").write_bytes(b"no model")
    shutil.copy(root / "p9.safetensors", root / "p21.safetensors")
    run = checked(parse_report(report_bytes(root)))
    found = {one["ruleId"]: one for one in run["results"]}
    assert uris(found["refused"]) == ["p20.safetensors"]
    assert found["refused"]["message"]["text"].startswith("p20: ")
    assert uris(found["duplicate"]) == ["p21.safetensors", "p9.safetensors"]
    assert uris(found["unsealed"]) == ["./"]
    assert found["unsealed"]["message"]["text"] == "the round has no manifest.json"


def test_there_is_a_rule_for_every_kind_of_finding() -> None:
    assert set(RULES) == {"flagged", "suspect", *FindingKind} - OF_HISTORY


def test_no_name_is_a_link_or_leaves_the_round(tmp_path: Path) -> None:
    names = [*NAMES, "a:b", "javascript:alert(1)", "%2e%2e", "q?x#y"]
    root = write_flat_round(tmp_path, len(names) + 3)
    data = report_bytes(root, layers=("conv2",), k_est=KEst.parse(str(len(names) + 2)))

    def move(result: Any) -> None:
        renamed(names)(result)
        for one in result["inputs"]:
            one["path"] = one["id"].replace("/", "_")

    report = parse_report(spoiled(data, move))
    named = checked(report)["results"][: len(names) + 2]
    assert [one["ruleId"] for one in named] == ["suspect"] * len(named)
    for result, ranked in zip(named, report.verdict.ranking, strict=False):
        (uri,) = uris(result)
        assert unquote_to_bytes(uri) == os.fsencode(ranked.id.replace("/", "_"))
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
        assert "](" not in result["message"]["text"]


def test_the_same_thing_keeps_its_fingerprint(tmp_path: Path) -> None:
    root = write_flat_round(tmp_path, 12)
    (root / "p50.safetensors").write_bytes(b"no model")
    first = fingerprints(checked(parse_report(report_bytes(root, layers=("conv1",)))))
    (root / "p50.safetensors").write_bytes(b"{}" * 50)
    second = fingerprints(checked(parse_report(report_bytes(root, layers=("conv2",)))))
    same = [one for one in first if one in second]
    assert len(first) == len(set(first.values())) > len(same)
    assert {key[0] for key in same} >= {"refused", "unsealed"}
    assert all(first[key] == second[key] for key in same)


def fingerprints(run: Any) -> dict[tuple[str, str], str]:
    """Return that of each rule at each place."""
    return {
        (one["ruleId"], ", ".join(uris(one))): one["partialFingerprints"]["about/v1"]
        for one in run["results"]
    }


def test_of_a_large_group_the_first_are_pointed_at() -> None:
    group = tuple(f"p{index:04d}" for index in range(30))
    finding = Finding(FindingKind.DUPLICATE, "sent the same", group=group)
    run = checked(html_report(30, findings=[finding]))
    assert uris(run["results"][-1])[::19] == [
        "participants/p0000.safetensors",
        "participants/p0019.safetensors",
    ]
    assert len(uris(run["results"][-1])) == 20


@pytest.mark.parametrize(("count", "notes"), [(4_997, 0), (4_998, 1), (200_000, 1)])
def test_of_a_great_many_the_first_are_given(count: int, notes: int) -> None:
    findings = [
        Finding(FindingKind.REFUSED, f"is wrong in {index}", "p0001") for index in range(count)
    ]
    run = checked(html_report(findings=findings))
    assert len(run["results"]) == min(count + 3, 5_000)
    said = run["invocations"][0].get("toolExecutionNotifications", [])
    assert len(said) == notes
    if notes:
        assert said[0]["message"]["text"].startswith(f"{count + 3 - 5_000:,} more results are in ")


def test_it_is_a_format_of_reports(tmp_path: Path, ariba: Ariba) -> None:
    (tmp_path / "report.json").write_bytes(report_bytes(FIXTURES / "attacked"))
    done = ariba("report", "report.json", "-f", "sarif")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == audit_sarif(parse_report((tmp_path / "report.json").read_bytes()))
