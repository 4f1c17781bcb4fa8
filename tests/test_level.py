"""The level: who is flagged, by which rule, and how every output says so."""

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from safetensors.numpy import load_file, save_file

import ariba_cli as ariba
from ariba_cli.auditing.decisions import FEWEST_TO_FLAG, level
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.findings import FindingKind
from ariba_cli.formats.model import ReadOptions
from ariba_cli.replay.verify import open_reported_round, verify
from ariba_cli.reports.html.page import audit_html
from ariba_cli.reports.html.similarity import by_likeness
from ariba_cli.reports.reasons import SIGNS, reason_in_words
from ariba_cli.reports.report import parse_report
from ariba_cli.scoring.panel.signs import SIGNS as MEASURED
from ariba_cli.verdicts.ranked import Reason
from ariba_cli.verdicts.verdict import Score
from tests.conftest import FIXTURES, Ariba
from tests.html_pages import Page
from tests.reports import Spoil, spoiled
from tests.test_conditions import UNFLAGGED
from tests.test_report import set_to

ATTACKED, CLEAN = FIXTURES / "attacked", FIXTURES / "clean"


@pytest.fixture(scope="module")
def data() -> bytes:
    return ariba.audit(ATTACKED, evidence=True).to_json()


def scores(p_values: list[float]) -> list[Score]:
    return [Score(f"p{i:02}", -p, p_value=p) for i, p in enumerate(p_values)]


def flagged_by(p_values: list[float], alpha: float) -> int:
    _, ranking = level("panel", scores(p_values), alpha)
    assert [one.flagged for one in ranking] == sorted(
        (one.flagged for one in ranking), key=bool, reverse=True
    )
    return sum(one.named for one in ranking)


def step_up(p_values: list[float], alpha: float) -> int:
    """Return how many are flagged, as the rule is written: the largest r that holds."""
    n, most = len(p_values), 0
    for r in range(1, n + 1):
        if sum(p <= alpha * r / n for p in p_values) >= r:
            most = r
    return most


@pytest.mark.parametrize("seed", range(40))
def test_the_rule_is_that_of_benjamini_and_hochberg(seed: int) -> None:
    draw = np.random.default_rng(seed)
    n = int(draw.integers(FEWEST_TO_FLAG, 60))
    p_values = sorted((draw.random(n) ** draw.integers(1, 6)).tolist())
    for alpha in (0.01, 0.05, 0.3):
        assert flagged_by(p_values, alpha) == step_up(p_values, alpha)


def test_a_p_value_that_is_not_small_by_itself_is_flagged_with_others() -> None:
    assert flagged_by([0.004] + [0.9] * 11, 0.05) == 1
    assert flagged_by([0.005] + [0.9] * 11, 0.05) == 0
    assert flagged_by([0.008, 0.0083] + [0.9] * 10, 0.05) == 2
    assert flagged_by([0.04] * 12, 0.05) == 12


def test_of_few_participants_nobody_is_flagged() -> None:
    assert flagged_by([1e-9] * FEWEST_TO_FLAG, 0.05) == FEWEST_TO_FLAG
    assert flagged_by([1e-9] * (FEWEST_TO_FLAG - 1), 0.05) == 0
    draw = np.random.default_rng(0)
    sent = {f"p{i}": {"w": draw.standard_normal((6, 8))} for i in range(6)}
    sent["p3"]["w"] *= 1000
    found = ariba.score(sent, deltas=True)
    assert not found.suspects
    assert found.ranking[0].id == "p3"
    kinds = {one.kind: one.detail for one in found.findings}
    assert "6 participants are too few" in kinds[FindingKind.FEW_PARTICIPANTS]


