"""The audit: a round → checked inputs → a detector's scores → a ranking with its findings."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from ariba_cli.choice import Choice, ChosenLayer, choose_layers
from ariba_cli.detectors import Detector, make_detector
from ariba_cli.errors import InputError, UsageError
from ariba_cli.findings import Finding, FindingKind
from ariba_cli.fragments import Fragments
from ariba_cli.intake import (
    Submission,
    differing_scales,
    offers,
    open_submissions,
    why_too_few,
)
from ariba_cli.machine import memory_bytes
from ariba_cli.masking import masking_findings, ordinary
from ariba_cli.progress import Progress, part_of, silent
from ariba_cli.ranking import rank
from ariba_cli.reading import LayerValues, LeftOutError, read_layer
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.layers import Layer, agreed_layers
from ariba_cli.rounds.members import Member
from ariba_cli.scoring.marks import Marks, Parameter
from ariba_cli.stability import Counted, stability
from ariba_cli.verdict import Asked, Coverage, Input, LayerResult, Method, Verdict

# What is read at a time of a layer that is not held in memory, in bytes: enough for a
# participant's part to take longer to read than to open, where there are thousands.
_CHUNK_BYTES = 2**27
_LEAST_CHUNK_BYTES = 2**16


@dataclass(frozen=True)
class KEst:
    """k̃, as a number of participants or as a percentage of them.

    A percentage is rounded up; the default is the paper's 10 of 50.
    """

    number: int | None = None
    percent: Fraction = Fraction(20)

    def resolve(self, participants: int, layer: str) -> int:
        """k̃ for that many participants who are scored in a layer.

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
                f"k_est is {k_est}; with {participants} participants scored in {layer} it must "
                f"be between 1 and {participants - 1}"
            )
        return k_est


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """What the user can choose; None leaves the choice to the round.

    Attributes
    ----------
    layers : names, patterns or `all`; none for the convolution in the middle.
    verify_seal : whether to hash every file that the seal lists.
    strict : whether to stop when a participant has to be left out.
    max_memory : how many bytes the values of a layer may take; a quarter of the machine's
        memory when None. Whatever it is, the result is the same.
    """

    layers: tuple[str, ...] = ()
    fragment: str | None = None
    k_est: KEst = KEst()
    detector: Detector = field(default_factory=make_detector)
    verify_seal: bool = False
    strict: bool = False
    max_memory: int | None = None

    @property
    def memory(self) -> int:
        """How many bytes the values of a layer may take."""
        return self.max_memory if self.max_memory is not None else memory_bytes() // 4


@dataclass(frozen=True)
class _Examined:
    """What came of one layer.

    Attributes
    ----------
    result : None when too few could be scored.
    k_est : k̃; 0 while there is no result.
    left_out : why, by participant.
    counted : its marks for every k̃; None when nobody can be told apart.
    parameters : what the detector was run with, on which device.
    """

    result: LayerResult | None
    k_est: int
    left_out: dict[str, Finding]
    findings: tuple[Finding, ...]
    counted: Counted | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    device: str = "cpu"


