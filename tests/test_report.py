"""A report is read back as it was written, or refused; and every format comes from it alone."""

import base64
import csv
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import InputError
from ariba_cli.base.visible import visible
from ariba_cli.detectors import make_detectors
from ariba_cli.reports.audit_csv import AuditCsv
from ariba_cli.reports.audit_json import SCHEMA_VERSION, audit_json
from ariba_cli.reports.audit_markdown import audit_markdown
from ariba_cli.reports.audit_table import audit_table
from ariba_cli.reports.canonical import canonical_bytes
from ariba_cli.reports.html.page import audit_html
from ariba_cli.reports.report import Report, parse_report, read_report
from ariba_cli.reports.sarif import audit_sarif
from ariba_cli.reports.sha256sums import sha256sums_of_inputs
from ariba_cli.reports.text import Paper
from ariba_cli.rounds.directory import open_round
from fixtures.make import GOLDEN
from tests.conftest import FIXTURES, Ariba
from tests.models import write_flat_round, write_model
from tests.reports import (
    Json,
    Spoil,
    hashed_again,
    printed,
    renamed,
    report_bytes,
    spoiled,
    verdict_bytes,
)
from tests.test_cli_imports import HEAVY, imported
from tests.test_reports_text import HOSTILE_NAMES, harmless

ATTACKED = FIXTURES / "attacked"
PLAIN = Paper(width=100, color=False)

# Beside the names that any output has to stand, those that mean something in Markdown.
NAMES = [
    *(name for name in HOSTILE_NAMES if name != "-"),
    "`x` <img src=x onerror=alert(1)>",
    "``",
    "a|b",
    "a\\|b | c",
    "@everyone",
    "x@example.org",
    "https://example.org",
    "www.example.org",
    "![x](https://example.org/x.png)",
    "[x](javascript:alert(1))",
    "<!-- hidden -->",
    "$`x`$",
    "#1",
    "\\`",
    "*x* _y_ ~~z~~",
    " x ",
]


@pytest.fixture(scope="module")
def data() -> bytes:
    return report_bytes(ATTACKED, layers=("conv2",), verify_seal=True)


@pytest.fixture(scope="module")
def several() -> bytes:
    return report_bytes(ATTACKED, truth=True, layers=("all",), evidence=True)


