"""The validity of reports: checks that all parts of a report fit together."""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from msgspec.structs import replace

from ariba_cli.base.ids import id_order
from ariba_cli.base.paths import is_within
from ariba_cli.verdicts.evidence import LayerEvidence, Similarity
from ariba_cli.verdicts.method import Decision, Method, RequestedBaseline
from ariba_cli.verdicts.ranked import Calibration, Ranked, Rescored
from ariba_cli.verdicts.verdict import (
    DetectorResult,
    ExaminedLayer,
    Input,
    MarkedLayer,
    Score,
    Stability,
    Truth,
    Verdict,
    plain,
)

# Words of ours, and after a colon the names of others, such as those of PyOD.
_WORD = re.compile(r"[a-z]{1,40}(-[a-z]{1,40}){0,4}(:[A-Za-z0-9]{1,40}(_[A-Za-z0-9]{1,40})?)?")
# What no name of a file has become: those were bytes, which surrogates of their own stand for.
_NO_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_LARGEST = 2**63
_UPWARDS = re.compile(r"\A(\.\./)+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SCOPES = ("layer", "update")


def why_invalid(verdict: Verdict) -> str:
    """Return the contradiction in a verdict that was read; the empty string if there is none."""
    return next(_reasons(verdict), "")


def _reasons(verdict: Verdict) -> Iterator[str]:
    ids = [one.id for one in verdict.inputs if one.role == "participant"]
    names = [layer.layer for layer in verdict.layers]
    detectors = [one.name for one in verdict.detectors]
    if not names:
        yield "it has no layer"
    for what, several in (("participant", ids), ("layer", names), ("detector", detectors)):
        if len(set(several)) < len(several):
            yield f"it has a {what} twice"
    # Of evidence only what is drawn is looked at.
    if not _are_numbers(plain(replace(verdict, evidence=()))):
        yield "it has an impossible number"
    known, layers = frozenset(ids), {layer.layer: layer for layer in verdict.layers}
    yield from _of_inputs(verdict)
    yield from _of_method(verdict.method, names, known)
    for layer in verdict.layers:
        yield from _of_examined(layer, verdict.method.k_est or 0, known)
    for detector in verdict.detectors:
        yield from _of_detector(detector, layers, known)
    yield from _of_decision(verdict.decision, verdict)
    if verdict.rescored is not None:
        yield from _of_rescored(verdict.rescored, known)
    yield from _of_signs(verdict, known)
    if verdict.truth is not None:
        yield from _of_truth(verdict.truth, detectors, known)
    for evidence in verdict.evidence:
        yield from _of_evidence(evidence, known, layers)


def _are_numbers(content: Any) -> bool:
    """Return whether all numbers are finite, and all integers small enough for other programs."""
    match content:
        case dict():
            return all(map(_are_numbers, content.values()))
        case list() | tuple():
            return all(map(_are_numbers, content))
        case int():
            return -_LARGEST <= content <= _LARGEST
        case float():
            return math.isfinite(content)
    return True


def _of_inputs(verdict: Verdict) -> Iterator[str]:
    if any(_NO_BYTES.search(name) for one in verdict.inputs for name in (one.id, one.path)):
        yield "it has a name that no file can have"
    if not all(map(_is_path_of_input, verdict.inputs)):
        yield "it has a path that leaves the round"
    hashes = [hash_ for one in verdict.inputs for hash_ in (one.tensor_sha256, one.file_sha256)]
    hashes += [hash_ for layer in verdict.layers for hash_ in layer.tensor_sha256.values()]
    if not all(hash_ is None or _SHA256.fullmatch(hash_) for hash_ in hashes):
        yield "it has a hash that is not a sha256"


def _is_path_of_input(one: Input) -> bool:
    """Return whether an input can lie there: in the round, written as a seal writes its paths.

    Only a global model that was named may lie elsewhere, and no seal has a hash of that.
    """
    path = f"{one.path}/"
    if one.role == "global" and one.file_sha256 is None:
        path = _UPWARDS.sub("", path) or "folder/"
    return is_within(path[:-1])


def _of_method(method: Method, layers: list[str], known: frozenset[str]) -> Iterator[str]:
    # Words of ours, that no participant has chosen: they are shown as they are.
    for word in (method.layer_choice, method.inner_products):
        if word is not None and not _WORD.fullmatch(word):
            yield "its method is not one of ariba"
    if list(method.layers) != layers:
        yield "its layers differ from those of its method"
    if method.k_est is not None and method.k_est < 1:
        yield "its k_est is less than 1"
    level = method.requested.level
    if level is not None and not 0 < level < 1:
        yield "its level is not between 0 and 1"
    yield from _unknown_ids(method.requested.excluded, known)
    if method.requested.baseline is not None:
        yield from _of_baseline(method.requested.baseline)


def _of_baseline(baseline: RequestedBaseline) -> Iterator[str]:
    if not all(map(_SHA256.fullmatch, baseline.reports)):
        yield "it has a hash that is not a sha256"
    # What is behind the 95 % point is divided by its distance from the median, and by the mean.
    if "standing" not in baseline.tails or not all(
        _WORD.fullmatch(name) and rare > median and excess > 0
        for name, (median, rare, excess) in baseline.tails.items()
    ):
        yield "its baseline has an invalid tail"


def _of_examined(layer: ExaminedLayer, k_est: int, known: frozenset[str]) -> Iterator[str]:
    if layer.participants <= k_est or min(layer.shape, default=1) < 1:
        yield "it has a layer in which nobody can be scored"
    if layer.participants > len(layer.tensor_sha256):
        yield "it has a layer without the hash of what was scored"
    yield from _unknown_ids(layer.tensor_sha256, known)


def _of_detector(
    detector: DetectorResult, layers: dict[str, ExaminedLayer], known: frozenset[str]
) -> Iterator[str]:
    if not _WORD.fullmatch(detector.name) or detector.scope not in _SCOPES:
        yield "its detector is not one of ariba"
    yield from _unknown_ids(detector.ids, known)
    if len(set(detector.ids)) < len(detector.ids):
        yield "it has a place of a participant twice"
    read = {name for layer in layers.values() for name in layer.tensor_sha256}
    if not read.issuperset(detector.ids):
        yield "it has a score without the hash of what was scored"
    in_layers = detector.scope == "layer"
    # Shares were rounded: those that are equal now may be in an order that says they were not.
    places = [(-one.value, b"" if in_layers else id_order(one.id)) for one in detector.scores]
    if places != sorted(places):
        yield "its scores are not in order"
    if not all(one.by_layer.keys() <= layers.keys() for one in detector.scores):
        yield "it has a share in a layer that it lacks"
    if not all(one.p_value is None or 0 <= one.p_value <= 1 for one in detector.scores):
        yield "it has a p-value that is not between 0 and 1"
    if in_layers:
        yield from _of_marks(detector, layers, known)
    elif detector.layers or detector.stability is not None:
        yield "it has marks of a detector that marks nothing"
    elif any(one.share is not None for one in detector.scores):
        yield "it has shares of a detector that has none"


def _of_marks(
    detector: DetectorResult, layers: dict[str, ExaminedLayer], known: frozenset[str]
) -> Iterator[str]:
    """Yield the contradictions in the result of a detector of scope *layer*."""
    marked = [layer.layer for layer in detector.layers]
    if len(set(marked)) < len(marked):
        yield "it has a layer twice"
    for one in detector.scores:
        yield from _of_shares(one, marked)
    for layer in detector.layers:
        if layer.layer in layers:
            yield from _of_layer(layer, layers[layer.layer], detector)
        else:
            yield "it has marks in a layer that it lacks"
    if detector.scores and not any(layer.marked for layer in detector.layers):
        yield "it has a ranking, but nobody was marked"
    if detector.stability is not None:
        yield from _of_stability(detector.stability, known, marked)


def _of_shares(one: Score, layers: Collection[str]) -> Iterator[str]:
    if not one.by_layer or not all(layer in layers for layer in one.by_layer):
        yield "it has a share in a layer that it lacks"
    if one.share is None or not all(
        0 <= share <= 1 for share in (one.share, *one.by_layer.values())
    ):
        yield "it has a share that is not between 0 and 1"
    if type(one.score) is not int or one.score < 0:
        yield "it has an impossible number"


def _of_layer(
    layer: MarkedLayer, examined: ExaminedLayer, detector: DetectorResult
) -> Iterator[str]:
    if not _WORD.fullmatch(layer.fragment):
        yield "it has a layer that ariba would not cut like this"
    if min(layer.fragments, layer.dimension) < 1:
        yield "it has a layer in which nobody can be scored"
    if not layer.participants == len(layer.scores) == examined.participants:
        yield "it has a layer with scores of more or fewer than its participants"
    if min(layer.left_out, layer.marked, *layer.scores.values()) < 0:
        yield "it has an impossible number"
    if not layer.scores.keys() <= examined.tensor_sha256.keys():
        yield "it has a score without the hash of what was scored"
    # Of several layers, a table looks for the highest share in each.
    compared = bool(detector.scores) or len(detector.layers) > 1
    if (
        layer.marked
        and compared
        and not any(layer.layer in one.by_layer for one in detector.scores)
    ):
        yield "it has marks of nobody"


def _of_decision(decision: Decision, verdict: Verdict) -> Iterator[str]:
    if not _WORD.fullmatch(decision.rule):
        yield "its method is not one of ariba"
    if decision.margin < 0:
        yield "the last that it names has a lower score than the next participant"
    deciding = next((one for one in verdict.detectors if one.name == decision.detector), None)
    if deciding is None:
        yield "it was decided by a detector that it lacks"
        return
    if [_place(one) for one in verdict.ranking] != [_place(one) for one in deciding.scores]:
        yield "its ranking is not that of the detector that decides"
    yield from _of_order(verdict.ranking)
    yield from _of_level(verdict) if decision.rule == "level" else _of_top_k(verdict)


def _place(one: Ranked | Score) -> tuple[Any, ...]:
    return one.id, one.score, one.share, one.p_value


def _of_level(verdict: Verdict) -> Iterator[str]:
    alpha, ranking = verdict.decision.alpha, verdict.ranking
    if alpha is None or alpha != verdict.method.requested.level:
        yield "its level is not the one that was asked for"
    if verdict.decision.k_est is not None or any(one.suspect is not None for one in ranking):
        yield "it mixes two rules"
    flagged = [bool(one.flagged) for one in ranking]
    if flagged != sorted(flagged, reverse=True):
        yield "it flags others than the first"
    if any(one.p_value is None for one in ranking):
        yield "it was decided by p-values that it lacks"


def _of_top_k(verdict: Verdict) -> Iterator[str]:
    k_est, ranking = verdict.decision.k_est, verdict.ranking
    if k_est is None or k_est != verdict.method.k_est:
        yield "its decision has another k_est than its marks"
        return
    if verdict.decision.alpha is not None or any(one.flagged is not None for one in ranking):
        yield "it mixes two rules"
    yield from _of_places(ranking, k_est)


def _of_places(ranking: Sequence[Ranked], k_est: int) -> Iterator[str]:
    """Yield the contradictions in a ranking whose first k_est are suspects."""
    if any(one.suspect != (one.rank <= k_est) for one in ranking):
        yield "its suspects are not the first"
    if 0 < len(ranking) <= k_est:
        yield "all who are ranked are suspects"


def _of_order(ranking: Sequence[Ranked]) -> Iterator[str]:
    if [one.rank for one in ranking] != list(range(1, len(ranking) + 1)):
        yield "its ranking is not in order"


def _of_rescored(rescored: Rescored, known: frozenset[str]) -> Iterator[str]:
    ids = [*rescored.left_out, *(one.id for one in rescored.ranking)]
    yield from _unknown_ids(ids, known)
    if len(set(ids)) < len(ids) or not rescored.left_out:
        yield "its second result leaves out nobody"
    yield from _of_order(rescored.ranking)
    yield from _of_places(rescored.ranking, rescored.k_est)


def _of_reasons(verdict: Verdict, known: frozenset[str]) -> Iterator[str]:
    # Words of ours; layers and participants are those of the round.
    names = {layer.layer for layer in verdict.layers}
    names |= {name.rpartition(".")[0] for name in names}
    for one in (one for ranked in verdict.ranking for one in ranked.reasons):
        if not _WORD.fullmatch(one.family) or not _WORD.fullmatch(one.statistic):
            yield "it has a reason that ariba does not give"
        if one.layer is not None and one.layer not in names:
            yield "it has a reason in a layer that it lacks"
        if not 0 <= one.p_value <= 1:
            yield "it has a p-value that is not between 0 and 1"
        yield from _unknown_ids(one.alike, known)


def _of_signs(verdict: Verdict, known: frozenset[str]) -> Iterator[str]:
    """Yield the contradictions in reasons, and in their basis."""
    yield from _of_reasons(verdict, known)
    if verdict.calibration is not None:
        yield from _of_calibration(verdict.calibration)
    if verdict.similarity is not None:
        yield from _of_similarity(verdict.similarity, known)


def _of_calibration(calibration: Calibration) -> Iterator[str]:
    words = (calibration.source, *calibration.unseen, *calibration.unseen.values())
    if not all(map(_WORD.fullmatch, words)):
        yield "its calibration is not one of ariba"


def _of_similarity(similarity: Similarity, known: frozenset[str]) -> Iterator[str]:
    yield from _unknown_ids(similarity.ids, known)
    n = len(similarity.ids)
    if len(similarity.cosines) != n or any(len(row) != n for row in similarity.cosines):
        yield "it has a table of cosines that is not square"


def _of_truth(truth: Truth, detectors: Collection[str], known: frozenset[str]) -> Iterator[str]:
    yield from _unknown_ids(truth.compromised, known)
    if truth.detectors.keys() != set(detectors):
        yield "its truth is not about its detectors"


def _of_stability(
    stability: Stability, known: frozenset[str], layers: Collection[str]
) -> Iterator[str]:
    # Pictures count from the first to the last.
    k_ests = [step.k_est for step in stability.steps]
    ascending = all(one < following for one, following in pairwise(k_ests))
    if k_ests and not (ascending and k_ests[0] == 1 and k_ests[-1] < len(known)):
        yield "its stability does not go up from a k_est of 1 to less than its participants"
    for step in stability.steps:
        yield from _unknown_ids((*step.enter, *step.leave), known)
    for suspects in stability.without_layer.values():
        yield from _unknown_ids(suspects, known)
    if not all(layer in layers for layer in stability.without_layer):
        yield "its stability has a layer that it lacks"


def _of_evidence(
    evidence: LayerEvidence, known: frozenset[str], layers: Collection[str]
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
        yield "it names somebody who is not among its participants"
