"""The audit: a round → checked inputs → a detector's scores → a ranking with its findings."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ariba_cli.detectors import DETECTORS
from ariba_cli.errors import InputError, RefusedFileError, UsageError
from ariba_cli.findings import Finding, FindingKind
from ariba_cli.fragments import cut_layer, default_fragment, is_convolution
from ariba_cli.rounds.directory import Member, Round, id_order
from ariba_cli.rounds.layers import Layer, agreed_layers, find_layer
from ariba_cli.rounds.tensors import TensorSpec, to_array
from ariba_cli.verdict import Coverage, Input, LayerResult, Method, Ranked, Verdict

FEWEST_PARTICIPANTS = 3

# No weight of a trained model comes near float32's largest; beyond it, sums overflow.
LARGEST_VALUE = float(np.finfo(np.float32).max)

# Above this ratio float64 has too few digits left to tell the other updates apart.
DOMINANT_RATIO = 2.0**30

Progress = Callable[[str, int, int], None]
Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class KEst:
    """k̃, as a number of participants or as a percentage of them.

    A percentage is rounded up; the default is the paper's 10 of 50.
    """

    number: int | None = None
    percent: float = 20.0

    def resolve(self, participants: int) -> int:
        """k̃ for that many participants.

        Raises
        ------
        UsageError
            When it is not in 1 … n − 1.
        """
        k_est = self.number
        if k_est is None:
            k_est = math.ceil(participants * self.percent / 100)
        if not 1 <= k_est < participants:
            raise UsageError(
                f"k_est is {k_est}; with {participants} scored participants it must be "
                f"between 1 and {participants - 1}"
            )
        return k_est


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """What the user can choose; None leaves the choice to the round."""

    layer: str | None = None
    fragment: str | None = None
    k_est: KEst = KEst()
    detector: str = "mahalanobis"


@dataclass
class _Submission:
    """What is known so far of one participant's file."""

    member: Member
    tensors: dict[str, TensorSpec] = field(default_factory=dict)
    file_bytes: int | None = None
    finding: Finding | None = None
    digest: str | None = None
    values: Array | None = None

    def reject(self, kind: FindingKind, detail: str) -> None:
        self.finding = Finding(kind, detail, self.member.id)

    @property
    def status(self) -> str:
        return self.finding.kind.value if self.finding else "ok"


def audit(round_: Round, settings: AuditSettings, progress: Progress = lambda *_: None) -> Verdict:
    """Rank the participants of a round by how backdoored their updates look.

    The global model is not needed: it cancels when the mean is taken away.

    Raises
    ------
    UsageError
        When a setting does not fit the round.
    InputError
        When fewer than three participants can be scored.
    """
    submissions = [_Submission(member) for member in round_.participants]
    for done, submission in enumerate(submissions, 1):
        _list_tensors(round_, submission)
        progress("opening", done, len(submissions))
    layers = _layers(round_, submissions)
    layer, layer_choice = _chosen_layer(round_, layers, settings.layer)
    fragment = settings.fragment or default_fragment(layer.shape)
    cut = cut_layer(layer.name, layer.shape, fragment)

    for done, submission in enumerate(submissions, 1):
        if submission.finding is None:
            _read_layer(round_, submission, layer)
        progress(f"reading {layer.name}", done, len(submissions))
    scored = _scored(submissions)
    k_est = settings.k_est.resolve(len(scored))
    tensors = [submission.values for submission in scored if submission.values is not None]
    marks = DETECTORS[settings.detector](tensors, cut, k_est)

    ids = [submission.member.id for submission in scored]
    result = LayerResult(
        layer=layer.name,
        participants=len(scored),
        fragments=cut.fragments,
        dimension=cut.dimension,
        left_out=cut.left_out,
        marked=marks.marked,
        covariance_rank=marks.covariance_rank,
        cut_distance=marks.cut_distance,
        cut_margin=marks.cut_margin,
        scores=dict(zip(ids, map(int, marks.scores), strict=True)),
    )
    ranking = _ranking(result, k_est) if result.marked else ()
    return Verdict(
        method=Method(settings.detector, (layer.name,), layer_choice, fragment, k_est),
        inputs=_inputs(round_, submissions),
        layers=(result,),
        ranking=ranking,
        tie_at_cut=bool(ranking) and ranking[k_est - 1].score == ranking[k_est].score,
        coverage=_coverage(layers, layer),
        findings=(*round_.findings, *_findings(submissions, scored, layer, result, k_est)),
    )


def _list_tensors(round_: Round, submission: _Submission) -> None:
    try:
        with round_.open(submission.member) as model:
            submission.tensors = dict(model.tensors)
            submission.file_bytes = model.file.size
    except RefusedFileError as error:
        submission.reject(FindingKind.REFUSED, str(error))


def _layers(round_: Round, submissions: Sequence[_Submission]) -> list[Layer]:
    catalogs = [submission.tensors for submission in submissions if submission.finding is None]
    if not catalogs:
        raise _too_few(submissions)
    return agreed_layers(catalogs, round_.manifest.layers if round_.manifest else ())


def _chosen_layer(round_: Round, layers: Sequence[Layer], name: str | None) -> tuple[Layer, str]:
    if name is None:
        return _middle_layer(layers), "middle"
    return find_layer(layers, name, where=f"ariba inspect {round_.root}"), "named"


