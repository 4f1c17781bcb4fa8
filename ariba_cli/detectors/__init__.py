"""The detectors, one file each: updates → a score per participant.

Each file has a `FAMILY`: a declaration, and a function that makes the detector from its
arguments. A new detector is a file here, a line in `DETECTORS`, and a row in the table of
`test_detectors.py`; lists, help, completion, tables and reports are made of the declarations.
"""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ariba_cli.base.errors import UsageError
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.suggestions import nearest
from ariba_cli.detectors.declaration import Declaration, Detector, HistoryDetector, Setting
from ariba_cli.scoring.devices import AUTO, DeviceChoice

if TYPE_CHECKING:
    from ariba_cli.scoring.panel.baseline import Baseline


class Family(Protocol):
    """A maker of a detector."""

    @property
    def declaration(self) -> Declaration:
        """The declaration of the detector."""
        ...

    def make(self, variant: str, setting: Setting, /) -> Detector:
        """Return the detector; `variant` is the part of its name that follows a colon.

        Raises
        ------
        UsageError
            When there is no such variant, or it does not take the setting.
        """
        ...


# The module of each, by the name under which it is asked for; imported when it is.
DETECTORS = {
    "mahalanobis": "mahalanobis",
    "norm": "norm",
    "krum": "krum",
    "multi-krum": "multi_krum",
    "bulyan": "bulyan",
    "foolsgold": "foolsgold",
    "cosine": "cosine",
    "spectral": "spectral",
    "last-bias": "last_bias",
    "median-distance": "median_distance",
    "sign": "sign",
    "panel": "panel",
    "pyod": "pyod",
}
DEFAULT = "panel"
OF_THE_PAPER = "mahalanobis"
# Of scope history: all of them look at several rounds, and the first decides.
OF_HISTORY = {"timeline": "timeline", "foolsgold-memory": "foolsgold_memory"}
# These are named with what follows a colon.
WITH_VARIANTS = frozenset({"pyod"})
LISTED = "ariba audit --list-detectors shows all"


def family(name: str) -> Family:
    """Return the family of the detectors of that name, without a colon.

    Raises
    ------
    UsageError
        When there is none.
    """
    if name not in DETECTORS:
        near = nearest(name, DETECTORS)
        hint = f"did you mean '{near}'?"
        if near is None:
            plain = [one for one in DETECTORS if one not in WITH_VARIANTS]
            hint = f"use one of {', '.join(plain)}, or pyod:NAME, such as pyod:ECOD"
        raise UsageError(f"unknown detector '{name}'; {hint} ({LISTED})")
    found: Family = importlib.import_module(f"{__name__}.{DETECTORS[name]}").FAMILY
    return found


def history_detectors() -> tuple[HistoryDetector, ...]:
    """Return the detectors of scope *history*; the first decides."""
    modules = (importlib.import_module(f"{__name__}.{one}") for one in OF_HISTORY.values())
    return tuple(module.FAMILY for module in modules)


def make_detector(
    name: str,
    arguments: Mapping[str, Parameter] | None = None,
    fit_sample: int | None = None,
    device: DeviceChoice = AUTO,
    baseline: "Baseline | None" = None,
) -> Detector:
    """Return the detector of that name, such as `mahalanobis` or `pyod:ECOD`.

    Parameters
    ----------
    name : str
        A name in `DETECTORS`, with a variant after a colon for detectors that take one.
    arguments : dict of str to Parameter, optional
        The arguments that replace its defaults.
    fit_sample : int, optional
        The largest number of fragments to fit it on.
    device : DeviceChoice, optional
        The device on which it works.
    baseline : Baseline, optional
        The tails of honest participants, for a detector that gives p-values.

    Raises
    ------
    UsageError
        When there is none of that name, or it does not take them.
    """
    first, colon, variant = name.partition(":")
    made = family(first)
    if colon and first not in WITH_VARIANTS:
        raise UsageError(f"unknown detector '{name}'; use {first}")
    return made.make(variant, Setting(arguments or {}, fit_sample, device, baseline))


def make_detectors(
    names: Sequence[str],
    arguments: Mapping[str, Parameter] | None = None,
    fit_sample: int | None = None,
    device: DeviceChoice = AUTO,
    baseline: "Baseline | None" = None,
) -> tuple[Detector, ...]:
    """Return several detectors; an argument goes to each of them that takes it.

    Raises
    ------
    UsageError
        When there is none, one is named twice, or an argument or the fit sample is for none of
        them.
    """
    given = dict(arguments or {})
    if len(names) == 1:
        return (make_detector(names[0], given, fit_sample, device, baseline),)
    takes = {name: [key for key in given if _takes(name, key)] for name in names}
    unknown = [key for key in given if not any(key in keys for keys in takes.values())]
    if unknown:
        raise UsageError(f"none of {', '.join(names)} takes an argument '{unknown[0]}' ({LISTED})")
    fitted = [name for name in names if name.partition(":")[0] in WITH_VARIANTS]
    if fit_sample is not None and not fitted:
        raise UsageError("--fit-sample needs a detector of PyOD, such as --detector pyod:ECOD")
    return all_different(
        make_detector(
            name,
            {key: given[key] for key in takes[name]},
            fit_sample if name in fitted else None,
            device,
            baseline,
        )
        for name in names
    )


def all_different(detectors: Iterable[Detector]) -> tuple[Detector, ...]:
    """Return several detectors, after a check that no two have the same name.

    Raises
    ------
    UsageError
        When there is none, or one is named twice, be it in another case.
    """
    found = tuple(detectors)
    if not found:
        raise UsageError(f"name at least one detector ({LISTED})")
    if len({one.declaration.name for one in found}) < len(found):
        raise UsageError("a detector is given twice; give each one once")
    return found


def _takes(name: str, key: str) -> bool:
    """Return whether a detector takes an argument of that name."""
    first, _, variant = name.partition(":")
    made = family(first)
    options = getattr(made, "options_of", lambda _: made.declaration.options or {})
    return key in options(variant)
