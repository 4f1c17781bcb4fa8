"""The audit: a round → checked inputs → the scores of detectors → a ranking with its findings."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace as replace_fields
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ariba_cli.auditing.calibration import calibration_of, similarity_of, uncalibrated
from ariba_cli.auditing.choice import Choice, choose_layers
from ariba_cli.auditing.decisions import decide, few_participants
from ariba_cli.auditing.detection import check_room, detector_results, update_plan
from ariba_cli.auditing.examination import Examined, examine_all
from ariba_cli.auditing.observation import Observation, observe
from ariba_cli.auditing.ranking_checks import left_out_unchanged
from ariba_cli.auditing.rescoring import far_out_in_words, rescored
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import FindingKind
from ariba_cli.base.ids import id_order
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.detectors.declaration import Scope
from ariba_cli.rounds.beside import not_scored
from ariba_cli.rounds.differing import extra_layers, nothing_in_common
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.fairness import outsize
from ariba_cli.rounds.layers import Layer, agreed_layers
from ariba_cli.rounds.sealing import NOT_VERIFIED
from ariba_cli.scoring.gathering import MOST_EXACT
from ariba_cli.updates.alignment import align
from ariba_cli.updates.intake import Sent, Submission, open_sent, why_too_few
from ariba_cli.updates.unchanged import unchanged
from ariba_cli.verdicts.method import (
    Method,
    RequestedBaseline,
    RequestedDetector,
    RequestedOptions,
)
from ariba_cli.verdicts.verdict import Coverage, ExaminedLayer, Input, Verdict

if TYPE_CHECKING:
    from ariba_cli.scoring.panel.baseline import Baseline


# Told of what was seen in a round, if anything was.
Watch = Callable[[Observation | None], None]


def audit(
    round_: Round,
    settings: AuditSettings,
    progress: Progress = no_progress,
    watch: Watch = lambda _: None,
) -> Verdict:
    """Rank the participants of a round by how backdoored their updates look.

    Parameters
    ----------
    round_ : Round
        The round with its submissions. The values of one layer are held at a time.
    settings : AuditSettings
        The options of the audit.
    progress : Progress, optional
        The function that receives the progress of the work.
    watch : callable, optional
        The function that receives the facts that a history keeps of the round.

    Raises
    ------
    UsageError
        When a setting does not fit the round.
    InputError
        When there is no layer in which at least three participants can be scored, when one of
        them has to be left out and `strict` is set, when a detector needs something that is
        missing, or when there are too many to compare in pairs.
    """
    if settings.update_detectors:
        check_room(len(round_.participants) - len(set(settings.excluded)), settings.memory)
    seal = round_.verify_seal(progress) if settings.verify_seal else NOT_VERIFIED
    ids = {member.id for member in round_.participants}
    _check_known(ids, settings.excluded, "exclude")
    _check_known(ids, settings.explained, "explain")
    sent = open_sent(round_, settings.excluded, progress, seal)
    where = f"ariba inspect {round_.root}"
    verdict = audit_sent(sent, settings, progress, watch, where=where)
    requested = replace(verdict.method.requested, names=round_.terms.names)
    method = replace(
        verdict.method,
        seal_verified=settings.verify_seal and round_.manifest is not None,
        requested=requested,
    )
    return replace(
        verdict,
        method=method,
        inputs=tuple(replace(one, file_sha256=_sealed(round_, one)) for one in verdict.inputs),
        findings=tuple(
            dict.fromkeys(
                [*round_.findings, *seal.findings, *outsize(sent.models), *verdict.findings]
            )
        ),
    )


def audit_sent(
    sent: Sent,
    settings: AuditSettings,
    progress: Progress = no_progress,
    watch: Watch = lambda _: None,
    *,
    where: str = "inspect",
) -> Verdict:
    """Rank the participants by the values that they sent, from any source; see `audit`.

    Parameters
    ----------
    sent : Sent
        The values that everybody sent.
    settings : AuditSettings
        The options of the audit.
    progress : Progress, optional
        The function that receives the progress of the work.
    watch : callable, optional
        The function that receives the facts that a history keeps; see `audit`.
    where : str, optional
        The command that lists the layers, for errors.
    """
    findings = align(sent, settings.layout, by_order=settings.by_order)
    too_few = why_too_few(sent.submissions, "scored")
    if too_few:
        raise InputError(too_few)
    catalogs = {
        one.member.id: one.model.tensors for one in sent.submissions if one.model is not None
    }
    layers = agreed_layers(catalogs.values(), sent.model_order)
    if not layers:
        raise InputError(nothing_in_common(catalogs))
    scopes = {one.declaration.scope for one in settings.detectors}
    idle = unchanged(sent, layers)
    if len(idle) == len(sent.submissions):
        # Of a round in which nobody trained, each layer says that it tells nobody apart.
        idle = []
    findings += not_scored((one.member.id, one.model) for one in sent.submissions if one.model)
    findings += left_out_unchanged(idle, len(sent.submissions))
    away = {one.member.id for one in idle}
    sent = replace_fields(
        sent, submissions=[one for one in sent.submissions if one.member.id not in away]
    )
    choice = choose_layers(layers, settings.layers, settings.fragment, scopes=scopes, where=where)
    plan = update_plan(settings.update_detectors, sent, choice)
    examined = examine_all(sent.submissions, choice, settings, plan, progress)
    k_est = max(one.k_est for one in examined)
    detected = detector_results(settings.detectors, examined, plan, k_est)
    decides = detected[0]
    decision, ranking = decide(decides, settings.level, k_est)
    watch(observe(decides))
    findings += [*extra_layers(catalogs, layers), *choice.findings]
    for one in examined:
        findings += [*one.left_out.values(), *one.findings]
    again = rescored(sent.submissions, choice, settings, examined, ranking, progress)
    if again is not None:
        findings.append(far_out_in_words(again, ranking))
    if settings.level is not None:
        findings += [*few_participants(len(ranking)), *uncalibrated(decides)]
    known = tuple(one.layer for one in examined if one.layer is not None)
    return Verdict(
        method=Method(
            layers=tuple(one.layer for one in known),
            layer_choice=choice.how,
            requested=_requested(settings),
            inner_products=_inner_products(known) if plan is not None else None,
            k_est=k_est if settings.counts_with_k_est else None,
        ),
        decision=decision,
        inputs=_inputs(sent, examined, idle),
        layers=known,
        detectors=tuple(one.result for one in detected),
        ranking=ranking,
        coverage=_coverage(layers, choice, known, decides.result.scope),
        # What is wrong with a file, or with k_est, is found anew in every layer.
        findings=tuple(dict.fromkeys(findings)),
        calibration=calibration_of(decides),
        rescored=again,
        similarity=similarity_of(decides) if settings.evidence else None,
        evidence=tuple(one.evidence for one in examined if one.evidence is not None),
        devices=tuple(sorted({own.device for one in examined for own in one.marked.values()}))
        or ("cpu",),
    )


def _check_known(ids: Collection[str], named: Sequence[str], what: str) -> None:
    """Raise InputError when somebody is named who sent nothing."""
    unknown_ids = set(named) - set(ids)
    if unknown_ids:
        raise InputError(f"cannot {what} '{min(unknown_ids)}': the round has no such participant")


def _requested(settings: AuditSettings) -> RequestedOptions:
    return RequestedOptions(
        detectors=tuple(
            RequestedDetector(one.declaration.name, dict(one.arguments), one.fit_sample)
            for one in settings.detectors
        ),
        k_est=settings.k_est.text if settings.level is None else None,
        level=settings.level,
        layers=settings.layers,
        fragment=settings.fragment,
        excluded=settings.excluded,
        layout=settings.layout,
        by_order=settings.by_order,
        baseline=_requested_baseline(settings.baseline),
    )


def _requested_baseline(baseline: "Baseline | None") -> RequestedBaseline | None:
    if baseline is None:
        return None
    tails = {name: (tail.median, tail.rare, tail.excess) for name, tail in baseline.own.items()}
    return RequestedBaseline(baseline.reports, baseline.participants, tails)


def _inner_products(layers: Sequence[ExaminedLayer]) -> str:
    return "sketch" if any(one.participants > MOST_EXACT for one in layers) else "exact"


def _inputs(
    sent: Sent, examined: Sequence[Examined], idle: Sequence[Submission]
) -> tuple[Input, ...]:
    digests = [one.layer.tensor_sha256 for one in examined if one.layer is not None]
    statuses: dict[str, str] = {}
    for one in examined:
        for name, finding in one.left_out.items():
            statuses.setdefault(name, finding.kind.value)
    inputs = [
        _input(
            "participant",
            one,
            [digest[one.member.id] for digest in digests if one.member.id in digest],
            statuses.get(one.member.id, "ok"),
        )
        for one in sent.submissions
    ]
    inputs += [_input("participant", one, [], "excluded") for one in sent.excluded]
    inputs += [_input("participant", one, [], FindingKind.UNCHANGED.value) for one in idle]
    inputs.sort(key=lambda one: id_order(one.id))
    if sent.global_model is not None:
        found = [one.of_updates.global_sha256 for one in examined]
        read = [digest for digest in found if digest is not None]
        inputs.insert(0, _input("global", sent.global_model, read, "ok" if read else "not-read"))
    return tuple(inputs)


def _input(role: str, one: Submission, digests: Sequence[str], status: str) -> Input:
    return Input(
        role=role,
        id=one.member.id,
        path=one.member.path,
        # Of what was not read, the size says nothing.
        bytes=one.model.bytes if one.model is not None and status != "not-read" else None,
        tensor_sha256=_digest(digests),
        status=status,
    )


def _sealed(round_: Round, one: Input) -> str | None:
    """Return the seal's result for a file; None when it has none for a single file."""
    listed = None if round_.manifest is None else round_.manifest.files.get(one.path)
    return None if listed is None else listed.sha256


def _digest(digests: Sequence[str]) -> str | None:
    """Return the hash of the analysed part of a file: of the hashes of several layers."""
    if len(digests) <= 1:
        return digests[0] if digests else None
    return hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def _coverage(
    layers: Sequence[Layer], choice: Choice, examined: Sequence[ExaminedLayer], scope: str
) -> Coverage:
    """Return the coverage of the detector that decides, which may be less than that of another."""
    weights = [layer for layer in layers if layer.is_weight]
    fed = {
        chosen.layer.name
        for chosen in choice.layers
        if chosen.cut is not None or scope == Scope.UPDATE
    }
    names = {one.layer for one in examined} & fed
    return Coverage(
        layers_examined=len(names),
        layers_total=len(weights),
        parameters_examined=sum(one.spec.values for one in weights if one.name in names),
        parameters_total=sum(layer.spec.values for layer in weights),
    )
