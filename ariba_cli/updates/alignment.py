"""The alignment of all models: common tensor names, multiplied factors, kernels as (out, in)."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.formats import peft
from ariba_cli.formats.factors import Change, check_plain, find_factors
from ariba_cli.formats.layouts import TORCH, laid_out, layout_by_name
from ariba_cli.formats.model import Model, Tensor
from ariba_cli.rounds.differing import chosen_models, unusual_twins
from ariba_cli.rounds.layers import natural
from ariba_cli.rounds.names import is_counter
from ariba_cli.updates.intake import Sent, Submission

_NUMBER = re.compile(r"[0-9]+")


def align(sent: Sent, layout: str | None, *, by_order: bool) -> list[Finding]:
    """Bring all models into one form, so that a layer is one tensor of each, and return findings.

    Parameters
    ----------
    sent : Sent
        The models as the files have them. Their tensors are replaced, and a participant whose
        model cannot be brought into this form is left out.
    layout : str, optional
        The layout of kernels in the files; None to go by the names and the files themselves.
    by_order : bool
        True to match tensors by their order and shapes, and not by their names.
    """
    submissions = sent.submissions
    refuse_twins(submissions)
    if by_order:
        _match_by_order(sent)
    usual = _usual_layout(submissions) if layout is None else ""
    models = {one.member.id: one.model for one in submissions if one.model is not None}
    findings = [*chosen_models(models), *_other_layouts(submissions, layout, usual)]
    seeing = _Seeing(layout, usual)
    for submission in submissions:
        seeing.see(submission)
    if sent.global_model is not None:
        seeing.see(sent.global_model)
    return findings


def refuse_twins(submissions: Sequence[Submission]) -> None:
    """Leave out participants with two names for one layer of most others; see `unusual_twins`."""
    catalogs = {one.member.id: one.model.tensors for one in submissions if one.model is not None}
    unusual = {one.participant: one for one in unusual_twins(catalogs)}
    for submission in submissions:
        found = unusual.get(submission.member.id)
        if found is not None:
            submission.model, submission.finding = None, found


def _usual_layout(submissions: Sequence[Submission]) -> str:
    counts = Counter(one.model.layout for one in submissions if one.model is not None)
    return min(counts, key=lambda one: (-counts[one], one), default="")


def _other_layouts(
    submissions: Sequence[Submission], layout: str | None, usual: str
) -> Iterable[Finding]:
    """Yield a finding for each participant whose file states another kernel layout than most."""
    if layout is not None:
        return
    for one in submissions:
        own = usual if one.model is None else one.model.layout
        if own != usual:
            says, most = own or TORCH, usual or TORCH
            yield Finding(
                FindingKind.WRONG_LAYOUT,
                f"says that its kernels are laid out as in {says}, and most files say as in "
                f"{most}; it is read like most",
                one.member.id,
                facts={"layout": says, "usual": most},
            )


@dataclass
class _Seeing:
    """A converter that brings all models into one form, and converts equal tensors only once.

    Attributes
    ----------
    layout : str, optional
        The layout that was asked for.
    usual : str
        The layout that most files state.
    """

    layout: str | None
    usual: str
    _seen: dict[int, tuple[Mapping[str, Tensor], Mapping[str, Tensor]]] = field(
        default_factory=dict
    )

    def see(self, submission: Submission) -> None:
        """Replace a model's tensors by those that are compared; leave the model out on failure."""
        model = submission.model
        if model is None:
            return
        try:
            if id(model.tensors) not in self._seen:
                found = self._laid_out(_multiplied(model))
                self._seen[id(model.tensors)] = model.tensors, found
        except RefusedFileError as error:
            submission.model = None
            submission.reject(FindingKind.REFUSED, str(error))
            return
        submission.model = replace(model, tensors=self._seen[id(model.tensors)][1])

    def _laid_out(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        found = {
            name: tensor
            if isinstance(tensor, Change)
            else laid_out(name, tensor, self.layout or self.usual or layout_by_name(name))
            for name, tensor in tensors.items()
        }
        return found if any(found[name] is not one for name, one in tensors.items()) else tensors


def _multiplied(model: Model) -> Mapping[str, Tensor]:
    """Return the tensors of a model, with bare factors replaced by the changes that they stand for.

    Such factors come without a configuration, as in state dicts. One common scale is enough for
    comparing them.

    Raises
    ------
    RefusedFileError
        When factors do not fit each other, or a tensor has the name of a change.
    """
    if model.format == peft.NAME:
        return model.tensors
    found = list(find_factors(model.tensors))
    if not found:
        return model.tensors
    check_plain(model.tensors)
    factors = {name for one in found for name in one.names.values()}
    tensors = {name: one for name, one in model.tensors.items() if name not in factors}
    for one in found:
        name = f"{one.module}.weight"
        if name in tensors:
            raise RefusedFileError(f"has {name!r} and also the factors of its change")
        tensors[name] = one.change(model.tensors, lambda *_: 1.0, model.terms.limits)
    return tensors


def _match_by_order(sent: Sent) -> None:
    """Give the same names to the tensors of all participants whose shapes are those of most."""
    models = [one for one in sent.submissions if one.model is not None]
    if sent.global_model is not None and sent.global_model.model is not None:
        models.append(sent.global_model)
    ordered = [_in_order(one.model.tensors) for one in models if one.model is not None]
    shapes = [tuple(tensor.spec.shape for tensor in own.values()) for own in ordered]
    counts = Counter(shapes)
    usual = min(counts, key=lambda one: (-counts[one], one), default=())
    alike = [own for own, shape in zip(ordered, shapes, strict=True) if shape == usual]
    names = _common_names([tuple(own) for own in alike])
    for one, own, shape in zip(models, ordered, shapes, strict=True):
        if one.model is not None and shape == usual:
            renamed = dict(zip(names, own.values(), strict=True))
            one.model = replace(one.model, tensors=renamed)


def _in_order(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = (name for name in tensors if not is_counter(name))
    return {name: tensors[name] for name in sorted(names, key=natural)}


def _common_names(named: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the first names that agree with most others except for numbers, else mere numbers.

    Statistics are not examined, and no single participant may decide which tensor is one.
    """
    forms = [tuple(_NUMBER.sub("#", name) for name in names) for names in named]
    ((form, count),) = Counter(forms).most_common(1) or [((), 0)]
    if 2 * count > len(named):
        return named[forms.index(form)]
    return tuple(f"tensor_{index}" for index in range(len(form)))
