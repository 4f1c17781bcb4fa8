"""Audits of a round on disk, and of updates in memory."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace as replace_fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ariba_cli.api.arguments import (
    Detectors,
    PathText,
    Tensors,
    named_tensors,
    settings_for,
    several,
)
from ariba_cli.api.verdict import Verdict, with_record
from ariba_cli.auditing.audit import audit as audit_round
from ariba_cli.auditing.audit import audit_sent
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.history import AuditedRound, RunningHistory
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.extras import device_at_hand
from ariba_cli.base.ids import id_order
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.files.objects import located
from ariba_cli.formats.memory import model_in_memory
from ariba_cli.formats.model import ReadOptions
from ariba_cli.reports.audit_json import result_digest
from ariba_cli.rounds import directory
from ariba_cli.rounds.members import GLOBAL_STEM, Member
from ariba_cli.rounds.truth import has_truth, truth_of
from ariba_cli.scoring.devices import DeviceChoice
from ariba_cli.updates.intake import Sent, Submission

if TYPE_CHECKING:
    from ariba_cli.auditing.observation import Observation
    from ariba_cli.base.cluster import Cluster


def audit(
    path: PathText,
    *,
    layers: str | Sequence[str] = (),
    fragment: str | None = None,
    level: float | None = None,
    k_est: int | str | None = None,
    detectors: Detectors | None = None,
    detector_arguments: Mapping[str, Parameter] | None = None,
    fit_sample: int | None = None,
    device: str = "auto",
    exclude: str | Sequence[str] = (),
    baseline: Sequence[PathText] = (),
    layout: str | None = None,
    by_order: bool = False,
    global_model: PathText | None = None,
    not_models: Sequence[PathText] = (),
    options: ReadOptions | None = None,
    verify_seal: bool = False,
    strict: bool = False,
    max_memory: int | None = None,
    cluster: str | None = None,
    evidence: bool = False,
    explain: Sequence[str] = (),
    truth: bool = False,
    history: RunningHistory | None = None,
    progress: Progress = no_progress,
    notice: Callable[[str], None] | None = None,
) -> Verdict:
    """Audit a round on disk: name those who stand out, and rank all by how backdoored they look.

    Parameters
    ----------
    path : str or path
        The directory of a round, or an HDF5 file that holds it.
    layers : str or sequence of str, optional
        Names, patterns or `all`; all layers that hold weights by default.
    fragment : str, optional
        kernel, filter, row or block:D; by default by the layer's shape.
    level : float, optional
        The false-discovery level: about that share of all who are flagged is honest. By
        default 0.05 with a detector that gives p-values.
    k_est : int or str, optional
        The number of suspects to name instead, even if they do not stand out, as a number or as a
        percentage such as `"20%"`.
    detectors : str, sequence of str, or dict, optional
        The names of detectors; the first decides. A dict gives each its own arguments. By default
        `panel`, and `mahalanobis` where `k_est`, `layers` or `fragment` is given.
    detector_arguments : dict, optional
        The arguments, each for all detectors that take it.
    fit_sample : int, optional
        The largest number of fragments on which a detector of PyOD is fitted.
    device : str, optional
        `auto`, `cpu`, `cuda` or `cuda:N`.
    exclude : str or sequence of str, optional
        The ids of participants to leave out.
    baseline : sequence of paths, optional
        Reports on clean rounds of the same federation, by which p-values are found.
    layout : str, optional
        The order of the axes of weights: `torch` (out, in, …), `keras`, for Flax too,
        (…, in, out), or `mlx` (out, …, in); by default taken from names and files.
    by_order : bool, optional
        True to match tensors by their order and shapes, and not by their names.
    global_model : str or path, optional
        The model that the server sent out; by default the one named `global` in the round.
    not_models : sequence of paths, optional
        Files in the round that are not updates.
    options : ReadOptions, optional
        Limits, and the names of arrays without names.
    verify_seal, strict, evidence, truth : bool, optional
        True to hash every file that the seal lists; to stop when a participant has to be left out;
        to keep the data for pictures; to measure the verdict against `truth.json`. With `history`,
        a round without this file is audited all the same: a run has none before its attack begins.
    max_memory : int, optional
        The number of bytes of a layer to hold in memory.
    cluster : str, optional
        The Dask cluster that works on large layers, with the same result: `local`, the address of
        a scheduler, or the file that it writes.
    explain : sequence of str, optional
        The participants whose most distant fragments are kept, with `evidence`.
    history : RunningHistory, optional
        The rounds of the run before this one, to which it is added.
    progress : callable, optional
        The function that is called with the name of the work, the steps done, and all its steps.
    notice : callable, optional
        The function that is called with messages for the user about the course of the work.

    Raises
    ------
    AribaError
        When it cannot be done; the message tells the user the next step.

    Examples
    --------
    >>> import ariba_cli as ariba
    >>> verdict = ariba.audit("fixtures/attacked")
    >>> sorted(one.id for one in verdict.suspects)
    ['p15', 'p18']
    >>> verdict = ariba.audit("fixtures/attacked", detectors=["krum", "norm"], k_est=2)
    >>> sorted(one.id for one in verdict.suspects)
    ['p15', 'p18']
    """
    started, ticks = datetime.now(UTC), time.perf_counter()
    device = device_at_hand(device)
    if cluster is not None and device.startswith("cuda"):
        raise UsageError("--cluster works on the processors of its workers; leave out --device")
    choice = DeviceChoice(device) if notice is None else DeviceChoice(device, notice)
    settings = replace_fields(
        settings_for(
            layers=layers,
            fragment=fragment,
            level=level,
            k_est=k_est,
            detectors=detectors,
            detector_arguments=detector_arguments,
            exclude=exclude,
            baseline=baseline,
            layout=layout,
            by_order=by_order,
            fit_sample=fit_sample,
            device=choice,
        ),
        verify_seal=verify_seal,
        strict=strict,
        max_memory=max_memory,
        evidence=evidence,
        explained=tuple(explain),
    )
    root = located(path)
    try:
        round_ = directory.open_round(
            root,
            options,
            global_path=None if global_model is None else Path(global_model),
            not_models=tuple(map(Path, not_models)),
        )
        known = None
        if truth and (history is None or has_truth(round_)):
            known = truth_of(round_)
        seen: list[Observation | None] = []
        with _workers(cluster) as workers:
            spread = replace_fields(settings, workers=workers)
            found = audit_round(round_, spread, progress, seen.append)
    except OSError as error:
        raise InputError(f"'{error.filename or root}': {error.strerror}") from error
    if known is not None:
        found = replace(found, truth=truth_metrics(found, known.compromised))
    if history is not None:
        number = None if round_.manifest is None else round_.manifest.round
        history.add(AuditedRound(number, found, result_digest(found), seen[0]))
    return with_record(found, started, ticks, str(path), round_.terms.isolation.record)


def _workers(cluster: str | None) -> "AbstractContextManager[Cluster | None]":
    """Return the workers of a cluster while it is needed; None where there is no cluster."""
    if cluster is None:
        return nullcontext()
    from ariba_cli.base.cluster import connected

    return connected(cluster)


def score(
    updates: Mapping[str, Tensors],
    *,
    global_model: Tensors | None = None,
    deltas: bool = False,
    layers: str | Sequence[str] = (),
    fragment: str | None = None,
    level: float | None = None,
    k_est: int | str | None = None,
    detectors: Detectors | None = None,
    detector_arguments: Mapping[str, Parameter] | None = None,
    exclude: str | Sequence[str] = (),
    baseline: Sequence[PathText] = (),
    layout: str | None = None,
    by_order: bool = False,
    progress: Progress = no_progress,
) -> Verdict:
    """Audit updates that are in memory.

    Parameters
    ----------
    updates : dict of str to tensors
        The arrays of each participant's model by name, or a single array, by participant.
    global_model : tensors, optional
        The model that the server sent out.
    deltas : bool, optional
        True if the updates are differences from it, and not weights.
    layers, fragment, level, k_est, detectors, detector_arguments, exclude, baseline, layout, \
