"""The random draws of a federation's server: the participants of a round, failures, and noise."""

from collections.abc import Sequence

import numpy as np

from ariba_cli.base.errors import UsageError
from ariba_cli.federated.randomness import derived_seed

# Of fewer updates nothing can be said.
_FEWEST = 3


def answering(participants: int, sampled: int | None, failing: float) -> int:
    """Return the number of updates in a round.

    Parameters
    ----------
    participants : int
        n.
    sampled : int, optional
        The number of them that are asked; all by default.
    failing : float
        The share of those, rounded to whole participants, whose updates never come.

    Raises
    ------
    UsageError
        When more are asked than there are, or too few answer.
    """
    asked = participants if sampled is None else sampled
    if asked > participants:
        raise UsageError(f"--sampled is {asked}, but there are {participants} participants")
    left = asked - round(failing * asked)
    if left < _FEWEST:
        raise UsageError(
            f"{left} of {asked} would answer in a round, and at least {_FEWEST} must; give a "
            "smaller --failing or a larger --sampled"
        )
    return left


def who_answers(
    ids: Sequence[str], sampled: int | None, failing: float, seed: int, number: int
) -> list[str]:
    """Return the participants that send an update in a round, in id order; all if none are drawn.

    Parameters
    ----------
    ids : sequence of str
        The participants.
    sampled : int, optional
        See `answering`.
    failing : float
        See `answering`.
    seed : int
        The seed of the run.
    number : int
        The number of the round.
    """
    left = answering(len(ids), sampled, failing)
    draw = np.random.default_rng(derived_seed(seed, "who answers", round_number=number))
    # Those who are asked come first, and those of them who fail last.
    order = draw.permutation(len(ids))
    return [ids[index] for index in sorted(order[:left])]


def noise_seed(seed: int, number: int) -> int:
    """Return the seed of a rule's noise in a round."""
    return derived_seed(seed, "noise of the server", round_number=number)
