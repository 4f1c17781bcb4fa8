"""A sample of what was scored, of which pictures are made."""

from msgspec import Struct


class Fragment(Struct, frozen=True):
    """A fragment of δ̂_i that made a participant a suspect, beside a typical one.

    Attributes
    ----------
    index : tuple of int
        Its place in the layer: (out, in) of a kernel, else its number alone.
    distance : float
        Its distance, or other score of a fragment.
    times_median : float, optional
        How many times the median of all distances of the layer that is; none where the median
        is not positive.
    values : tuple of float
        Its first values.
    typical_id : str
        Another participant, not among the k̃ most marked, whose fragment in the same place has
        the median distance of theirs; the same one where there is no other.
    typical_distance, typical_values
        Of that one.
    """

    index: tuple[int, ...]
    distance: float
    times_median: float | None
    values: tuple[float, ...]
    typical_id: str
    typical_distance: float
    typical_values: tuple[float, ...]


class Plane(Struct, frozen=True):
    """Fragments in the plane of their first two principal components (Fig. 3c).

    Attributes
    ----------
    explained : tuple of float
        The share of all variance along each of the two.
    fragments : tuple of int
        The numbers of the fragments that were sampled, the same of everybody.
    points : dict of str to tuple of float
        By participant x and y of each of them in turn, in standard deviations of all
        fragments along the first component.
    """

    explained: tuple[float, ...]
    fragments: tuple[int, ...]
    points: dict[str, tuple[float, ...]]


class Similarity(Struct, frozen=True):
    """How alike the updates of some participants are, without what all have in common.

    Attributes
    ----------
    ids : tuple of str
        Who they are: those who stand out most.
    cosines : tuple of tuple of float
        Of each pair of them, in [−1, 1].
    """

    ids: tuple[str, ...]
    cosines: tuple[tuple[float, ...], ...]


class LayerEvidence(Struct, frozen=True):
    """What pictures of one layer are made of.

    Attributes
    ----------
    layer : str
        Its name.
    shape : tuple of int
        Rows and columns of the values of a fragment, as it is drawn; where only its first
        values are kept, the last row may be short.
    median_distance : float
        Of all fragments of the layer.
    most_distant : dict of str to tuple of Fragment
        The fragments of largest distance, by participant: of those who have most marks, the
        first first, and of whom else it was asked for.
    plane : Plane, optional
        None where all fragments lie on a line.
    """

    layer: str
    shape: tuple[int, int]
    median_distance: float
    most_distant: dict[str, tuple[Fragment, ...]]
    plane: Plane | None
