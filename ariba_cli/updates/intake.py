"""What each participant sent, as far as it can be used: checked before any mean is taken."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.progress import Progress
from ariba_cli.formats.model import Model
from ariba_cli.formats.peft import Change
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.layers import Layer
from ariba_cli.rounds.members import Member
from ariba_cli.rounds.sealing import NOT_VERIFIED, VerifiedSeal

FEWEST_PARTICIPANTS = 3


@dataclass
class Submission:
    """What is known so far of what one participant sent.

    Attributes
    ----------
    model : what it says it holds; None when it could not be opened.
    finding : why it is left out, if it is.
    digest : the sha256 of the layer's bytes, once they were read.
    """

    member: Member
    model: Model | None = None
    finding: Finding | None = None
    digest: str | None = None

    def reject(self, kind: FindingKind, detail: str) -> None:
        """Leave the participant out."""
        self.finding = Finding(kind, detail, self.member.id)


def open_submissions(
    round_: Round, progress: Progress, seal: VerifiedSeal = NOT_VERIFIED
) -> list[Submission]:
    """List the tensors of what every participant sent.

    Parameters
    ----------
    round_ : Round
        Who the participants are, and where their files.
    progress : Progress
        Told how many files were opened.
    seal : VerifiedSeal
        What came of verifying the seal: whose files have changed since is left out.

    Raises
    ------
    InputError
        When too few can be opened.
    """
    submissions = submissions_of(round_, round_.participants, progress, seal)
    too_few = why_too_few(submissions, "scored")
    if too_few:
        raise InputError(too_few)
    return submissions


def submissions_of(
    round_: Round,
    members: Sequence[Member],
    progress: Progress,
    seal: VerifiedSeal = NOT_VERIFIED,
) -> list[Submission]:
    """List the tensors of what some members sent; those that are refused are left out."""
    return [
        Submission(member, finding=opened)
        if isinstance(opened, Finding)
        else Submission(member, opened)
        for member, opened in round_.open_members(members, progress, seal)
    ]


def why_too_few(submissions: Sequence[Submission], what: str) -> str:
    """Why there is nothing to compare, when it is so; else nothing.

    Parameters
    ----------
    what : what cannot be done with those that are left out.
    """
    left_out = [submission.finding for submission in submissions if submission.finding]
    usable = len(submissions) - len(left_out)
    if usable >= FEWEST_PARTICIPANTS:
        return ""
    why = f"; {left_out[0].participant}: {left_out[0].detail}" if left_out else ""
    return (
        f"{usable} of {len(submissions)} updates can be {what}, and an audit needs at least "
        f"{FEWEST_PARTICIPANTS}{why}"
    )


def offers(submission: Submission, layer: Layer) -> bool:
    """Whether a participant says that it holds a layer such as most others have it."""
    return submission.model is not None and why_not_offered(submission.model, layer) is None


def why_not_offered(model: Model, layer: Layer) -> tuple[FindingKind, str] | None:
    """What is wrong with how a model says that it holds a layer; None when nothing is."""
    name = layer.name_in(model.tensors)
    if name is None:
        return FindingKind.MISSING_LAYER, f"has no {layer.name}"
    spec = model.tensors[name].spec
    if spec.shape != layer.shape:
        detail = f"{layer.name} has shape {spec.shape}, the others have {layer.shape}"
        return FindingKind.WRONG_SHAPE, detail
    if not spec.is_float:
        return FindingKind.WRONG_TYPE, f"{layer.name} is of type {spec.dtype}"
    return None


def differing_scales(submissions: Sequence[Submission], layer: Layer) -> list[Finding]:
    """Who scales the factors of an adapter otherwise than most, and so is seen otherwise.

    The scale is in a file of the participant's own, while a server may apply its own.
    """
    scales = {}
    for submission in submissions:
        if submission.finding is None and submission.model is not None:
            name = layer.name_in(submission.model.tensors)
            tensor = submission.model.tensors[name] if name is not None else None
            if isinstance(tensor, Change):
                scales[submission.member.id] = tensor.scale
    if not scales:
        return []
    counts = Counter(scales.values())
    usual = min(counts, key=lambda scale: (-counts[scale], scale))
    return [
        Finding(
            FindingKind.WRONG_SCALE,
            f"scales {layer.name} by {scale:g} and most by {usual:g}; it is scored as it says",
            identifier,
        )
        for identifier, scale in scales.items()
        if scale != usual
    ]
