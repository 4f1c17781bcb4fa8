"""What a notebook calls: audits of rounds on disk and of updates in memory.

The names here are those that `import ariba_cli as ariba` shows; the command line calls them,
too.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from msgspec.structs import asdict, replace

from ariba_cli.auditing.audit import audit as audit_round
from ariba_cli.auditing.audit import audit_sent
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.settings import DEFAULT_K_EST, AuditSettings, KEst
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.ids import id_order
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.base.version import VERSION
from ariba_cli.base.visible import visible
from ariba_cli.detectors import DEFAULT, make_detector, make_detectors
from ariba_cli.detectors.declaration import Detector
from ariba_cli.files.limits import Limits
from ariba_cli.formats.memory import model_in_memory
from ariba_cli.formats.model import ReadOptions
from ariba_cli.reports.audit_json import audit_json
from ariba_cli.reports.canonical import RunRecord
from ariba_cli.reports.words import headline_in_words, value_in_words
from ariba_cli.rounds import directory
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.manifest import Kind
from ariba_cli.rounds.members import GLOBAL_STEM, Member
from ariba_cli.rounds.truth import read_truth
from ariba_cli.rounds.writing import RoundWriter, new_directory
from ariba_cli.scoring.devices import DeviceChoice
from ariba_cli.scoring.marks import Parameter
from ariba_cli.updates.intake import Sent, Submission
from ariba_cli.verdicts.verdict import Verdict as _Verdict

if TYPE_CHECKING:
    import pandas

PathText = str | PathLike[str]
# The tensors of one model by name, or the values of a single one.
Tensors = Mapping[str, npt.ArrayLike] | npt.ArrayLike
Detectors = str | Sequence[str] | Mapping[str, Mapping[str, Parameter]]

# What a model of a single tensor calls it.
_ONLY = "weight"
_LIBRARIES = ("numpy", "h5py", "safetensors", "torch", "pyod", "scipy", "sklearn")
_SHOWN = 20


class Verdict(_Verdict, frozen=True):
    """What an audit found, and the record of how it was made.

    Attributes
    ----------
    ranking : tuple of Ranked
        The participants, the most suspicious first.
    suspects : tuple of Ranked
        Those that the decision names.
    detectors : tuple of DetectorResult
        What each detector says.
    findings : tuple of Finding
        What is wrong with the inputs.
    run : RunRecord
        Versions, time and device.

    Examples
    --------
    >>> import ariba_cli as ariba
    >>> verdict = ariba.audit("fixtures/attacked", layers="conv2", k_est=4)
    >>> [one.id for one in verdict.suspects[:2]]
    ['p15', 'p18']
    """

    run: RunRecord | None = None

    def to_json(self, *, one_line: bool = False) -> bytes:
        """Return the bytes of the report that `ariba audit -f json` writes."""
        return audit_json(self, self._record, one_line=one_line)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists and plain values."""
        import json

        found: dict[str, Any] = json.loads(self.to_json())
        return found

    def to_frame(self) -> "pandas.DataFrame":
        """Return the ranking as a pandas table, with a column for each detector and layer.

        Raises
        ------
        UsageError
            When pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise UsageError("to_frame needs pandas; install it with pip install pandas") from error
        own = {one.id: one for one in self.deciding.scores}
        rows = []
        for ranked in self.ranking:
            row: dict[str, Any] = asdict(ranked)
            row |= {f"{self.deciding.name}:{k}": v for k, v in own[ranked.id].by_layer.items()}
            rows.append(row)
        frame = pandas.DataFrame(rows)
        for other in self.detectors:
            if other is not self.deciding:
                frame[other.name] = frame["id"].map({one.id: one.value for one in other.scores})
        return frame

    def __repr__(self) -> str:
        """Return who is named, in one line."""
        return f"<Verdict: {headline_in_words(self)}>"

    def _repr_html_(self) -> str:
        """Return the first of the ranking as a table, for notebooks."""
        cells = [
            (str(one.rank), visible(one.id), value_in_words(self, one.value), one.suspect)
            for one in self.ranking[:_SHOWN]
        ]
        rows = "".join(
            f"<tr><td>{rank}</td><td>{escape(name)}</td><td>{value}</td>"
            f"<td>{'suspect' if suspect else ''}</td></tr>"
            for rank, name, value, suspect in cells
        )
        head = "<tr><th>rank</th><th>participant</th><th>score</th><th></th></tr>"
        words = escape(headline_in_words(self))
        return f"<p>{words}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"

    @property
    def _record(self) -> RunRecord:
        assert self.run is not None
        return self.run


def audit(
    path: PathText,
    *,
    layers: str | Sequence[str] = (),
    fragment: str | None = None,
    k_est: int | str = DEFAULT_K_EST,
    detectors: Detectors = DEFAULT,
    detector_arguments: Mapping[str, Parameter] | None = None,
    fit_sample: int | None = None,
    device: str = "auto",
    exclude: str | Sequence[str] = (),
    global_model: PathText | None = None,
    not_models: Sequence[PathText] = (),
    options: ReadOptions | None = None,
    verify_seal: bool = False,
    strict: bool = False,
    max_memory: int | None = None,
    evidence: bool = False,
    explain: Sequence[str] = (),
    truth: bool = False,
    progress: Progress = no_progress,
    notice: Callable[[str], None] | None = None,
) -> Verdict:
    """Audit a round on disk: rank its participants by how backdoored their updates look.

    Parameters
    ----------
    path : str or path
        The directory of a round, or an HDF5 file that holds it.
    layers : str or sequence of str, optional
        Names, patterns or `all`; all layers that hold weights by default.
    fragment : str, optional
        kernel, filter, row or block:D; by default by the layer's shape.
    k_est : int or str, optional
        How many suspects are named, as a number or as a percentage such as `"20%"`.
    detectors : str, sequence of str, or dict, optional
        Their names; the first decides. A dict gives each its own arguments.
    detector_arguments : dict, optional
        Arguments for whichever of the detectors takes them.
    fit_sample : int, optional
        On how many fragments a detector of PyOD is fitted, at most.
    device : str, optional
        `auto`, `cpu`, `cuda` or `cuda:N`.
    exclude : str or sequence of str, optional
        The ids of participants to leave out.
    global_model : str or path, optional
        The model that the server sent out; by default what is called `global` in the round.
    not_models : sequence of paths, optional
        Files in the round that are no updates.
    options : ReadOptions, optional
        Limits, and the names of arrays without names.
    verify_seal, strict, evidence, truth : bool, optional
        Hash every file that the seal lists; stop when a participant has to be left out; keep
        what pictures are made of; measure the verdict against `truth.json`.
    max_memory : int, optional
        How many bytes of a layer to hold in memory.
    explain : sequence of str, optional
        Whose most distant fragments are kept, with `evidence`.
    progress : callable, optional
        Called with what is done, how many steps of it are done, and how many there are.
    notice : callable, optional
        Called with what should be known of how it goes.

    Raises
    ------
    AribaError
        When it cannot be done; the message says what to do next.

    Examples
    --------
    >>> import ariba_cli as ariba
    >>> verdict = ariba.audit("fixtures/attacked", detectors=["krum", "norm"], k_est=2)
    >>> sorted(one.id for one in verdict.suspects)
    ['p15', 'p18']
    """
    started, ticks = datetime.now(UTC), time.perf_counter()
    choice = DeviceChoice(device) if notice is None else DeviceChoice(device, notice)
    settings = AuditSettings(
        layers=_several(layers),
        fragment=fragment,
        k_est=KEst.parse(k_est),
        detectors=_detectors(detectors, detector_arguments, fit_sample, choice),
        excluded=_several(exclude),
        verify_seal=verify_seal,
        strict=strict,
        max_memory=max_memory,
        evidence=evidence,
        explained=tuple(explain),
    )
    root = Path(path)
    try:
        round_ = directory.open_round(
            root,
            options,
            global_path=None if global_model is None else Path(global_model),
            not_models=tuple(map(Path, not_models)),
        )
        known = read_truth(root) if truth else None
        found = audit_round(round_, settings, progress)
    except OSError as error:
        raise InputError(f"'{error.filename or root}': {error.strerror}") from error
    if known is not None:
        found = replace(found, truth=truth_metrics(found, known.compromised))
    return _with_record(found, started, ticks, str(path))


def score(
    updates: Mapping[str, Tensors],
    *,
    global_model: Tensors | None = None,
    deltas: bool = False,
    layers: str | Sequence[str] = (),
    fragment: str | None = None,
    k_est: int | str = DEFAULT_K_EST,
    detectors: Detectors = DEFAULT,
    detector_arguments: Mapping[str, Parameter] | None = None,
    exclude: str | Sequence[str] = (),
    progress: Progress = no_progress,
) -> Verdict:
    """Audit updates that are in memory.

    Parameters
    ----------
    updates : dict of str to tensors
        By participant, the arrays of its model by name, or a single array.
    global_model : tensors, optional
        The model that the server sent out.
    deltas : bool, optional
        Whether the updates are differences to it, and not weights.
    layers, fragment, k_est, detectors, detector_arguments, exclude, progress
        As in `audit`.

    Raises
    ------
    AribaError
        When it cannot be done; the message says what to do next.

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
    excluded = _several(exclude)
    settings = AuditSettings(
        layers=_several(layers),
        fragment=fragment,
        k_est=KEst.parse(k_est),
        detectors=_detectors(detectors, detector_arguments, None, DeviceChoice()),
        excluded=excluded,
    )
    unknown = [name for name in excluded if name not in updates]
    if unknown:
        raise UsageError(f"there is no participant '{visible(unknown[0])}' to exclude")
    sent = {
        name: Submission(Member(name, name), model_in_memory(_named(updates[name])))
        for name in sorted(updates, key=id_order)
    }
    model = None
    if global_model is not None:
        member = Member(GLOBAL_STEM, GLOBAL_STEM)
        model = Submission(member, model_in_memory(_named(global_model)))
    found = audit_sent(
        Sent(
            submissions=[one for name, one in sent.items() if name not in excluded],
            excluded=tuple(Submission(Member(name, name)) for name in excluded),
            global_model=model,
            model_order=list(_named(next(iter(updates.values()), {}))),
            updates_are_deltas=deltas,
        ),
        settings,
        progress,
        where="the keys of the updates",
    )
    return _with_record(found, started, ticks, None)


