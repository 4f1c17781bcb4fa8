"""The seeds by which choices are made, and those by which results are reported: kept apart."""

from collections.abc import Sequence

# From here on seeds are for reporting alone: no choice may rest on what they give.
FIRST_TO_REPORT = 1000

DEVELOPMENT = "development"
REPORTING = "reporting"
PURPOSES = (DEVELOPMENT, REPORTING)


def checked(purpose: str, seeds: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds; it is an error when one of them is for the other purpose.

    >>> checked(DEVELOPMENT, [1, 2])
    (1, 2)
    """
    assert purpose in PURPOSES, purpose
    wrong = [seed for seed in seeds if (seed >= FIRST_TO_REPORT) != (purpose == REPORTING)]
    assert not wrong, f"seed {wrong[0]} is not for {purpose}"
    return tuple(seeds)