@pytest.fixture(scope="module")
def of_updates() -> bytes:
    """The report of several detectors, most of which compare whole updates."""
    detectors = make_detectors(("krum", "norm", "mahalanobis", "last-bias"), {"f": 3})
    return report_bytes(ATTACKED, truth=True, detectors=detectors, verify_seal=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    round_ = write_flat_round(tmp_path_factory.mktemp("small"), 5)
    return report_bytes(round_, layers=("conv*",))


@pytest.fixture(scope="module")
def small_of_updates(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    round_ = write_flat_round(tmp_path_factory.mktemp("small"), 5)
    detectors = make_detectors(("krum", "mahalanobis", "spectral"))
    return report_bytes(round_, layers=("conv*",), detectors=detectors)


@pytest.fixture
def path(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "report.json").write_bytes(data)
    return tmp_path / "report.json"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The report on a round in which every participant has a name made to do harm."""
    root = write_flat_round(tmp_path_factory.mktemp("hostile"), len(NAMES))
    return spoiled(report_bytes(root, layers=("conv2",)), renamed(NAMES))


@pytest.mark.parametrize("name", [one for one in GOLDEN if one.startswith("audit")])
def test_a_report_is_read_back_to_the_byte(name: str) -> None:
    written = printed(name)
    report = parse_report(written)
    assert audit_json(report.verdict, report.run) == written


def test_evidence_is_read_back_too(several: bytes) -> None:
    report = parse_report(several)
    assert report.verdict.evidence
    assert report.verdict.truth is not None
    assert audit_json(report.verdict, report.run) == several


def test_how_it_was_run_is_read_back_too(data: bytes) -> None:
    report = parse_report(data)
    assert report.run.round == str(ATTACKED)
    assert report.verdict.devices == ("cpu",)
    assert report.result_sha256 == json.loads(data)["result_sha256"]


def test_a_report_of_one_line_is_a_report(data: bytes) -> None:
    one_line = canonical_bytes(json.loads(data)) + b"\n"
    assert parse_report(one_line) == parse_report(data)


def test_what_detectors_of_updates_say_is_read_back_too(of_updates: bytes) -> None:
    report = parse_report(of_updates)
    assert audit_json(report.verdict, report.run) == of_updates
    assert [one.name for one in report.verdict.detectors] == [
        "krum",
        "norm",
        "mahalanobis",
        "last-bias",
    ]
    assert report.verdict.deciding.parameters == {"f": 3}
    assert report.verdict.marked_layers == ()
    assert {one.share for one in report.verdict.ranking} == {None}


def test_another_wording_is_the_same_result(data: bytes) -> None:
    content = json.loads(data)
    content["words"]["headline"] = "Somebody is named."
    other = parse_report(hashed_again(content))
    assert other.result_sha256 == parse_report(data).result_sha256
    assert other.verdict == parse_report(data).verdict


def test_what_a_newer_version_adds_is_passed_over(data: bytes) -> None:
    def newer(result: Json) -> None:
        result["more"] = result["method"]["more"] = result["ranking"][0]["more"] = [1]

    assert parse_report(spoiled(data, newer, version="2.99.0")).verdict == (
        parse_report(data).verdict
    )


def set_to(value: object, *keys: Any) -> Spoil:
    """Say something else in one place."""

    def spoil(result: Any) -> None:
        for key in keys[:-1]:
            result = result[key]
        result[keys[-1]] = value

    return spoil


# Where the first score and the first layer of the first detector are, and its stability.
FIRST = ("detectors", 0, "scores", 0)
MARKED = ("detectors", 0, "layers", 0)
STABILITY = ("detectors", 0, "stability")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (set_to("4", "decision", "k_est"), "Expected `int | null`, got `str`"),
        (set_to(True, "decision", "k_est"), "Expected `int | null`, got `bool`"),
        (set_to(1.5, "detectors", 0, "layers", 0, "marked"), "Expected `int`, got `float`"),
        (set_to(1.5, *FIRST, "score"), "an impossible number"),
        (set_to("yes", "ranking", 0, "suspect"), "Expected `bool | null`, got `str`"),
        (set_to(3, "decision", "k_est"), "another k_est than its marks"),
        (set_to(0, "method", "k_est"), "k_est is less than 1"),
        (set_to(99, "method", "k_est"), "in which nobody can be scored"),
        (set_to("\x1b[2J", "detectors", 0, "name"), "not one of ariba"),
        (set_to("\x1b[2J", "decision", "rule"), "not one of ariba"),
        (set_to("<b>", "method", "layer_choice"), "not one of ariba"),
        (set_to("model", "detectors", 0, "scope"), "not one of ariba"),
        (set_to("@you", *MARKED, "fragment"), "ariba would not cut like this"),
        (set_to("x", "inputs", 3, "file_sha256"), "not a sha256"),
        (set_to("a\ud800", "inputs", 3, "path"), "no file can have"),
        (set_to("../../etc/passwd", "inputs", 3, "path"), "a path that leaves the round"),
        (set_to("/etc/passwd", "inputs", 3, "path"), "a path that leaves the round"),
        (set_to("participants//x", "inputs", 3, "path"), "a path that leaves the round"),
        (set_to("a\0", "inputs", 3, "path"), "a path that leaves the round"),
        (set_to("a" * 5000, "inputs", 3, "path"), "a path that leaves the round"),
        # The first is the global model, of which the seal has a hash.
        (set_to("../global.safetensors", "inputs", 0, "path"), "a path that leaves the round"),
        (set_to("p99", *FIRST, "id"), "not among its participants"),
        (set_to("p15", "ranking", 0, "id"), "not that of the detector that decides"),
        (set_to(["p99"], "method", "requested", "excluded"), "not among its participants"),
        (set_to(2, *FIRST, "share"), "not between 0 and 1"),
        (set_to(None, *FIRST, "share"), "not between 0 and 1"),
        (set_to({}, *FIRST, "by_layer"), "a share in a layer that it lacks"),
        (set_to([], "layers"), "no layer"),
        (set_to([], "method", "layers"), "its layers differ from"),
        (set_to("conv1.weight", *MARKED, "layer"), "a share in a layer that it lacks"),
        (set_to(["p99"], *STABILITY, "steps", 0, "enter"), "not among its participants"),
        (set_to(-1, *STABILITY, "steps", 3, "k_est"), "does not go up from a k_est of 1"),
        (set_to(2**62, *STABILITY, "steps", -1, "k_est"), "does not go up from a k_est of 1"),
        (set_to({"fc1": []}, *STABILITY, "without_layer"), "stability has a layer that it lacks"),
        (set_to("p01", "inputs", 1, "id"), "a participant twice"),
        (set_to([], "truth"), "Expected `object"),
        (set_to({"compromised": [], "detectors": {}}, "truth"), "not about its detectors"),
        (set_to(False, "ranking", 0, "suspect"), "its suspects are not the first"),
        (set_to(2, "ranking", 0, "rank"), "not in order"),
        (set_to(2**64, *MARKED, "marked"), "an impossible number"),
        (set_to(-1, *MARKED, "left_out"), "an impossible number"),
        (set_to(10**400, *MARKED, "participants"), "an impossible number"),
        (set_to(19, *MARKED, "participants"), "more or fewer than its participants"),
        (set_to(-(10**400), "layers", 0, "participants"), "an impossible number"),
        (set_to(21, "layers", 0, "participants"), "without the hash of what was scored"),
        (set_to(19, "layers", 0, "participants"), "more or fewer than its participants"),
        (set_to({}, "layers", 0, "tensor_sha256"), "without the hash of what was scored"),
        (set_to([], "detectors"), "decided by a detector that it lacks"),
        (set_to([{}], "findings"), "shorter than argument 1"),
    ],
)
def test_what_does_not_fit_together_is_refused(data: bytes, spoil: Spoil, why: str) -> None:
    with pytest.raises(InputError, match="the report is not a report of an audit: ") as raised:
        parse_report(spoiled(data, spoil))
    assert why in str(raised.value)


def swapped(result: Json) -> None:
    """The first two of the scores and of the ranking, the other way round."""
    for several in (result["detectors"][0]["scores"], result["ranking"]):
        several[:2] = several[1::-1]
    for place, one in enumerate(result["ranking"], 1):
        one["rank"] = place


def doubled(result: Json) -> None:
    scores = result["detectors"][1]["scores"]
    scores[1] = scores[0]


def tied_in_another_order(result: Json) -> None:
    scores = result["detectors"][1]["scores"]
    scores[1]["score"] = scores[0]["score"]
    scores[:2] = sorted(scores[:2], key=lambda one: str(one["id"]), reverse=True)


def without_hashes(name: str) -> Spoil:
    """Nobody knows what was read of that participant, in any layer."""

    def spoil(result: Json) -> None:
        for layer in result["layers"]:
            del layer["tensor_sha256"][name]
            layer["participants"] = 19
        # What marks fragments would be wrong, too.
        result["detectors"] = result["detectors"][:2]
        del result["truth"]

    return spoil


def of_a_layer(result: Json) -> None:
    result["detectors"][0]["layers"] = result["detectors"][2]["layers"]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (set_to("p99", "detectors", 1, "scores", 3, "id"), "not among its participants"),
        (set_to("p99", *FIRST, "id"), "not among its participants"),
        (without_hashes("p07"), "a score without the hash of what was scored"),
        (set_to({}, "layers", 4, "tensor_sha256"), "a layer without the hash of what was scored"),
        (set_to(21, "layers", 4, "participants"), "a layer without the hash of what was scored"),
        (doubled, "a place of a participant twice"),
        (swapped, "its scores are not in order"),
        (tied_in_another_order, "its scores are not in order"),
        (set_to(1e9, "detectors", 1, "scores", 5, "score"), "its scores are not in order"),
        (set_to("bulyan", "decision", "detector"), "decided by a detector that it lacks"),
        (set_to("norm", "decision", "detector"), "not that of the detector that decides"),
        (set_to("norm", "detectors", 0, "name"), "a detector twice"),
        (set_to("layer", "detectors", 0, "scope"), "a share in a layer that it lacks"),
        (set_to("update", "detectors", 2, "scope"), "a detector that marks nothing"),
        (of_a_layer, "a detector that marks nothing"),
        (set_to(0.5, "detectors", 0, "scores", -1, "share"), "a detector that has none"),
        (set_to(0.5, "ranking", 0, "share"), "not that of the detector that decides"),
        (set_to(1.5, "ranking", 0, "score"), "not that of the detector that decides"),
        (set_to({"fc9": 1.0}, *FIRST, "by_layer"), "a share in a layer that it lacks"),
        (set_to(True, *FIRST, "score"), "Expected `int | float`, got `bool`"),
        (set_to(None, *FIRST, "score"), "Expected `int | float`, got `null`"),
        (set_to(2**64, *FIRST, "score"), "an impossible number"),
        (set_to(10**400, "detectors", 1, "scores", 0, "score"), "an impossible number"),
        (set_to(2**64, *FIRST, "details"), "Expected `object`, got `int`"),
        (set_to(-1, "decision", "margin"), "a lower score than the next participant"),
        (set_to("p99", "truth", "compromised", 0), "not among its participants"),
        (set_to({}, "truth", "detectors"), "not about its detectors"),
        (set_to("\x1b[2J", "method", "inner_products"), "not one of ariba"),
    ],
)
def test_what_detectors_of_updates_cannot_have_said_is_refused(
    of_updates: bytes, spoil: Spoil, why: str
) -> None:
    with pytest.raises(InputError, match="the report is not a report of an audit: ") as raised:
        parse_report(spoiled(of_updates, spoil))
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("path", "sound"),
    [
        ("../global.safetensors", True),
        ("../../models/global", True),
        ("..", True),
        ("/etc/passwd", False),
        ("../a/../b", False),
        ("a/../../b", False),
        ("", False),
        ("../", False),
    ],
)
def test_a_global_model_of_no_seal_may_lie_elsewhere(data: bytes, path: str, sound: bool) -> None:
    def spoil(result: Json) -> None:
        result["inputs"][0] |= {"path": path, "file_sha256": None}

    if sound:
        assert parse_report(spoiled(data, spoil)).verdict.inputs[0].path == path
    else:
        with pytest.raises(InputError, match="a path that leaves the round"):
            parse_report(spoiled(data, spoil))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_score_that_is_not_finite_is_refused(of_updates: bytes, number: str) -> None:
    first = json.loads(of_updates)["result"]["detectors"][0]["scores"][0]["score"]
    data = of_updates.replace(f'"score": {first}'.encode(), f'"score": {number}'.encode())
    assert data != of_updates
    with pytest.raises(InputError) as raised:
        parse_report(data)
    assert "\n" not in str(raised.value)


VERSION = b'"schema_version": "2.'


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (b"", "is empty"),
        (lambda data: data[:1000], "is cut short"),
        (lambda data: data[:-3], "is cut short"),
        (lambda data: data + data, "holds several reports"),
        (lambda data: data.replace(b'"p03"', b'"p\x1b3"'), "is not strict JSON"),
        (lambda data: data.replace(VERSION, b'"schema_version": "3.'), "schema version 3.0.0"),
        (lambda data: spoiled(data, dict, version="1.2.0"), "has schema version 1.2.0"),
        (lambda data: spoiled(data, dict, version="1.0.0"), "has schema version 1.0.0"),
        (lambda data: data.replace(b'"headline": "S', b'"headline": "s'), "its words_sha256 is"),
        (lambda data: data.replace(b'"suspect": true', b'"suspect": false'), "was changed: its "),
        (b"[1]", "is not a JSON object"),
        (b"{}", "is not a report of ariba"),
        (b"[" * 100_000, "is not strict JSON"),
        (b"PK\x03\x04", "is not strict JSON"),
        (lambda data: data.replace(b'"result"', b'"run"', 1), "occurs twice"),
        (lambda data: spoiled(data, lambda result: result.clear()), "is not a report of an audit"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(
    path: Path, data: bytes, change: Any, why: str
) -> None:
    assert SCHEMA_VERSION == "2.0.0"
    path.write_bytes(change(data) if callable(change) else change)
    with pytest.raises(InputError) as raised:
        read_report(path)
    error = str(raised.value)
    assert error.startswith(f"'{path}' ")
    assert "\n" not in error
    assert why in error


@pytest.mark.parametrize(
    "command", [["report", "{}"], ["verify", "{}", ATTACKED], ["diff", "{}", "{}"]]
)
def test_a_report_that_is_cut_short_is_one_line_and_2(
    ariba: Ariba, path: Path, data: bytes, command: list[object]
) -> None:
    path.write_bytes(data[:5000])
    done = ariba(*(path if word == "{}" else word for word in command))
    assert (done.returncode, done.stdout) == (2, b"")
    hint = "is cut short; give one report of ariba audit -f json"
    assert done.stderr.decode() == f"error: '{path}' {hint}\n"


def test_a_report_with_spoiled_evidence_is_refused(several: bytes) -> None:
    content = json.loads(several)
    content["evidence"][0]["median_distance"] += 1
    with pytest.raises(InputError, match="evidence_sha256 is not that of its evidence"):
        parse_report(json.dumps(content).encode())


def test_what_only_a_newer_version_understands_says_so(data: bytes) -> None:
    content = json.loads(data)
    content["result"]["findings"] = [{"kind": "new", "participant": None}]
    content["words"]["findings"] = ["x"]
    content["schema_version"] = "2.99.0"
    with pytest.raises(InputError, match=r"schema version 2\.99\.0, .* install a newer one"):
        parse_report(hashed_again(content))


def places(content: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the places of values that may differ; of lists and participants, only in the first."""
    if here:
        yield here
    if isinstance(content, dict):
        for key in content if "p0" not in content else ["p0"]:
            yield from places(content[key], (*here, key))
    elif isinstance(content, list) and content:
        yield from places(content[0], (*here, 0))


@pytest.mark.parametrize("value", [None, -1, 0, 1e300, -1e300, "\x1b]0;x\x07", "", [], {}])
@pytest.mark.parametrize("which", ["small", "small_of_updates"])
def test_every_format_can_be_made_of_whatever_is_not_refused(
    request: pytest.FixtureRequest, which: str, value: object
) -> None:
    data: bytes = request.getfixturevalue(which)
    for place in places(json.loads(data)["result"]):
        try:
            report = parse_report(spoiled(data, set_to(value, *place)))
        except InputError:
            continue
        assert_every_format_is_harmless(report)


@pytest.mark.parametrize("value", [1e300, -1e300, 1e308, 5e-324, 0, -1])
def test_every_format_can_be_made_of_absurd_scores(of_updates: bytes, value: float) -> None:
    def spoil(result: Json) -> None:
        scores = result["detectors"][0]["scores"]
        for one in (*scores, *result["ranking"]):
            one["score"] = value
        for one in scores:
            one["by_layer"] = dict.fromkeys(one["by_layer"], value)
        ids = sorted(one["id"] for one in scores)
        for several in (scores, result["ranking"]):
            for one, name in zip(several, ids, strict=True):
                one["id"] = name
        result["decision"] |= {"margin": 0, "tie_at_cutoff": True}

    assert_every_format_is_harmless(parse_report(spoiled(of_updates, spoil)))


def assert_every_format_is_harmless(report: Report) -> None:
    assert harmless(audit_table(report.verdict, PLAIN))
    assert harmless(audit_markdown(report))
    assert audit_html(report)
    assert harmless(audit_sarif(report).decode())
    table = AuditCsv(report.verdict, with_round=False)
    assert harmless((table.header + table.rows(report.verdict, "")).decode())


def test_a_table_and_csv_are_what_the_audit_prints(ariba: Ariba, path: Path) -> None:
    for format_ in ([], ["-f", "csv"]):
        printed = ariba("audit", ATTACKED, "--layer", "conv2", "--verify-seal", *format_)
        again = ariba("report", path, *format_)
        assert (again.returncode, again.stdout) == (0, printed.stdout)
        assert again.stderr == printed.stderr


@pytest.mark.parametrize("format_", ["table", "csv"])
def test_of_updates_too_it_is_what_the_audit_prints(
    tmp_path: Path, ariba: Ariba, of_updates: bytes, format_: str
) -> None:
    (tmp_path / "updates.json").write_bytes(of_updates)
    names = ("krum", "norm", "mahalanobis", "last-bias")
    asked = [word for name in names for word in ("--detector", name)]
    asked += ["--detector-arg", "f=3", "--truth", "--verify-seal", "-f", format_]
    printed = ariba("audit", ATTACKED, *asked)
    again = ariba("report", "updates.json", "-f", format_)
    assert (printed.returncode, again.returncode) == (0, 0), printed.stderr
    assert (again.stdout, again.stderr) == (printed.stdout, printed.stderr)


@pytest.mark.parametrize("format_", ["html", "markdown", "sha256sums", "intoto"])
def test_a_report_of_updates_has_every_other_format(
    tmp_path: Path, ariba: Ariba, of_updates: bytes, format_: str
) -> None:
    (tmp_path / "updates.json").write_bytes(of_updates)
    done = ariba("report", "updates.json", "-f", format_)
    assert (done.returncode, done.stderr) == (0, b"")
    said = done.stdout.decode()
    if format_ == "html":
        assert done.stdout == audit_html(parse_report(of_updates))
    elif format_ == "markdown":
        assert "| rank | participant | score |  |" in said
        assert "detector `krum`, parameters: `f=3`" in said
        assert "Truth (last-bias): " in said
        assert "every share would be about" not in said
    elif format_ == "sha256sums":
        assert said.count("\n") == 21
    else:
        result = json.loads(of_updates)["result"]
        assert json.loads(said)["predicate"]["result"] == result


def test_a_table_does_not_depend_on_the_order_of_layers_in_the_report(tmp_path: Path) -> None:
    values = [np.random.default_rng(index).standard_normal((8, 8)) for index in range(6)]
    for index, own in enumerate(values):
        # In the order of the model, layer2 comes before layer10.
        model = {f"layer{number}.weight": own for number in range(2, 13)}
        write_model(tmp_path / "round" / f"participant-{index}.safetensors", model)
    verdict = audit(open_round(tmp_path / "round"), AuditSettings())
    again = parse_report(verdict_bytes(verdict, tmp_path)).verdict
    papers = [Paper(width=width, color=False) for width in (40, 66, 100)]
    tables = [audit_table(verdict, paper) for paper in papers]
    assert tables == [audit_table(again, paper) for paper in papers]
    assert "highest in" in tables[1]


def test_html_is_a_page(ariba: Ariba, path: Path) -> None:
    done = ariba("report", path, "-f", "html")
    assert done.returncode == 0
    assert done.stdout == audit_html(read_report(path))


def test_markdown_is_a_summary(data: bytes, several: bytes) -> None:
    text = audit_markdown(parse_report(data))
    report = json.loads(data)
    assert "**Suspects:** `p18`, `p15`, `p17`, `p13`. ariba always names the 4 highest" in text
    assert "| 1 | `p18` | 220 | 0.430 | suspect |" in text
    assert "an attack on the rest is not seen" in text
    assert f"result_sha256 `{report['result_sha256']}`" in text
    assert "### Findings" not in text
    longer = audit_markdown(parse_report(several))
    assert "suspect, compromised |" in longer
    assert "Truth: 100% of the 2 compromised are suspects" in longer


def test_no_name_is_markup_in_markdown(hostile: bytes) -> None:
    report = parse_report(hostile)
    text = audit_markdown(report)
    assert harmless(text)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in (*tokens, *inline)}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "em_open", "s_open"}
    spans = [child.content for child in inline if child.type == "code_inline"]
    suspects = report.verdict.suspects
    assert len(suspects) > 5
    for ranked in suspects:
        shown = visible(ranked.id)
        for character in "`|$":
            shown = shown.replace(character, f"\\x{ord(character):x}")
        assert shown in spans
    # Outside of code, there is nothing that a mention or a link could be made of.
    rest = " ".join(child.content for child in inline if child.type == "text")
    assert not set("@<>#`$[]") & set(rest)
    assert "://" not in rest
    assert "www." not in rest
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == len(suspects) + 5 + 2
    assert {line.count("|") for line in rows} == {6}


