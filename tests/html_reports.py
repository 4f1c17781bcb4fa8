"""Reports made by hand, for what is drawn of them."""

import dataclasses
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from ariba_cli.auditing.decisions import top_k
from ariba_cli.auditing.ranking import scores_of_marks
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.reports.canonical import RunRecord
from ariba_cli.reports.report import Report
from ariba_cli.verdicts.evidence import Fragment, LayerEvidence, Plane
from ariba_cli.verdicts.method import Method, RequestedDetector, RequestedOptions
from ariba_cli.verdicts.verdict import (
    Coverage,
    DetectorResult,
    ExaminedLayer,
    Input,
    KEstStep,
    MarkedLayer,
    Score,
    Stability,
    Truth,
    TruthMetrics,
    Verdict,
)

LAYERS = ("conv1.weight", "conv2.weight", "fc1.weight")
FRAGMENTS = 64
Rename = Callable[[str], str]


def html_report(
    participants: int = 12,
    k_est: int = 3,
    layers: Sequence[str] = LAYERS[:1],
    *,
    rename: Rename = str,
    findings: Sequence[Finding] = (),
    evidence: bool = True,
    stability: bool = True,
    truth: bool = False,
    detectors: Sequence[str] = ("mahalanobis",),
) -> Report:
    """Return a report on participants of whom the first k_est stand out; every text is renamed.

    Parameters
    ----------
    detectors : sequence of str
        All but `mahalanobis` compare whole updates; the first decides.
    """
    ids = [rename(f"p{index:04d}") for index in range(participants)]
    names = tuple(map(rename, layers))
    results = tuple(
        _of_marks(rename, ids, names, k_est, stability=stability)
        if name == "mahalanobis"
        else _of_updates(name, rename, ids, names)
        for name in detectors
    )
    decision, ranking = top_k(results[0].name, results[0].scores, k_est, 0.0123)
    metrics = TruthMetrics(1.0, 0, 0.94, 0.47, 0.99)
    verdict = Verdict(
        method=Method(
            layers=names,
            layer_choice=rename("all"),
            seal_verified=True,
            inner_products=rename("exact"),
            k_est=k_est,
            requested=RequestedOptions(
                detectors=tuple(
                    RequestedDetector(rename(name), {rename("neighbours"): rename("5")}, 100)
                    for name in detectors
                ),
                k_est=rename("20%"),
                layers=names,
                fragment=rename("kernel"),
                excluded=(rename("p9999"),),
                names=names,
            ),
        ),
        decision=decision,
        inputs=tuple(_input(name, rename) for name in ids),
        layers=tuple(
            ExaminedLayer(name, (32, 16, 3, 3), len(ids), dict.fromkeys(ids, "cd" * 32))
            for name in names
        ),
        detectors=results,
        ranking=ranking,
        coverage=Coverage(len(names), 8, 4608, 9258),
        findings=tuple(findings),
        truth=Truth((ids[0], ids[1]), {own.name: metrics for own in results}) if truth else None,
        evidence=tuple(_evidence(name, ids, k_est) for name in names) if evidence else (),
    )
    run = RunRecord(
        ariba=rename("0.1.0"),
        python=rename("3.11.7"),
        libraries={rename("numpy"): rename("2.1.3")},
        argv=[rename("ariba"), rename("audit")],
        started=rename("2026-01-01T00:00:00Z"),
        seconds=0.21,
        device=rename("cpu"),
        round=f"rounds/{rename('round_0030')}",
    )
    return Report(verdict, run, rename("2.0.0"), rename("ab" * 32))


def nobody_ranked() -> Report:
    """Return a report on updates that cannot be told apart."""
    report = html_report(evidence=False, stability=False)
    verdict = report.verdict
    (own,) = verdict.detectors
    layer = replace(own.layers[0], marked=0, covariance_rank=0, cutoff_distance=0.0, scores={})
    own = replace(own, layers=(layer,), scores=())
    return with_verdict(report, replace(verdict, detectors=(own,), ranking=()))


def with_verdict(report: Report, verdict: Verdict) -> Report:
    """Return the report on another verdict."""
    return dataclasses.replace(report, verdict=verdict)


