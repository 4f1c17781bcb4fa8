"""P_m%, C and AUC against counts made by hand."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.decisions import top_k
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import InputError
from ariba_cli.detectors import make_detectors
from ariba_cli.reports.words import truth_in_words, unknown_in_words
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.truth import read_truth
from ariba_cli.verdicts.method import Method, RequestedDetector, RequestedOptions
from ariba_cli.verdicts.verdict import (
    Coverage,
    DetectorResult,
    Input,
    Score,
    TruthMetrics,
    Verdict,
)
from tests.conftest import FIXTURES
from tests.models import random_model, write_model


def of_marks(shares: dict[str, float], name: str = "mahalanobis") -> DetectorResult:
    scores = (Score(one, int(share * 100), share, {"w": share}) for one, share in shares.items())
    return DetectorResult(name, "layer", tuple(scores))


def of_updates(values: dict[str, float], name: str = "norm") -> DetectorResult:
    return DetectorResult(name, "update", tuple(Score(*one) for one in values.items()))


def verdict(k_est: int, *detectors: DetectorResult) -> Verdict:
    requested = RequestedOptions(
        tuple(RequestedDetector(one.name) for one in detectors), str(k_est)
    )
    names = ("a", "b", "c", "d", "gone")
    decision, ranking = top_k(detectors[0].name, detectors[0].scores, k_est, 0.1)
    return Verdict(
        method=Method(("w",), "named", requested, k_est=k_est),
        decision=decision,
        inputs=tuple(Input("participant", name, name, 1, None, "ok") for name in names),
        layers=(),
        detectors=detectors,
        ranking=ranking,
        coverage=Coverage(1, 1, 1, 1),
        findings=(),
    )


def metrics(shares: dict[str, float], k_est: int, compromised: list[str]) -> TruthMetrics:
    (own,) = truth_metrics(verdict(k_est, of_marks(shares)), compromised).detectors.values()
    return own


def test_measures_of_a_verdict() -> None:
    found = metrics({"a": 0.9, "b": 0.5, "c": 0.5, "d": 0.1}, 2, ["a", "c"])
    assert found.caught == 0.5
    assert found.confidence == pytest.approx(1.4 / 2)
    assert found.confidence_paper == pytest.approx(1.4 / 2)
    # Of the four pairs a wins both, c wins one and ties one.
    assert found.auc == pytest.approx(3.5 / 4)


def test_the_papers_confidence_cannot_exceed_k_by_k_est() -> None:
    found = metrics({"a": 1.0, "b": 0.5, "c": 0.5, "d": 0.0}, 2, ["a"])
    assert found.confidence == 1.0
    assert found.confidence_paper == 0.5


def test_a_compromised_participant_that_was_left_out_counts_as_missed() -> None:
    found = metrics({"a": 0.9, "b": 0.5, "c": 0.5}, 2, ["a", "gone"])
    assert found.caught == 0.5
    assert found.confidence == pytest.approx(0.45)
    assert found.auc == 0.5


def test_who_was_left_out_is_below_all_where_scores_are_negative() -> None:
    scores = {"a": 0.5, "b": -1.0, "c": -2.0}
    found = truth_metrics(verdict(1, of_updates(scores)), ["a", "gone"]).detectors["norm"]
    assert found.caught == 0.5
    # Of the four pairs a wins both; who is gone loses to b and ties with c.
    assert found.auc == pytest.approx(2.5 / 4)


def test_auc_needs_both_groups() -> None:
    assert metrics({"a": 0.9, "b": 0.5, "c": 0.5}, 2, ["a", "b", "c"]).auc is None


def test_every_detector_is_measured_by_its_own_scores() -> None:
    found = truth_metrics(
        verdict(
            2,
            of_marks({"b": 0.9, "a": 0.8, "d": 0.2, "c": 0.1}),
            of_updates({"c": 7.0, "a": 6.0, "d": 5.0, "b": 4.0}),
            of_updates({"a": 3.0, "b": 2.0, "c": 1.0, "d": 0.0}, "krum"),
        ),
        ["a", "b"],
    )
    assert found.compromised == ("a", "b")
    assert list(found.detectors) == ["mahalanobis", "norm", "krum"]
    assert [one.caught for one in found.detectors.values()] == [1.0, 0.5, 1.0]
    assert [one.auc for one in found.detectors.values()] == [1.0, 0.25, 1.0]
    # Scores that are no shares have no confidence.
    assert found.detectors["mahalanobis"].confidence == pytest.approx(0.85)
    for name in ("norm", "krum"):
        assert found.detectors[name].confidence is None
        assert found.detectors[name].confidence_paper is None


def test_who_tells_nobody_apart_catches_nobody(tmp_path: Path) -> None:
    for index in range(4):
        write_model(tmp_path / f"p{index}.safetensors", random_model(1))
    settings = AuditSettings(detectors=make_detectors(["mahalanobis", "krum"]))
    found = truth_metrics(audit(open_round(tmp_path), settings), ["p0"]).detectors
    assert found["mahalanobis"] == TruthMetrics(0.0, 0, None, None, None)
    assert found["krum"] == TruthMetrics(0.0, 0, None, None, None)


def test_the_truth_of_several_detectors_is_said_of_each() -> None:
    root = FIXTURES / "attacked"
    settings = AuditSettings(detectors=make_detectors(["mahalanobis", "norm"]))
    one = audit(open_round(root), settings)
    truth = truth_metrics(one, read_truth(root).compromised)
    assert truth.compromised == ("p15", "p18")
    lines = truth_in_words(replace(one, truth=truth))
    assert len(lines) == 2
    # Who is compromised is no question then.
    assert any(line.startswith("Whether") for line in unknown_in_words(one))
    unknown = unknown_in_words(replace(one, truth=truth))
    assert unknown
    assert not any(line.startswith("Whether") for line in unknown)
    for name, line in zip(("mahalanobis", "norm"), lines, strict=True):
        own = truth.detectors[name]
        assert line.startswith(f"Truth ({name}): {own.caught:.0%} of the 2 compromised are")
        assert ("confidence C" in line) == (name == "mahalanobis")
        assert line.endswith(f"AUC {own.auc:.3f}.")
    alone = replace(one, detectors=one.detectors[:1])
    (line,) = truth_in_words(replace(alone, truth=truth_metrics(alone, ["p15"])))
    assert line.startswith(
        "Truth: 100% of the 1 compromised are suspects, and 3 of the others; confidence C "
    )


def test_the_truth_of_another_round_is_refused() -> None:
    with pytest.raises(InputError, match="names 'x', who is not in the round"):
        metrics({"a": 0.9, "b": 0.5, "c": 0.5}, 2, ["a", "x"])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"compromised": "p03"}',
        '{"compromised": {"p03": 1}}',
        '{"compromised": []}',
        '{"compromised": [3]}',
        '{"compromised": ["p03", "p03"]}',
        '{"compromised": ["p03"], "attack": 1}',
        '{"compromised": ["p03"], "compromised": ["p04"]}',
        '{"compromised": ["p03"], "attack": {"sigma": NaN}}',
        '{"compromised": ["p03"]} {}',
        "[" * 100_000,
    ],
)
def test_a_truth_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "truth.json").write_text(content)
    with pytest.raises(InputError, match="compromised"):
        read_truth(tmp_path)