def audit(round_: Round, settings: AuditSettings, progress: Progress = silent) -> Verdict:
    """Rank the participants of a round by how backdoored their updates look.

    The global model is not needed: it cancels when the mean is taken away. The values of
    one layer are held at a time.

    Raises
    ------
    UsageError
        When a setting does not fit the round.
    InputError
        When there is no layer in which at least three participants can be scored, or when one
        of them has to be left out and `strict` is set.
    """
    broken = round_.verify_seal(progress) if settings.verify_seal else []
    submissions = open_submissions(round_, progress)
    layers = agreed_layers(
        [submission.model.tensors for submission in submissions if submission.model is not None],
        round_.manifest.layers if round_.manifest else (),
    )
    where = f"ariba inspect {round_.root}"
    choice = choose_layers(layers, settings.layers, settings.fragment, where=where)
    examined = _examine_all(submissions, choice, settings, progress)
    results = tuple(one.result for one in examined if one.result is not None)
    k_est = max(one.k_est for one in examined)
    ranking, tie_at_cut = rank(results, k_est)
    findings = [*round_.findings, *broken, *choice.findings]
    for one in examined:
        findings += [*one.left_out.values(), *one.findings]
    return Verdict(
        method=Method(
            detector=settings.detector.name,
            detector_parameters=_parameters(examined),
            same_on_every_machine=settings.detector.same_on_every_machine,
            layers=tuple(result.layer for result in results),
            layer_choice=choice.how,
            fragment=settings.fragment or _common_fragment(results),
            k_est=k_est,
            seal_verified=settings.verify_seal and round_.manifest is not None,
            asked=Asked(
                layers=settings.layers,
                fragment=settings.fragment,
                detector_arguments=dict(settings.detector.arguments),
                fit_sample=settings.detector.most_fitted,
            ),
        ),
        inputs=_inputs(round_, submissions, examined),
        layers=results,
        ranking=ranking,
        tie_at_cut=tie_at_cut,
        coverage=_coverage(layers, results),
        # What is wrong with a file, or with k̃, is found anew in every layer.
        findings=tuple(dict.fromkeys(findings)),
        stability=stability(
            [one.counted for one in examined if one.counted is not None], ranking, k_est
        ),
        devices=tuple(sorted({one.device for one in examined if one.result is not None})),
    )


def _examine_all(
    submissions: Sequence[Submission], choice: Choice, settings: AuditSettings, progress: Progress
) -> list[_Examined]:
    """Examine one layer after the other, with the same k̃ in all of them."""
    examined: list[_Examined] = []
    for part, chosen in enumerate(choice.layers):
        unsettled = settings.k_est.number is None
        elsewhere = _elsewhere(submissions, choice.layers[part + 1 :] if unsettled else ())
        step = part_of(progress, part, len(choice.layers))
        found = _examine(submissions, chosen, settings, elsewhere, step)
        examined.append(found)
        if found.result is not None:
            settings = replace(settings, k_est=KEst(found.k_est))
    if all(one.result is None for one in examined):
        raise InputError(examined[0].findings[0].detail)
    return examined


def _elsewhere(submissions: Sequence[Submission], layers: Sequence[ChosenLayer]) -> set[str]:
    """Who may be scored in one of the layers at least, by what the files say of themselves."""
    return {
        one.member.id for one in submissions if any(offers(one, chosen.layer) for chosen in layers)
    }


def _examine(
    submissions: Sequence[Submission],
    chosen: ChosenLayer,
    settings: AuditSettings,
    elsewhere: set[str],
    progress: Progress,
) -> _Examined:
    """Read one layer of every participant and score it; none of it is held afterwards.

    Parameters
    ----------
    submissions : as they were opened; they stay as they are.
    settings : with k̃ as a number, unless this is the first layer that is scored.
    elsewhere : who may be scored in a later layer: a percentage is of them, too.
    """
    # What is found in this layer says nothing of the others.
    submissions = [replace(submission) for submission in submissions]
    values = read_layer(submissions, chosen.layer, settings.memory, progress)
    while True:
        try:
            return _score(submissions, values, chosen, settings, elsewhere, progress)
        except LeftOutError:
            values.read_to_the_end(progress)
            values = values.without_left_out()


def _score(
    submissions: Sequence[Submission],
    values: LayerValues,
    chosen: ChosenLayer,
    settings: AuditSettings,
    elsewhere: set[str],
    progress: Progress,
) -> _Examined:
    """Score what was read of a layer; see `_examine`.

    Raises
    ------
    LeftOutError
        When one of those that are scored turns out to be unusable.
    """
    layer, scored = chosen.layer, values.submissions
    left_out = {one.member.id: one.finding for one in submissions if one.finding is not None}
    if left_out and settings.strict:
        first = next(iter(left_out.values()))
        raise InputError(f"{first.participant}: {first.detail} (--strict stops here)")
    too_few = why_too_few(submissions, f"scored in {layer.name}")
    if too_few:
        nothing = Finding(FindingKind.LAYER_LEFT_OUT, too_few)
        return _Examined(None, 0, left_out, (nothing,))
    scored_ids = [one.member.id for one in scored]
    k_est = settings.k_est.resolve(len(elsewhere.union(scored_ids)), layer.name)
    KEst(k_est).resolve(len(scored), layer.name)
    fragments = Fragments(values.tensors, chosen.cut, chunk_bytes=_chunk_bytes(settings.memory))
    fragments = fragments.counted_from(ordinary(fragments))
    marks = settings.detector(fragments, k_est, progress)
    values.read_to_the_end(progress)
    if any(one.finding is not None for one in scored):
        raise LeftOutError
    result = _layer_result(chosen, submissions, scored, marks)
    findings = (
        *differing_scales(submissions, layer),
        *masking_findings(scored, marks, result, k_est),
    )
    counted = Counted(result.layer, result.fragments, tuple(scored_ids), marks.by_k_est)
    return _Examined(
        result,
        k_est,
        left_out,
        findings,
        counted if marks.marked else None,
        marks.parameters,
        marks.device,
    )


