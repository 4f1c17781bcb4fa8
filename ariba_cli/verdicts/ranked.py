"""The ranking by the detector that decides, with the reasons for it and its basis."""

from msgspec import Struct, field


class Reason(Struct, frozen=True):
    """A sign against a participant, in the unit of its measurement.

    Attributes
    ----------
    family : str
        The name of the sign.
    statistic : str
        The name of the measured statistic.
    value : float
        The value measured of the participant.
    honest_range : tuple of float
        The least and the largest value of the usual participants.
    p_value : float
        The chance that an honest participant shows as much of the sign.
    layer : str, optional
        The layer in which it is strongest; None for the whole update.
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
        The place, from 1 on.
    id : str
        The id of the participant.
    score : int or float
        The score; see `Score`.
    share, p_value : float, optional
        The share and the p-value; see `Score`.
    flagged : bool, optional
        True if the level names it; None under another rule.
    suspect : bool, optional
        True if it is among the k_est first; None under another rule.
    reasons : tuple of Reason
        The signs against it, the least likely first; for a participant that is not flagged, only
        those that are unlikely by themselves.
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
        """True if the decision names it."""
        return bool(self.flagged or self.suspect)

    @property
    def value(self) -> float:
        """The value by which participants are ordered."""
        return self.score if self.share is None else self.share


class Rescored(Struct, frozen=True):
    """A second result of the detector that decides, without those who are far out.

    Attributes
    ----------
    left_out : tuple of str
        The participants who are far out, in id order: in some layer farther from a central
        participant than four times the typical distance.
    k_est : int
        The number of the others who are suspects.
    ranking : tuple of Ranked
        The others, scored as if nobody else had sent anything.
    """

    left_out: tuple[str, ...]
    k_est: int
    ranking: tuple[Ranked, ...]


class Calibration(Struct, frozen=True):
    """The basis of the p-values of the detector that decides.

    Attributes
    ----------
    source : str
        The source of the tails: `built-in`, or `baseline`.
    participants : int
        The number of honest participants on whom they were fitted.
    departure : float
        The largest share, over the signs, of usual participants who show more of one than a
        twentieth of the honest did.
    unseen : dict of str to str
        A code with the reason for each sign that could not be seen.
    """

    source: str
    participants: int
    departure: float
    unseen: dict[str, str]
