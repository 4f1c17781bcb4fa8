"""Files made to do harm: each is a finding, and the audit of the others is what it was."""

import os
import re
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.findings import FindingKind
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_round
from ariba_cli.verdicts.verdict import Verdict
from fixtures.hostile import make
from fixtures.hostile.pickles import RAN
from tests.conftest import FIXTURES
from tests.models import write_flat_round

HOSTILE = FIXTURES / "hostile"
_ROW = re.compile(r"\| `(?P<name>[^`]+)` \| .+ \| (?P<kind>[a-z-]+) \| (?:(?P<reason>.+) )?\|")

# No small file may take longer; a reader of HDF5 that has to be started is slow to start.
SECONDS = 5.0


class Case(NamedTuple):
    """A line of the table in the README: `ok` is no finding."""

    name: str
    kind: str
    reasons: tuple[str, ...]


def table() -> list[Case]:
    rows = map(_ROW.fullmatch, (HOSTILE / "README.md").read_text("utf-8").splitlines())
    return [
        Case(
            row["name"], row["kind"], tuple((row["reason"] or "").replace("\\|", "|").split(" or "))
        )
        for row in rows
        if row
    ]


CASES = table()


@pytest.fixture(scope="module")
def terms() -> ReadOptions:
    """One reader of HDF5 for all files, as in a round."""
    return ReadOptions()


def put(name: str, root: Path) -> None:
    source = HOSTILE / "files" / name
    (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)


def run(root: Path, terms: ReadOptions | None = None) -> Verdict:
    return audit(open_round(root, terms), AuditSettings(layers=("conv2",)))


def found_of(verdict: Verdict, path: str) -> list[tuple[str, str]]:
    """The findings about what one participant sent, but for what it sent beside."""
    (who,) = [input_.id for input_ in verdict.inputs if input_.path == path]
    found = [(f.kind, f.detail) for f in verdict.findings if f.participant == who]
    return [one for one in found if one[0] != FindingKind.EXTRA_LAYER]


def scores(verdict: Verdict) -> list[tuple[str, float]]:
    return [(ranked.id.partition(".")[0], ranked.score) for ranked in verdict.ranking]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, float]]:
    """Return the ranking of the honest participants among themselves."""
    return scores(run(write_flat_round(tmp_path_factory.mktemp("alone"))))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_one_hostile_file_is_a_finding_and_changes_nothing_else(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    terms: ReadOptions,
    alone: list[tuple[str, float]],
    case: Case,
) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_flat_round(tmp_path / "round")
    put(case.name, root)
    started = time.monotonic()
    verdict = run(root, terms)
    assert time.monotonic() - started < SECONDS
    found = found_of(verdict, case.name)
    if case.kind == "ok":
        assert found == []
        assert len(verdict.ranking) == 7
    else:
        ((kind, detail),) = found
        assert kind == case.kind
        assert any(reason in detail for reason in case.reasons), detail
        assert len(detail) < 1200
        assert scores(verdict) == alone
    assert os.listdir(tmp_path) == ["round"], f"{RAN} must not be there"


def test_all_of_them_together_are_findings_too(tmp_path: Path, terms: ReadOptions) -> None:
    root = write_flat_round(tmp_path / "round", 12)
    alone = scores(run(root, terms))
    for case in CASES:
        if case.kind != "ok":
            put(case.name, root)
    verdict = run(root, terms)
    assert scores(verdict) == alone
    assert all(
        [kind for kind, _ in found_of(verdict, case.name)] == [case.kind]
        for case in CASES
        if case.kind != "ok"
    )


def test_inspect_shows_every_one_of_them(tmp_path: Path, terms: ReadOptions) -> None:
    root = write_flat_round(tmp_path / "round", 3)
    for case in CASES:
        put(case.name, root)
    started = time.monotonic()
    found = inspect_round(open_round(root, terms))
    assert time.monotonic() - started < 2 * SECONDS
    by_path = {participant.path: participant for participant in found.participants}
    refused = {finding.participant for finding in found.findings if finding.kind == "refused"}
    for case in CASES:
        assert (by_path[case.name].id in refused) == (case.kind == "refused"), case


def test_every_file_has_its_line_and_every_line_its_file() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(os.listdir(HOSTILE / "files"))
    assert set(names) == {name.partition("/")[0] for name in make.FILES}


def test_the_files_are_those_that_their_script_makes() -> None:
    """Other versions of the libraries for HDF5 and deflate may write other bytes."""
    for name, data in make.FILES.items():
        if not name.endswith((".h5", ".npz")):
            assert (HOSTILE / "files" / name).read_bytes() == data, name
