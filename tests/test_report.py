"""A report is read back as it was written, or refused; and every format comes from it alone."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from ariba_cli.base.errors import InputError
from ariba_cli.base.visible import visible
from ariba_cli.reports.audit_csv import AuditCsv
from ariba_cli.reports.audit_json import SCHEMA_VERSION, audit_json
from ariba_cli.reports.audit_markdown import audit_markdown
from ariba_cli.reports.audit_table import audit_table
from ariba_cli.reports.canonical import canonical_bytes
from ariba_cli.reports.html.page import audit_html
from ariba_cli.reports.report import parse_report, read_report
from ariba_cli.reports.sha256sums import sha256sums_of_inputs
from ariba_cli.reports.text import Paper
from fixtures.make import GOLDEN
from tests.conftest import FIXTURES, Ariba
from tests.models import write_flat_round
from tests.reports import Json, Spoil, as_of_1_1, renamed, report_bytes, spoiled
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
    return report_bytes(ATTACKED)


@pytest.fixture(scope="module")
def several() -> bytes:
    return report_bytes(ATTACKED, truth=True, layers=("all",), evidence=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    round_ = write_flat_round(tmp_path_factory.mktemp("small"), 5)
    return report_bytes(round_, layers=("conv*",))


@pytest.fixture
def path(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "report.json").write_bytes(data)
    return tmp_path / "report.json"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The report on a round in which every participant has a name made to do harm."""
    root = write_flat_round(tmp_path_factory.mktemp("hostile"), len(NAMES))
    return spoiled(report_bytes(root, layers=("conv2",)), renamed(NAMES))


@pytest.mark.parametrize("command", [one for one in GOLDEN.values() if one.startswith("audit")])
def test_a_report_is_read_back_to_the_byte(ariba: Ariba, command: str) -> None:
    words = [FIXTURES / w if w in ("clean", "attacked") else w for w in command.split()]
    written = ariba(*words).stdout
    report = parse_report(written)
    assert audit_json(report.verdict, report.run) == written


def test_evidence_is_read_back_too(several: bytes) -> None:
    report = parse_report(several)
    assert report.verdict.evidence
    assert report.verdict.evaluation is not None
    assert audit_json(report.verdict, report.run) == several


def test_how_it_was_run_is_read_back_too(data: bytes) -> None:
    report = parse_report(data)
    assert report.run.round == str(ATTACKED)
    assert report.verdict.devices == ("cpu",)
    assert report.result_sha256 == json.loads(data)["result_sha256"]


def test_a_report_of_one_line_is_a_report(data: bytes) -> None:
    one_line = canonical_bytes(json.loads(data)) + b"\n"
    assert parse_report(one_line) == parse_report(data)


def test_what_an_older_version_lacks_has_its_default(data: bytes) -> None:
    older = parse_report(spoiled(data, as_of_1_1, version="1.1.0"))
    assert older.schema_version == "1.1.0"
    assert older.verdict.stability is None
    assert older.verdict.method.asked is None
    assert {one.file_sha256 for one in older.verdict.inputs} == {None}
    assert older.verdict.ranking == parse_report(data).verdict.ranking


def test_what_a_newer_version_adds_is_passed_over(data: bytes) -> None:
    def newer(result: Json) -> None:
        result["more"] = result["method"]["more"] = result["ranking"][0]["more"] = [1]

    assert parse_report(spoiled(data, newer, version="1.99.0")).verdict == (
        parse_report(data).verdict
    )


