"""The conditions of `--fail-on`: the one list behind help, completion and errors."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ariba_cli.base.errors import UsageError
from ariba_cli.base.findings import BROKEN_SEAL, FindingKind

if TYPE_CHECKING:
    from ariba_cli.verdicts.history import History
    from ariba_cli.verdicts.verdict import Verdict

# Of one round, or of all together.
Holds = Callable[["Verdict | History"], bool]

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20}")


@dataclass(frozen=True)
class Condition:
    """A condition on a verdict that makes a command exit with 1.

    Attributes
    ----------
    text : str
        The text as it was written.
    holds : callable
        Returns True if the condition holds for a verdict.
    needs_seal : bool
        True if the seal has to be verified for it: a file that was tampered with differs from
        the seal in its hash alone.
    """

    text: str
    holds: Holds
    needs_seal: bool = False


@dataclass(frozen=True)
class Form:
    """A form of condition that can be written after `--fail-on`.

    Attributes
    ----------
    start : str
        The whole text, or the part before the number.
    says : str
        The condition in words; empty where the name of a finding says it.
    make : callable
        Returns the test of a verdict, given the number where one belongs to it.
    takes_number : bool
        True if a number belongs to it.
    needs_seal : bool
        See `Condition`.
    """

    start: str
    says: str
    make: Callable[[float], Holds]
    takes_number: bool = False
    needs_seal: bool = False

    @property
    def written(self) -> str:
        """Return the form as it appears in help and errors."""
        return self.start + ("X" if self.takes_number else "")

    def read(self, text: str) -> Condition | None:
        """Return the condition that a text is in this form; None when it is in another."""
        if not self.takes_number:
            return Condition(text, self.make(0.0), self.needs_seal) if text == self.start else None
        rest = text.removeprefix(self.start)
        if rest == text or not _NUMBER.fullmatch(rest) or float(rest) > 1:
            return None
        return Condition(text, self.make(float(rest)))


def _share(least: float) -> Holds:
    def holds(verdict: "Verdict | History") -> bool:
        shares = [one.share for one in verdict.ranking if one.share is not None]
        if verdict.ranking and not shares:
            raise UsageError(
                "--fail-on share>= needs the shares of marked fragments, and "
                f"{verdict.decision.detector} marks none; use --fail-on flagged, or give --k-est "
                "or --layer"
            )
        # Where nobody can be told apart there is no share, and nothing was ruled out.
        return not verdict.ranking or max(shares) >= least

    return holds


def _margin(least: float) -> Holds:
    def holds(verdict: "Verdict | History") -> bool:
        if verdict.by_level and not verdict.suspects:
            return False
        return not verdict.ranking or verdict.decision.margin < least

    return holds


def _tie(_: float) -> Holds:
    return lambda verdict: verdict.decision.tie_at_cutoff


def _flagged(_: float) -> Holds:
    def holds(verdict: "Verdict | History") -> bool:
        if not verdict.by_level:
            raise UsageError(
                "--fail-on flagged needs a level, and --k-est names somebody in every round; leave "
                "out --k-est, --layer and --fragment, or give --detector panel"
            )
        # Where nobody can be told apart, nothing was ruled out.
        return not verdict.ranking or bool(verdict.suspects)

    return holds


def _found(kinds: Collection[FindingKind]) -> Callable[[float], Holds]:
    return lambda _: lambda verdict: any(found.kind in kinds for found in verdict.findings)


# Whoever sends something else than the layer is left out as those are whose file is
# refused, and a broken seal is none.
_OF_THE_SEAL = {FindingKind.UNSEALED, *BROKEN_SEAL}

_GROUPS = {
    "refused": (
        "also a layer that is missing or unlike the others'",
        {
            FindingKind.REFUSED,
            FindingKind.MISSING_LAYER,
            FindingKind.WRONG_SHAPE,
            FindingKind.WRONG_TYPE,
        },
    ),
    "nonfinite": ("", {FindingKind.NONFINITE}),
    "duplicate": ("", {FindingKind.DUPLICATE}),
    "unsealed": ("no seal, or a broken one", {FindingKind.UNSEALED, *BROKEN_SEAL}),
}

FORMS = (
    Form("flagged", "somebody stands out at --level; also where nobody is ranked", _flagged),
    Form(
        "share>=",
        "the highest share, of several layers the mean; also where nobody is ranked",
        _share,
        takes_number=True,
    ),
    Form(
        "margin<",
        "by how much the share or score of the last who is named exceeds the next one's",
        _margin,
        takes_number=True,
    ),
    Form("tie", "the last suspect and the next participant have the same share", _tie),
    *(
        Form(name, says, _found(kinds), needs_seal=bool(kinds & _OF_THE_SEAL))
        for name, (says, kinds) in _GROUPS.items()
    ),
    # A group has the name of the finding that it is about, and goes before it.
    *(
        Form(kind.value, "", _found({kind}), needs_seal=kind in _OF_THE_SEAL)
        for kind in FindingKind
        if kind not in _GROUPS
    ),
)


def parse_condition(text: str) -> Condition:
    """Return the condition of a text.

    Raises
    ------
    UsageError
        When the text is not a condition.
    """
    for form in FORMS:
        condition = form.read(text)
        if condition is not None:
            return condition
    known = ", ".join(form.written for form in FORMS)
    raise UsageError(f"--fail-on does not know '{text}'; use one of {known}, with X from 0 to 1")


def conditions_in_words() -> str:
    """Return the forms, as the help lists them: findings have names of their own."""
    said = ", ".join(f"{form.written} ({form.says})" for form in FORMS if form.says)
    return f"{said}, or a finding by its name, such as duplicate or few-participants"