def _chunk_bytes(memory: int) -> int:
    """A quarter of the memory: one chunk is read while another is scored, in wider numbers."""
    return max(_LEAST_CHUNK_BYTES, min(_CHUNK_BYTES, memory // 4))


def _layer_result(
    chosen: ChosenLayer,
    submissions: Sequence[Submission],
    scored: Sequence[Submission],
    marks: Marks,
) -> LayerResult:
    cut = chosen.cut
    return LayerResult(
        layer=chosen.layer.name,
        fragment=chosen.fragment,
        participants=len(scored),
        fragments=cut.fragments,
        dimension=cut.dimension,
        left_out=cut.left_out,
        marked=marks.marked,
        covariance_rank=marks.covariance_rank,
        cut_distance=marks.cut_distance,
        cut_margin=marks.cut_margin,
        scores={one.member.id: int(score) for one, score in zip(scored, marks.scores, strict=True)},
        tensor_sha256={one.member.id: one.digest for one in submissions if one.digest is not None},
    )


def _parameters(examined: Sequence[_Examined]) -> dict[str, Parameter]:
    """What the detector was run with; what differs between layers is said of the first."""
    found: dict[str, Parameter] = {}
    for one in reversed(examined):
        found.update(one.parameters)
    return found


def _common_fragment(results: Sequence[LayerResult]) -> str:
    kinds = {result.fragment for result in results}
    return kinds.pop() if len(kinds) == 1 else "default"


def _inputs(
    round_: Round, submissions: Sequence[Submission], examined: Sequence[_Examined]
) -> tuple[Input, ...]:
    results = [one.result for one in examined if one.result is not None]
    statuses: dict[str, str] = {}
    for one in examined:
        for name, finding in one.left_out.items():
            statuses.setdefault(name, finding.kind.value)
    inputs = [
        Input(
            role="participant",
            id=submission.member.id,
            path=submission.member.path,
            bytes=submission.model.bytes if submission.model is not None else None,
            tensor_sha256=_digest(submission.member.id, results),
            status=statuses.get(submission.member.id, "ok"),
            file_sha256=_sealed(round_, submission.member),
        )
        for submission in submissions
    ]
    if round_.global_model is not None:
        member = round_.global_model
        sealed = _sealed(round_, member)
        inputs.insert(0, Input("global", member.id, member.path, None, None, "not-read", sealed))
    return tuple(inputs)


def _sealed(round_: Round, member: Member) -> str | None:
    """What the seal says of the file of a member; None when it says nothing of one file."""
    listed = None if round_.manifest is None else round_.manifest.files.get(member.path)
    return None if listed is None else listed.sha256


def _digest(name: str, results: Sequence[LayerResult]) -> str | None:
    """The hash of what was analysed of one participant: of the hashes of several layers."""
    digests = [one.tensor_sha256[name] for one in results if name in one.tensor_sha256]
    if not digests or len(results) == 1:
        return digests[0] if digests else None
    return hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def _coverage(layers: Sequence[Layer], results: Sequence[LayerResult]) -> Coverage:
    weights = [layer for layer in layers if layer.is_weight]
    examined = {result.layer for result in results}
    return Coverage(
        layers_examined=len(examined),
        layers_total=len(weights),
        parameters_examined=sum(one.spec.values for one in weights if one.name in examined),
        parameters_total=sum(layer.spec.values for layer in weights),
    )
