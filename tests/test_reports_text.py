"""Tables and CSV: what is said, and that no name can say anything else."""

import csv
import io
import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.detectors import make_detectors
from ariba_cli.reports.audit_csv import AuditCsv
from ariba_cli.reports.audit_table import audit_table
from ariba_cli.reports.bars import Bars
from ariba_cli.reports.inspect_table import inspect_table
from ariba_cli.reports.text import Paper
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_file, inspect_round
from ariba_cli.verdicts.ranked import Ranked
from tests.conftest import FIXTURES
from tests.models import random_model, write_flat_round, write_model

PLAIN = Paper(width=100, color=False)

HOSTILE_NAMES = [
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m",
    "[red]",
    "[bold]x",
    "a\nsuspect",
    "a\rb",
    "\u202egnp.exe",
    "=cmd|' C calc'!A0",
    "+1",
    "-rf",
    "@SUM(1)",
    "\uff1dSUM(1)",
    "\ttab",
    "<script>alert(1)",
    '"><svg onload=alert(1)>',
    ":smile:",
    "x" * 200,
    "CON",
    "%s%n",
    "{0}",
    "ünïcödé",
    "\u00a0",
    "-",
    "a,b;c",
    '"quoted"',
]


def attacked_table(paper: Paper, *, truth: bool = False) -> str:
    verdict = audit(open_round(FIXTURES / "attacked"), AuditSettings(layers=("conv2",)))
    if truth:
        verdict = replace(verdict, truth=truth_metrics(verdict, ["p15", "p18"]))
    return audit_table(verdict, paper)


def test_the_table_says_who_is_suspected_and_what_that_means() -> None:
    table = attacked_table(PLAIN)
    rows = [line.split() for line in table.splitlines() if line.endswith("suspect")]
    assert [row[1] for row in rows] == ["p18", "p15", "p17", "p13"]
    said = " ".join(table.split())
    assert "Suspects: p18, p15, p17, p13." in said
    assert "ariba always names the " in said
    assert "1 of 8 layers examined" in said
    assert "an attack on the rest is not seen" in said
    assert "k_est/n = 0.2" in said
    assert "compromised" not in said


def test_with_the_truth_it_says_how_good_that_was() -> None:
    said = " ".join(attacked_table(PLAIN, truth=True).split())
    assert "suspect, compromised" in said
    assert "100% of the 2 compromised are suspects, and 2 of the others; confidence C 0.429" in said
    assert "AUC 1.000" in said


def test_the_table_shows_the_suspects_and_the_next_ten() -> None:
    verdict = audit(open_round(FIXTURES / "attacked"), AuditSettings(layers=("conv2",)))
    table = audit_table(verdict, PLAIN)
    shown, hidden = verdict.ranking[:14], verdict.ranking[14:]
    assert all(f" {one.id} " in table for one in shown)
    assert not any(f" {one.id} " in table for one in hidden)
    assert "and 6 more with shares 0.115 to 0.148 (--top all shows them)" in table
    assert "(--top all shows them)" not in audit_table(verdict, PLAIN, top=20)
    assert "and 18 more with shares" in audit_table(verdict, PLAIN, top=2)


def test_a_table_of_several_detectors_has_the_ranks_of_the_others() -> None:
    detectors = make_detectors(("norm", "krum", "mahalanobis"))
    verdict = audit(open_round(FIXTURES / "attacked"), AuditSettings(detectors=detectors))
    verdict = replace(verdict, truth=truth_metrics(verdict, ["p15", "p18"]))
    table = audit_table(verdict, PLAIN)
    said = " ".join(table.split())
    assert "norm over 8 layers; score: times the median norm; k_est 4" in said
    start = next(
        number for number, line in enumerate(table.splitlines()) if line.startswith("rank")
    )
    header, *lines = (line.split() for line in table.splitlines()[start : start + 15])
    assert header == ["rank", "participant", "score", "krum", "mahalanobis"]
    for line, ranked in zip(lines, verdict.ranking, strict=False):
        places = [str(one.ids.index(ranked.id) + 1) for one in verdict.detectors]
        assert line[:3] == [places[0], ranked.id, f"{ranked.score:.4g}"]
        assert [word for word in line[3:] if word.isdecimal()] == places[1:]
    assert lines[0][-2:] == ["suspect,", "compromised"]
    for name in ("norm", "krum", "mahalanobis"):
        assert f"Truth ({name}): 100% of the 2 compromised are suspects" in said
    assert "k_est/n" not in said


def of_score(score: float) -> Ranked:
    return Ranked(rank=1, id="p0", score=score, suspect=True)


def test_a_bar_has_the_line_of_chance() -> None:
    shares = Bars(largest=1.0, line=0.2)
    assert shares.draw(of_score(0.5), 10, ascii_only=True) == "##|##     "
    assert shares.draw(of_score(0.0), 10, ascii_only=True) == "  |       "
    assert Bars(largest=1.0, line=0.99).draw(of_score(1.0), 10, ascii_only=False) == "━━━━━━━━━│"


def test_a_bar_of_another_score_is_on_the_scale_of_the_highest() -> None:
    scores = Bars(largest=8.0, line=None)
    assert scores.draw(of_score(8.0), 10, ascii_only=True) == "#" * 10
    assert scores.draw(of_score(4.0), 10, ascii_only=False) == "━━━━━     "
    assert scores.draw(of_score(-3.0), 10, ascii_only=True) == " " * 10
    assert Bars(largest=-1.0, line=None).draw(of_score(-2.0), 10, ascii_only=True) == " " * 10
    assert scores.header(PLAIN) == ""


