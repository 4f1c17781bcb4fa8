"""The baseline: p-values by clean rounds of one's own."""

import json
from pathlib import Path

import numpy as np
import pytest

import ariba_cli as ariba
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.formats.model import ReadOptions
from ariba_cli.replay.verify import open_reported_round, verify
from ariba_cli.reports.baseline import read_baseline
from ariba_cli.reports.report import parse_report
from ariba_cli.scoring.panel.baseline import FEWEST_PARTICIPANTS, fit_baseline
from tests.conftest import FIXTURES, Ariba
from tests.reports import spoiled
from tests.test_report import set_to

ATTACKED, CLEAN = FIXTURES / "attacked", FIXTURES / "clean"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Reports on a clean round, each without somebody else."""
    folder = tmp_path_factory.mktemp("reports")
    paths = [folder / f"{index}.json" for index in range(6)]
    for index, path in enumerate(paths):
        path.write_bytes(ariba.audit(CLEAN, exclude=f"p{index:02}").to_json())
    return paths


def test_chances_are_what_ones_own_honest_participants_show() -> None:
    """Of a federation that shows twice as much of a sign, in terms of -ln p."""
    draw = np.random.default_rng(0)
    rounds = [{"size": np.exp(-2 * draw.exponential(size=400))} for _ in range(10)]
    found = fit_baseline(rounds, ("0" * 64,))
    shown = np.exp(-2 * draw.exponential(size=20_000))
    chances = found.of_sign("size", shown)
    for level in (0.05, 0.01):
        assert np.mean(chances <= level) == pytest.approx(level, rel=0.35)
    assert found.of_sign("along", shown) is shown


def test_no_tail_becomes_lighter_by_a_baseline() -> None:
    rounds = [{"size": np.full(FEWEST_PARTICIPANTS, 0.5)}]
    chances = fit_baseline(rounds, ()).of_sign("size", np.array([1e-9, 1e-12]))
    assert chances[1] / chances[0] >= 1e-3 * (1 - 1e-9)


def test_a_round_is_judged_by_a_baseline_and_verified(reports: list[Path]) -> None:
    found = ariba.audit(ATTACKED, baseline=reports)
    assert found.calibration is not None
    assert (found.calibration.source, found.calibration.participants) == ("baseline", 6 * 19)
    assert {one.id for one in found.suspects} == {"p15", "p18"}
    assert not ariba.audit(CLEAN, baseline=reports).suspects
    assert found.ranking != ariba.audit(ATTACKED).ranking
    requested = found.method.requested.baseline
    assert requested is not None
    assert list(requested.reports) == [
        json.loads(path.read_bytes())["result_sha256"] for path in reports
    ]
    report = parse_report(found.to_json())
    round_ = open_reported_round(ATTACKED, report.verdict, ReadOptions())
    assert not verify(report, round_).differences


def test_the_report_says_whose_rounds_they_were(ariba: Ariba, reports: list[Path]) -> None:
    given = [part for path in reports for part in ("--baseline", path)]
    done = ariba("audit", ATTACKED, *given, "-f", "json", "-o", "report.json")
    assert done.returncode == 0
    shown = " ".join(ariba("report", "report.json", "-f", "markdown").stdout.decode().split())
    assert "114 honest participants of 6 clean rounds of your own" in shown


def test_what_is_no_baseline_is_refused(tmp_path: Path, reports: list[Path]) -> None:
    with pytest.raises(InputError, match=r"0\.json' is in the baseline twice"):
        read_baseline([*reports, reports[0]])
    with pytest.raises(InputError, match="has 38 participants, and needs 100"):
        read_baseline(reports[:2])
    for name, verdict, why in (
        ("marks", ariba.audit(CLEAN, layers="conv2"), "has no p-values"),
        ("own", ariba.audit(CLEAN, baseline=reports), "was made with a baseline"),
        ("bad", ariba.audit(ATTACKED, truth=True), "with compromised participants"),
    ):
        path = tmp_path / f"{name}.json"
        path.write_bytes(verdict.to_json())
        with pytest.raises(InputError, match=why):
            read_baseline([*reports, path])
    with pytest.raises(UsageError, match="mahalanobis does not give"):
        ariba.audit(CLEAN, layers="conv2", baseline=reports)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"reports": ["x"], "participants": 100, "tails": {"score": [0, 1, 1]}}, "not a sha256"),
        ({"reports": [], "participants": 100, "tails": {}}, "an invalid tail"),
        ({"reports": [], "participants": 100, "tails": {"score": [0, 0, 1]}}, "an invalid tail"),
        ({"reports": [], "participants": 100, "tails": {"score": [0, 1, 0]}}, "an invalid tail"),
    ],
)
def test_a_report_with_no_baseline_that_could_be_is_refused(value: object, why: str) -> None:
    data = ariba.audit(CLEAN).to_json()
    with pytest.raises(InputError, match=why):
        parse_report(spoiled(data, set_to(value, "method", "requested", "baseline")))
