"""The method of a result: the requested options, and the rule by which suspects are named."""

from msgspec import Struct

from ariba_cli.base.parameters import Parameter


class RequestedDetector(Struct, frozen=True):
    """A detector as it was asked for.

    Attributes
    ----------
    name : str
        Its name in the registry.
    arguments : dict of str to Parameter
        The arguments that replace its defaults.
    fit_sample : int, optional
        The largest number of fragments to fit it on.
    """

    name: str
    arguments: dict[str, Parameter] = {}
    fit_sample: int | None = None


class RequestedBaseline(Struct, frozen=True):
    """The clean rounds of one's own from which p-values come.

    Attributes
    ----------
    reports : tuple of str
        The `result_sha256` of the reports on them.
    participants : int
        The number of honest participants in them.
    tails : dict of str to tuple of float
        The median, the 95 % point and the mean excess beyond it: by sign of −ln p, with p the
        chance by the built-in tails; and of `standing`.
    """

    reports: tuple[str, ...]
    participants: int
    tails: dict[str, tuple[float, float, float]]


class RequestedOptions(Struct, frozen=True):
    """The options that were given, with which the same audit can be run again.

    Attributes
    ----------
    detectors : tuple of RequestedDetector
        The detectors in the order in which they were named; the first decides.
    k_est : str, optional
        A number or a percentage, such as `10` or `20%`; None where the level decides.
    level : float, optional
        The false-discovery level, where it decides.
    layers : tuple of str
        Names, patterns or `all`; none for all layers that hold weights.
    fragment : str, optional
        kernel, filter, row or block:D; None for the default of each layer.
    excluded : tuple of str
        The ids of participants that were left out on request.
    names : tuple of str, optional
        The names of arrays without names.
    layout : str, optional
        The order of kernel axes in the files; None to take it from names and files.
    by_order : bool
        True if tensors were matched by their order and shapes, and not by their names.
    baseline : RequestedBaseline, optional
        The clean rounds of one's own.
    """

    detectors: tuple[RequestedDetector, ...]
    k_est: str | None = None
    level: float | None = None
    layers: tuple[str, ...] = ()
    fragment: str | None = None
    excluded: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    layout: str | None = None
    by_order: bool = False
    baseline: RequestedBaseline | None = None


class Method(Struct, frozen=True):
    """The way in which the result was found.

    Attributes
    ----------
    layers : tuple of str
        The layers that were examined, in model order.
    layer_choice : str
        `named` by the user, by a `pattern`, or `all`.
    requested : RequestedOptions
        The options that were given.
    seal_verified : bool
        True if every file that the seal lists was hashed again.
    inner_products : str, optional
        The source of the inner products of whole updates: `exact`, or a `sketch` of each; None
        where no detector needed them.
    k_est : int, optional
        The number k_est, for the detectors that count with it; None where there are none of these.
    """

    layers: tuple[str, ...]
    layer_choice: str
    requested: RequestedOptions
    seal_verified: bool = False
    inner_products: str | None = None
    k_est: int | None = None


class Decision(Struct, frozen=True):
    """The rule by which participants are named.

    Attributes
    ----------
    rule : str
        `level`: those whose p-values are so small that at most a share α of all who are named
        is expected to be honest (Benjamini and Hochberg, 1995). `top-k`: the k_est participants of
        highest score.
    detector : str
        The detector whose scores decide.
    alpha : float, optional
        The level α of the rule `level`.
    k_est : int, optional
        The number k_est of the rule `top-k`.
    margin : float
        The excess of the score, or share, of the last who is named over that of the next; 0
        where nobody is named.
    tie_at_cutoff : bool
        True if the two are equal, and the order of the ids decides.
    """

    rule: str
    detector: str
    alpha: float | None = None
    k_est: int | None = None
    margin: float = 0.0
    tie_at_cutoff: bool = False
