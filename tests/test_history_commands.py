"""A run as one thing on the command line: audit, report, verify, diff, and conditions."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ariba_cli.reports.canonical import canonical_bytes
from ariba_cli.reports.history_report import parse_history
from ariba_cli.reports.html.history import history_html
from tests.commands import run_command
from tests.conftest import Ariba, environment
from tests.html_pages import Page
from tests.made_runs import ATTACKERS, FIRST, write_round, write_run
from tests.test_reports_json import schema


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six rounds, attacked from the third on."""
    return write_run(tmp_path_factory.mktemp("made") / "run")


@pytest.fixture(scope="module")
def lines(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the JSON lines of an audit of it, with its page beside."""
    folder = tmp_path_factory.mktemp("lines")
    options = ["-f", "json", "-o", "lines.jsonl", "--html", "page.html", "--reproducible"]
    done = run_command(["audit", str(run), *options], folder, environment())
    assert (done.returncode, done.stderr) == (0, b"")
    return folder / "lines.jsonl"


def last(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes().splitlines()[-1])
    return found


def test_the_last_line_is_about_all_rounds_together(lines: Path) -> None:
    *rounds, _ = map(json.loads, lines.read_bytes().splitlines())
    found = last(lines)
    jsonschema.validate(found, schema("history"))
    assert [one["run"]["round"][-10:] for one in rounds] == [f"round_{n:04d}" for n in range(1, 7)]
    history = found["result"]["history"]
    assert [one["result_sha256"] for one in history["rounds"]] == [
        one["result_sha256"] for one in rounds
    ]
    assert {one["id"] for one in history["ranking"] if one["flagged"]} == set(ATTACKERS)
    began = {one["id"]: one["began"] for one in history["courses"]}
    assert {began[name] for name in ATTACKERS} == {FIRST}
    for one in history["courses"]:
        alone = [
            own["p_value"]
            for own_round in rounds
            for own in own_round["result"]["ranking"]
            if own["id"] == one["id"]
        ]
        assert one["p_values"] == alone
    assert "Over 6 rounds (1 to 6), 2 of 14 participants stand out" in found["words"]["headline"]


def test_rounds_by_themselves_say_what_they_say_alone(lines: Path, run: Path, ariba: Ariba) -> None:
    alone = ariba("audit", run / "round_0004", "-f", "json", "--reproducible")
    found = json.loads(lines.read_bytes().splitlines()[3])
    assert found["result"] == json.loads(alone.stdout)["result"]


def test_the_table_shows_since_when_and_a_mark_for_each_round(run: Path, ariba: Ariba) -> None:
    done = ariba("audit", run, "--fail-on", "flagged", COLUMNS="100")
    assert done.returncode == 1
    assert b"all rounds together: condition holds: flagged" in done.stderr
    shown = done.stdout.decode().partition("All rounds together")[2]
    first = next(line for line in shown.splitlines() if line.split()[:2] == ["1", "p09"])
    assert first.split()[3:5] == ["3", "··████"]
    assert "p09: since round 3" in shown
    assert "Marks, a round each: █ p <= 0.0001" in shown


def test_what_is_written_of_a_report_is_what_the_audit_wrote(
    lines: Path, run: Path, ariba: Ariba
) -> None:
    table = ariba("report", lines).stdout.decode()
    assert table in ariba("audit", run).stdout.decode()
    page = ariba("report", lines, "-f", "html").stdout
    assert page == (lines.parent / "page.html").read_bytes()
    texts = " ".join(Page(page).texts)
    assert "p04" in texts
    assert "Participants and rounds" in texts
    done = ariba("report", lines, "-f", "sarif")
    assert done.returncode == 2
    assert b"sarif holds one round" in done.stderr


def test_names_are_nothing_but_text_on_the_page(lines: Path) -> None:
    evil = "<script>alert(1)</script>"
    text = lines.read_text().splitlines()[-1].replace('"p09"', json.dumps(evil))
    found = json.loads(text)
    for part in ("result", "words"):
        found[f"{part}_sha256"] = hashlib.sha256(canonical_bytes(found[part])).hexdigest()
    page = history_html(parse_history(canonical_bytes(found)))
    assert b"<script" not in page
    assert evil in " ".join(Page(page).texts)


def test_a_report_on_a_run_is_verified_round_by_round_and_as_a_whole(
    lines: Path, run: Path, ariba: Ariba, tmp_path: Path
) -> None:
    done = ariba("verify", lines, run)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"all rounds together: the same: " in done.stderr
    other = Path(shutil.copytree(run, tmp_path / "other"))
    shutil.rmtree(other / "round_0005")
    write_round(other, 5)
    done = ariba("verify", lines, other)
    assert done.returncode == 1
    said = done.stdout.decode()
    assert "round 5 of 6: p04: participants/p04.safetensors has other bytes" in said
    assert "all rounds together: round 5: result_sha256" in said
    shutil.rmtree(other / "round_0005")
    done = ariba("verify", lines, other)
    assert done.returncode == 2
    assert b"covers 6 rounds, and 5 are given" in done.stderr


def test_two_reports_on_runs_are_compared(lines: Path, ariba: Ariba, tmp_path: Path) -> None:
    assert ariba("diff", lines, lines).returncode == 0
    other = write_run(tmp_path / "other", attackers=("p01",))
    ariba("audit", other, "-f", "json", "-o", "other.jsonl")
    done = ariba("diff", lines, "other.jsonl", "-f", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    jsonschema.validate(found, schema("diff"))
    assert found["result"]["entered"] == ["p01"]
    assert sorted(found["result"]["left"]) == list(ATTACKERS)
    (tmp_path / "one.json").write_bytes(lines.read_bytes().splitlines()[0])
    done = ariba("diff", lines, "one.json")
    assert done.returncode == 2
    assert b"give two reports of one kind" in done.stderr


def spoiled(lines: Path, tmp_path: Path, spoil: Any, *, hashed: bool) -> Path:
    """The lines with the last one changed, and with the hash of what was changed or not."""
    *rounds, _ = lines.read_bytes().splitlines()
    found = last(lines)
    spoil(found["result"]["history"])
    if hashed:
        digest = hashlib.sha256(canonical_bytes(found["result"])).hexdigest()
        found["result_sha256"] = digest
    path = tmp_path / "spoiled.jsonl"
    path.write_bytes(b"\n".join([*rounds, canonical_bytes(found)]) + b"\n")
    return path


@pytest.mark.parametrize(
    ("spoil", "hashed", "message"),
    [
        (lambda one: one["ranking"].reverse(), False, "was changed: its result"),
        (lambda one: one["ranking"].reverse(), True, "its ranks do not count from 1"),
        (lambda one: one["courses"].pop(), True, "its courses are not those of its ranking"),
        (lambda one: one["rounds"].reverse(), True, "its rounds are not in order"),
        (lambda one: one["rounds"].pop(), True, "has too few or too many rounds"),
        (lambda one: one["courses"][0]["lengths"].__setitem__(0, -1), True, "an invalid number"),
        (lambda one: one["detectors"][1]["scores"].pop(), True, "has not scored those"),
        (lambda one: one.__setitem__("rounds", []), True, "it has no rounds"),
        (lambda one: one["decision"].__setitem__("alpha", "x"), True, "Expected `float | null`"),
    ],
)
def test_what_is_no_report_on_a_run(
    lines: Path, tmp_path: Path, ariba: Ariba, spoil: Any, hashed: bool, message: str
) -> None:
    done = ariba("report", spoiled(lines, tmp_path, spoil, hashed=hashed), "-f", "html")
    error = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b"")
    assert error.count("\n") == 1
    assert message in error
    assert error.startswith("error: line 7 of '")


def test_few_rounds_have_a_line_each_and_none_together(run: Path, ariba: Ariba) -> None:
    some = [run / f"round_{number:04d}" for number in (1, 2, 3)]
    done = ariba("audit", *some, "-f", "json", "-v")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)
    assert b"it takes 4 rounds that were audited at a level, and 3 can be used" in done.stderr
    done = ariba("audit", *some, "--html", "page.html")
    assert done.returncode == 2
    assert b"error: there is no verdict on all rounds together" in done.stderr


def test_a_round_that_is_being_written_is_passed_over(
    run: Path, ariba: Ariba, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    (other / "round_0006").rename(other / "round_0006.partial")
    done = ariba("audit", other, "-f", "json")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 6)
    assert b"round_0006.partial is being written, or was never finished: it is left out" in (
        done.stderr
    )