def test_no_name_reaches_a_terminal_or_a_spreadsheet_as_it_is(
    tmp_path: Path, ariba: Ariba, hostile: bytes
) -> None:
    (tmp_path / "report.json").write_bytes(hostile)
    assert harmless(ariba("report", "report.json").stdout.decode())
    done = ariba("report", "report.json", "-f", "csv")
    assert harmless(done.stdout.decode())
    rows = list(csv.reader(io.StringIO(done.stdout.decode())))
    assert len(rows) == 1 + len(NAMES)
    assert not any(row[1].startswith(("=", "+", "-", "@", "\t", "\uff1d")) for row in rows)
    assert harmless(ariba("report", "report.json", "-f", "markdown").stdout.decode())


def test_sums_are_what_sha256sum_checks(ariba: Ariba, path: Path) -> None:
    done = ariba("report", path, "-f", "sha256sums")
    assert done.stdout.count(b"\n") == 21
    check = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet"],
        cwd=ATTACKED,
        input=done.stdout,
        check=False,
        capture_output=True,
    )
    assert (check.returncode, check.stdout) == (0, b"")


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "a\rb", "\\n", "p\udcff", "\x1b[2J"])
def test_sums_of_any_name(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    verdict = parse_report(data).verdict
    named = replace(verdict.inputs[0], path=name, file_sha256=empty)
    verdict = replace(verdict, inputs=(named,))
    check = subprocess.run(
        ["sha256sum", "--check", "--strict", "--status"],
        cwd=tmp_path,
        input=sha256sums_of_inputs(verdict, for_terminal=False),
        check=False,
    )
    assert check.returncode == 0
    assert harmless(sha256sums_of_inputs(verdict, for_terminal=True).decode())


def test_a_statement_has_every_input_and_the_result(
    tmp_path: Path, ariba: Ariba, path: Path, data: bytes
) -> None:
    assert ariba("report", path, "-f", "intoto", "-o", "statement.json").returncode == 0
    written = (tmp_path / "statement.json").read_bytes()
    statement = json.loads(written)
    report = json.loads(data)
    assert written == canonical_bytes(statement) + b"\n"
    assert statement.keys() == {"_type", "subject", "predicateType", "predicate"}
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicate"]["result"] == report["result"]
    assert statement["predicate"]["result_sha256"] == report["result_sha256"]
    assert {one["name"]: one["digest"] for one in statement["subject"]} == {
        one["path"]: {"sha256": one["file_sha256"]} for one in report["result"]["inputs"]
    }


def test_an_envelope_holds_the_statement_to_the_byte(ariba: Ariba, path: Path) -> None:
    done = ariba("report", path, "-f", "dsse")
    assert (done.returncode, done.stderr) == (0, b"")
    envelope = json.loads(done.stdout)
    assert envelope.keys() == {"payload", "payloadType", "signatures"}
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert envelope["signatures"] == []
    payload = base64.b64decode(envelope["payload"], validate=True)
    assert payload == ariba("report", path, "-f", "intoto").stdout


@pytest.mark.parametrize("format_", ["sha256sums", "intoto", "dsse"])
def test_without_a_seal_there_is_no_hash_of_a_whole_file(
    tmp_path: Path, ariba: Ariba, format_: str
) -> None:
    root = write_flat_round(tmp_path / "flat", 5)
    (tmp_path / "report.json").write_bytes(report_bytes(root, verify_seal=True))
    done = ariba("report", "report.json", "-f", format_)
    assert (done.returncode, done.stdout) == (2, b"")
    hint = b"write the round again with ariba convert, and audit that with --verify-seal"
    assert hint in done.stderr


@pytest.mark.parametrize("format_", ["sha256sums", "intoto", "dsse"])
def test_of_a_seal_that_was_not_verified_nothing_is_repeated(
    tmp_path: Path, ariba: Ariba, format_: str
) -> None:
    (tmp_path / "report.json").write_bytes(report_bytes(ATTACKED, layers=("conv2",)))
    done = ariba("report", "report.json", "-f", format_)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"nobody hashed the files; audit the round with --verify-seal" in done.stderr


@pytest.mark.parametrize("format_", ["sha256sums", "intoto", "dsse"])
def test_of_a_seal_that_is_broken_nothing_is_repeated(
    attacked: Path, ariba: Ariba, format_: str
) -> None:
    file = attacked / "participants" / "p03.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 4
    file.write_bytes(content)
    report = report_bytes(attacked, layers=("conv2",), verify_seal=True)
    (attacked.parent / "report.json").write_bytes(report)
    done = ariba("report", "report.json", "-f", format_)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"the seal of the round is broken: " in done.stderr


@pytest.mark.parametrize("format_", ["table", "html", "intoto"])
def test_a_full_disk_is_an_error(ariba: Ariba, path: Path, format_: str) -> None:
    done = ariba("report", path, "-q", "-f", format_, "-o", "/dev/full")
    assert done.returncode == 2
    assert done.stderr == b"error: '/dev/full' cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    "format_", ["csv", "html", "markdown", "sha256sums", "intoto", "dsse", "sarif"]
)
def test_nothing_heavy_is_imported(path: Path, format_: str) -> None:
    found = imported("report", path, "-q", "-f", format_)
    assert not found & (HEAVY | {"numpy", "h5py", "safetensors", "rich"})
