"""What the user of an audit can choose."""

import math
from dataclasses import dataclass, field
from fractions import Fraction

from ariba_cli.base.errors import UsageError
from ariba_cli.base.machine import memory_bytes
from ariba_cli.detectors import Detector, make_detector


@dataclass(frozen=True)
class KEst:
    """k̃, as a number of participants or as a percentage of them.

    A percentage is rounded up; the default is the paper's 10 of 50.
    """

    number: int | None = None
    percent: Fraction = Fraction(20)

    def resolve(self, participants: int, layer: str) -> int:
        """k̃ for that many participants who are scored in a layer.

        Raises
        ------
        UsageError
            When it is not in 1 … n − 1.
        """
        k_est = self.number
        if k_est is None:
            k_est = math.ceil(self.percent * participants / 100)
        why_not = why_no_k_est(k_est, participants, layer)
        if why_not:
            raise UsageError(why_not)
        return k_est


def why_no_k_est(k_est: int, participants: int, layer: str) -> str:
    """Why k̃ does not leave somebody of those who are scored in a layer; else nothing."""
    if 1 <= k_est < participants:
        return ""
    return (
        f"k_est is {k_est}; with {participants} participants scored in {layer} it must be "
        f"between 1 and {participants - 1}"
    )


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """What the user can choose; None leaves the choice to the round.

    Attributes
    ----------
    layers : names, patterns or `all`; none for the convolution in the middle.
    verify_seal : whether to hash every file that the seal lists.
    strict : whether to stop when a participant has to be left out.
    max_memory : how many bytes the values of a layer may take; a quarter of the machine's
        memory when None. Whatever it is, the result is the same.
    evidence : whether a sample of what is scored is kept for pictures.
    explained : who is in it, whatever their score; none without `evidence`.
    """

    layers: tuple[str, ...] = ()
    fragment: str | None = None
    k_est: KEst = KEst()
    detector: Detector = field(default_factory=make_detector)
    verify_seal: bool = False
    strict: bool = False
    max_memory: int | None = None
    evidence: bool = False
    explained: tuple[str, ...] = ()

    @property
    def memory(self) -> int:
        """How many bytes the values of a layer may take."""
        return self.max_memory if self.max_memory is not None else memory_bytes() // 4
