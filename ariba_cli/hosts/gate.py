"""The gate of a round: replies are checked, audited, pruned, and saved with the reasons."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from ariba_cli.base.errors import AribaError, OutputError, UsageError
from ariba_cli.base.examples import first_few
from ariba_cli.formats.model import Model
from ariba_cli.hosts.examination import audit_replies, audit_settings
from ariba_cli.hosts.policies import parse_policy
from ariba_cli.hosts.replies import Reply, why_refused
from ariba_cli.hosts.saver import Job, Saver
from ariba_cli.rounds.host import Answer, HostRecord, LeftOut
from ariba_cli.verdicts.verdict import Verdict

Fail = Literal["open", "closed"]

# The arguments of `ariba_cli.score`: with none, the panel names who stands out.
DEFAULT_AUDIT: Mapping[str, Any] = MappingProxyType({})

_ROUND = re.compile(r"round_[0-9]{4,}(\.partial)?")

# More names than these are counted.
_MOST_NAMED = 5


@dataclass(frozen=True)
class Judgement:
    """The judgement on the replies of one round.

    Attributes
    ----------
    kept : frozenset of str
        The ids whose updates are passed on.
    left_out : dict of str to LeftOut
        The reasons for leaving out the others, by id.
    verdict : Verdict, optional
        The verdict of the audit; None where there was none.
    """

    kept: frozenset[str]
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    verdict: Verdict | None = None


class Gate:
    """A gate between the clients of a federation and the aggregation of their updates.

    Parameters
    ----------
    host : str
        The name of the host program, and its version.
    out : path, optional
        The directory for the rounds of this run; None to save nothing.
    audit : dict, optional
        The settings of the audit, as `ariba_cli.score` takes them; None for no audit.
    policy : str
        watch, flagged, suspects, or r-of-R.
    fail : str
        The treatment of a round that cannot be audited: `open` passes on all of it that can be
        averaged; `closed`, nobody.
    logger : Logger
        The logger of all that happens.

    Raises
    ------
    UsageError
        When these do not fit together.
    OutputError
        When `out` has rounds in it already: ids of clients may mean others in another run.
    """

    def __init__(
        self,
        host: str,
        *,
        out: str | PathLike[str] | None,
        audit: Mapping[str, Any] | None,
        policy: str,
        fail: Fail,
        logger: logging.Logger,
    ) -> None:
        if fail not in ("open", "closed"):
            raise UsageError(f"fail must be 'open' or 'closed', not '{fail}'")
        self._settings = None if audit is None else audit_settings(audit)
        self._policy = parse_policy(policy, self._settings)
        self._host, self._policy_name, self._fail, self._log = host, policy, fail, logger
        self._root = None if out is None else Path(out)
        if self._root is not None:
            _check_new(self._root)
        self.saver = None if self._root is None else Saver(logger)

    def judge(
        self,
        number: int,
        sent_out: Model | None,
        replies: Sequence[Reply],
        failures: Sequence[tuple[str, str]] = (),
        *,
        deltas: bool = False,
    ) -> Judgement:
        """Return the judgement on the updates of a round, and have the round saved.

        Parameters
        ----------
        number : int
            The number of the round.
        sent_out : Model, optional
            The model that the server sent to the clients.
        replies : sequence of Reply
            The replies, each id once.
        failures : sequence of (str, str)
            The id of each client that answered with an error, and the error.
        deltas : bool, optional
            True if updates are differences to the model that was sent out.
        """
        if not replies:
            self._log.warning("ariba: round %d has no updates: none is saved or audited", number)
            return Judgement(frozenset())
        refused = why_refused(replies, sent_out)
        left_out = {name: LeftOut("refused", why) for name, why in refused.items()}
        usable = [one for one in replies if one.id not in refused]
        verdict, unaudited = self._audit(usable, sent_out, deltas=deltas)
        if verdict is not None:
            pruned = self._policy.prune(verdict)
            left_out |= {name: LeftOut("pruned", why) for name, why in pruned.items()}
        elif self._settings is not None and self._fail == "closed":
            left_out |= {one.id: LeftOut("unaudited", unaudited) for one in usable}
        found = Judgement(
            frozenset(one.id for one in replies if one.id not in left_out), left_out, verdict
        )
        self._tell(number, found, unaudited)
        if self.saver is not None and self._root is not None:
            self.saver.save(
                Job(
                    path=self._root / f"round_{number:04d}",
                    number=number,
                    kind="difference" if deltas else "weights",
                    sent_out=sent_out,
                    replies=replies,
                    record=self._record(replies, failures, left_out, unaudited),
                )
            )
        return found

    def close(self) -> None:
        """Wait until every round is saved."""
        if self.saver is not None:
            self.saver.close()

    def _audit(
        self, usable: Sequence[Reply], sent_out: Model | None, *, deltas: bool
    ) -> tuple[Verdict | None, str]:
        """Return the verdict, or the reason why there is none."""
        if self._settings is None:
            return None, "no audit was asked for"
        try:
            return audit_replies(usable, sent_out, self._settings, deltas=deltas), ""
        except AribaError as error:
            return None, str(error)
        except Exception as error:
            # Whatever is wrong with the audit, the training of all is not to end by it.
            self._log.exception("ariba: the audit ended unexpectedly")
            return None, f"{type(error).__name__}: {error}"

    def _record(
        self,
        replies: Sequence[Reply],
        failures: Sequence[tuple[str, str]],
        left_out: Mapping[str, LeftOut],
        unaudited: str,
    ) -> HostRecord:
        return HostRecord(
            host=self._host,
            policy=self._policy_name,
            participants={one.id: Answer(one.node, one.samples, one.metrics) for one in replies},
            left_out=left_out,
            failures=failures,
            unaudited=unaudited,
        )

    def _tell(self, number: int, found: Judgement, unaudited: str) -> None:
        for kind in ("refused", "pruned", "unaudited"):
            ids = sorted(name for name, one in found.left_out.items() if one.kind == kind)
            if ids:
                why = found.left_out[ids[0]].why
                names = first_few(ids, _MOST_NAMED)
                self._log.warning("ariba: round %d: %s: %s (%s)", number, kind, names, why)
        if found.verdict is not None:
            named = sorted(one.id for one in found.verdict.suspects)
            names = first_few(named, _MOST_NAMED) if named else "nobody"
            self._log.info("ariba: round %d: the audit names %s", number, names)
        elif self._settings is not None:
            self._log.warning(
                "ariba: round %d was not audited: %s; fail-%s: %d of %d updates are passed on",
                *(number, unaudited, self._fail, len(found.kept)),
                len(found.kept) + len(found.left_out),
            )


def _check_new(root: Path) -> None:
    try:
        names = [entry.name for entry in root.iterdir()] if root.exists() else []
    except OSError as error:
        raise OutputError(f"'{root}' cannot be listed: {error.strerror}") from error
    rounds = sorted(filter(_ROUND.fullmatch, names))
    if rounds:
        raise OutputError(
            f"'{root}' has rounds of another run, such as {rounds[0]}, in which an id may mean "
            "another client; name a directory of its own for this run"
        )
