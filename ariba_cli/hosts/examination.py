"""The audit of replies, wherever a host holds them."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from ariba_cli.api.arguments import settings_for
from ariba_cli.api.auditing import score
from ariba_cli.api.errors import in_python
from ariba_cli.auditing.audit import audit_sent
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import UsageError
from ariba_cli.base.ids import id_order
from ariba_cli.base.suggestions import nearest
from ariba_cli.formats.model import Model
from ariba_cli.hosts.replies import Reply
from ariba_cli.rounds.members import GLOBAL_STEM, Member
from ariba_cli.updates.intake import Sent, Submission
from ariba_cli.verdicts.verdict import Verdict

# What `score` is given by the host, and not by the user.
_OF_THE_HOST = {"updates", "global_model", "deltas", "progress", "exclude"}


def audit_settings(asked: Mapping[str, Any]) -> AuditSettings:
    """Return the settings of the audits, from the arguments that `ariba_cli.score` takes.

    Parameters
    ----------
    asked : dict of str to object
        layers, fragment, level, k_est, detectors, detector_arguments, baseline, layout, by_order.

    Raises
    ------
    UsageError
        When there is no such argument, or they do not fit together.
    """
    known = [name for name in signature(score).parameters if name not in _OF_THE_HOST]
    for name in asked:
        if name not in known:
            near = nearest(name, known)
            hint = "" if near is None else f"; did you mean '{near}'?"
            raise UsageError(f"audit does not take '{name}'; use {', '.join(known)}{hint}")
    return in_python(settings_for)(**asked)


@in_python
def audit_replies(
    replies: Sequence[Reply], sent_out: Model | None, settings: AuditSettings, *, deltas: bool
) -> Verdict:
    """Return the verdict on the replies that hold a model.

    Parameters
    ----------
    replies : sequence of Reply
        Those that can be averaged.
    sent_out : Model, optional
        The model that the server sent them.
    settings : AuditSettings
        The settings of the audit.
    deltas : bool
        True if they hold differences to the model that was sent out, and not weights.

    Raises
    ------
    AribaError
        When the audit is not possible.
    """
    order = next((one.model.tensors for one in replies if one.model is not None), ())
    model = None if sent_out is None else Submission(Member(GLOBAL_STEM, GLOBAL_STEM), sent_out)
    sent = Sent(
        submissions=[
            Submission(Member(one.id, one.id), one.model)
            for one in sorted(replies, key=lambda reply: id_order(reply.id))
        ],
        global_model=model,
        model_order=list(order if sent_out is None else sent_out.tensors),
        updates_are_deltas=deltas,
    )
    return audit_sent(sent, settings, where="the tensors that the server sends out")
