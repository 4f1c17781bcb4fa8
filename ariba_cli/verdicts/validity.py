"""Whether what a report says fits together, so that whoever shows it need not ask."""

import re
from collections.abc import Iterable, Iterator

from ariba_cli.verdicts.verdict import (
    LayerEvidence,
    LayerResult,
    Method,
    Ranked,
    Stability,
    Verdict,
)

_WORD = re.compile(r"[a-z]{1,40}(:[A-Za-z0-9]{1,40}(_[A-Za-z0-9]{1,40})?)?")
# What no name of a file has become: those were bytes, which surrogates of their own stand for.
_NO_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_LARGEST = 2**63
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    yield from _of_inputs(verdict)
    yield from _of_method(verdict.method)
    known, layers = frozenset(ids), frozenset(names)
    for layer in verdict.layers:
        yield from _of_layer(layer, verdict)
    yield from _of_ranking(verdict, known, layers)
    if verdict.stability is not None:
        yield from _of_stability(verdict.stability, known, layers)
    for evidence in verdict.evidence:
        yield from _of_evidence(evidence, known, layers)


def _of_inputs(verdict: Verdict) -> Iterator[str]:
    if any(_NO_BYTES.search(name) for one in verdict.inputs for name in (one.id, one.path)):
        yield "it has a name that no file can have"
    hashes = [hash_ for one in verdict.inputs for hash_ in (one.tensor_sha256, one.file_sha256)]
    hashes += [hash_ for layer in verdict.layers for hash_ in layer.tensor_sha256.values()]
    if not all(hash_ is None or _SHA256.fullmatch(hash_) for hash_ in hashes):
        yield "it has a hash that is no sha256"


def _of_method(method: Method) -> Iterator[str]:
    # Words of ours, that no participant has chosen: they are shown as they are.
    for word in (method.detector, method.layer_choice, method.fragment):
        if not _WORD.fullmatch(word):
            yield "its method is none of ariba"
    if method.k_est < 1:
        yield "its k_est is less than 1"


def _of_layer(layer: LayerResult, verdict: Verdict) -> Iterator[str]:
    if not _WORD.fullmatch(layer.fragment):
        yield "it has a layer that was cut in no way of ariba"
    if layer.participants <= verdict.method.k_est or min(layer.fragments, layer.dimension) < 1:
        yield "it has a layer that nobody can be scored in"
    if layer.participants != len(layer.scores):
        yield "it has a layer with scores of more or fewer than its participants"
    numbers = (
        layer.fragments,
        layer.dimension,
        layer.left_out,
        layer.marked,
        *layer.scores.values(),
    )
    if not all(0 <= number <= _LARGEST for number in numbers):
        yield "it has a number that nothing can be counted to"
    if not layer.scores.keys() <= layer.tensor_sha256.keys():
        yield "it has a score without the hash of what was scored"
    # Of several layers, a table looks for the highest share in each.
    shares = [one.shares for one in verdict.ranking]
    compared = bool(shares) or len(verdict.layers) > 1
    if layer.marked and compared and not any(layer.layer in one for one in shares):
        yield "it has marks of nobody"
    fitted = verdict.method.detector_parameters.get("fit_sample")
    if layer.covariance_rank is None and type(fitted) is not int:
        yield "it does not say what its detector was fitted on"


def _of_ranking(verdict: Verdict, known: frozenset[str], layers: frozenset[str]) -> Iterator[str]:
    k_est = verdict.method.k_est
    for place, one in enumerate(verdict.ranking, 1):
        yield from _of_place(one, known, layers)
        if (one.rank, one.suspect) != (place, place <= k_est):
            yield "its ranking is not in order, or others than the first are suspects"
    if 0 < len(verdict.ranking) <= k_est:
        yield "all who are ranked are suspects"
    if verdict.ranking and not any(layer.marked for layer in verdict.layers):
        yield "it has a ranking, and nobody was marked"


def _of_place(ranked: Ranked, known: frozenset[str], layers: frozenset[str]) -> Iterator[str]:
    yield from _unknown_ids([ranked.id], known)
    if not ranked.shares or not ranked.shares.keys() <= layers:
        yield "it has a share in no layer of it"
    if not all(0 <= share <= 1 for share in (ranked.share, *ranked.shares.values())):
        yield "it has a share that is not between 0 and 1"


def _of_stability(
    stability: Stability, known: frozenset[str], layers: frozenset[str]
) -> Iterator[str]:
    # Pictures count from the first to the last.
    if any(step.k_est != k_est for k_est, step in enumerate(stability.steps, 1)):
        yield "its stability does not go through k_est from 1 on, one by one"
    for step in stability.steps:
        yield from _unknown_ids((*step.enter, *step.leave), known)
    for suspects in stability.without_layer.values():
        yield from _unknown_ids(suspects, known)
    if not stability.without_layer.keys() <= layers:
        yield "its stability speaks of a layer that it lacks"


def _of_evidence(
    evidence: LayerEvidence, known: frozenset[str], layers: frozenset[str]
) -> Iterator[str]:
    yield from _unknown_ids(evidence.most_distant, known)
    fragments = [one for several in evidence.most_distant.values() for one in several]
    yield from _unknown_ids((one.typical_id for one in fragments), known)
    if evidence.layer not in layers:
        yield "its evidence is of a layer that it lacks"
    if min(evidence.shape) < 1 or not all(one.values for one in fragments):
        yield "its evidence has a fragment without values"
    if evidence.plane is not None:
        yield from _unknown_ids(evidence.plane.points, known)
        coordinates = 2 * len(evidence.plane.fragments)
        if any(len(points) != coordinates for points in evidence.plane.points.values()):
            yield "its evidence has a point without coordinates"


def _unknown_ids(names: Iterable[str], known: frozenset[str]) -> Iterator[str]:
    if not known.issuperset(names):
        yield "it speaks of somebody who is not among its participants"