def open_round(
    path: PathText, *, global_model: PathText | None = None, names: Sequence[str] | None = None
) -> Round:
    """Look at a directory of updates, without opening the updates.

    Parameters
    ----------
    path : str or path
        The directory of a round, or an HDF5 file that holds it.
    global_model : str or path, optional
        The model that the server sent out.
    names : sequence of str, optional
        What arrays without names are called, in the order of the model.

    Raises
    ------
    InputError
        When there is no such directory, it is unfinished, or it holds no updates.

    Examples
    --------
    >>> import ariba_cli as ariba
    >>> len(ariba.open_round("fixtures/attacked").participants)
    20
    """
    return directory.open_round(
        Path(path),
        ReadOptions(Limits(), None if names is None else tuple(names)),
        global_path=None if global_model is None else Path(global_model),
    )


def save_round(
    path: PathText,
    updates: Mapping[str, Tensors],
    *,
    global_model: Tensors | None = None,
    number: int = 0,
    kind: Kind = "weights",
) -> Round:
    """Write updates as a sealed round of safetensors.

    Parameters
    ----------
    path : str or path
        The directory to make; it must not exist.
    updates : dict of str to tensors
        By participant, the arrays of its model by name, or a single array.
    global_model : tensors, optional
        The model that the server sent out.
    number : int, optional
        The number of the round.
    kind : str, optional
        Whether the updates are `weights`, or a `difference` to the global model.

    Raises
    ------
    OutputError
        When the directory exists or cannot be written; then nothing is left of it.
    """
    layers: dict[str, None] = {}
    with new_directory(Path(path)) as partial:
        writer = RoundWriter(partial)
        if global_model is not None:
            writer.write_global(_named(global_model))
        for name, tensors in updates.items():
            own = _named(tensors)
            layers |= dict.fromkeys(own)
            writer.write_participant(name, own)
        writer.seal(round_number=number, kind=kind, layers=list(layers))
    return open_round(path)


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _named(tensors: Tensors) -> dict[str, npt.NDArray[np.floating]]:
    """Return the arrays of a model by name."""
    if isinstance(tensors, Mapping):
        return {name: np.asarray(values) for name, values in tensors.items()}
    return {_ONLY: np.asarray(tensors)}


def _detectors(
    named: Detectors,
    arguments: Mapping[str, Parameter] | None,
    fit_sample: int | None,
    device: DeviceChoice,
) -> tuple[Detector, ...]:
    if not isinstance(named, Mapping):
        return make_detectors(_several(named), arguments, fit_sample, device)
    if arguments:
        raise UsageError("detectors has the arguments of each already; leave out the others")
    return tuple(make_detector(name, own, None, device) for name, own in named.items())


def _with_record(found: _Verdict, started: datetime, ticks: float, path: str | None) -> Verdict:
    run = RunRecord(
        ariba=VERSION,
        python=".".join(map(str, sys.version_info[:3])),
        libraries={
            name: str(sys.modules[name].__version__) for name in _LIBRARIES if name in sys.modules
        },
        argv=[],
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=round(time.perf_counter() - ticks, 3),
        device=", ".join(found.devices),
        round=path,
    )
    fields = {name: getattr(found, name) for name in found.__struct_fields__}
    return Verdict(**fields, run=run)
