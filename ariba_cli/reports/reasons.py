"""The reasons for a flag, and the signs that a round could not show, in sentences."""

from collections.abc import Callable

from ariba_cli.base.examples import first_few
from ariba_cli.base.visible import visible
from ariba_cli.verdicts.ranked import Ranked, Reason
from ariba_cli.verdicts.verdict import Verdict

# How a reader names each sign, and what it shows of whoever has it.
SIGNS = {
    "along": ("along the model", "{verb} the weights of the global model"),
    "same": ("alike", "points the same way as {others}"),
    "group": ("close group", "stays apart from the rest together with {others}"),
    "beyond": ("alike beyond classes", "is like {others} beyond their mix of classes"),
    "push": ("pushes a class", "pulls all its corrections for class {label} one way"),
    "nonsoftmax": ("not by cross-entropy", "was not trained by cross-entropy alone"),
    "profile": ("shares of layers", "moved its layers in other proportions than the others did"),
    "units": (
        "shares of units",
        "moved inputs or outputs in other proportions than the others did",
    ),
    "size": ("size", "is unusually long"),
}
# What the number is, and how it is written.
_MEASURES: dict[str, Callable[[float], str]] = {
    "apart": lambda value: f"gap {value:.2g}",
    "cosine": lambda value: f"cosine {value:.2f}",
    "times-median": lambda value: f"{value:.3g} times the median length",
    "agreement": lambda value: f"agreement {value:.2f}",
    "mean-agreement": lambda value: f"mean agreement {value:.2f}",
    "share": lambda value: f"share of the length {value:.2f}",
    "distance": lambda value: f"distance {value:.3g}",
    "mean-deviation": lambda value: f"mean deviation {value:.2g}",
    "relative-sum": lambda value: f"sum over classes {value:.2g}",
}
_WHY_UNSEEN = {
    "no-global-model": "the global model is missing",
    "no-output-layer": "no output layer was found",
    "not-softmax": "the updates of the output layer do not sum to zero over the classes",
    "not-plain-descent": "the training was not by plain gradient descent",
    "nothing-to-compare": "there was nothing to compare",
}
_MOST_REASONS = 3
_MOST_NAMED = 4


def reasons_in_words(ranked: Ranked, shown: Callable[[str], str] = visible) -> str:
    """Return the first reasons against a participant as one sentence, without its name.

    Parameters
    ----------
    ranked : Ranked
        The participant.
    shown : callable, optional
        The function that makes a name safe for its place.
    """
    said = [reason_in_words(one, shown) for one in ranked.reasons[:_MOST_REASONS]]
    more = len(ranked.reasons) - len(said)
    return "; ".join([*said, *([f"and {more} more"] if more > 0 else [])])


def reason_in_words(reason: Reason, shown: Callable[[str], str] = visible) -> str:
    """Return one reason: its sign, its layer, its number, and that of the honest."""
    most = _MOST_NAMED - (len(reason.alike) > _MOST_NAMED)
    others = first_few(list(map(shown, reason.alike)), most) or "others"
    verb = "shrinks" if reason.value < reason.honest_range[0] else "inflates"
    said = SIGNS.get(reason.family, (reason.family, reason.family))[1].format(
        verb=verb, others=others, label=reason.label
    )
    where = "" if reason.layer is None else f" in {shown(reason.layer)}"
    return f"{said}{where} ({value_in_words(reason)}; {_usual_in_words(reason)})"


def value_in_words(reason: Reason) -> str:
    """Return the measured value, with its name."""
    written = _MEASURES.get(reason.statistic)
    return f"{reason.statistic} {reason.value:.3g}" if written is None else written(reason.value)


def sign_in_words(family: str) -> str:
    """Return the name of a sign for readers."""
    return SIGNS.get(family, (family, ""))[0]


def unseen_in_words(verdict: Verdict) -> list[str]:
    """Return the signs that the round could not show, a sentence for each cause."""
    if verdict.calibration is None:
        return []
    by_cause: dict[str, list[str]] = {}
    for sign, cause in verdict.calibration.unseen.items():
        by_cause.setdefault(cause, []).append(sign_in_words(sign))
    return [
        f"Signs that this round could not show ({', '.join(signs)}): "
        f"{_WHY_UNSEEN.get(cause, cause)}."
        for cause, signs in by_cause.items()
    ]


def calibration_in_words(verdict: Verdict) -> list[str]:
    """Return the basis of the p-values."""
    found = verdict.calibration
    if found is None:
        return []
    source = "the clean rounds that come with ariba"
    baseline = verdict.method.requested.baseline
    if baseline is not None:
        count = len(baseline.reports)
        source = f"{count:,} clean round{'' if count == 1 else 's'} of your own"
    return [
        f"The p-values come from {found.participants:,} honest participants of {source}, and hold "
        "for similar rounds."
    ]


def _usual_in_words(reason: Reason) -> str:
    """Return the range of the values of the usual participants."""
    least, largest = (f"{value:.2g}" for value in reason.honest_range)
    return f"the others at most {largest}" if reason.alike else f"the others {least} to {largest}"
