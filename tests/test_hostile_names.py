"""Thirty names made to do harm, in every output, error, log line and progress bar."""

import csv
import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.cli import console
from ariba_cli.cli.app import main
from ariba_cli.cli.console import Console, Environment
from ariba_cli.rounds.directory import open_round
from tests.html_pages import Page
from tests.models import random_model, write_flat_round, write_model

NAMES = [
    "..",
    "..%2f..",
    ".hidden",
    "-rf",
    "--out=x",
    "\x1b[2J\x1b]0;owned\x07",
    "\x1b]8;;http://evil\x07here",
    "\x9b31m",
    "\x90q\x9c",
    "\x7f\x08\x08",
    "a\nerror: forged",
    "a\rp00  suspect",
    "a\u2028b\u2029",
    "\u202egnp.exe",
    "\u2066\u200f\u200b\ufeff",
    "[red]",
    "[/red]",
    "[link=http://evil]x[/link]",
    ":smile:",
    "=cmd|' C calc'!A0",
    "+1",
    "@SUM(1)",
    "\ttab",
    "\uff1d1",
    "<script>alert(1)",
    '"><svg onload=alert(1)>',
    "%s%n{0}${HOME}`id`",
    "u\u0308",
    "\u00fc",
    "p0\ufe0f",
    "p0 ",
    "P0",
    "CON",
    "NUL.txt",
    "x" * 240,
    "\udcff\udcfe",
    "a,b;c'\"",
    "\U0001f600",
]

ESCAPE = NAMES[5]
# Of those who send no model; a file that is hidden, too, is nobody's update.
REFUSED = [name for name in NAMES[::3] if not name.startswith(".")]

