"""Several rounds in one command: one after the other, each by itself, and how that ends."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import jsonschema
import pytest

from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.cli.options.given import given_rounds
from tests.conftest import FIXTURES, Ariba, environment
from tests.models import random_model, write_flat_round, write_model
from tests.test_reports_json import schema

ATTACKED, CLEAN = FIXTURES / "attacked", FIXTURES / "clean"


def lines(data: bytes) -> list[dict[str, Any]]:
    """One JSON object a line, each as the schema says."""
    found = [json.loads(line) for line in data.splitlines()]
    for one in found:
        jsonschema.validate(one, schema("audit"))
    return found


def start(*arguments: object, cwd: Path | None = None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "ariba_cli", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def stream(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def test_json_is_one_line_a_round_and_says_which(ariba: Ariba) -> None:
    done = ariba("audit", ATTACKED, CLEAN, "-f", "json", "--reproducible", "--layer", "all")
    assert done.returncode == 0
    found = lines(done.stdout)
    assert [one["run"]["round"] for one in found] == [str(ATTACKED), str(CLEAN)]
    for one, root in zip(found, (ATTACKED, CLEAN), strict=True):
        alone = ariba("audit", root, "-f", "json", "--reproducible", "--layer", "all")
        (indented,) = [json.loads(alone.stdout)]
        assert alone.stdout.count(b"\n") > 100
        jsonschema.validate(indented, schema("audit"))
        assert indented["run"].pop("argv") != one["run"].pop("argv")
        assert indented == one


@pytest.mark.parametrize("end", [b"", b"\0"])
def test_a_list_of_one_round_is_a_line_too(ariba: Ariba, tmp_path: Path, end: bytes) -> None:
    (tmp_path / "list").write_bytes(os.fsencode(CLEAN) + end)
    done = ariba("audit", "--files0-from", "list", "-f", "json")
    assert [one["run"]["round"] for one in lines(done.stdout)] == [str(CLEAN)]


def test_each_round_is_written_before_the_next_is_known() -> None:
    """The list stays open; what stands in it so far is audited."""
    process = start("audit", "--files0-from", "-", "-f", "json")
    wanted, shown = stream(process)
    for root in (ATTACKED, CLEAN, ATTACKED):
        wanted.write(os.fsencode(root) + b"\0")
        wanted.flush()
        (found,) = lines(shown.readline())
        assert found["run"]["round"] == str(root)
    rest, errors = process.communicate()
    assert (process.returncode, rest, errors) == (0, b"", b"")


def test_the_first_line_comes_before_the_second_round_is_read(tmp_path: Path) -> None:
    """The path of the second is not even written to the end."""
    os.mkfifo(tmp_path / "list")
    process = start("audit", "--files0-from", "list", "-f", "csv", cwd=tmp_path)
    _, shown = stream(process)
    with (tmp_path / "list").open("wb", buffering=0) as wanted:
        wanted.write(os.fsencode(CLEAN) + b"\0" + os.fsencode(ATTACKED)[:5])
        assert shown.readline().startswith(b"round,rank,id,score,share,p_value,flagged\n")
        assert shown.readline().startswith(os.fsencode(CLEAN) + b",1,p")
        wanted.write(os.fsencode(ATTACKED)[5:])
    rest = shown.read()
    assert rest.count(os.fsencode(ATTACKED)) == 20
    assert process.wait() == 0
    process.communicate()


def test_a_round_that_cannot_be_audited_does_not_stop_the_others(
    tmp_path: Path, ariba: Ariba
) -> None:
    write_flat_round(tmp_path / "two", 2)
    (tmp_path / "empty").mkdir()
    done = ariba("audit", CLEAN, "two", "nowhere", "empty", ATTACKED, "-f", "json")
    assert done.returncode == 2
    assert [one["run"]["round"] for one in lines(done.stdout)] == [str(CLEAN), str(ATTACKED)]
    errors = done.stderr.decode().splitlines()
    assert [line.split()[:2] for line in errors] == [
        ["error:", "two:"],
        ["error:", "nowhere:"],
        ["error:", "empty:"],
    ]
    assert "2 of 2 updates can be scored" in errors[0]


def test_an_error_outranks_a_condition_and_one_round_makes_it_hold(ariba: Ariba) -> None:
    condition = ("--layer", "conv2", "--fail-on", "share>=0.4", "-f", "csv")
    done = ariba("audit", CLEAN, ATTACKED, CLEAN, *condition)
    assert done.returncode == 1
    holding = [line for line in done.stderr.decode().splitlines() if "condition" in line]
    assert holding == [f"{ATTACKED}: condition holds: share>=0.4"]
    assert ariba("audit", CLEAN, CLEAN, *condition).returncode == 0
    assert ariba("audit", ATTACKED, "nowhere", *condition).returncode == 2


def test_the_condition_is_on_the_mean_share(ariba: Ariba) -> None:
    highest = json.loads(ariba("audit", ATTACKED, "--layer", "all", "-f", "json").stdout)
    first = highest["result"]["ranking"][0]
    scores = highest["result"]["detectors"][0]["scores"]
    assert max(scores[0]["by_layer"].values()) > first["share"] + 0.01
    for share, code in ((first["share"] - 0.001, 1), (first["share"] + 0.001, 0)):
        done = ariba("audit", ATTACKED, "--layer", "all", "--fail-on", f"share>={share:.4f}")
        assert done.returncode == code


def test_tables_say_which_round_they_are_of(ariba: Ariba) -> None:
    shown = ariba("audit", ATTACKED, CLEAN).stdout.decode()
    one, other = (ariba("audit", root).stdout.decode() for root in (ATTACKED, CLEAN))
    # What is said of both is said once.
    own = other[: other.index("Signs that")]
    assert shown.split() == f"Round {ATTACKED} {one} Round {CLEAN} {own}".split()
    assert "Round" not in one
    assert f"\n\nRound {CLEAN.parent}" in shown.replace(
        "\n" + str(CLEAN.parent), " " + str(CLEAN.parent)
    )


def test_csv_has_one_header_and_says_which_round_and_layer(ariba: Ariba) -> None:
    done = ariba("audit", ATTACKED, CLEAN, "-f", "csv", "--layer", "conv?")
    header, *rows = csv.reader(io.StringIO(done.stdout.decode()))
    columns = ["rank", "id", "score", "share", "p_value", "suspect"]
    columns += ["conv1.weight", "conv2.weight"]
    assert header == ["round", *columns]
    assert [row[0] for row in rows] == [str(ATTACKED)] * 20 + [str(CLEAN)] * 20
    for row in rows:
        assert float(row[4]) == pytest.approx((float(row[7]) + float(row[8])) / 2, abs=1e-5)
    notes = done.stderr.decode().splitlines()
    assert [note.split(" ")[0] for note in notes] == [f"{ATTACKED}:"]
    alone = ariba("audit", CLEAN, "-f", "csv", "--layer", "conv?").stdout.decode()
    assert list(csv.reader(io.StringIO(alone))) == [columns, *(row[1:] for row in rows[20:])]


def test_csv_has_no_column_for_a_layer_that_comes_later(tmp_path: Path, ariba: Ariba) -> None:
    for index in range(5):
        model = random_model(index)
        write_model(tmp_path / f"more/p{index}.safetensors", {**model, "x": model["fc.weight"]})
        write_model(tmp_path / f"some/p{index}.safetensors", model)
    done = ariba("audit", "some", "more", "some", "-f", "csv", "--layer", "all", "-q")
    assert done.returncode == 2
    rounds = [line.split(b",")[0] for line in done.stdout.splitlines()[1:]]
    assert rounds == [b"some"] * 10
    assert b"error: more: it has a layer 'x' that the first round lacks" in done.stderr
    done = ariba("audit", "more", "some", "-f", "csv", "--layer", "all", "-q")
    assert done.returncode == 0
    assert {line.count(b",") for line in done.stdout.splitlines()} == {10}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lists no round"),
        (b"\0", "entry 1 of --files0-from 'list' is empty"),
        (b"a\nb\n", "ends in lines; it takes paths with a NUL after each"),
        (b"x" * 100_000, "has no NUL in 100,000 bytes"),
    ],
)
def test_what_is_no_list_of_rounds(
    tmp_path: Path, ariba: Ariba, content: bytes, message: str
) -> None:
    (tmp_path / "list").write_bytes(content)
    done = ariba("audit", "--files0-from", "list", "-f", "json")
    error = done.stderr.decode()
    assert done.returncode == 2
    assert done.stdout == b""
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


def test_an_empty_entry_ends_the_list(tmp_path: Path, ariba: Ariba) -> None:
    path = os.fsencode(CLEAN)
    (tmp_path / "list").write_bytes(path + b"\0\0" + path + b"\0")
    done = ariba("audit", "--files0-from", "list", "-f", "json")
    assert done.returncode == 2
    assert len(lines(done.stdout)) == 1
    assert done.stderr == b"error: entry 2 of --files0-from 'list' is empty\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'ROUND...'"),
        ([CLEAN, "--files0-from", "-"], "not both"),
        (["--files0-from", "nowhere"], "'nowhere' cannot be read: No such file"),
        (["--files0-from", "."], "cannot be read: Is a directory"),
        (["--files0-from", "-"], "lists no round"),
    ],
)
def test_rounds_are_given_in_one_way(ariba: Ariba, arguments: list[object], message: str) -> None:
    done = ariba("audit", *arguments)
    error = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b"")
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


def test_a_closed_stdin_names_no_round() -> None:
    command = f"{sys.executable} -m ariba_cli audit --files0-from - <&-"
    done = subprocess.run(
        ["bash", "-c", command], env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == b"error: --files0-from reads stdin, which is closed\n"


def test_paths_of_any_bytes_are_read_from_a_list(tmp_path: Path) -> None:
    names = [b"a\nb", b"\xff\xfe", b"-rf", b" ", b"x" * 4000]
    (tmp_path / "list").write_bytes(b"\0".join(names))
    assert [os.fsencode(path) for path in given_rounds((), tmp_path / "list")] == names
    with pytest.raises(InputError, match="lists no round"):
        list(given_rounds((), Path(os.devnull)))
    with pytest.raises(UsageError):
        given_rounds((), None)


def test_a_file_is_written_when_all_rounds_are_done(tmp_path: Path, ariba: Ariba) -> None:
    command = ("audit", CLEAN, "nowhere", ATTACKED, "-f", "json", "--reproducible")
    (tmp_path / "report").write_text("old")
    assert ariba(*command, "-o", "report").returncode == 2
    found = lines((tmp_path / "report").read_bytes())
    assert [one["run"]["round"] for one in found] == [str(CLEAN), str(ATTACKED)]
    (tmp_path / "report").write_text("old")
    assert ariba("audit", "nowhere", "elsewhere", "-f", "json", "-o", "report").returncode == 2
    assert (tmp_path / "report").read_text() == "old"
    assert os.listdir(tmp_path) == ["report"]


def test_a_run_that_is_ended_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("old")
    process = start("audit", "--files0-from", "-", "-f", "json", "-o", "report", "-v", cwd=tmp_path)
    wanted, _ = stream(process)
    wanted.write(os.fsencode(CLEAN) + b"\0")
    wanted.flush()
    assert process.stderr is not None
    assert b"examined conv1.weight" in process.stderr.readline()
    process.terminate()
    assert process.wait() == 143
    process.communicate()
    assert os.listdir(tmp_path) == ["report"]
    assert (tmp_path / "report").read_text() == "old"


def test_nothing_more_is_audited_when_the_reader_has_gone() -> None:
    """The list has no end: only the closed pipe can end this."""
    ariba = f"{sys.executable} -m ariba_cli audit --files0-from - -f json"
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"yes {CLEAN} | tr '\\n' '\\0' | {ariba} | head -n 1; exit ${{PIPESTATUS[2]}}",
        ],
        env=environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert len(lines(done.stdout)) == 1
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_truth_is_that_of_each_round(tmp_path: Path, ariba: Ariba) -> None:
    other = Path(shutil.copytree(ATTACKED, tmp_path / "other"))
    (other / "truth.json").write_text('{"compromised": ["p00"]}')
    done = ariba("audit", ATTACKED, CLEAN, other, "--truth", "-f", "json")
    assert done.returncode == 0
    assert b"1 of 3 rounds have no truth.json" in done.stderr
    truths = [one["result"].get("truth") for one in lines(done.stdout)]
    assert [one and one["compromised"] for one in truths] == [["p15", "p18"], None, ["p00"]]


def test_a_truth_that_says_nothing_is_an_error_still(tmp_path: Path, ariba: Ariba) -> None:
    other = Path(shutil.copytree(ATTACKED, tmp_path / "other"))
    (other / "truth.json").write_text("{}")
    done = ariba("audit", ATTACKED, other, "--truth", "-f", "json")
    assert done.returncode == 2
    assert b"does not say who was compromised" in done.stderr


def test_what_could_not_be_seen_is_said_once_of_rounds_that_are_alike(ariba: Ariba) -> None:
    table = ariba("audit", ATTACKED, CLEAN, "--layer", "conv2").stdout
    assert table.count(b"Coverage: 1 of 8 layers") == 1
    assert table.index(b"Coverage: ") < table.index(b"\nRound ", 1)
    done = ariba("audit", ATTACKED, CLEAN, "--layer", "conv2", "-f", "csv")
    assert done.stderr.count(b"coverage: ") == 1
