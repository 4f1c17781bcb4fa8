"""The examination of layers: read one of every participant, check it, score it, and let it go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ariba_cli.auditing.choice import Choice, ChosenLayer
from ariba_cli.auditing.evidence import Wanted, layer_evidence
from ariba_cli.auditing.ranking_checks import central_participant, masking_findings
from ariba_cli.auditing.settings import AuditSettings, KEst, why_no_k_est
from ariba_cli.auditing.stability import LayerCounts
from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.progress import Progress, part_of
from ariba_cli.scoring.marks import Marks, Parameter
from ariba_cli.updates.fragments import Fragments
from ariba_cli.updates.intake import Submission, differing_scales, offers, why_too_few
from ariba_cli.updates.reading import LayerValues, LeftOutError, read_layer
from ariba_cli.verdicts.verdict import LayerEvidence, LayerResult

# What is read at a time of a layer that is not held in memory, in bytes: enough for a
# participant's part to take longer to read than to open, where there are thousands.
_CHUNK_BYTES = 2**27
_LEAST_CHUNK_BYTES = 2**16


@dataclass(frozen=True)
class Examined:
    """What came of one layer.

    Attributes
    ----------
    result : None when too few could be scored.
    k_est : k̃; 0 while there is no result.
    left_out : why, by participant.
    counted : its marks for every k̃; None when nobody can be told apart.
    evidence : None then, too, and when none is wanted.
    parameters : what the detector was run with, on which device.
    """

    result: LayerResult | None
    k_est: int
    left_out: dict[str, Finding]
    findings: tuple[Finding, ...]
    counted: LayerCounts | None = None
    evidence: LayerEvidence | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    device: str = "cpu"


def examine_all(
    submissions: Sequence[Submission], choice: Choice, settings: AuditSettings, progress: Progress
) -> list[Examined]:
    """Examine one layer after the other, with the same k̃ in all of them."""
    wanted = Wanted(settings.explained, len(choice.layers)) if settings.evidence else None
    examined: list[Examined] = []
    for part, chosen in enumerate(choice.layers):
        first = part + 1 if settings.k_est.number is None else 0
        elsewhere = _elsewhere(submissions, choice.layers[first:])
        step = part_of(progress, part, len(choice.layers))
        found = _examine(submissions, chosen, settings, elsewhere, wanted, step)
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
    wanted: Wanted | None,
    progress: Progress,
) -> Examined:
    """Read one layer of every participant and score it; none of it is held afterwards.

    Parameters
    ----------
    submissions : as they were opened; they stay as they are.
    settings : with k̃ as a number, unless this is the first layer that is scored.
    elsewhere : who may be scored in another layer: k̃ has to leave somebody of all, not of
        those of this layer alone, and a percentage is of all.
    wanted : what evidence is kept; None for none.
    """
    # What is found in this layer says nothing of the others.
    submissions = [replace(submission) for submission in submissions]
    values = read_layer(submissions, chosen.layer, settings.memory, progress)
    while True:
        try:
            return _score(submissions, values, chosen, settings, elsewhere, wanted, progress)
        except LeftOutError:
            values.read_to_the_end(progress)
            values = values.without_left_out()


def _score(
    submissions: Sequence[Submission],
    values: LayerValues,
    chosen: ChosenLayer,
    settings: AuditSettings,
    elsewhere: set[str],
    wanted: Wanted | None,
    progress: Progress,
) -> Examined:
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
    scored_ids = [one.member.id for one in scored]
    k_est = 0
    too_few = why_too_few(submissions, f"scored in {layer.name}")
    if not too_few:
        k_est = settings.k_est.resolve(len(elsewhere.union(scored_ids)), layer.name)
        too_few = why_no_k_est(k_est, len(scored), layer.name)
    if too_few:
        nothing = Finding(FindingKind.LAYER_LEFT_OUT, too_few)
        return Examined(None, 0, left_out, (nothing,))
    fragments = Fragments(values.tensors, chosen.cut, chunk_bytes=_chunk_bytes(settings.memory))
    fragments = fragments.with_reference(central_participant(fragments))
    marks = settings.detector(fragments, k_est, progress, keep_distances=wanted is not None)
    values.read_to_the_end(progress)
    if any(one.finding is not None for one in scored):
        raise LeftOutError
    result = _layer_result(chosen, submissions, scored, marks)
    findings = (
        *differing_scales(submissions, layer),
        *masking_findings(scored, marks, result, k_est),
    )
    examined = Examined(
        result, k_est, left_out, findings, parameters=marks.parameters, device=marks.device
    )
    if not marks.marked:
        return examined
    evidence = None
    if wanted is not None:
        evidence = layer_evidence(chosen, fragments, marks, scored_ids, wanted)
    counted = LayerCounts(result.layer, result.fragments, tuple(scored_ids), marks.by_k_est)
    return replace(examined, counted=counted, evidence=evidence)


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
