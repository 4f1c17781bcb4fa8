"""Groups of updates that are close to each other, and far from all others."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ariba_cli.scoring.update_statistics import Float64

# Of two nobody can say which is unusual.
_SMALLEST = 3
# To so many decimals cosines are compared, on every machine alike.
_DECIMALS = 9


class CloseGroup(NamedTuple):
    """A minority whose members are closer to each other than to anybody else.

    Attributes
    ----------
    members : int array
        The indices of the members, in order.
    apart : float
        The distance to the next participant minus that between members, in 1 − cosine.
    """

    members: npt.NDArray[np.intp]
    apart: float


def close_groups(cosines: Float64) -> list[CloseGroup]:
    """Return the minorities that average linkage joins, those first that stay apart longest.

    Clusters are joined in the order of the mean distance of their members, 1 − cosine (UPGMA:
    Sokal and Michener 1958). A group that is joined at a distance of d, and with others not
    before a distance of e, stays apart for e − d.

    Parameters
    ----------
    cosines : float64 array of shape (n, n)
        The cosines of all pairs.

    Returns
    -------
    list of CloseGroup
        Each group of three or more that is less than half of all.
    """
    n = len(cosines)
    distances = np.round(1 - cosines, _DECIMALS)
    np.fill_diagonal(distances, np.inf)
    members = [[one] for one in range(n)]
    joined_at = np.zeros(n)
    found: list[CloseGroup] = []
    for _ in range(n - 1):
        one, other = divmod(int(distances.argmin()), n)
        at = float(distances[one, other])
        found += [
            CloseGroup(np.sort(np.array(members[own])), at - float(joined_at[own]))
            for own in (one, other)
            if len(members[own]) >= _SMALLEST and 2 * len(members[own]) < n
        ]
        sizes = len(members[one]), len(members[other])
        mean = (sizes[0] * distances[one] + sizes[1] * distances[other]) / sum(sizes)
        distances[one] = distances[:, one] = mean
        distances[one, one] = distances[other] = distances[:, other] = np.inf
        members[one] = members[one] + members[other]
        joined_at[one] = at
    return sorted(found, key=lambda group: -group.apart)
