"""Whom the detector that decides ranks where, for which reasons, and on what that rests."""

from msgspec import Struct, field


class Reason(Struct, frozen=True):
    """A sign against a participant, in the unit of what it measures.

    Attributes
    ----------
    family : str
        The name of the sign.
    statistic : str
        The name of what is measured.
    value : float
        What was measured of the participant.
    honest_range : tuple of float
        The least and the largest value of those who say what is usual.
    p_value : float
        How likely an honest participant shows as much of the sign.
    layer : str, optional
        In which layer it is strongest; none for the whole update.
    alike : tuple of str
        Others who share it, the closest first; `with` in JSON.
    label : int, optional
        The class that the output layer's rows point at; `class` in JSON.
    """

    family: str
    statistic: str
    value: float
    honest_range: tuple[float, float]
    p_value: float
    layer: str | None = None
    alike: tuple[str, ...] = field(default=(), name="with")
    label: int | None = field(default=None, name="class")


class Ranked(Struct, frozen=True):
    """A participant's place, by the detector that decides.

    Attributes
    ----------
    rank : int
        From 1 on.
    id : str
        The participant.
    score : int or float
    share, p_value : float, optional
        As in `Score`.
    flagged : bool, optional
        Whether the level names it; none under another rule.
    suspect : bool, optional
        Whether it is among the k̃ first; none under another rule.
    reasons : tuple of Reason
        The signs against it, the least likely first; of whoever is not flagged, only those
        that are unlikely by themselves.
    """

    rank: int
    id: str
    score: int | float
    share: float | None = None
    p_value: float | None = None
    flagged: bool | None = None
    suspect: bool | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def named(self) -> bool:
        """Whether the decision names it."""
        return bool(self.flagged or self.suspect)

    @property
    def value(self) -> float:
        """By what participants are ordered."""
        return self.score if self.share is None else self.share


class Rescored(Struct, frozen=True):
    """A second result, of the detector that decides: without those who are far out.

    Attributes
    ----------
    left_out : tuple of str
        Who they are, in id order: in some layer farther from a central participant than four
        times what is typical.
    k_est : int
        How many of the others are suspects.
    ranking : tuple of Ranked
        The others, scored as if nobody else had sent anything.
    """

    left_out: tuple[str, ...]
    k_est: int
    ranking: tuple[Ranked, ...]


class Calibration(Struct, frozen=True):
    """On what the p-values of the detector that decides rest.

    Attributes
    ----------
    source : str
        Where the tails come from: `built-in`, or `baseline`.
    participants : int
        Of how many honest participants they were fitted.
    departure : float
        The largest share, over the signs, of usual participants who show more of one than a
        twentieth of the honest did.
    unseen : dict of str to str
        By each sign that could not be seen, a code that says why.
    """

    source: str
    participants: int
    departure: float
    unseen: dict[str, str]
