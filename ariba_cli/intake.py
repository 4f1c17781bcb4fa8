"""What each participant sent, as far as it can be used: checked before any mean is taken."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ariba_cli.errors import InputError, RefusedFileError
from ariba_cli.findings import Finding, FindingKind
from ariba_cli.progress import Progress
from ariba_cli.rounds.directory import Member, Round
from ariba_cli.rounds.layers import Layer
from ariba_cli.rounds.tensors import TensorSpec, to_array

FEWEST_PARTICIPANTS = 3

# No weight of a trained model comes near float32's largest; beyond it, sums overflow.
LARGEST_VALUE = float(np.finfo(np.float32).max)

Array = npt.NDArray[np.floating]


@dataclass
class Submission:
    """What is known so far of one participant's file.

    Attributes
    ----------
    tensors : what the file says it holds.
    file_bytes : its size; None when it could not be opened.
    finding : why it is left out, if it is.
    digest : the sha256 of the layer's bytes, and `values` what they say.
    """

    member: Member
    tensors: Mapping[str, TensorSpec] = field(default_factory=dict)
    file_bytes: int | None = None
    finding: Finding | None = None
    digest: str | None = None
    values: Array | None = None

    def reject(self, kind: FindingKind, detail: str) -> None:
        """Leave the participant out."""
        self.finding = Finding(kind, detail, self.member.id)

    @property
    def status(self) -> str:
        """`ok`, or the kind of what is wrong."""
        return self.finding.kind.value if self.finding else "ok"


@dataclass(frozen=True)
class Scorable:
    """A participant whose layer can be scored."""

    id: str
    values: Array
    digest: str


def open_submissions(round_: Round, progress: Progress) -> list[Submission]:
    """Open every participant's file and list its tensors.

    Raises
    ------
    InputError
        When too few can be opened.
    """
    submissions = [Submission(member) for member in round_.participants]
    for done, submission in enumerate(submissions, 1):
        try:
            with round_.open(submission.member) as model:
                submission.tensors = model.tensors
                submission.file_bytes = model.file.size
        except RefusedFileError as error:
            submission.reject(FindingKind.REFUSED, str(error))
        progress("opening", done, len(submissions))
    _check_enough(submissions)
    return submissions


def read_layer(
    round_: Round, submissions: Sequence[Submission], layer: Layer, progress: Progress
) -> list[Scorable]:
    """Read one layer of every participant that is not left out yet, and check it.

    Raises
    ------
    InputError
        When too few can be scored.
    """
    for done, submission in enumerate(submissions, 1):
        if submission.finding is None:
            _check_layer(submission, layer)
        if submission.finding is None:
            _take_layer(round_, submission, layer)
        progress(f"reading {layer.name}", done, len(submissions))
    _check_enough(submissions)
    return [
        Scorable(submission.member.id, submission.values, submission.digest)
        for submission in submissions
        if submission.finding is None
        and submission.values is not None
        and submission.digest is not None
    ]


def _check_enough(submissions: Sequence[Submission]) -> None:
    left_out = [submission.finding for submission in submissions if submission.finding]
    usable = len(submissions) - len(left_out)
    if usable < FEWEST_PARTICIPANTS:
        why = f"; {left_out[0].participant}: {left_out[0].detail}" if left_out else ""
        raise InputError(
            f"{usable} of {len(submissions)} updates can be scored, and an audit needs at least "
            f"{FEWEST_PARTICIPANTS}{why}"
        )


def _check_layer(submission: Submission, layer: Layer) -> None:
    spec = submission.tensors.get(layer.name)
    if spec is None:
        submission.reject(FindingKind.MISSING_LAYER, f"has no {layer.name}")
    elif spec.shape != layer.shape:
        detail = f"{layer.name} has shape {spec.shape}, the others have {layer.shape}"
        submission.reject(FindingKind.WRONG_SHAPE, detail)
    elif not spec.is_float:
        submission.reject(FindingKind.WRONG_TYPE, f"{layer.name} is of type {spec.dtype}")


def _take_layer(round_: Round, submission: Submission, layer: Layer) -> None:
    """Take the layer's bytes: those that are hashed are those that are analysed."""
    spec = submission.tensors[layer.name]
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
    # NaN is not less than anything.
    if not float(np.abs(submission.values).max(initial=0.0)) <= LARGEST_VALUE:
        detail = f"{_count_unusable(submission.values)} in {layer.name}"
        submission.reject(FindingKind.NONFINITE, detail)


def _count_unusable(stored: Array) -> str:
    values = stored.astype(np.float64)
    counts = {
        "NaN": np.count_nonzero(np.isnan(values)),
        "Inf": np.count_nonzero(np.isinf(values)),
        f"beyond ±{LARGEST_VALUE:.1e}": np.count_nonzero(
            np.isfinite(values) & (np.abs(values) > LARGEST_VALUE)
        ),
    }
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
