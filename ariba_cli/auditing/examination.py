"""The examination of layers: read one of every participant, feed all detectors, let it go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ariba_cli.auditing.choice import Choice, ChosenLayer
from ariba_cli.auditing.evidence import Wanted, layer_evidence
from ariba_cli.auditing.output_layer import OutputNames
from ariba_cli.auditing.ranking_checks import (
    central_participant,
    degenerate,
    dominant,
    duplicates,
    equal_everywhere,
    far_out,
    large_k_est,
)
from ariba_cli.auditing.settings import AuditSettings, KEst, why_no_k_est
from ariba_cli.auditing.stability import LayerCounts
from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.progress import Progress, part_of
from ariba_cli.detectors.declaration import LayerDetector
from ariba_cli.native.sides import sides_of
from ariba_cli.scoring.gathering import Gathered, Origin, gather
from ariba_cli.scoring.marks import Marks
from ariba_cli.scoring.update_statistics import Float64, Statistic, squared_distances
from ariba_cli.updates.ahead import LayersInTurn
from ariba_cli.updates.fragments import FragmentLayout, Fragments, TensorValues
from ariba_cli.updates.intake import Submission, differing_changes, offers, why_too_few
from ariba_cli.updates.lazy import LeftOutError
from ariba_cli.updates.reading import LayerValues, read_start
from ariba_cli.verdicts.evidence import LayerEvidence
from ariba_cli.verdicts.verdict import ExaminedLayer, MarkedLayer


@dataclass(frozen=True)
class UpdatePlan:
    """The plan of the values to gather of whole updates.

    Attributes
    ----------
    gathers : frozenset of Statistic
        The statistics to gather in addition to the Gram matrix.
    global_model : Submission, optional
        The model that the server sent out.
    updates_are_deltas : bool
        True if participants sent differences from it.
    output : OutputNames, optional
        The output layer, where it is wanted.
    """

    gathers: frozenset[Statistic]
    global_model: Submission | None
    updates_are_deltas: bool
    output: OutputNames | None


@dataclass(frozen=True)
class Marked:
    """The result of a detector for the fragments of one layer.

    Attributes
    ----------
    result : MarkedLayer
        The result for the report.
    parameters : dict of str to Parameter
        The parameters with which the detector was run.
    device : str
        The device on which it was run.
    counts : LayerCounts, optional
        Its marks for every k_est; None when nobody can be told apart.
    """

    result: MarkedLayer
    parameters: Mapping[str, Parameter]
    device: str
    counts: LayerCounts | None


@dataclass(frozen=True)
class OfUpdates:
    """The values of one layer for detectors of scope *update*.

    Attributes
    ----------
    gathered : Gathered, optional
        The gathered values; None where there is no such detector.
    bias : float64 array of shape (n, classes), optional
        The updates of the output layer's bias, if this is it.
    global_sha256 : str, optional
        The hash of the bytes of the global model that were analysed.
    findings : tuple of Finding
        The faults of the global model.
    """

    gathered: Gathered | None = None
    bias: Float64 | None = None
    global_sha256: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Examined:
    """The results for one layer.

    Attributes
    ----------
    layer : ExaminedLayer, optional
        The layer; None when too few could be scored.
    k_est : int
        The number k_est; 0 while nothing was scored.
    left_out : dict of str to Finding
        The reason for each participant that is left out.
    findings : tuple of Finding
        The other findings.
    ids : tuple of str
        The scored participants, in id order.
    far_out : tuple of str
        The participants so far from the others that they can hide somebody.
    marked : dict of str to Marked
        The results by detector of scope *layer*.
    of_updates : OfUpdates
        The values for the detectors of scope *update*.
    evidence : LayerEvidence, optional
        The data for pictures, where they are wanted.
    """

    layer: ExaminedLayer | None
    k_est: int
    left_out: dict[str, Finding]
    findings: tuple[Finding, ...]
    ids: tuple[str, ...] = ()
    far_out: tuple[str, ...] = ()
    marked: Mapping[str, Marked] = field(default_factory=dict)
    of_updates: OfUpdates = OfUpdates()
    evidence: LayerEvidence | None = None


def examine_all(
    submissions: Sequence[Submission],
    choice: Choice,
    settings: AuditSettings,
    plan: UpdatePlan | None,
    progress: Progress,
) -> list[Examined]:
    """Examine one layer after the other, with the same k_est in all of them.

    Raises
    ------
    InputError
        When there is none in which enough participants can be scored.
    """
    wanted = Wanted(settings.explained, len(choice.layers)) if settings.evidence else None
    offered = [_offering(submissions, chosen) for chosen in choice.layers]
    k_est = settings.k_est
    examined: list[Examined] = []
    layers = [chosen.layer for chosen in choice.layers]
    with LayersInTurn(submissions, layers, settings.memory, settings.workers) as in_turn:
        for part, chosen in enumerate(choice.layers):
            # A percentage is of all who may still be scored, a number has to leave one of all.
            elsewhere = set().union(*offered[part + 1 if k_est.number is None else 0 :])
            one = _Examination(
                chosen, replace(settings, k_est=k_est), plan, wanted, frozenset(elsewhere)
            )
            told = part_of(progress, part, len(layers))
            # Nothing of it is held afterwards.
            found = one.examine(*in_turn.take(part, told), told)
            examined.append(found)
            if found.k_est:
                k_est = KEst(k_est.text, number=found.k_est)
    if all(one.layer is None for one in examined):
        raise InputError(examined[0].findings[0].detail)
    return examined


def _offering(submissions: Sequence[Submission], chosen: ChosenLayer) -> set[str]:
    """Return those who may be scored in a layer, judging by the descriptions in their files."""
    return {one.member.id for one in submissions if offers(one, chosen.layer)}


@dataclass(frozen=True)
class _Examination:
    """The examination of one layer.

    Attributes
    ----------
    elsewhere : frozenset of str
        The participants who may be scored in another layer: k_est has to leave some of all of them,
        and a percentage is of all of them.
    """

    chosen: ChosenLayer
    settings: AuditSettings
    plan: UpdatePlan | None
    wanted: Wanted | None
    elsewhere: frozenset[str]

    def examine(
        self, submissions: Sequence[Submission], values: LayerValues, progress: Progress
    ) -> Examined:
        """Score the layer of every participant."""
        while True:
            try:
                return self._score(submissions, values, progress)
            except LeftOutError:
                values.read_to_the_end(progress)
                values = values.without_left_out()

    def _score(
        self, submissions: Sequence[Submission], values: LayerValues, progress: Progress
    ) -> Examined:
        """Score the values that were read.

        Raises
        ------
        LeftOutError
            When one of those that are scored turns out to be unusable.
        """
        layer, scored = self.chosen.layer, values.submissions
        left_out = {one.member.id: one.finding for one in submissions if one.finding is not None}
        if left_out and self.settings.strict:
            first = next(iter(left_out.values()))
            raise InputError(f"{first.participant}: {first.detail} (--strict stops here)")
        ids = tuple(one.member.id for one in scored)
        too_few, k_est = why_too_few(submissions, f"scored in {layer.name}"), 0
        if not too_few:
            k_est = self.settings.k_est.resolve(len(self.elsewhere.union(ids)), layer.name)
            too_few = why_no_k_est(k_est, len(ids), layer.name)
        if too_few:
            nothing = Finding(FindingKind.LAYER_LEFT_OUT, too_few, layer=layer.name)
            return Examined(None, 0, left_out, (nothing,))
        fragments = self._whole(values)
        fragments = fragments.with_reference(central_participant(fragments))
        marks = self._marks(values, fragments.reference, k_est, progress)
        of_updates = self._gathered(fragments)
        values.read_to_the_end(progress)
        if any(one.finding is not None for one in scored):
            raise LeftOutError
        # Of what stays in its files, only now is it known what was read.
        result = Examined(self._facts(submissions, scored), k_est, left_out, (), ids)
        if _all_sent_the_same(scored):
            return replace(result, findings=(equal_everywhere(layer.name, len(ids)),))
        marked = {name: self._marked(own, ids) for name, own in marks.items()}
        distances = _from_central(fragments, marks, of_updates.gathered)
        findings = [
            *differing_changes(submissions, layer),
            *duplicates(scored, layer.name),
            *dominant(scored, distances, layer.name),
            *(one for name, own in marked.items() for one in degenerate(name, own.result)),
            *large_k_est(k_est, len(ids)),
            *of_updates.findings,
        ]
        return replace(
            result,
            findings=tuple(findings),
            far_out=far_out(ids, distances) if marked else (),
            marked=marked,
            of_updates=of_updates,
            evidence=self._evidence(values, fragments.reference, marks, ids),
        )

    def _facts(
        self, submissions: Sequence[Submission], scored: Sequence[Submission]
    ) -> ExaminedLayer:
        return ExaminedLayer(
            layer=self.chosen.layer.name,
            shape=self.chosen.layer.shape,
            participants=len(scored),
            tensor_sha256={
                one.member.id: one.digest for one in submissions if one.digest is not None
            },
        )

    def _whole(self, values: LayerValues) -> Fragments:
        """Return the values one by one, not cut."""
        return self._cut(values, FragmentLayout(self.chosen.layer.spec.values, 1))

    def _cut(self, values: LayerValues, layout: FragmentLayout, reference: int = 0) -> Fragments:
        return values.cut(layout, reference, self.settings.memory)

    def _marks(
        self, values: LayerValues, reference: int, k_est: int, progress: Progress
    ) -> dict[str, Marks]:
        if self.chosen.cut is None:
            return {}
        fragments = self._cut(values, self.chosen.cut, reference)
        pictured = self._pictured
        return {
            one.declaration.name: one.mark(
                fragments, k_est, progress, keep_distances=one is pictured
            )
            for one in self.settings.layer_detectors
        }

    @property
    def _pictured(self) -> LayerDetector | None:
        """The detector whose distances pictures show."""
        detectors = self.settings.layer_detectors
        return detectors[0] if self.wanted is not None and detectors else None

    def _gathered(self, fragments: Fragments) -> OfUpdates:
        """Return the values for detectors of scope *update*."""
        if self.plan is None:
            return OfUpdates()
        layer, model = self.chosen.layer, self.plan.global_model
        if model is None:
            return OfUpdates(*self._gather(self.plan, fragments, None))
        spread = fragments.elsewhere is not None
        start, own = read_start(model, layer, self.settings.memory, spread=spread)
        try:
            found = self._gather(self.plan, fragments, start)
        except LeftOutError:
            if own.finding is None:
                raise
            found = self._gather(self.plan, fragments, None)
        if own.finding is None:
            return OfUpdates(*found, own.digest)
        why = f"the global model: {own.finding.detail}"
        finding = Finding(FindingKind.UNUSABLE_GLOBAL, why, layer=layer.name)
        return OfUpdates(*found, None, (finding,))

    def _gather(
        self, plan: UpdatePlan, fragments: Fragments, start: TensorValues | None
    ) -> tuple[Gathered, Float64 | None]:
        layer, names = self.chosen.layer, plan.output
        rows = layer.shape[0] if names is not None and layer.name == names.weight else 0
        origin = Origin(start, plan.updates_are_deltas)
        sides = sides_of(layer.shape) if Statistic.SIDES in plan.gathers else ()
        gathered = gather(fragments, origin, plan.gathers, rows=rows, sides=sides)
        bias = None
        if names is not None and layer.name == names.bias:
            bias = fragments.load(0, fragments.values).astype(np.float64)
            if start is not None and not plan.updates_are_deltas:
                bias -= start[slice(0, fragments.values)].astype(np.float64)
        return gathered, bias

    def _marked(self, marks: Marks, ids: tuple[str, ...]) -> Marked:
        layout = self.chosen.cut
        assert layout is not None
        result = MarkedLayer(
            layer=self.chosen.layer.name,
            fragment=self.chosen.fragment,
            participants=len(ids),
            fragments=layout.fragments,
            dimension=layout.dimension,
            left_out=layout.left_out,
            marked=marks.marked,
            covariance_rank=marks.covariance_rank,
            cutoff_distance=marks.cut_distance,
            cutoff_margin=marks.cut_margin,
            scores=dict(zip(ids, marks.scores.tolist(), strict=True)),
        )
        counts = None
        if marks.marked:
            counts = LayerCounts(result.layer, result.fragments, ids, marks.k_ests, marks.by_k_est)
        return Marked(result, marks.parameters, marks.device, counts)

    def _evidence(
        self,
        values: LayerValues,
        reference: int,
        marks: Mapping[str, Marks],
        ids: tuple[str, ...],
    ) -> LayerEvidence | None:
        if self.wanted is None or self._pictured is None or self.chosen.cut is None:
            return None
        own = marks[self._pictured.declaration.name]
        if not own.marked:
            return None
        fragments = self._cut(values, self.chosen.cut, reference)
        return layer_evidence(self.chosen, fragments, own, ids, self.wanted)


def _all_sent_the_same(scored: Sequence[Submission]) -> bool:
    """Return whether the bytes of all are known, and are equal."""
    return scored[0].digest is not None and len({one.digest for one in scored}) == 1


def _from_central(
    fragments: Fragments, marks: Mapping[str, Marks], gathered: Gathered | None
) -> Float64:
    """Return the l2 distance of each participant from the central one, of shape (n,)."""
    for own in marks.values():
        return own.from_reference
    if gathered is None:
        return np.zeros(fragments.participants)
    distances: Float64 = np.sqrt(squared_distances(gathered.statistics.gram)[fragments.reference])
    return distances
