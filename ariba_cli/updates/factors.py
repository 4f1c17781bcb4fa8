"""The thin factors of adapters, which are held in memory from all participants at once."""

from collections.abc import Sequence

from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import FindingKind
from ariba_cli.formats.factors import Change
from ariba_cli.updates.intake import Submission

# Adapters of ranks that are averaged with each other take less than so many times the usual.
_TIMES_USUAL = 16
# So much is held whatever --max-memory is.
_LEAST_MEMORY = 2**20


def leave_out_large(factors: Sequence[tuple[Submission, Change]], layer: str, memory: int) -> bool:
    """Leave out participants with unusually large factors when memory cannot hold all of them.

    Parameters
    ----------
    factors : sequence of Submission and Change
        The changes of one layer, with the submissions that they belong to.
    layer : str
        The name of the layer.
    memory : int
        The number of bytes that all factors together may take.

    Returns
    -------
    bool
        True if anybody was left out.

    Raises
    ------
    InputError
        When memory cannot hold the remaining factors either.
    """
    sizes = sorted(change.held_bytes for _, change in factors)
    total = sum(sizes)
    allowed = max(memory, _LEAST_MEMORY)
    if total <= allowed:
        return False
    usual = sizes[len(sizes) // 2]
    for submission, change in factors:
        if change.held_bytes > _TIMES_USUAL * usual:
            total -= change.held_bytes
            submission.reject(
                FindingKind.REFUSED,
                f"has factors of {layer} that take {change.held_bytes:,} bytes, and those of half "
                f"of the participants at most {usual:,}; all together exceed --max-memory",
            )
    if total > allowed:
        raise InputError(
            f"the factors of {layer} in all adapters take {total:,} bytes, more than "
            "--max-memory; allow more"
        )
    return True
