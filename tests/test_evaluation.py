"""P_m%, C and AUC against counts made by hand."""

from pathlib import Path

import pytest

from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.base.errors import InputError
from ariba_cli.rounds.truth import read_truth
from ariba_cli.verdicts.verdict import Coverage, Input, Method, Ranked, Verdict


def verdict(shares: dict[str, float], k_est: int) -> Verdict:
    ranking = tuple(
        Ranked(rank, name, int(share * 100), share, {"w": share}, rank <= k_est)
        for rank, (name, share) in enumerate(shares.items(), 1)
    )
    method = Method("mahalanobis", ("w",), "named", "row", k_est)
    inputs = tuple(Input("participant", name, name, 1, None, "ok") for name in (*shares, "gone"))
    return Verdict(method, inputs, (), ranking, False, Coverage(1, 1, 1, 1), ())


def test_measures_of_a_verdict() -> None:
    found = truth_metrics(verdict({"a": 0.9, "b": 0.5, "c": 0.5, "d": 0.1}, 2), ["a", "c"])
    assert found.caught == 0.5
    assert found.confidence == pytest.approx(1.4 / 2)
    assert found.confidence_paper == pytest.approx(1.4 / 2)
    # Of the four pairs a wins both, c wins one and ties one.
    assert found.auc == pytest.approx(3.5 / 4)


def test_the_papers_confidence_cannot_exceed_k_by_k_est() -> None:
    found = truth_metrics(verdict({"a": 1.0, "b": 0.5, "c": 0.5, "d": 0.0}, 2), ["a"])
    assert found.confidence == 1.0
    assert found.confidence_paper == 0.5


def test_a_compromised_participant_that_was_left_out_counts_as_missed() -> None:
    found = truth_metrics(verdict({"a": 0.9, "b": 0.5, "c": 0.5}, 2), ["a", "gone"])
    assert found.caught == 0.5
    assert found.confidence == pytest.approx(0.45)
    assert found.auc == 0.5


def test_auc_needs_both_groups() -> None:
    assert truth_metrics(verdict({"a": 0.9, "b": 0.5, "c": 0.5}, 2), ["a", "b", "c"]).auc is None


def test_the_truth_of_another_round_is_refused() -> None:
    with pytest.raises(InputError, match="names 'x', who is not in the round"):
        truth_metrics(verdict({"a": 0.9, "b": 0.5, "c": 0.5}, 2), ["a", "x"])


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
