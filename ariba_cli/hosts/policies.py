"""Policies of pruning, by the audits of a round and of those before it."""

import re
from collections import deque
from collections.abc import Mapping
from typing import Protocol

from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import UsageError
from ariba_cli.base.suggestions import nearest
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Verdict

_NAMES = ("watch", "flagged", "suspects", "r-of-R")
_OF_ROUNDS = re.compile(r"([1-9][0-9]{0,2})-of-([1-9][0-9]{0,2})")


class Policy(Protocol):
    """A policy that decides for each verdict whom to prune, and may remember those before."""

    def prune(self, verdict: Verdict) -> Mapping[str, str]:
        """Return the reasons for pruning participants, by their ids."""
        ...


class Watch:
    """A policy that prunes nobody."""

    def prune(self, _: Verdict) -> Mapping[str, str]:
        """See `Policy`."""
        return {}


class Named:
    """A policy that prunes those whom the verdict on this round names."""

    def prune(self, verdict: Verdict) -> Mapping[str, str]:
        """See `Policy`."""
        return {one.id: _in_words(one) for one in verdict.suspects}


class OfRounds:
    """A policy that prunes those who are named in r of their last R rounds, this one included.

    Parameters
    ----------
    needed, looked_at : int
        r and R.
    """

    def __init__(self, needed: int, looked_at: int) -> None:
        self._needed, self._looked_at = needed, looked_at
        self._named: dict[str, deque[bool]] = {}

    def prune(self, verdict: Verdict) -> Mapping[str, str]:
        """See `Policy`."""
        pruned = {}
        for one in verdict.ranking:
            rounds = self._named.setdefault(one.id, deque(maxlen=self._looked_at))
            rounds.append(one.named)
            if sum(rounds) >= self._needed:
                pruned[one.id] = f"named in {sum(rounds)} of its last {len(rounds)} rounds"
        return pruned


def parse_policy(text: str, settings: AuditSettings | None) -> Policy:
    """Return the policy of a name.

    Parameters
    ----------
    text : str
        watch, flagged, suspects, or r-of-R, such as `3-of-5`.
    settings : AuditSettings, optional
        The settings of the audit of each round; None where there is no audit.

    Raises
    ------
    UsageError
        When there is none of that name, or it does not fit the audit.
    """
    if text == "watch":
        return Watch()
    rounds = _OF_ROUNDS.fullmatch(text)
    if rounds is None and text not in _NAMES[:-1]:
        near = nearest(text, _NAMES)
        hint = "" if near is None else f"; did you mean '{near}'?"
        raise UsageError(
            f"unknown policy '{text}'; use watch, flagged, suspects, or r-of-R such as 3-of-5{hint}"
        )
    if settings is None:
        raise UsageError(f"the policy {text} needs an audit; give audit={{}}, or use watch")
    if text == "flagged" and settings.level is None:
        raise UsageError(
            "the policy flagged needs an audit at a level, and this audit names k_est suspects; "
            "leave out k_est and layers, or use the policy suspects"
        )
    if text == "suspects" and settings.level is not None:
        raise UsageError(
            "the policy suspects needs an audit with k_est; give audit={'k_est': …}, or use the "
            "policy flagged"
        )
    if rounds is None:
        return Named()
    needed, looked_at = int(rounds[1]), int(rounds[2])
    if needed > looked_at:
        raise UsageError(
            f"{needed}-of-{looked_at} asks for more rounds than it looks at; give r ≤ R"
        )
    return OfRounds(needed, looked_at)


def _in_words(one: Ranked) -> str:
    if one.p_value is None:
        return f"suspect, rank {one.rank}"
    signs = ", ".join(dict.fromkeys(reason.family for reason in one.reasons))
    return f"flagged, rank {one.rank}, p = {one.p_value:.3g}{f': {signs}' if signs else ''}"
