"""Limits on each participant that follow from the others, so that no file delays a round.

Files are opened twice if need be: first all of them with low limits, and then those that
exceeded them, with limits that are usual in this round.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ariba_cli.base.errors import OverBudgetError, RefusedFileError, TooManyNamesError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.progress import Progress
from ariba_cli.files.limits import Limits
from ariba_cli.formats.model import Extent, Model
from ariba_cli.rounds.members import Member

# At first: more names than most networks have, and more time than it takes to list them.
_FIRST_NAMES = 2_000
_FIRST_SECONDS = 2.0
# Then: so many times what the median participant takes, or so large a part of --timeout.
_TIMES_NAMES = 10
_TIMES_SECONDS = 20
_PART_OF_TIMEOUT = 10

# An update of float64 with all the states of an optimiser takes less than so many times those
# of float32, and files of less than that do no harm.
_TIMES_BYTES = 8
_HARMLESS_BYTES = 2**20

Number = TypeVar("Number", int, float)


def open_fairly(
    open_with: Callable[[Member, Limits], Model],
    members: Sequence[Member],
    limits: Limits,
    progress: Progress,
) -> list[Model | RefusedFileError]:
    """Open the models of all members, with limits on names and time that are usual for the round.

    Parameters
    ----------
    open_with : Callable
        A function that opens the model of a member within some limits.
    members : sequence of Member
        The members whose models are opened.
    limits : Limits
        The limits on a file that always apply.
    progress : Progress
        A callback that receives the number of models that have been opened.

    Returns
    -------
    list of Model or RefusedFileError
        The model of each member, or the reason why it is refused.
    """

    def opened(member: Member, within: Limits) -> Model | RefusedFileError:
        try:
            return open_with(member, within)
        except RefusedFileError as error:
            return error

    first = replace(
        limits,
        tensors=min(limits.tensors, _FIRST_NAMES),
        seconds=min(limits.seconds, max(_FIRST_SECONDS, limits.seconds / _TIMES_SECONDS)),
    )
    found: list[Model | RefusedFileError] = []
    seconds = []
    for done, member in enumerate(members, 1):
        started = time.monotonic()
        found.append(opened(member, first))
        seconds.append(time.monotonic() - started)
        progress("opening", done, len(members))
    asking = [index for index, one in enumerate(found) if isinstance(one, OverBudgetError)]
    if asking and first != limits:
        names, usual_seconds = _usual(found, seconds)
        then = replace(
            limits,
            tensors=int(min(limits.tensors, max(_FIRST_NAMES, _TIMES_NAMES * names))),
            seconds=min(
                limits.seconds,
                max(
                    first.seconds,
                    limits.seconds / _PART_OF_TIMEOUT,
                    _TIMES_SECONDS * usual_seconds,
                ),
            ),
        )
        for index in asking:
            error = found[index]
            if not isinstance(error, TooManyNamesError) or then.tensors > first.tensors:
                error = found[index] = opened(members[index], then)
            if isinstance(error, TooManyNamesError) and then.tensors < limits.tensors:
                more = f"{error}; half of the participants have at most {names:,}"
                found[index] = RefusedFileError(more)
    return found


def _usual(
    found: Sequence[Model | RefusedFileError], seconds: Sequence[float]
) -> tuple[float, float]:
    """Return the number of names that the median participant has, and the seconds to list them.

    Both are infinite if at least half of them exceeded their first limits.
    """
    takers = [
        (len(one.tensors), taken) if isinstance(one, Model) else (math.inf, math.inf)
        for one, taken in zip(found, seconds, strict=True)
        if isinstance(one, Model | OverBudgetError)
    ]
    return _median(names for names, _ in takers), _median(taken for _, taken in takers)


def outsize(models: Mapping[str, Model]) -> list[Finding]:
    """Return a finding for each participant whose update is far larger than the median one.

    Parameters
    ----------
    models : dict of str to Model
        The model of each participant, by its id.
    """
    sizes = {identifier: unpacked_bytes(model) for identifier, model in models.items()}
    if not sizes:
        return []
    usual = _median(sizes.values())
    return [
        Finding(
            FindingKind.OUTSIZE,
            f"takes {size:,} bytes, and half of the participants take at most {usual:,}",
            identifier,
            facts={"bytes": size, "usual": usual},
        )
        for identifier, size in sizes.items()
        if size > max(_TIMES_BYTES * usual, _HARMLESS_BYTES)
    ]


def unpacked_bytes(model: Model) -> int:
    """Return the size of a model's files, or of the tensors that are packed in them."""
    packed = (one for one in model.tensors.values() if not isinstance(one, Extent))
    return max(model.bytes, sum(tensor.raw_bytes for tensor in packed))


def _median(values: Iterable[Number]) -> Number:
    """Return the median, or the higher of the two values in the middle."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