def test_a_round_is_judged_at_a_level_unless_something_of_the_papers_method_is_asked_for() -> None:
    found = ariba.audit(ATTACKED)
    assert (found.decision.rule, found.decision.alpha) == ("level", 0.05)
    assert {one.id for one in found.suspects} == {"p15", "p18"}
    assert not ariba.audit(CLEAN).suspects
    for asked in ({"k_est": 4}, {"layers": "conv2"}, {"fragment": "row"}):
        other = ariba.audit(ATTACKED, **asked)
        assert (other.decision.rule, other.deciding.name) == ("top-k", "mahalanobis")
    several = ariba.audit(ATTACKED, detectors=["panel", "krum"])
    assert several.by_level
    assert several.method.k_est == 4
    assert ariba.audit(ATTACKED, detectors=["panel"], layers="conv2").by_level


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"level": 0.05, "k_est": 4}, "give one"),
        ({"level": 0.0}, "must be between 0 and 1"),
        ({"level": 1.0}, "must be between 0 and 1"),
        ({"level": float("nan")}, "must be between 0 and 1"),
        ({"level": 0.05, "layers": "conv2"}, "mahalanobis gives no p-values"),
        ({"level": 0.05, "detectors": "krum"}, "krum gives no p-values"),
    ],
)
def test_a_level_that_cannot_be_had_is_refused(asked: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        ariba.audit(ATTACKED, **asked)


def test_the_table_begins_with_who_stands_out_and_why(ariba: Ariba) -> None:
    shown = ariba("audit", ATTACKED).stdout.decode()
    first, *rest = shown.splitlines()
    start = "2 of 20 participants stand out (false-discovery level 5%): "
    assert first.startswith(start)
    named = first.removeprefix(start).removesuffix(".").split(", ")
    assert sorted(named) == ["p15", "p18"]
    assert rest[0].startswith(f"  {named[0]}: is unusually long")
    assert [line.split()[1] for line in rest if line.endswith("flagged")] == named
    assert "Gap: The largest p-value of the flagged is " in shown
    said = " ".join(ariba("audit", CLEAN).stdout.decode().split())
    assert said.startswith(
        "None of 20 participants stands out (false-discovery level 5%); this does not prove "
        "that the round is clean."
    )
    assert "a single participant is flagged at 0.0025 or less." in said


def test_an_explanation_has_the_chance_of_every_sign(ariba: Ariba) -> None:
    shown = " ".join(ariba("audit", ATTACKED, "--explain", "p10").stdout.decode().split())
    (said,) = re.findall(
        r"p10 is not flagged, rank \d+ with evidence \S+, and p-value (.*?)\)", shown
    )
    for sign in ("along the model", "alike", "size", "shares of layers", "shares of units"):
        assert re.search(rf"{sign} [0-9.]+", said)


def test_csv_says_who_is_flagged(ariba: Ariba) -> None:
    rows = list(csv.DictReader(io.StringIO(ariba("audit", ATTACKED, "-f", "csv").stdout.decode())))
    assert sorted(row["id"] for row in rows if row["flagged"] == "yes") == ["p15", "p18"]
    p_values = [float(row["p_value"]) for row in rows]
    assert p_values == sorted(p_values)


def test_reasons_name_what_there_is_with_its_number(data: bytes) -> None:
    result = json.loads(data)["result"]
    assert result["decision"]["rule"] == "level"
    assert result["calibration"]["source"] == "built-in"
    for one in result["ranking"]:
        assert one["flagged"] == (one["id"] in ("p15", "p18"))
        assert "suspect" not in one
        assert bool(one["reasons"]) >= one["flagged"]
    reasons = {one["family"]: one for one in result["ranking"][0]["reasons"]}
    assert reasons["along"]["value"] < reasons["along"]["honest_range"][0]
    assert reasons["size"]["value"] > reasons["size"]["honest_range"][1] > 1


def test_a_reason_names_those_who_send_the_same(tmp_path: Path) -> None:
    shutil.copytree(CLEAN, tmp_path / "round")
    (tmp_path / "round" / "manifest.json").unlink()
    start = load_file(CLEAN / "global.safetensors")
    first, second = (load_file(CLEAN / "participants" / f"p0{i}.safetensors") for i in (0, 1))
    for i, share in enumerate((0.2, 0.3)):
        sent = {
            name: start[name]
            + 0.8 * (first[name] - start[name])
            + share * (second[name] - start[name])
            for name in start
        }
        save_file(sent, tmp_path / "round" / "participants" / f"p0{i}.safetensors")
    ranking = json.loads(ariba.audit(tmp_path / "round").to_json())["result"]["ranking"]
    same = {
        one["id"]: reason["with"]
        for one in ranking
        for reason in one["reasons"]
        if reason["family"] == "same"
    }
    assert same == {"p00": ["p01"], "p01": ["p00"]}


def test_every_sign_has_its_words() -> None:
    assert SIGNS.keys() == MEASURED.keys()
    reason = Reason("push", "agreement", 0.81, (0.1, 0.4), 1e-4, label=7)
    assert reason_in_words(reason) == (
        "pulls all its corrections for class 7 one way (agreement 0.81; the others 0.1 to 0.4)"
    )


def test_evidence_of_a_page_is_not_in_the_json_unless_it_is_asked_for(
    tmp_path: Path, ariba: Ariba
) -> None:
    report = json.loads(ariba("audit", ATTACKED, "-f", "json", "--html", "page.html").stdout)
    assert "similarity" not in report
    assert Page((tmp_path / "page.html").read_bytes()).ids >= {"signs", "similarity"}


def test_the_page_has_signs_and_likeness(data: bytes) -> None:
    page = Page(audit_html(parse_report(data)))
    assert {"verdict", "signs", "similarity"} <= page.ids
    text = " ".join(page.text.split())
    assert "2 of 20 participants stand out" in text
    assert "is unusually long" in text
    without = json.loads(data)
    for key in ("similarity", "similarity_sha256"):
        del without[key]
    page = Page(audit_html(parse_report(json.dumps(without).encode())))
    assert "similarity" not in page.ids


def test_those_who_are_alike_stand_together() -> None:
    draw = np.random.default_rng(1)
    rows = draw.standard_normal((12, 40))
    rows[[2, 5, 9]] += 2 * draw.standard_normal(40)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    order = by_likeness((rows @ rows.T).tolist())
    assert sorted(order) == list(range(12))
    assert set(order[:3]) == {2, 5, 9}


def test_a_report_by_level_is_verified(data: bytes) -> None:
    report = parse_report(data)
    round_ = open_reported_round(ATTACKED, report.verdict, ReadOptions())
    assert not verify(report, round_).differences
    other = parse_report(spoiled(data, set_to(0.5, "calibration", "departure")))
    assert verify(other, round_).differences


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (set_to(0.01, "decision", "alpha"), "is not the one that was asked for"),
        (set_to(0, "method", "requested", "level"), "not between 0 and 1"),
        (set_to(4, "decision", "k_est"), "mixes two rules"),
        (set_to(True, "ranking", 0, "suspect"), "mixes two rules"),
        (set_to(False, "ranking", 0, "flagged"), "it flags others than the first"),
        (set_to(None, "ranking", 0, "p_value"), "not that of the detector that decides"),
        (set_to(2, "detectors", 0, "scores", 0, "p_value"), "not between 0 and 1"),
        (set_to("<b>", "ranking", 0, "reasons", 0, "family"), "a reason that ariba does not give"),
        (
            set_to("\x1b", "ranking", 0, "reasons", 0, "statistic"),
            "a reason that ariba does not give",
        ),
        (set_to("fc9", "ranking", 0, "reasons", 0, "layer"), "a reason in a layer that it lacks"),
        (set_to(-1, "ranking", 0, "reasons", 0, "p_value"), "not between 0 and 1"),
        (set_to(["p99"], "ranking", 0, "reasons", 0, "with"), "not among its participants"),
        (set_to("<b>", "calibration", "source"), "calibration is not one of ariba"),
        (set_to({"<b>": "x"}, "calibration", "unseen"), "calibration is not one of ariba"),
    ],
)
def test_what_does_not_fit_a_level_is_refused(data: bytes, spoil: Spoil, why: str) -> None:
    with pytest.raises(InputError, match=why):
        parse_report(spoiled(data, spoil))


def test_a_model_with_normalisation_is_said_to_be_uncalibrated() -> None:
    draw = np.random.default_rng(2)
    plain = {f"p{i:02}": {"conv.weight": draw.standard_normal((8, 4, 3, 3))} for i in range(20)}
    normed = {
        name: {**model, "bn.weight": draw.standard_normal(8)} for name, model in plain.items()
    }
    kinds = [[one.kind for one in ariba.score(sent).findings] for sent in (plain, normed)]
    assert kinds == [[], [FindingKind.UNCALIBRATED]]


def test_a_margin_says_how_far_the_last_who_is_flagged_is_ahead() -> None:
    decision, _ = level("panel", scores([0.001, 0.001] + [0.9] * 10), 0.05)
    assert decision.margin == pytest.approx(0.899)
    decision, _ = level("panel", scores([0.5] * 12), 0.05)
    assert decision.margin == 0
    assert not replace(UNFLAGGED, decision=decision).suspects