def _middle_layer(layers: Sequence[Layer]) -> Layer:
    """Of L convolutions, the one at index ⌊L/2⌋: Fig. 7d finds the middle to do best."""
    convolutions = [layer for layer in layers if is_convolution(layer.shape)]
    if not convolutions:
        some = ", ".join(layer.name for layer in layers[:5])
        raise UsageError(f"no layer is a convolution; name one with --layer (as {some})")
    return convolutions[len(convolutions) // 2]


def _read_layer(round_: Round, submission: _Submission, layer: Layer) -> None:
    """Take the bytes of the layer, or say why not."""
    spec = submission.tensors.get(layer.name)
    if spec is None:
        submission.reject(FindingKind.MISSING_LAYER, f"has no {layer.name}")
    elif spec.shape != layer.shape:
        detail = f"{layer.name} has shape {spec.shape}, the others have {layer.shape}"
        submission.reject(FindingKind.WRONG_SHAPE, detail)
    elif not spec.is_float:
        submission.reject(FindingKind.WRONG_TYPE, f"{layer.name} is of type {spec.dtype}")
    else:
        try:
            with round_.open(submission.member) as model:
                if model.tensors.get(layer.name) != spec:
                    raise RefusedFileError("changed while it was read")
                data = model.read(layer.name)
        except RefusedFileError as error:
            submission.reject(FindingKind.REFUSED, str(error))
            return
        submission.digest = hashlib.sha256(data).hexdigest()
        submission.values = to_array(spec, data)
        if not _largest(submission.values) <= LARGEST_VALUE:
            detail = f"{_count_unusable(submission.values)} in {layer.name}"
            submission.reject(FindingKind.NONFINITE, detail)


def _largest(values: Array) -> float:
    """The largest magnitude; NaN where there is one."""
    return float(np.abs(values).max())


def _count_unusable(values: Array) -> str:
    counts = {
        "NaN": np.count_nonzero(np.isnan(values)),
        "Inf": np.count_nonzero(np.isinf(values)),
        f"beyond ±{LARGEST_VALUE:.1e}": np.count_nonzero(
            np.isfinite(values) & (np.abs(values) > LARGEST_VALUE)
        ),
    }
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def _scored(submissions: Sequence[_Submission]) -> list[_Submission]:
    scored = [submission for submission in submissions if submission.finding is None]
    if len(scored) < FEWEST_PARTICIPANTS:
        raise _too_few(submissions)
    return scored


def _too_few(submissions: Sequence[_Submission]) -> InputError:
    left_out = [submission.finding for submission in submissions if submission.finding]
    why = f"; {left_out[0].participant}: {left_out[0].detail}" if left_out else ""
    return InputError(
        f"{len(submissions) - len(left_out)} of {len(submissions)} updates can be scored, "
        f"and an audit needs at least {FEWEST_PARTICIPANTS}{why}"
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


def _inputs(round_: Round, submissions: Sequence[_Submission]) -> tuple[Input, ...]:
    inputs = [
        Input(
            role="participant",
            id=submission.member.id,
            path=submission.member.path,
            bytes=submission.file_bytes,
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
    return Coverage(
        layers_examined=1,
        layers_total=len(layers),
        parameters_examined=math.prod(examined.shape),
        parameters_total=sum(math.prod(layer.shape) for layer in layers),
    )


def _findings(
    submissions: Sequence[_Submission],
    scored: Sequence[_Submission],
    layer: Layer,
    result: LayerResult,
    k_est: int,
) -> list[Finding]:
    findings = [submission.finding for submission in submissions if submission.finding]
    findings += _duplicates(scored, layer)
    findings += _dominant(scored, layer)
    if not result.marked:
        detail = f"all {result.participants} updates are equal in {layer.name}: nobody is ranked"
        if result.covariance_rank:
            detail = (
                f"fragments of {result.dimension} values are too wide for {result.participants} "
                f"updates of {layer.name}: all are equally distant, and nobody is ranked"
            )
        findings.append(Finding(FindingKind.DEGENERATE, detail))
    if 2 * k_est >= result.participants:
        detail = f"k_est is {k_est} of {result.participants}: ARIBA assumes an honest majority"
        findings.append(Finding(FindingKind.LARGE_K_EST, detail))
    return findings


def _duplicates(scored: Sequence[_Submission], layer: Layer) -> list[Finding]:
    """Participants whose bytes somebody else sent too: a copied or replayed update."""
    first: dict[str | None, str] = {}
    findings = []
    for submission in scored:
        twin = first.setdefault(submission.digest, submission.member.id)
        if twin != submission.member.id:
            detail = f"sent the same {layer.name} as {twin}, byte for byte"
            findings.append(Finding(FindingKind.DUPLICATE, detail, submission.member.id))
    return findings


def _dominant(scored: Sequence[_Submission], layer: Layer) -> list[Finding]:
    """Participants so large that rounding to float64 hides the differences of the others."""
    largest = [_largest(s.values) for s in scored if s.values is not None]
    typical = float(np.median(largest))
    return [
        Finding(
            FindingKind.DOMINANT,
            f"its largest value in {layer.name} is {value:.0e}, the median of all is "
            f"{typical:.0e}: it hides the others; audit again without it",
            submission.member.id,
        )
        for submission, value in zip(scored, largest, strict=True)
        if value > DOMINANT_RATIO * typical > 0
    ]
