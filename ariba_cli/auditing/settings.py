"""The options that the user of an audit can choose."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Self

from ariba_cli.base.errors import UsageError
from ariba_cli.base.machine import memory_bytes
from ariba_cli.detectors import DEFAULT, OF_THE_PAPER, make_detectors
from ariba_cli.detectors.declaration import Detector, LayerDetector, UpdateDetector
from ariba_cli.updates.elsewhere import Workers

if TYPE_CHECKING:
    from ariba_cli.scoring.panel.baseline import Baseline

DEFAULT_K_EST = "20%"
DEFAULT_LEVEL = 0.05


@dataclass(frozen=True)
class KEst:
    """The number k_est: a number of participants, or a percentage of them, which is rounded up.

    Attributes
    ----------
    text : str
        The text as the user wrote it.
    number : int, optional
        The number; None for a percentage.
    percent : Fraction, optional
        The percentage; None for a number.
    """

    text: str
    number: int | None = None
    percent: Fraction | None = None

    @classmethod
    def parse(cls, value: int | str) -> Self:
        """Return the k_est that is written as `10` or `20%`; the default is the paper's 10 of 50.

        Raises
        ------
        UsageError
            When it is neither.
        """
        text = str(value)
        if re.fullmatch(r"[0-9]{1,9}", text):
            return cls(text, number=int(text))
        if re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,9})?%", text):
            return cls(text, percent=Fraction(text.removesuffix("%")))
        raise UsageError(
            f"--k-est must be a number or a percentage, such as 10 or 20%, not '{text}'"
        )

    def resolve(self, participants: int, where: str) -> int:
        """Return k_est for that number of scored participants; `where` is for the error.

        Raises
        ------
        UsageError
            When it is not in 1 … n − 1.
        """
        k_est = self.number
        if self.percent is not None:
            k_est = math.ceil(self.percent * participants / 100)
        assert k_est is not None
        why_not = why_no_k_est(k_est, participants, where)
        if why_not:
            raise UsageError(why_not)
        return k_est


def why_no_k_est(k_est: int, participants: int, where: str) -> str:
    """Return the reason why k_est is not in 1 … n − 1; the empty string if it is."""
    if 1 <= k_est < participants:
        return ""
    return (
        f"k_est is {k_est}; with {participants} participants scored in {where} it must be "
        f"between 1 and {participants - 1}"
    )


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """The options that the user can choose.

    Attributes
    ----------
    layers : tuple of str
        Names, patterns or `all`; none for all layers that hold weights.
    fragment : str, optional
        The fragment into which layers are cut; None for the default of each.
    k_est : KEst
        The number of suspected participants, for the detectors that count with it.
    level : float, optional
        The false-discovery level by which participants are named; None to name the k_est first.
    detectors : tuple of Detector
        The detectors; the first decides.
    baseline : Baseline, optional
        The tails of honest participants with which detectors were made.
    excluded : tuple of str
        The ids of participants who are left out.
    layout : str, optional
        The order of kernel axes in the files, one of `layouts`; None to take it from names and
        files.
    by_order : bool
        True to match tensors by their order and shapes, and not by their names.
    verify_seal : bool
        True to hash every file that the seal lists.
    strict : bool
        True to stop when a participant has to be left out.
    max_memory : int, optional
        The number of bytes that the values of a layer may take; a quarter of the machine's memory
        when None. It does not change the result.
    workers : Workers, optional
        Others who work on large layers; None for this process alone. They do not change the
        result.
    evidence : bool
        True to keep a sample of the scored values for pictures.
    explained : tuple of str
        The participants in that sample whatever their score; none without `evidence`.
    """

    layers: tuple[str, ...] = ()
    fragment: str | None = None
    k_est: KEst = field(default_factory=lambda: KEst.parse(DEFAULT_K_EST))
    level: float | None = None
    detectors: tuple[Detector, ...] = field(default_factory=lambda: make_detectors((OF_THE_PAPER,)))
    baseline: "Baseline | None" = None
    excluded: tuple[str, ...] = ()
    layout: str | None = None
    by_order: bool = False
    verify_seal: bool = False
    strict: bool = False
    max_memory: int | None = None
    workers: Workers | None = None
    evidence: bool = False
    explained: tuple[str, ...] = ()

    @property
    def counts_with_k_est(self) -> bool:
        """True if k_est decides, or a detector counts with it."""
        return self.level is None or len(self.detectors) > 1

    @property
    def memory(self) -> int:
        """The number of bytes that the values of a layer may take."""
        return self.max_memory if self.max_memory is not None else memory_bytes() // 4

    @property
    def layer_detectors(self) -> tuple[LayerDetector, ...]:
        """The detectors that mark the fragments of layers."""
        return tuple(one for one in self.detectors if isinstance(one, LayerDetector))

    @property
    def update_detectors(self) -> tuple[UpdateDetector, ...]:
        """The detectors that score whole updates."""
        return tuple(one for one in self.detectors if isinstance(one, UpdateDetector))


def default_detector(*, k_est: bool, layers: Sequence[str], fragment: str | None) -> str:
    """Return the detector that scores where none is named: the panel.

    It is the detector of the paper where an option is given that belongs to its method.

    Parameters
    ----------
    k_est : bool
        True if k_est was asked for.
    layers : sequence of str
        The layers that were asked for.
    fragment : str, optional
        The fragment into which to cut layers, if one was given.
    """
    return OF_THE_PAPER if k_est or layers or fragment is not None else DEFAULT


def settled_level(level: float | None, *, k_est: bool, decides: Detector) -> float | None:
    """Return the false-discovery level by which participants are named; None for the k_est first.

    Parameters
    ----------
    level : float, optional
        The level that was asked for.
    k_est : bool
        True if k_est was asked for.
    decides : Detector
        The detector that decides: without a level or k_est, by its p-values if it gives them.

    Raises
    ------
    UsageError
        When both are asked for, the level is not between 0 and 1, or there are no p-values.
    """
    gives_p_values = decides.declaration.gives_p_values
    if level is None:
        return DEFAULT_LEVEL if gives_p_values and not k_est else None
    if k_est:
        raise UsageError(
            "--k-est says how many participants to name, and --level names those who stand out; "
            "give one of them"
        )
    if not 0 < level < 1:
        raise UsageError(f"--level must be between 0 and 1, such as 0.05, not {level:g}")
    if not gives_p_values:
        raise UsageError(
            f"{decides.declaration.name} gives no p-values, and --level needs them; use "
            "--detector panel, or --k-est instead of --level"
        )
    return level
