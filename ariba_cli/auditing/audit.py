"""The audit: a round → checked inputs → a detector's scores → a ranking with its findings."""

import hashlib
from collections.abc import Sequence

from ariba_cli.auditing.choice import choose_layers
from ariba_cli.auditing.examination import Examined, examine_all
from ariba_cli.auditing.ranking import rank
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.auditing.stability import stability
from ariba_cli.base.errors import InputError
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.layers import Layer, agreed_layers
from ariba_cli.rounds.members import Member
from ariba_cli.rounds.sealing import NOT_VERIFIED
from ariba_cli.scoring.marks import Parameter
from ariba_cli.updates.intake import Submission, open_submissions
from ariba_cli.verdicts.verdict import (
    Coverage,
    Input,
    LayerResult,
    Method,
    RequestedOptions,
    Verdict,
)


def audit(round_: Round, settings: AuditSettings, progress: Progress = no_progress) -> Verdict:
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
    seal = round_.verify_seal(progress) if settings.verify_seal else NOT_VERIFIED
    submissions = open_submissions(round_, progress, seal)
    layers = agreed_layers(
        [submission.model.tensors for submission in submissions if submission.model is not None],
        round_.manifest.layers if round_.manifest else (),
    )
    where = f"ariba inspect {round_.root}"
    choice = choose_layers(layers, settings.layers, settings.fragment, where=where)
    _check_explained(settings.explained, submissions)
    examined = examine_all(submissions, choice, settings, progress)
    results = tuple(one.result for one in examined if one.result is not None)
    k_est = max(one.k_est for one in examined)
    ranking, tie_at_cut = rank(results, k_est)
    findings = [*round_.findings, *seal.findings, *choice.findings]
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
            asked=RequestedOptions(
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
        evidence=tuple(one.evidence for one in examined if one.evidence is not None),
        devices=tuple(sorted({one.device for one in examined if one.result is not None})),
    )


def _check_explained(explained: Sequence[str], submissions: Sequence[Submission]) -> None:
    """Raises InputError when somebody is to be explained who sent nothing."""
    unknown_ids = set(explained) - {one.member.id for one in submissions}
    if unknown_ids:
        raise InputError(f"there is no participant '{min(unknown_ids)}' in the round to explain")


def _parameters(examined: Sequence[Examined]) -> dict[str, Parameter]:
    """What the detector was run with; what differs between layers is said of the first."""
    found: dict[str, Parameter] = {}
    for one in reversed(examined):
        found.update(one.parameters)
    return found


def _common_fragment(results: Sequence[LayerResult]) -> str:
    kinds = {result.fragment for result in results}
    return kinds.pop() if len(kinds) == 1 else "default"


def _inputs(
    round_: Round, submissions: Sequence[Submission], examined: Sequence[Examined]
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
