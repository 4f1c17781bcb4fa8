"""How a result came about: what was asked for, and by which rule suspects are named."""

from msgspec import Struct

from ariba_cli.base.parameters import Parameter


class RequestedDetector(Struct, frozen=True):
    """A detector as it was asked for.

    Attributes
    ----------
    name : str
        Its name in the registry.
    arguments : dict of str to Parameter
        What it was given beside its defaults.
    fit_sample : int, optional
        On how many fragments it was to be fitted, at most.
    """

    name: str
    arguments: dict[str, Parameter] = {}
    fit_sample: int | None = None


class RequestedBaseline(Struct, frozen=True):
    """Clean rounds of one's own, of which p-values come.

    Attributes
    ----------
    reports : tuple of str
        The `result_sha256` of the reports on them.
    participants : int
        How many honest participants they have.
    tails : dict of str to tuple of float
        Median, 95 % point and mean excess beyond it: by sign of −ln p, with p the chance by the
        built-in tails; and of `standing`.
    """

    reports: tuple[str, ...]
    participants: int
    tails: dict[str, tuple[float, float, float]]


class RequestedOptions(Struct, frozen=True):
    """What was chosen in so many words: with it the same audit can be run again.

    Attributes
    ----------
    detectors : tuple of RequestedDetector
        In the order in which they were named; the first decides.
    k_est : str, optional
        A number or a percentage, such as `10` or `20%`; none where the level decides.
    level : float, optional
        The false-discovery level, where it decides.
    layers : tuple of str
        Names, patterns or `all`; none for all layers that hold weights.
    fragment : str, optional
        kernel, filter, row or block:D; none for the default of each layer.
    excluded : tuple of str
        The ids of participants that were left out on request.
    names : tuple of str, optional
        What arrays without names are called.
    layout : str, optional
        How kernels lie in the files; none for what names and files say.
    by_order : bool
        Whether tensors were matched by their order and shapes, and not by their names.
    baseline : RequestedBaseline, optional
        Clean rounds of one's own.
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
    """How the result came about.

    Attributes
    ----------
    layers : tuple of str
        The layers that were examined, in model order.
    layer_choice : str
        `named` by the user, by a `pattern`, or `all`.
    seal_verified : bool
        Whether every file that the seal lists was hashed again.
    inner_products : str, optional
        How those of whole updates were found: `exact`, or from a `sketch` of each; none
        where no detector needed them.
    requested : RequestedOptions
        What was asked for.
    k_est : int, optional
        k̃, for the detectors that count with it; none where there is none of these.
    """

    layers: tuple[str, ...]
    layer_choice: str
    requested: RequestedOptions
    seal_verified: bool = False
    inner_products: str | None = None
    k_est: int | None = None


class Decision(Struct, frozen=True):
    """By which rule participants are named.

    Attributes
    ----------
    rule : str
        `level`: those whose p-values are so small that at most a share α of all who are named
        is expected to be honest (Benjamini and Hochberg, 1995). `top-k`: the k̃ participants of
        highest score.
    detector : str
        Whose scores decide.
    alpha : float, optional
        α, of the rule `level`.
    k_est : int, optional
        k̃, of the rule `top-k`.
    margin : float
        By how much the score, or share, of the last who is named exceeds that of the next; 0
        where nobody is named.
    tie_at_cutoff : bool
        Whether they are equal, and the order of the ids decides.
    """

    rule: str
    detector: str
    alpha: float | None = None
    k_est: int | None = None
    margin: float = 0.0
    tie_at_cutoff: bool = False
