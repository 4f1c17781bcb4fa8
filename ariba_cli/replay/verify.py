"""The verification of a report: every input hashed again, and the round audited again."""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from pathlib import Path, PurePosixPath

from msgspec.structs import replace

from ariba_cli.auditing.audit import Watch, audit
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.settings import DEFAULT_K_EST, AuditSettings, KEst
from ariba_cli.base.errors import AribaError, InputError, RefusedFileError
from ariba_cli.base.extras import require_for_detector
from ariba_cli.base.parallel import thread_map
from ariba_cli.base.progress import Progress, no_progress, part_of
from ariba_cli.detectors import make_detector
from ariba_cli.files.hashing import file_sha256
from ariba_cli.files.opening import open_file
from ariba_cli.files.places import exists, is_folder, readers
from ariba_cli.formats.model import ReadOptions
from ariba_cli.replay.report_differences import Key, ReportDifferences, key_of, report_differences
from ariba_cli.reports.audit_json import audit_json
from ariba_cli.reports.report import Report, parse_report
from ariba_cli.rounds.directory import Round, open_round
from ariba_cli.rounds.members import Member
from ariba_cli.scoring.devices import AUTO, DeviceChoice
from ariba_cli.scoring.panel.baseline import Baseline
from ariba_cli.scoring.panel.tails import Tail
from ariba_cli.verdicts.method import Method, RequestedBaseline
from ariba_cli.verdicts.verdict import Input, Verdict


@dataclass(frozen=True)
class Verification:
    """The result of verifying a report.

    Attributes
    ----------
    differences : ReportDifferences
        The differences to the report; empty if everything agrees.
    whole_files : int
        The number of inputs that were compared byte for byte.
    analysed_only : int
        The number of inputs of which at most the analysed tensors were compared.
    again : Verdict, optional
        The verdict found now; None if no audit is possible.
    """

    differences: ReportDifferences
    whole_files: int
    analysed_only: int
    again: Verdict | None = None


def open_reported_round(
    path: Path,
    verdict: Verdict,
    terms: ReadOptions,
    *,
    global_path: Path | None = None,
    not_models: tuple[Path, ...] = (),
) -> Round:
    """Open the round of a report as it was opened for the audit.

    The global model is where the report says that it was. Arrays without names keep their names
    from the report unless `terms` give others.

    Parameters
    ----------
    path : Path
        The directory or file of the round.
    verdict : Verdict
        The verdict in the report.
    terms : ReadOptions
        The terms under which files are opened.
    global_path : Path, optional
        The global model; None if the user has not named it.
    not_models : tuple of Path
        Files that are not updates, though they may lie in the round.

    Raises
    ------
    InputError
        When there is no round, or the global model lay outside and was not named.
    """
    if terms.names is None:
        terms = replace_fields(terms, names=verdict.method.requested.names)
    round_ = open_round(path, terms, global_path=global_path, not_models=not_models)
    reported = next((one.path for one in verdict.inputs if one.role == "global"), None)
    found = None if round_.global_model is None else round_.global_model.path
    if global_path is not None or reported in (None, found):
        return round_
    inside = PurePosixPath(reported)
    if inside.is_absolute() or ".." in inside.parts:
        raise InputError(
            f"the report's global model, '{reported}', is outside the round; name it with --global"
        )
    if not exists(round_.root / inside):
        raise InputError(f"'{round_.root / inside}', the report's global model, is missing")
    return open_round(path, terms, global_path=round_.root / inside, not_models=not_models)


def verify(
    report: Report,
    round_: Round,
    *,
    compromised: Sequence[str] | None = None,
    max_memory: int | None = None,
    device: DeviceChoice = AUTO,
    progress: Progress = no_progress,
    watch: Watch = lambda _: None,
) -> Verification:
    """Hash every input again, repeat the audit with its settings, and compare.

    Parameters
    ----------
    report : Report
        The report of the audit.
    round_ : Round
        The round as `open_reported_round` opens it.
    compromised : sequence of str, optional
        The true compromised participants, if the report contains metrics of them; otherwise None.
    max_memory : int, optional
        The limit on memory; see `AuditSettings`.
    device : DeviceChoice, optional
        The device of the detectors.
    progress : Progress, optional
        A callback that receives the progress of the work.
    watch : callable, optional
        A callback that receives observations; see `audit`.

    Raises
    ------
    UsageError, InputError
        When it cannot be done: an input is missing or cannot be read, or nothing has changed and
        yet no audit is possible.
    """
    settings = _settings(report.verdict.method, max_memory, device)
    members = _members(report.verdict, round_)
    changed = _changed_files(report.verdict, round_, members, part_of(progress, 0, 2))
    whole = sum(one.file_sha256 is not None for one in report.verdict.inputs)
    again: Verdict | None = None
    try:
        verdict = audit(round_, settings, part_of(progress, 1, 2), watch)
        if compromised is not None:
            verdict = replace(verdict, truth=truth_metrics(verdict, compromised))
        # With the digits that the report would have.
        now = parse_report(audit_json(verdict, report.run))
        found, again = report_differences(report, now, changed), verdict
    except AribaError as error:
        changed |= _unreadable(report.verdict, round_, members, changed)
        if not changed:
            raise
        found = ReportDifferences(
            tuple(changed.values()), (), (f"the audit cannot be repeated: {error}",)
        )
    return Verification(found, whole, len(report.verdict.inputs) - whole, again)


