"""The evidence for pictures: a sample of the scored values."""

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
        That distance divided by the median of all distances of the layer; None where the median
        is not positive.
    values : tuple of float
        Its first values.
    typical_id : str
        Another participant, not among the k_est most marked, whose fragment in the same place has
        the median distance of theirs; the same one where there is no other.
    typical_distance : float
        The distance of the typical fragment.
    typical_values : tuple of float
        The first values of the typical fragment.
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
        The numbers of the fragments that were sampled, the same for everybody.
    points : dict of str to tuple of float
        The x and y of each of them in turn, by participant, in standard deviations of all
        fragments along the first component.
    """

    explained: tuple[float, ...]
    fragments: tuple[int, ...]
    points: dict[str, tuple[float, ...]]


class Similarity(Struct, frozen=True):
    """The similarity of some participants' updates, without the part that all have in common.

    Attributes
    ----------
    ids : tuple of str
        The participants who stand out most.
    cosines : tuple of tuple of float
        The cosine of each pair of them, in [−1, 1].
    """

    ids: tuple[str, ...]
    cosines: tuple[tuple[float, ...], ...]


class LayerEvidence(Struct, frozen=True):
    """The data for pictures of one layer.

    Attributes
    ----------
    layer : str
        The name of the layer.
    shape : tuple of int
        The rows and columns of the values of a fragment in its picture; where only its first
        values are kept, the last row may be short.
    median_distance : float
        The median distance of all fragments of the layer.
    most_distant : dict of str to tuple of Fragment
        The fragments of largest distance, by participant: those with most marks, in
        descending order, and the further ones that were asked for.
    plane : Plane, optional
        The sampled fragments in a plane; None where all fragments lie on a line.
    """

    layer: str
    shape: tuple[int, int]
    median_distance: float
    most_distant: dict[str, tuple[Fragment, ...]]
    plane: Plane | None