by_order, progress : optional
        The same as for `audit`.

    Raises
    ------
    AribaError
        When it cannot be done; the message tells the user the next step.

    Examples
    --------
    >>> import numpy as np, ariba_cli as ariba
    >>> draw = np.random.default_rng(0)
    >>> updates = {f"p{i}": draw.standard_normal((8, 4)) for i in range(6)}
    >>> updates["p3"] *= 10
    >>> ariba.score(updates, k_est=1).suspects[0].id
    'p3'
    """
    started, ticks = datetime.now(UTC), time.perf_counter()
    excluded = several(exclude)
    unknown = [name for name in excluded if name not in updates]
    if unknown:
        raise UsageError(f"cannot exclude '{unknown[0]}': there is no such participant")
    sent = {
        name: Submission(Member(name, name), model_in_memory(named_tensors(updates[name])))
        for name in sorted(updates, key=id_order)
    }
    model = None
    if global_model is not None:
        member = Member(GLOBAL_STEM, GLOBAL_STEM)
        model = Submission(member, model_in_memory(named_tensors(global_model)))
    found = audit_sent(
        Sent(
            submissions=[one for name, one in sent.items() if name not in excluded],
            excluded=tuple(Submission(Member(name, name)) for name in excluded),
            global_model=model,
            model_order=list(named_tensors(next(iter(updates.values()), {}))),
            updates_are_deltas=deltas,
        ),
        settings_for(
            layers=layers,
            fragment=fragment,
            level=level,
            k_est=k_est,
            detectors=detectors,
            detector_arguments=detector_arguments,
            exclude=excluded,
            baseline=baseline,
            layout=layout,
            by_order=by_order,
        ),
        progress,
        where="the keys of the updates",
    )
    return with_record(found, started, ticks, None)