# What Rich draws a bar with.
BAR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def path_of(name: str) -> str:
    """A name as a file may have it: without `/`, and with a suffix that none of them ends in."""
    return f"{name.replace('/', chr(92))}.safetensors"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Everybody has a name made to do harm, and so has a layer; some send what is refused."""
    root = write_flat_round(tmp_path / "round", 4)
    for index, name in enumerate(NAMES):
        model = {**random_model(index + 4), f"{ESCAPE}.weight": random_model(1)["conv2.weight"]}
        write_model(root / path_of(name), model)
        if index % 3 == 0:
            (root / path_of(name)).write_bytes(b"not a model")
    return root


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


class Ariba:
    """The command, run in this process."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes]
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capture = capture

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Its exit code, and what it says on both streams, which must be harmless."""
        self._monkeypatch.setattr(sys, "argv", ["ariba", *map(str, arguments)])
        code = main()
        out, error = (text.decode("utf-8") for text in self._capture.readouterr())
        for text in (out, error):
            assert harmless(text), arguments
        return code, out, error


@pytest.fixture
def ariba(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Ariba:
    return Ariba(monkeypatch, capsysbinary)


def harmless(text: str) -> bool:
    return all(character == "\n" or character.isprintable() for character in text)


def test_tables_logs_and_warnings_are_harmless(root: Path, ariba: Ariba) -> None:
    code, table, log = ariba("audit", root, "--layer", "conv2", "-v")
    assert code == 0
    assert "examined conv2.weight" in log
    assert r"\x1b[2J\x1b]0;owned\x07" in table
    assert "[red]" in table
    _, table, _ = ariba("inspect", root, "-v")
    assert "\U0001f604" not in table
    assert "[link=http:" in table


def test_what_inspect_says_of_paths_is_harmless(tmp_path: Path, ariba: Ariba) -> None:
    """A round, a file in it, and a folder of shards, all of a name that clears the screen."""
    root = write_flat_round(tmp_path / path_of(ESCAPE), 3)
    write_model(root / path_of(ESCAPE), random_model(9))
    shard = f"{path_of(ESCAPE)}\n"
    (root / ESCAPE).mkdir()
    write_model(root / ESCAPE / shard, {"w": random_model(9)["conv2.weight"]})
    write_model(root / ESCAPE / "other", {"v": random_model(9)["conv2.weight"]})
    index = {"weight_map": {"w": shard, "v": "other"}}
    (root / ESCAPE / "model.safetensors.index.json").write_text(json.dumps(index))
    for path in (root, root / path_of(ESCAPE), root / ESCAPE):
        code, table, log = ariba("inspect", path, "-v")
        assert code == 0
        assert r"\x1b[2J\x1b]0;owned\x07" in table
        assert r"\x1b[2J\x1b]0;owned\x07" in log


def test_a_layer_of_such_a_name_can_be_examined(root: Path, ariba: Ariba) -> None:
    code, table, log = ariba("audit", root, "--layer", ESCAPE, "-v")
    assert code == 0
    assert r"examined \x1b[2J\x1b]0;owned\x07.weight" in log
    assert r"updates are equal in \x1b[2J\x1b]0;owned\x07.weight" in " ".join(table.split())


def test_layers_of_such_names_are_shown_side_by_side(tmp_path: Path, ariba: Ariba) -> None:
    """As patterns, in the table of layers, in columns, in the log and in headings."""
    names = [name for name in NAMES if name and "." not in name and name.isprintable()]
    names += [ESCAPE, "\x9b31m", "a\nb\rc", "[/red]", "\u202egnp"]
    root = tmp_path / f"round {ESCAPE}"
    for index in range(4):
        rng = np.random.default_rng(index)
        model = {f"{name}.weight": rng.standard_normal((4, 3)) for name in names}
        write_model(root / f"p{index}.safetensors", model)
    for asked in (["all"], ["*"], [f"{ESCAPE[:3]}*", "a?b*", "[[]*"]):
        chosen = [word for one in asked for word in ("--layer", one)]
        code, table, log = ariba("audit", root, root, *chosen, "-v")
        assert code == 0
        assert " ".join(table.split()).count(r"\x1b[2J\x1b]0;owned\x07.weight row") == 2
        assert table.startswith("Round ")
        assert r"examined a\nb\rc.weight" in log
        code, table, _ = ariba("audit", root, "nowhere", *chosen, "-f", "csv")
        assert code == 2
        header, *rows = csv.reader(io.StringIO(table))
        assert {len(row) for row in rows} == {len(header)}
        starts = ("=", "+", "-", "@", "\t", "\uff1d")
        assert not [cell for row in [header, *rows] for cell in row if cell.startswith(starts)]
        code, text, _ = ariba("audit", root, root, *chosen, "-f", "json")
        assert text.isascii()
        assert f"{ESCAPE}.weight" in json.loads(text.splitlines()[1])["result"]["method"]["layers"]


def test_json_holds_every_name_exactly(root: Path, ariba: Ariba) -> None:
    text = ariba("audit", root, "--layer", "conv2", "-f", "json")[1]
    assert text.isascii()
    ids = [entry["id"] for entry in json.loads(text)["result"]["inputs"]]
    assert sorted(ids) == sorted(member.id for member in open_round(root).participants)
    assert {path_of(name) for name in NAMES} < {os.fspath(path.name) for path in root.iterdir()}
    assert json.loads(ariba("inspect", root, "-f", "json")[1])


def test_csv_has_one_line_each_and_no_formula(root: Path, ariba: Ariba) -> None:
    _, text, warnings = ariba("audit", root, "--layer", "conv2", "-f", "csv")
    rows = list(csv.reader(io.StringIO(text)))
    assert {len(row) for row in rows} == {6}
    assert not [row for row in rows[1:] if row[1].startswith(("=", "+", "-", "@", "\t", "\uff1d"))]
    left_out = [
        line for line in warnings.splitlines() if "is in a format that ariba does not know" in line
    ]
    assert len(left_out) == len(REFUSED)
    assert all(line.startswith(("warning: ", "coverage: ")) for line in warnings.splitlines())


def test_the_page_of_a_round_has_no_element_from_its_names(
    root: Path, tmp_path: Path, ariba: Ariba
) -> None:
    harmless_root = write_flat_round(tmp_path / "harmless", 4)
    for index, name in enumerate(sorted(NAMES)):
        model = {**random_model(index + 4), "other.weight": random_model(1)["conv2.weight"]}
        write_model(harmless_root / f"name{index:02}.safetensors", model)
        if NAMES.index(name) % 3 == 0:
            (harmless_root / f"name{index:02}.safetensors").write_bytes(b"not a model")
    pages = []
    for directory in (root, harmless_root):
        page = tmp_path / "page.html"
        code, _, _ = ariba("audit", directory, "--layer", "conv*", "--html", page)
        assert code == 0
        text = page.read_text()
        assert harmless(text)
        pages.append(Page(text.encode()))
    known = {(tag, names) for tag, names in pages[1].elements}
    assert {(tag, names) for tag, names in pages[0].elements} == known
    assert not [value for value in pages[0].values("href") if not value.startswith("#")]


def test_reports_in_every_format_are_harmless(root: Path, tmp_path: Path, ariba: Ariba) -> None:
    """Each comes from the JSON alone; a round that was sealed has hashes of its files."""
    ariba("convert", root, "--out", tmp_path / "sealed")
    report, other = tmp_path / "report.json", tmp_path / "other.json"
    audit = ("audit", tmp_path / "sealed", "-f", "json", "--evidence", "-o")
    ariba(*audit, report, "--layer", "conv2")
    ariba(*audit, other, "--layer", "conv1")
    ariba("audit", tmp_path / "sealed", "-f", "json", "--verify-seal", "-o", report)
    for format_ in ("table", "html", "csv", "markdown", "sha256sums", "intoto", "dsse", "sarif"):
        code, text, _ = ariba("report", report, "-f", format_)
        assert (code, bool(text)) == (0, True), format_
    assert ariba("verify", report, tmp_path / "sealed")[0] == 0
    assert ariba("diff", report, other)[0] == 1
    explained = [f"--explain={member.id}" for member in open_round(root).participants]
    code, table, _ = ariba("audit", root, "--layer", "conv2", *explained)
    words = " ".join(table.split())
    assert code == 0
    assert words.count("Its most distant:") == 4 + len(NAMES) - len(NAMES[::3])
    assert words.count("is not ranked: it was scored in no layer.") == len(REFUSED)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_errors_are_one_line(tmp_path: Path, ariba: Ariba, name: str) -> None:
    root = write_flat_round(tmp_path / "round", 2)
    (root / path_of(name)).write_bytes(b"not a model")
    (tmp_path / "in" / path_of(name)).mkdir(parents=True)
    for command in (
        ["audit", root],
        ["audit", root, "--layer", name],
        ["inspect", root / path_of(name)],
        ["audit", tmp_path / "in" / path_of(name)],
        ["audit", tmp_path / "nowhere" / name],
        ["convert", root / path_of(name), "--out", tmp_path / "out"],
        ["audit", root, "--layer", f"{name}*"],
        ["audit", root, "--files0-from", f"nowhere/{name}"],
        ["audit", root, "--fragment", name],
        ["audit", root, "-f", f"{name} "],
        ["audit", root, "--fail-on", name],
        ["audit", root, "--global", f"nowhere/{name}"],
        [f"{name} "],
    ):
        code, out, error = ariba(*command)
        assert (code, out) == (2, ""), command
        assert error.startswith("error: "), command
        assert error.count("\n") == 1, command


def test_the_progress_bar_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(console, "_SECONDS_BEFORE_PROGRESS", 0.0)
    for name in NAMES:
        screen = Terminal()
        environment = Environment(Terminal(), screen, {"TERM": "xterm"})
        with Console(environment, color="auto", quiet=False, verbose=False).progress() as progress:
            progress(f"reading {name}", 1, 2)
        drawn = screen.getvalue()
        assert "reading" in drawn
        assert harmless(name) or name not in drawn
        assert harmless(BAR.sub("", drawn).replace("\r", "")), name


def test_names_never_become_paths(root: Path, tmp_path: Path, ariba: Ariba) -> None:
    """A converted round has every participant, and nothing lies outside of it."""
    code, _, _ = ariba("convert", root, "--out", tmp_path / "out")
    assert code == 0
    assert sorted(os.listdir(tmp_path)) == ["out", "round"]
    written = os.listdir(tmp_path / "out" / "participants")
    assert len(written) == 4 + len(NAMES) - len(NAMES[::3])
    assert all(harmless(name) and not name.startswith(".") for name in written)
    assert len({name.lower() for name in written}) >= len(written) - 1


def test_no_name_spells_the_escape_of_another(tmp_path: Path, ariba: Ariba) -> None:
    """A control character is shown as an escape, a backslash as two, each once and everywhere."""
    root = write_flat_round(tmp_path / "round", 4)
    for name in ("\x1b", r"\x1b"):
        write_model(root / f"ü{name}.safetensors", random_model(9))
        (root / f"é{name}.safetensors").write_bytes(b"not a model")
    sealed, report = tmp_path / "sealed", tmp_path / "report.json"
    chosen = ("--layer", "conv2", "--layer", "fc")
    shown = {
        "table": ariba("audit", root, *chosen)[1],
        "csv": "".join(ariba("audit", root, *chosen, "-f", "csv")[1:]),
        "inspect": ariba("inspect", root)[1],
        "convert": ariba("convert", root, "--out", sealed)[2],
    }
    ariba("audit", root, *chosen, "-f", "json", "--evidence", "-o", report)
    for format_ in ("table", "csv", "markdown", "html"):
        shown[f"report {format_}"] = "".join(ariba("report", report, "-f", format_)[1:])
    for what, text in shown.items():
        letters = "é" if what == "convert" else "üé"
        for letter in letters:
            # Whatever lies between the first letter and what is spelt is a name's backslashes.
            found = set(re.findall(rf"{letter}(\\*)x1b", text))
            assert found == {"\\", "\\\\"}, what
    for name in ("\x1b", r"\x1b"):
        _, _, error = ariba("audit", root, "--explain", f"nobody{name}")
        once = name.replace("\\", r"\\").replace("\x1b", r"\x1b")
        assert f"cannot explain 'nobody{once}': the" in error


def test_what_a_stream_cannot_show_is_an_escape_too() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console.say(stream, "ü\x1b and \\x1b")
    assert stream.buffer.getvalue() == rb"\xfc\x1b and \\x1b" + b"\n"