def test_a_bar_at_a_level_is_as_long_as_the_p_value_is_unlikely() -> None:
    chances = Bars(largest=8.0, line=2.0, line_name="α/n")
    one, other = (Ranked(1, "p0", 9.0, p_value=p, flagged=False) for p in (1e-4, 1.0))
    assert chances.draw(one, 8, ascii_only=True) == "##|#    "
    assert chances.draw(other, 8, ascii_only=True) == "  |     "
    assert chances.header(PLAIN) == "│ α/n"


def test_ascii_where_nothing_else_can_be_shown() -> None:
    paper = Paper(width=100, color=False, encoding="ascii")
    assert attacked_table(paper).isascii()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("detectors", [("mahalanobis",), ("krum", "norm"), ("norm",)])
@pytest.mark.parametrize("layers", [("conv2",), ()])
def test_lines_fit_the_width(
    width: int, detectors: tuple[str, ...], layers: tuple[str, ...]
) -> None:
    paper = Paper(width=width, color=False)
    verdict = audit(
        open_round(FIXTURES / "attacked"),
        AuditSettings(layers=layers, detectors=make_detectors(detectors)),
    )
    if width >= 80:
        verdict = replace(verdict, truth=truth_metrics(verdict, ["p15", "p18"]))
    table = audit_table(verdict, paper, top=20)
    assert max(map(cell_len, table.splitlines())) <= width
    for name in ("p00", "p19"):
        assert name in table


def test_colour_only_when_asked_for() -> None:
    assert "\x1b" not in attacked_table(PLAIN)
    assert "\x1b[1;31m" in attacked_table(Paper(width=100, color=True))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A round in which every participant has a name made to do harm."""
    root = tmp_path / "hostile"
    write_flat_round(root, 3)
    for index, name in enumerate(HOSTILE_NAMES):
        write_model(root / f"{name}.safetensors", random_model(index + 3))
    write_model(
        root / "names.safetensors",
        {**random_model(90), "\x1b[31m[/red]\n": random_model(1)["fc.weight"]},
    )
    os.rename(os.fsencode(root / "p1.safetensors"), os.fsencode(root) + b"/\xff\xfe.safetensors")
    (root / "\x1b]8;;bad\x07.safetensors").write_bytes(b"not a model")
    return root


def harmless(text: str) -> bool:
    return all(character == "\n" or character.isprintable() for character in text)


def test_no_name_reaches_the_terminal_as_it_is(hostile: Path) -> None:
    settings = AuditSettings(layers=("conv2",))
    table = audit_table(audit(open_round(hostile), settings), PLAIN, top=len(HOSTILE_NAMES) + 9)
    assert harmless(table)
    assert r"\x1b[2J\x1b]0;owned\x07" in table
    assert "[bold]x" in table
    assert ":smile:" in table
    assert harmless(inspect_table(inspect_round(open_round(hostile)), PLAIN))
    assert harmless(inspect_table(inspect_file(hostile / "names.safetensors"), PLAIN))


def test_no_name_reaches_the_terminal_from_a_table_of_updates(hostile: Path) -> None:
    settings = AuditSettings(detectors=make_detectors(("krum", "mahalanobis")))
    verdict = audit(open_round(hostile), settings)
    table = audit_table(verdict, PLAIN, top=len(verdict.ranking))
    assert harmless(table)
    assert r"\x1b[2J\x1b]0;owned\x07" in table


def test_long_names_are_shown_whole(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    for last in "ab":
        write_model(tmp_path / f"{'x' * 200}{last}.safetensors", random_model(ord(last)))
    verdict = audit(open_round(tmp_path), AuditSettings(layers=("conv2",)))
    for text in (
        inspect_table(inspect_round(open_round(tmp_path)), PLAIN),
        audit_table(verdict, PLAIN),
    ):
        assert "…" not in text
        assert text.count("x") >= 400


def test_no_name_is_a_formula_in_csv(hostile: Path) -> None:
    verdict = audit(open_round(hostile), AuditSettings(layers=("conv2",)))
    table = AuditCsv(verdict, with_round=False)
    text = (table.header + table.rows(verdict, "")).decode()
    assert harmless(text)
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["rank", "id", "score", "share", "p_value", "suspect"]
    assert len(rows) == 1 + 3 + len(HOSTILE_NAMES) + 1
    for row in rows[1:]:
        assert len(row) == 6
        assert not row[1].startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))


def test_a_csv_of_several_detectors_has_a_column_for_each_of_the_others() -> None:
    settings = AuditSettings(detectors=make_detectors(("norm", "mahalanobis")))
    verdict = audit(open_round(FIXTURES / "attacked"), settings)
    table = AuditCsv(verdict, with_round=False)
    rows = list(csv.DictReader(io.StringIO((table.header + table.rows(verdict, "")).decode())))
    layers = [layer.layer for layer in verdict.layers]
    columns = ["rank", "id", "score", "share", "p_value", "suspect", *layers, "mahalanobis"]
    assert [list(row) for row in rows] == [columns] * 20
    marks = {one.id: one.share for one in verdict.detectors[1].scores}
    for row, ranked in zip(rows, verdict.ranking, strict=True):
        assert row["share"] == ""
        assert float(row["score"]) == pytest.approx(ranked.score, rel=1e-5)
        assert float(row["mahalanobis"]) == pytest.approx(marks[row["id"]], rel=1e-5)
