"""The examples work as they are."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, REPOSITORY, environment

SCRIPT = REPOSITORY / "examples" / "forensic_review.sh"

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            [FIXTURES / "clean", "report.json"],
            0,
            "Nothing found that speaks against deployment.",
        ),
        ([FIXTURES / "attacked", "report.json"], 1, "Deployment stopped."),
        ([FIXTURES / "attacked", "report.json", "1e-200"], 0, "speaks against deployment."),
        ([FIXTURES / "attacked", "report.json", "5"], 2, ""),
        ([FIXTURES / "nowhere", "report.json"], 2, ""),
        ([], 2, ""),
    ],
)
def test_the_review_stops_a_deployment(
    tmp_path: Path, command_path: str, arguments: list[object], code: int, said: str
) -> None:
    done = subprocess.run(
        ["bash", SCRIPT, *map(str, arguments)],
        cwd=tmp_path,
        env=environment(PATH=command_path),
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stdout.decode().rstrip("\n").endswith(said)
    if code < 2:
        ranking = json.loads((tmp_path / "report.json").read_text())["result"]["ranking"]
        lines = done.stdout.decode().splitlines()
        shown = [line.split()[0] for line in lines if " p-value " in line]
        assert shown == [ranked["id"] for ranked in ranking if ranked["flagged"]]


def test_a_table_of_attacks_is_measured(tmp_path: Path, command_path: str) -> None:
    (tmp_path / "rows.txt").write_text("--k 2 --strategy noise --strategy-arg deviation=1\n")
    script = str(REPOSITORY / "examples" / "attacks" / "measure.sh")
    for _ in range(2):
        done = subprocess.run(
            ["bash", script, str(FIXTURES / "clean"), "out", "rows.txt"],
            cwd=tmp_path,
            env=environment(PATH=command_path),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        head, rule, row = done.stdout.decode().splitlines()
        assert head.count("|") == rule.count("|") == row.count("|")
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[0] == "`--k 2 --strategy noise --strategy-arg deviation=1`"
        # Random numbers of this length are seen at once.
        assert cells[5:] == ["2 of 2", "0"]
        assert float(cells[4]) > 30
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["row_01.json"]