def set_to(value: object, *keys: Any) -> Spoil:
    """Say something else in one place."""

    def spoil(result: Any) -> None:
        for key in keys[:-1]:
            result = result[key]
        result[keys[-1]] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (set_to("4", "method", "k_est"), "Expected `int`, got `str`"),
        (set_to(True, "method", "k_est"), "Expected `int`, got `bool`"),
        (set_to(1.5, "ranking", 0, "score"), "Expected `int`, got `float`"),
        (set_to("yes", "ranking", 0, "suspect"), "Expected `bool`, got `str`"),
        (set_to(0, "method", "k_est"), "k_est is less than 1"),
        (set_to(99, "method", "k_est"), "nobody can be scored in"),
        (set_to("\x1b[2J", "method", "detector"), "none of ariba"),
        (set_to("<b>", "method", "fragment"), "none of ariba"),
        (set_to("@you", "layers", 0, "fragment"), "no way of ariba"),
        (set_to("x", "inputs", 3, "file_sha256"), "no sha256"),
        (set_to("a\ud800", "inputs", 3, "path"), "no file can have"),
        (set_to("p99", "ranking", 0, "id"), "not among its participants"),
        (set_to(2, "ranking", 0, "share"), "not between 0 and 1"),
        (set_to({}, "ranking", 0, "shares"), "a share in no layer"),
        (set_to([], "layers"), "no layer"),
        (set_to(["p99"], "stability", "steps", 0, "enter"), "not among its participants"),
        (set_to(-1, "stability", "steps", 3, "k_est"), "from 1 on, one by one"),
        (set_to(2**62, "stability", "steps", -1, "k_est"), "from 1 on, one by one"),
        (set_to(None, "layers", 0, "covariance_rank"), "what its detector was fitted on"),
        (set_to("p01", "inputs", 1, "id"), "a participant twice"),
        (set_to([], "evaluation"), "Expected `object"),
        (set_to(False, "ranking", 0, "suspect"), "others than the first are suspects"),
        (set_to(2, "ranking", 0, "rank"), "not in order"),
        (set_to(2**64, "layers", 0, "marked"), "nothing can be counted to"),
        (set_to(-1, "layers", 0, "left_out"), "nothing can be counted to"),
        (set_to(10**400, "layers", 0, "participants"), "more or fewer than its participants"),
        (set_to({}, "layers", 0, "tensor_sha256"), "without the hash of what was scored"),
    ],
)
def test_what_does_not_fit_together_is_refused(data: bytes, spoil: Spoil, why: str) -> None:
    with pytest.raises(InputError, match="the report is no report of an audit: ") as raised:
        parse_report(spoiled(data, spoil))
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (b"", "is empty"),
        (lambda data: data[:1000], "is cut short"),
        (lambda data: data[:-3], "is cut short"),
        (lambda data: data + data, "holds more than one report"),
        (lambda data: data.replace(b'"p03"', b'"p\x1b3"'), "is not strict JSON"),
        (lambda data: data.replace(b'"1.2.0"', b'"2.0.0"'), "has schema version 2.0.0"),
        (lambda data: data.replace(b'"suspect": true', b'"suspect": false'), "as it was written"),
        (b"[1]", "is not a JSON object"),
        (b"{}", "is no report of ariba"),
        (b"[" * 100_000, "is not strict JSON"),
        (b"PK\x03\x04", "is not strict JSON"),
        (lambda data: data.replace(b'"result"', b'"run"', 1), "occurs twice"),
        (lambda data: spoiled(data, lambda result: result.clear()), "is no report of an audit"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(
    path: Path, data: bytes, change: Any, why: str
) -> None:
    assert SCHEMA_VERSION == "1.2.0"
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
    def newer(result: Json) -> None:
        result["findings"] = [{"kind": "new", "detail": "x", "participant": None}]

    with pytest.raises(InputError, match=r"schema version 1\.99\.0, .* take a newer one"):
        parse_report(spoiled(data, newer, version="1.99.0"))


def places(content: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a value can be another: of a list, and of a map by participant, in the first entry."""
    if here:
        yield here
    if isinstance(content, dict):
        for key in content if "p0" not in content else ["p0"]:
            yield from places(content[key], (*here, key))
    elif isinstance(content, list) and content:
        yield from places(content[0], (*here, 0))


@pytest.mark.parametrize("value", [None, -1, 0, 1e300, "\x1b]0;x\x07", "", [], {}])
def test_every_format_can_be_made_of_whatever_is_not_refused(small: bytes, value: object) -> None:
    for place in places(json.loads(small)["result"]):
        try:
            report = parse_report(spoiled(small, set_to(value, *place)))
        except InputError:
            continue
        assert harmless(audit_table(report.verdict, PLAIN))
        assert harmless(audit_markdown(report))
        assert audit_html(report)
        table = AuditCsv(report.verdict, with_round=False)
        assert harmless((table.header + table.rows(report.verdict, "")).decode())


def test_a_table_and_csv_are_what_the_audit_prints(ariba: Ariba, path: Path) -> None:
    for format_ in ([], ["-f", "csv"]):
        printed = ariba("audit", ATTACKED, *format_)
        again = ariba("report", path, *format_)
        assert (again.returncode, again.stdout) == (0, printed.stdout)
        assert again.stderr == printed.stderr


def test_html_is_a_page(ariba: Ariba, path: Path) -> None:
    done = ariba("report", path, "-f", "html")
    assert done.returncode == 0
    assert done.stdout == audit_html(read_report(path))


def test_markdown_is_a_summary(data: bytes, several: bytes) -> None:
    text = audit_markdown(parse_report(data))
    report = json.loads(data)
    assert "**Suspects:** `p18`, `p15`, `p17`, `p13`. The 4 highest scores are always" in text
    assert "| 1 | `p18` | 220 | 0.430 | suspect |" in text
    assert "an attacker who left them alone is not seen" in text
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


@pytest.mark.parametrize("format_", ["sha256sums", "intoto"])
def test_without_a_seal_there_is_no_hash_of_a_whole_file(
    tmp_path: Path, ariba: Ariba, format_: str
) -> None:
    root = write_flat_round(tmp_path / "flat", 5)
    (tmp_path / "report.json").write_bytes(report_bytes(root))
    done = ariba("report", "report.json", "-f", format_)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"write the round again with ariba convert, and audit that" in done.stderr


@pytest.mark.parametrize("format_", ["table", "html", "intoto"])
def test_a_full_disk_is_an_error(ariba: Ariba, path: Path, format_: str) -> None:
    done = ariba("report", path, "-q", "-f", format_, "-o", "/dev/full")
    assert done.returncode == 2
    assert done.stderr == b"error: '/dev/full' cannot be written: No space left on device\n"


def test_a_report_is_not_read_through_a_link(tmp_path: Path, ariba: Ariba, path: Path) -> None:
    (tmp_path / "link.json").symlink_to(path)
    done = ariba("report", "link.json")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"is a link" in done.stderr


@pytest.mark.parametrize("format_", ["csv", "html", "markdown", "sha256sums", "intoto"])
def test_nothing_heavy_is_imported(path: Path, format_: str) -> None:
    found = imported("report", path, "-q", "-f", format_)
    assert not found & (HEAVY | {"numpy", "h5py", "safetensors", "rich"})
