"""Whether what a report says fits together, so that whoever shows it need not ask."""

from collections.abc import Iterable, Iterator

from ariba_cli.verdict import LayerEvidence, LayerResult, Ranked, Stability, Verdict


def why_unsound(verdict: Verdict) -> str:
    """What does not fit together in a verdict that was read; nothing if all does."""
    return next(_reasons(verdict), "")


def _reasons(verdict: Verdict) -> Iterator[str]:
    ids = [one.id for one in verdict.inputs if one.role == "participant"]
    names = [layer.layer for layer in verdict.layers]
    ranked = [one.id for one in verdict.ranking]
    if not names:
        yield "it has no layer"
    for what, several in (("participant", ids), ("layer", names), ("place of a", ranked)):
        if len(set(several)) < len(several):
            yield f"it has a {what} twice"
    if verdict.method.k_est < 1:
        yield "its k_est is less than 1"
    known, layers = frozenset(ids), frozenset(names)
    for layer in verdict.layers:
        yield from _of_layer(layer, verdict)
    for one in verdict.ranking:
        yield from _of_place(one, known, layers)
    if verdict.ranking and not any(layer.marked for layer in verdict.layers):
        yield "it has a ranking, and nobody was marked"
    if verdict.stability is not None:
        yield from _of_stability(verdict.stability, known, layers)
    for evidence in verdict.evidence:
        yield from _of_evidence(evidence, known, layers)


def _of_layer(layer: LayerResult, verdict: Verdict) -> Iterator[str]:
    if layer.participants <= verdict.method.k_est or min(layer.fragments, layer.dimension) < 1:
        yield "it has a layer that nobody can be scored in"
    # Of several layers, a table looks for the highest share in each.
    shares = [one.shares for one in verdict.ranking]
    compared = bool(shares) or len(verdict.layers) > 1
    if layer.marked and compared and not any(layer.layer in one for one in shares):
        yield "it has marks of nobody"
    fitted = verdict.method.detector_parameters.get("fit_sample")
    if layer.covariance_rank is None and type(fitted) is not int:
        yield "it does not say what its detector was fitted on"


def _of_place(ranked: Ranked, known: frozenset[str], layers: frozenset[str]) -> Iterator[str]:
    yield from _strangers([ranked.id], known)
    if not ranked.shares or not ranked.shares.keys() <= layers:
        yield "it has a share in no layer of it"
    if not all(0 <= share <= 1 for share in (ranked.share, *ranked.shares.values())):
        yield "it has a share that is not between 0 and 1"


def _of_stability(
    stability: Stability, known: frozenset[str], layers: frozenset[str]
) -> Iterator[str]:
    for step in stability.steps:
        yield from _strangers((*step.enter, *step.leave), known)
    for suspects in stability.without_layer.values():
        yield from _strangers(suspects, known)
    if not stability.without_layer.keys() <= layers:
        yield "its stability speaks of a layer that it lacks"


def _of_evidence(
    evidence: LayerEvidence, known: frozenset[str], layers: frozenset[str]
) -> Iterator[str]:
    yield from _strangers(evidence.most_distant, known)
    fragments = [one for several in evidence.most_distant.values() for one in several]
    yield from _strangers((one.typical_id for one in fragments), known)
    if evidence.layer not in layers:
        yield "its evidence is of a layer that it lacks"
    if min(evidence.shape) < 1 or not all(one.values for one in fragments):
        yield "its evidence has a fragment without values"
    if evidence.plane is not None:
        yield from _strangers(evidence.plane.points, known)
        coordinates = 2 * len(evidence.plane.fragments)
        if any(len(points) != coordinates for points in evidence.plane.points.values()):
            yield "its evidence has a point without coordinates"


def _strangers(names: Iterable[str], known: frozenset[str]) -> Iterator[str]:
    if not known.issuperset(names):
        yield "it speaks of somebody who is not among its participants"