def _settings(method: Method, max_memory: int | None, device: DeviceChoice) -> AuditSettings:
    """Return the settings that were requested when the report was made."""
    requested = method.requested
    for one in requested.detectors:
        require_for_detector(one.name)
    baseline = _baseline(requested.baseline)
    return AuditSettings(
        layers=requested.layers,
        fragment=requested.fragment,
        k_est=KEst.parse(DEFAULT_K_EST if requested.k_est is None else requested.k_est),
        level=requested.level,
        detectors=tuple(
            make_detector(one.name, one.arguments, one.fit_sample, device, baseline)
            for one in requested.detectors
        ),
        baseline=baseline,
        excluded=requested.excluded,
        layout=requested.layout,
        by_order=requested.by_order,
        verify_seal=method.seal_verified,
        max_memory=max_memory,
    )


def _baseline(requested: RequestedBaseline | None) -> Baseline | None:
    if requested is None:
        return None
    tails = {name: Tail(*numbers) for name, numbers in requested.tails.items()}
    return Baseline.of(tails, requested.participants, requested.reports)


def _members(verdict: Verdict, round_: Round) -> dict[Key, Member]:
    """Return the members of the round that are the inputs of the report."""
    members: dict[Key, Member] = {("participant", one.id): one for one in round_.participants}
    if round_.global_model is not None:
        members["global", round_.global_model.id] = round_.global_model
    missing = [one for one in verdict.inputs if key_of(one) not in members]
    if missing:
        more = f", and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise InputError(
            f"'{round_.root}' lacks {missing[0].path}, an input of the report{more}; give the "
            "round that was audited"
        )
    return members


def _changed_files(
    verdict: Verdict, round_: Round, members: dict[Key, Member], progress: Progress
) -> dict[Key, str]:
    """Return descriptions of the files that differ from the report."""
    inputs = verdict.inputs

    def compare(one: Input) -> str:
        return _changed_file(one, members[key_of(one)].path, round_)

    changed = {}
    for done, (one, difference) in enumerate(
        zip(inputs, thread_map(compare, inputs, workers=readers(round_.root)), strict=True), 1
    ):
        progress("hashing", done, len(inputs))
        if difference:
            changed[key_of(one)] = difference
    return changed


def _changed_file(one: Input, path: str, round_: Round) -> str:
    """Return a description of a file's change; empty if none is known."""
    where = round_.root / path
    if one.file_sha256 is None and (one.bytes is None or is_folder(where)):
        return ""
    try:
        # Without a hash, too, it has to be a file that can be read.
        with open_file(where, round_.terms.limits) as file:
            now = None if one.file_sha256 is None else file_sha256(file)
    except RefusedFileError as error:
        return _no_longer(one, path, error)
    if now == one.file_sha256:
        return ""
    return f"{one.id}: {path} has other bytes (sha256 {one.file_sha256} now {now})"


def _unreadable(
    verdict: Verdict, round_: Round, members: dict[Key, Member], known: dict[Key, str]
) -> dict[Key, str]:
    """Return descriptions of other files that could be opened for the audit, and no longer can."""
    found = {}
    for one in verdict.inputs:
        if one.role != "participant" or one.bytes is None or key_of(one) in known:
            continue
        member = members[key_of(one)]
        try:
            round_.open(member)
        except RefusedFileError as error:
            found[key_of(one)] = _no_longer(one, member.path, error)
    return found


def _no_longer(one: Input, path: str, error: RefusedFileError) -> str:
    """Return a description of the way in which a file differs from the audited one.

    Raises
    ------
    InputError
        When that cannot be found out, since the file may not be read at all.
    """
    if isinstance(error.__cause__, OSError) and "link" not in str(error):
        raise InputError(f"{path} {error}") from error
    return f"{one.id}: {path} is not what was audited: it {error}"
