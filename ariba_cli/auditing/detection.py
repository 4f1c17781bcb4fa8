"""The detection: the gathered values of all layers → the results of the detectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ariba_cli.auditing.choice import Choice
from ariba_cli.auditing.examination import Examined, UpdatePlan
from ariba_cli.auditing.output_layer import output_names
from ariba_cli.auditing.ranking import scores_of_marks, scores_of_updates
from ariba_cli.auditing.settings import why_no_k_est
from ariba_cli.auditing.stability import stability_of
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.ids import id_order
from ariba_cli.detectors.declaration import Detector, LayerDetector, Need, Scores, UpdateDetector
from ariba_cli.scoring.update_statistics import OutputLayer, Statistic, Updates
from ariba_cli.updates.intake import FEWEST_PARTICIPANTS, Sent
from ariba_cli.verdicts.verdict import DetectorResult, Score

if TYPE_CHECKING:
    from ariba_cli.base.parameters import Parameter

# What detectors that compare whole updates hold for each pair of participants, in bytes: at least,
# which is where one layer is examined. So much is held whatever the limit is.
_BYTES_OF_PAIR = 120
_LEAST_MEMORY = 2**26
_LISTED = "ariba audit --list-detectors shows what each needs"


def check_room(participants: int, memory: int) -> None:
    """Refuse to compare more participants in pairs than memory can hold.

    Parameters
    ----------
    participants : int
        The number of participants.
    memory : int
        The number of bytes that may be held.

    Raises
    ------
    InputError
        When it takes more.
    """
    needed, allowed = _BYTES_OF_PAIR * participants**2, max(memory, _LEAST_MEMORY)
    if needed > allowed:
        raise InputError(
            f"comparing {participants:,} participants in pairs takes at least "
            f"{needed >> 20:,} MiB, and {allowed >> 20:,} MiB are allowed; allow more with "
            "--max-memory, or use --k-est, which compares everybody with the mean"
        )


def update_plan(
    detectors: Sequence[UpdateDetector], sent: Sent, choice: Choice
) -> UpdatePlan | None:
    """Return the plan of gathering for the detectors of scope *update*; None without any.

    Raises
    ------
    InputError
        When one needs the global model, and it is not there.
    UsageError
        When one needs the output layer, and it is not examined.
    """
    if not detectors:
        return None
    gathers = frozenset[Statistic]().union(*(one.declaration.gathers for one in detectors))
    model = sent.global_model
    for one in detectors:
        if Need.GLOBAL_MODEL in one.declaration.needs and not sent.updates_are_deltas:
            _check_global(one.declaration.name, sent)
    output = output_names([chosen.layer for chosen in choice.layers])
    needy = [one for one in detectors if Need.OUTPUT_LAYER in one.declaration.needs]
    if needy and output is None:
        raise UsageError(
            f"{needy[0].declaration.name} needs the output layer, a weight matrix with its bias, "
            "which is not among the examined layers; leave out --layer, or use another detector "
            f"({_LISTED})"
        )
    return UpdatePlan(
        gathers=gathers,
        global_model=model if model is not None and model.model is not None else None,
        updates_are_deltas=sent.updates_are_deltas,
        output=output if Statistic.OUTPUT in gathers else None,
    )


def _check_global(name: str, sent: Sent) -> None:
    if sent.global_model is None:
        raise InputError(
            f"{name} needs the global model, and the round has none; name it with --global, or "
            f"use another detector ({_LISTED})"
        )
    if sent.global_model.finding is not None:
        raise InputError(
            f"{name} needs the global model, but '{sent.global_model.member.path}' "
            f"{sent.global_model.finding.detail}"
        )


@dataclass(frozen=True)
class Detected:
    """The result of a detector, with its input.

    Attributes
    ----------
    result : DetectorResult
        The result for the report.
    margin : float
        The excess of its k_est-th value over the next.
    ids : tuple of str
        The participants that were scored as a whole, in id order; empty where layers were.
    scores : Scores, optional
        Their scores, in that order.
    updates : Updates, optional
        Their updates, in that order.
    """

    result: DetectorResult
    margin: float
    ids: tuple[str, ...] = ()
    scores: Scores | None = None
    updates: Updates | None = None


def detector_results(
    detectors: Sequence[Detector],
    examined: Sequence[Examined],
    plan: UpdatePlan | None,
    k_est: int,
) -> list[Detected]:
    """Return the result of each detector.

    Raises
    ------
    InputError, UsageError
        When one of them lacks something that it needs.
    """
    gathered = _gathered(examined, plan, k_est) if plan is not None else None
    return [
        _of_layers(one, examined, k_est)
        if isinstance(one, LayerDetector)
        else _of_updates(one, gathered, k_est)
        for one in detectors
    ]


def _of_layers(detector: LayerDetector, examined: Sequence[Examined], k_est: int) -> Detected:
    name = detector.declaration.name
    marked = [one.marked[name] for one in examined if name in one.marked]
    parameters: dict[str, Parameter] = {}
    # What differs between layers is said of the first.
    for own in reversed(marked):
        parameters.update(own.parameters)
    layers = tuple(own.result for own in marked)
    scores = scores_of_marks(layers)
    stability, margin = None, 0.0
    if scores:
        counts = [own.counts for own in marked if own.counts is not None]
        suspects = [one.id for one in scores[:k_est]]
        stability, margin = stability_of(counts, suspects, k_est)
    result = DetectorResult(
        name=name,
        scope=detector.declaration.scope.value,
        same_on_every_machine=detector.declaration.same_on_every_machine,
        parameters=parameters,
        scores=scores,
        layers=layers,
        stability=stability,
    )
    return Detected(result, margin)


@dataclass(frozen=True)
class _GatheredUpdates:
    """The statistics of those who are in every layer that was gathered, in id order."""

    ids: tuple[str, ...]
    updates: Updates


def _gathered(
    examined: Sequence[Examined], plan: UpdatePlan, k_est: int
) -> _GatheredUpdates | None:
    """Return the statistics of whole updates; None when no layer tells anybody apart."""
    layers = {
        one.layer.layer: (one, one.of_updates.gathered)
        for one in examined
        if one.layer is not None and one.of_updates.gathered is not None
    }
    if not layers:
        return None
    common = set.intersection(*(set(one.ids) for one, _ in layers.values()))
    ids = tuple(sorted(common, key=id_order))
    if len(ids) < FEWEST_PARTICIPANTS:
        raise InputError(
            f"{len(ids)} participants can be scored in all {len(layers)} layers, and an audit of "
            f"whole updates needs at least {FEWEST_PARTICIPANTS}; use --layer to name layers that "
            "more of them have"
        )
    why_not = why_no_k_est(k_est, len(ids), "all layers")
    if why_not:
        raise UsageError(why_not)

    def places(one: Examined) -> list[int]:
        return [place for place, name in enumerate(one.ids) if name in common]

    statistics = {name: own.statistics.keeping(places(one)) for name, (one, own) in layers.items()}
    first, *others = statistics.values()
    total = sum(others, start=first)
    output = None
    names = plan.output
    if names is not None and names.weight in layers and names.bias in layers:
        (weight, own), (bias, _) = layers[names.weight], layers[names.bias]
        assert bias.of_updates.bias is not None
        output = OutputLayer(
            layer=names.weight,
            bias_layer=names.bias,
            row_squares=own.row_squares[places(weight)],
            sum_squares=own.sum_squares[places(weight)],
            bias=bias.of_updates.bias[places(bias)],
        )
    sides = {
        name: tuple(squares[places(one)] for squares in own.by_side)
        for name, (one, own) in layers.items()
        if own.by_side
    }
    shapes = {one.layer.layer: one.layer.shape for one in examined if one.layer is not None}
    return _GatheredUpdates(ids, Updates(total, statistics, shapes, output, sides))


def _of_updates(
    detector: UpdateDetector, gathered: _GatheredUpdates | None, k_est: int
) -> Detected:
    declaration = detector.declaration
    scores: tuple[Score, ...] = ()
    found: Scores | None = None
    parameters: dict[str, Parameter] = dict(detector.arguments)
    if gathered is not None:
        _check_fed(detector, gathered.updates)
        with np.errstate(over="ignore", invalid="ignore"):
            found = detector.score(gathered.updates, k_est)
        parameters = dict(found.parameters)
        # When all are equally suspicious, nobody can be told apart.
        if found.total.min() < found.total.max():
            scores = scores_of_updates(gathered.ids, found)
    result = DetectorResult(
        name=declaration.name,
        scope=declaration.scope.value,
        same_on_every_machine=declaration.same_on_every_machine,
        parameters=parameters,
        scores=scores,
    )
    margin = scores[k_est - 1].value - scores[k_est].value if scores else 0.0
    if gathered is None:
        return Detected(result, margin)
    return Detected(result, margin, gathered.ids, found, gathered.updates)


def _check_fed(detector: UpdateDetector, updates: Updates) -> None:
    """Refuse to score updates that lack something that a detector needs."""
    needs, name = detector.declaration.needs, detector.declaration.name
    if Need.GLOBAL_MODEL in needs and not updates.total.from_global:
        raise InputError(
            f"{name} needs the global model in every examined layer, and one of them cannot be "
            f"used; name another model with --global, or use another detector ({_LISTED})"
        )
    if Need.OUTPUT_LAYER in needs and updates.output is None:
        raise InputError(
            f"{name} needs the output layer, which tells nobody apart here; use another detector "
            f"({_LISTED})"
        )
