"""The audit: a round → checked inputs → a detector's scores → a ranking with its findings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ariba_cli.detectors import Detector, make_detector
from ariba_cli.errors import InputError, UsageError
from ariba_cli.fragments import Cut, cut_layer, default_fragment, is_convolution
from ariba_cli.intake import (
    Scorable,
    Submission,
    differing_scales,
    open_submissions,
    read_layer,
)
from ariba_cli.masking import masking_findings
from ariba_cli.progress import Progress, silent
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.layers import Layer, agreed_layers, find_layer
from ariba_cli.rounds.members import id_order
from ariba_cli.scoring.marks import Marks
from ariba_cli.verdict import Coverage, Input, LayerResult, Method, Ranked, Verdict


@dataclass(frozen=True)
class KEst:
    """k̃, as a number of participants or as a percentage of them.

    A percentage is rounded up; the default is the paper's 10 of 50.
    """

    number: int | None = None
    percent: Fraction = Fraction(20)

    def resolve(self, participants: int) -> int:
        """k̃ for that many participants.

        Raises
        ------
        UsageError
            When it is not in 1 … n − 1.
        """
        k_est = self.number
        if k_est is None:
            k_est = math.ceil(self.percent * participants / 100)
        if not 1 <= k_est < participants:
            raise UsageError(
                f"k_est is {k_est}; with {participants} scored participants it must be "
                f"between 1 and {participants - 1}"
            )
        return k_est


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """What the user can choose; None leaves the choice to the round.

    Attributes
    ----------
    verify_seal : whether to hash every file that the seal lists.
    strict : whether to stop when a participant has to be left out.
    """

    layer: str | None = None
    fragment: str | None = None
    k_est: KEst = KEst()
    detector: Detector = field(default_factory=make_detector)
    verify_seal: bool = False
    strict: bool = False


def audit(round_: Round, settings: AuditSettings, progress: Progress = silent) -> Verdict:
    """Rank the participants of a round by how backdoored their updates look.

    The global model is not needed: it cancels when the mean is taken away.

    Raises
    ------
    UsageError
        When a setting does not fit the round.
    InputError
        When fewer than three participants can be scored, or fewer than all and `strict`
        is set.
    """
    broken = round_.verify_seal(progress) if settings.verify_seal else []
    submissions = open_submissions(round_, progress)
    layers = agreed_layers(
        [submission.model.tensors for submission in submissions if submission.model is not None],
        round_.manifest.layers if round_.manifest else (),
    )
    layer, layer_choice = _chosen_layer(round_, layers, settings.layer)
    fragment = settings.fragment or default_fragment(layer.shape)
    cut = cut_layer(layer.name, layer.shape, fragment)

    scored = read_layer(submissions, layer, progress)
    left_out = [submission.finding for submission in submissions if submission.finding]
    if left_out and settings.strict:
        raise InputError(f"{left_out[0].participant}: {left_out[0].detail} (--strict stops here)")
    k_est = settings.k_est.resolve(len(scored))
    marks = settings.detector([one.values for one in scored], cut, k_est, progress)

    result = _layer_result(layer, cut, scored, marks)
    ranking = _ranking(result, k_est) if result.marked else ()
    return Verdict(
        method=Method(
            detector=settings.detector.name,
            detector_parameters=dict(marks.parameters),
            same_on_every_machine=settings.detector.same_on_every_machine,
            layers=(layer.name,),
            layer_choice=layer_choice,
            fragment=fragment,
            k_est=k_est,
            seal_verified=settings.verify_seal and round_.manifest is not None,
        ),
        inputs=_inputs(round_, submissions),
        layers=(result,),
        ranking=ranking,
        tie_at_cut=bool(ranking) and ranking[k_est - 1].score == ranking[k_est].score,
        coverage=_coverage(layers, layer),
        findings=(
            *round_.findings,
            *broken,
            *left_out,
            *differing_scales(submissions, layer),
            *masking_findings(scored, result, k_est),
        ),
    )


def _chosen_layer(round_: Round, layers: Sequence[Layer], name: str | None) -> tuple[Layer, str]:
    if name is None:
        return _middle_layer(layers), "middle"
    return find_layer(layers, name, where=f"ariba inspect {round_.root}"), "named"


def _middle_layer(layers: Sequence[Layer]) -> Layer:
    """Of L convolutions, the one at index ⌊L/2⌋: Fig. 7d finds the middle to do best."""
    convolutions = [
        layer for layer in layers if layer.can_be_scored and is_convolution(layer.shape)
    ]
    if not convolutions:
        some = ", ".join(layer.name for layer in layers[:5])
        raise UsageError(f"no layer is a convolution; name one with --layer (as {some})")
    return convolutions[len(convolutions) // 2]


def _layer_result(layer: Layer, cut: Cut, scored: Sequence[Scorable], marks: Marks) -> LayerResult:
    return LayerResult(
        layer=layer.name,
        participants=len(scored),
        fragments=cut.fragments,
        dimension=cut.dimension,
        left_out=cut.left_out,
        marked=marks.marked,
        covariance_rank=marks.covariance_rank,
        cut_distance=marks.cut_distance,
        cut_margin=marks.cut_margin,
        scores={one.id: int(score) for one, score in zip(scored, marks.scores, strict=True)},
    )


def _ranking(result: LayerResult, k_est: int) -> tuple[Ranked, ...]:
    """Order by (−S_i, id); the first k̃ are suspects."""
    order = sorted(result.scores, key=lambda name: (-result.scores[name], id_order(name)))
    return tuple(
        Ranked(
            rank=rank,
            id=name,
            score=result.scores[name],
            share=result.scores[name] / result.fragments,
            suspect=rank <= k_est,
        )
        for rank, name in enumerate(order, 1)
    )


def _inputs(round_: Round, submissions: Sequence[Submission]) -> tuple[Input, ...]:
    inputs = [
        Input(
            role="participant",
            id=submission.member.id,
            path=submission.member.path,
            bytes=submission.model.bytes if submission.model is not None else None,
            tensor_sha256=submission.digest,
            status=submission.status,
        )
        for submission in submissions
    ]
    if round_.global_model is not None:
        member = round_.global_model
        inputs.insert(0, Input("global", member.id, member.path, None, None, "not-read"))
    return tuple(inputs)


def _coverage(layers: Sequence[Layer], examined: Layer) -> Coverage:
    weights = [layer for layer in layers if layer.is_weight]
    return Coverage(
        layers_examined=1,
        layers_total=len(weights),
        parameters_examined=examined.spec.values,
        parameters_total=sum(layer.spec.values for layer in weights),
    )
