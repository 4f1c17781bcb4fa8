"""Reports made by hand, for what is drawn of them."""

from collections.abc import Callable, Sequence

from ariba_cli.auditing.ranking import rank
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.reports.canonical import RunRecord
from ariba_cli.reports.report import Report
from ariba_cli.verdicts.verdict import (
    Coverage,
    Fragment,
    Input,
    KEstStep,
    LayerEvidence,
    LayerResult,
    Method,
    Plane,
    RequestedOptions,
    Stability,
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
) -> Report:
    """A report on participants of whom the first k̃ stand out; every text is renamed."""
    ids = [rename(f"p{index:04d}") for index in range(participants)]
    names = tuple(map(rename, layers))
    results = [_layer(name, ids, k_est, place) for place, name in enumerate(names)]
    ranking, tie = rank(results, k_est)
    verdict = Verdict(
        method=Method(
            detector=rename("mahalanobis"),
            layers=names,
            layer_choice=rename("all"),
            fragment=rename("kernel"),
            k_est=k_est,
            seal_verified=True,
            detector_parameters={rename("neighbours"): 5, rename("metric"): rename("l2")},
            asked=RequestedOptions(
                names, rename("kernel"), {rename("neighbours"): rename("5")}, 100
            ),
        ),
        inputs=tuple(_input(name, rename) for name in ids),
        layers=tuple(results),
        ranking=ranking,
        tie_at_cut=tie,
        coverage=Coverage(len(names), 8, 4608, 9258),
        findings=tuple(findings),
        evaluation=TruthMetrics((ids[0], ids[1]), 1.0, 0.94, 0.47, 0.99) if truth else None,
        stability=_stability(ids, names, k_est) if stability else None,
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
    return Report(verdict, run, rename("1.2.0"), rename("ab" * 32))


def nobody_ranked() -> Report:
    """A report on updates that cannot be told apart."""
    from dataclasses import replace

    report = html_report(evidence=False, stability=False)
    verdict = report.verdict
    layer = replace(verdict.layers[0], marked=0, covariance_rank=0, cut_distance=0.0, scores={})
    return replace(report, verdict=replace(verdict, layers=(layer,), ranking=()))


def some_findings(rename: Rename = str) -> tuple[Finding, ...]:
    """One on a participant and one on the round."""
    return (
        Finding(FindingKind.NONFINITE, rename("1 NaN in conv1.weight"), rename("p0011")),
        Finding(FindingKind.UNSEALED, rename("there is no manifest.json")),
    )


def _layer(name: str, ids: Sequence[str], k_est: int, place: int) -> LayerResult:
    low = [(index * 7 + place) % 20 for index in range(len(ids))]
    scores = {one: 60 if index < k_est else low[index] for index, one in enumerate(ids)}
    return LayerResult(
        layer=name,
        fragment="kernel",
        participants=len(ids),
        fragments=FRAGMENTS,
        dimension=9,
        left_out=0,
        marked=k_est * FRAGMENTS,
        covariance_rank=9,
        cut_distance=4.21337,
        cut_margin=1.3e-5,
        scores=scores,
        tensor_sha256=dict.fromkeys(ids, "cd" * 32),
    )


def _input(name: str, rename: Rename) -> Input:
    path = rename(f"participants/{name}.safetensors")
    return Input("participant", name, path, 37616, "ef" * 32, rename("ok"), "01" * 32)


def _stability(ids: Sequence[str], layers: Sequence[str], k_est: int) -> Stability:
    """The k̃ first by id enter one by one; one of them leaves again."""
    last = min(2 * k_est, len(ids) - 1)
    steps = [KEstStep(k_est=k, enter=(ids[k - 1],), leave=()) for k in range(1, last + 1)]
    if last > k_est:
        steps[-1] = KEstStep(last, (ids[last - 1], ids[0]), (ids[0],))
    without = {layer: tuple(ids[: k_est - 1]) for layer in layers} if len(layers) > 1 else {}
    return Stability(0.0123, tuple(steps), without)


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