def some_findings(rename: Rename = str) -> tuple[Finding, ...]:
    """Return one on a participant, one on two of them, and one on the round."""
    return (
        Finding(FindingKind.NONFINITE, rename("1 NaN in conv1.weight"), rename("p0011")),
        Finding(
            FindingKind.DUPLICATE,
            rename("they sent the same values"),
            layer=rename("conv1.weight"),
            group=(rename("p0003"), rename("p0004")),
        ),
        Finding(FindingKind.UNSEALED, rename("there is no manifest.json")),
    )


def _of_marks(
    rename: Rename, ids: Sequence[str], names: Sequence[str], k_est: int, *, stability: bool
) -> DetectorResult:
    layers = tuple(_layer(name, ids, k_est, place) for place, name in enumerate(names))
    return DetectorResult(
        name=rename("mahalanobis"),
        scope="layer",
        scores=scores_of_marks(layers),
        parameters={rename("neighbours"): 5, rename("metric"): rename("l2")},
        layers=layers,
        stability=_stability(ids, names, k_est) if stability else None,
    )


def _of_updates(
    name: str, rename: Rename, ids: Sequence[str], names: Sequence[str]
) -> DetectorResult:
    """Return scores that fall from 7.5, below zero at last."""
    step = 8.0 / len(ids)
    return DetectorResult(
        name=rename(name),
        scope="update",
        scores=tuple(
            Score(
                id=one,
                score=7.5 - step * place,
                by_layer=dict.fromkeys(names, 2.5 - step * place),
                details={rename("cluster"): rename("a")},
            )
            for place, one in enumerate(ids)
        ),
        parameters={rename("f"): 3},
    )


def _layer(name: str, ids: Sequence[str], k_est: int, place: int) -> MarkedLayer:
    low = [(index * 7 + place) % 20 for index in range(len(ids))]
    scores = {one: 60 if index < k_est else low[index] for index, one in enumerate(ids)}
    return MarkedLayer(
        layer=name,
        fragment="kernel",
        participants=len(ids),
        fragments=FRAGMENTS,
        dimension=9,
        left_out=0,
        marked=k_est * FRAGMENTS,
        covariance_rank=9,
        cutoff_distance=4.21337,
        cutoff_margin=1.3e-5,
        scores=scores,
    )


def _input(name: str, rename: Rename) -> Input:
    path = rename(f"participants/{name}.safetensors")
    return Input("participant", name, path, 37616, "ef" * 32, rename("ok"), "01" * 32)


def _stability(ids: Sequence[str], layers: Sequence[str], k_est: int) -> Stability:
    """Return steps in which the k_est first by id enter one by one; one of them leaves again."""
    last = min(2 * k_est, len(ids) - 1)
    steps = [KEstStep(k_est=k, enter=(ids[k - 1],), leave=()) for k in range(1, last + 1)]
    if last > k_est:
        steps[-1] = KEstStep(last, (ids[last - 1], ids[0]), (ids[0],))
    without = {layer: tuple(ids[: k_est - 1]) for layer in layers} if len(layers) > 1 else {}
    return Stability(tuple(steps), without)


def _evidence(layer: str, ids: Sequence[str], k_est: int) -> LayerEvidence:
    kernel = tuple((index - 4) / 4 for index in range(9))
    fragment = Fragment((12, 3), 9.5, 4.2, kernel, ids[-1], 1.1, tuple(v / 9 for v in kernel))
    large = Fragment((7,), 9.1, None, kernel * 8, ids[-1], 1.0, kernel * 8)
    points = {}
    for index, name in enumerate(ids[:200]):
        scale = 1 if index < k_est else 9
        points[name] = tuple(((index * 37 + at * 11) % 19 - 9) / scale for at in range(8))
    return LayerEvidence(
        layer=layer,
        shape=(3, 3),
        median_distance=2.26,
        most_distant=dict.fromkeys(ids[:k_est][:4], (fragment, large)),
        plane=Plane((0.41, 0.2), (3, 9, 17, 40), points),
    )
