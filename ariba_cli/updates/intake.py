"""The intake of what each participant sent, which is checked before any mean is taken."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ariba_cli.base.findings import Fact, Finding, FindingKind
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.formats.factors import Change
from ariba_cli.formats.model import Model
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.layers import Layer
from ariba_cli.rounds.members import Member
from ariba_cli.rounds.sealing import NOT_VERIFIED, VerifiedSeal

FEWEST_PARTICIPANTS = 3


@dataclass
class Submission:
    """A participant's model, with all that is known of it so far.

    Attributes
    ----------
    member : Member
        The participant.
    model : Model, optional
        The contents of the model as its files describe them; None when it could not be opened.
    finding : Finding, optional
        The reason why the participant is left out; None when it is not.
    digest : str, optional
        The SHA-256 of the layer's bytes; None until they have been read.
    """

    member: Member
    model: Model | None = None
    finding: Finding | None = None
    digest: str | None = None

    def reject(
        self, kind: FindingKind, detail: str, layer: str | None = None, **facts: Fact
    ) -> None:
        """Leave the participant out."""
        self.finding = Finding(kind, detail, self.member.id, layer, facts=facts)


@dataclass(frozen=True)
class Sent:
    """All models of one round, before any of their values are read.

    Attributes
    ----------
    submissions : list of Submission
        The submissions of all participants that are not excluded, in id order.
    excluded : tuple of Submission
        The submissions of excluded participants, which are not opened.
    global_model : Submission, optional
        The model that the server sent out; None when the round has none.
    model_order : sequence of str
        The names of the model's tensors in its order, as far as that is known.
    updates_are_deltas : bool
        True when participants sent differences to the global model.
    """

    submissions: list[Submission]
    excluded: tuple[Submission, ...] = ()
    global_model: Submission | None = None
    model_order: Sequence[str] = ()
    updates_are_deltas: bool = False

    @property
    def models(self) -> dict[str, Model]:
        """Return the models that were opened, by the ids of their participants."""
        return {one.member.id: one.model for one in self.submissions if one.model is not None}


def open_sent(
    round_: Round,
    excluded: Collection[str],
    progress: Progress,
    seal: VerifiedSeal = NOT_VERIFIED,
) -> Sent:
    """List the tensors of what every participant sent, and of the global model.

    Parameters
    ----------
    round_ : Round
        The round.
    excluded : collection of str
        The ids of participants to leave out.
    progress : Progress
        A callback that receives the number of files that have been opened.
    seal : VerifiedSeal, optional
        The result of verifying the seal; participants whose files have changed since are
        left out.
    """
    members = [one for one in round_.participants if one.id not in excluded]
    model = None
    if round_.global_model is not None:
        model = submissions_of(round_, [round_.global_model], no_progress, seal)[0]
    manifest = round_.manifest
    return Sent(
        submissions=submissions_of(round_, members, progress, seal),
        excluded=tuple(Submission(one) for one in round_.participants if one.id in excluded),
        global_model=model,
        model_order=manifest.layers if manifest else (),
        updates_are_deltas=manifest is not None and manifest.kind == "difference",
    )


def submissions_of(
    round_: Round,
    members: Sequence[Member],
    progress: Progress,
    seal: VerifiedSeal = NOT_VERIFIED,
) -> list[Submission]:
    """List the tensors of what some members sent; leave out those that are refused."""
    return [
        Submission(member, finding=opened)
        if isinstance(opened, Finding)
        else Submission(member, opened)
        for member, opened in round_.open_members(members, progress, seal)
    ]


def why_too_few(submissions: Sequence[Submission], what: str) -> str:
    """Return the reason why too few participants are left to compare, or an empty text.

    Parameters
    ----------
    submissions : sequence of Submission
        The submissions of all participants.
    what : str
        The past participle in the message, such as `scored` or `compared`.
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
    """Return whether a participant claims to hold a layer in the form that most others have."""
    return submission.model is not None and why_not_offered(submission.model, layer) is None


class Objection(NamedTuple):
    """A reason why a model does not offer a layer as most others do."""

    kind: FindingKind
    detail: str
    facts: dict[str, Fact]


def why_not_offered(model: Model, layer: Layer) -> Objection | None:
    """Return the reason why a model does not offer a layer as most others do; None if it does."""
    name = layer.name_in(model.tensors)
    if name is None:
        return Objection(FindingKind.MISSING_LAYER, f"has no {layer.name}", {})
    spec = model.tensors[name].spec
    if spec.shape != layer.shape:
        detail = f"{layer.name} has shape {spec.shape}, the others have {layer.shape}"
        return Objection(FindingKind.WRONG_SHAPE, detail, {"shape": spec.shape})
    if not spec.is_float:
        detail = f"{layer.name} is of type {spec.dtype}"
        return Objection(FindingKind.WRONG_TYPE, detail, {"type": spec.dtype})
    return None


def differing_changes(submissions: Sequence[Submission], layer: Layer) -> list[Finding]:
    """Return a finding for each participant whose factors are scaled or transposed unlike most.

    Both settings come from a file of the participant's own, while a server may apply others.
    """
    changes = {}
    for submission in submissions:
        if submission.finding is None and submission.model is not None:
            name = layer.name_in(submission.model.tensors)
            tensor = submission.model.tensors[name] if name is not None else None
            if isinstance(tensor, Change):
                changes[submission.member.id] = tensor
    scale = _usual(one.scale for one in changes.values())
    transposed = _usual(one.transposed for one in changes.values())
    findings = [
        Finding(
            FindingKind.WRONG_SCALE,
            f"scales {layer.name} by {one.scale:g}, and most by {scale:g}; it is scored by its own",
            identifier,
            layer.name,
            facts={"scale": one.scale, "usual": scale},
        )
        for identifier, one in changes.items()
        if one.scale != scale
    ]
    order = {False: "(out, in)", True: "(in, out)"}
    findings += [
        Finding(
            FindingKind.WRONG_LAYOUT,
            f"says that it holds {layer.name} as {order[one.transposed]}, and most as "
            f"{order[bool(transposed)]}; it is scored as it says",
            identifier,
            layer.name,
            facts={"layout": order[one.transposed], "usual": order[bool(transposed)]},
        )
        for identifier, one in changes.items()
        if one.transposed != transposed
    ]
    return findings


def _usual(values: Iterable[float]) -> float:
    counts = Counter(values)
    return min(counts, key=lambda one: (-counts[one], one), default=0.0)
