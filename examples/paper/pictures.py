"""Pictures of cells, as PNG and SVG. Needs matplotlib."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from examples.paper.cells import Collected, Scored, mean
from examples.paper.published import FIGURE_6A, FIGURES_7, Experiment
from examples.paper.tables import scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Dark and light enough to be told apart in grey.
_DARK, _LIGHT, _WARM = "#12355b", "#9ec1dd", "#e09f3e"
# The same file for the same numbers.
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "ariba",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
}
_DOTS_PER_INCH = 150

# A panel of Fig. 7: its title, and its lines by what they are called and measure.
_PANELS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("C", (("ours", "confidence"),)),
    (r"$P_m$%", (("ours", "p_m"),)),
    ("X'%", (("ours", "backdoor"), ("ours, pruned", "pruned_backdoor"))),
    ("accuracy", (("ours", "accuracy"), ("ours, pruned", "pruned_accuracy"))),
)
# Of the first line and of the second.
_LINES: tuple[dict[str, Any], ...] = (
    {"color": _DARK, "marker": "o", "linestyle": "-"},
    {"color": _WARM, "marker": "s", "linestyle": "--"},
)
_PAPER_MARKERS = ("D", "^")
# By how much two lines are moved apart, as a share of the mean step between values.
_APART = 0.08
# More names than this are written upwards.
_NAMES_ACROSS = 6


def draw_all(collected: Collected, folder: Path) -> None:
    """Write a picture for every figure that has any data."""
    with mpl.rc_context(_STYLE):
        shown = scores(collected)
        if any(shown.values()):
            _save(_bars(shown, _k_est(collected)), folder / FIGURE_6A.name)
        for figure in FIGURES_7:
            if any(cell.experiment == figure.name for cell in collected.cells):
                _save(_curves(collected, figure), folder / figure.name)


def _k_est(collected: Collected) -> int | None:
    found = (cell.k_est for cell in collected.cells if cell.experiment == FIGURE_6A.name)
    return next(found, None)


def _bars(shown: dict[str, tuple[Scored, ...]], k_est: int | None) -> Figure:
    """Return a figure of the shares of all participants, highest first, a panel for each round."""
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    panels = figure.subplots(len(shown), 1, sharey=True)
    for axes, (name, ranking) in zip(panels, shown.items(), strict=True):
        places = range(len(ranking))
        axes.bar(
            places,
            [one.share for one in ranking],
            color=[_DARK if one.compromised else _LIGHT for one in ranking],
            edgecolor=_DARK,
            linewidth=0.5,
        )
        axes.set_xticks(places, [one.name for one in ranking], rotation=90, fontsize=7)
        axes.set_xlim(-0.8, max(len(ranking), 1) - 0.2)
        axes.set_ylim(0, 1.05)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("share of marked fragments")
        axes.set_title(f"{name} round", loc="left", fontsize=10)
        if k_est is not None and ranking:
            _say_what_was_expected(axes, k_est, len(ranking))
    panels[-1].set_xlabel("participant")
    _explain_bars(panels[0])
    return figure


def _say_what_was_expected(axes: "Axes", k_est: int, participants: int) -> None:
    axes.axhline(k_est / participants, color="black", linestyle=":", linewidth=1)
    axes.axvline(k_est - 0.5, color="black", linestyle="--", linewidth=1)
    # To the right of the line, where bars are low.
    axes.annotate(f"← {k_est} suspects", (k_est - 0.3, 1.0), ha="left", va="top", fontsize=8)
    axes.annotate(
        f"k_est/n = {k_est / participants:g}",
        (participants - 0.4, k_est / participants + 0.02),
        ha="right",
        va="bottom",
        fontsize=8,
    )


def _explain_bars(axes: "Axes") -> None:
    from matplotlib.patches import Patch

    axes.legend(
        handles=[
            Patch(facecolor=_DARK, edgecolor=_DARK, label="compromised"),
            Patch(facecolor=_LIGHT, edgecolor=_DARK, label="honest"),
        ],
        loc="upper right",
        frameon=False,
    )


def _curves(collected: Collected, experiment: Experiment) -> Figure:
    """Return a figure with a panel for each measure, so that no curve lies on another's."""
    values = collected.values(experiment)
    places = _places(values)
    step = (max(places) - min(places)) / max(1, len(places) - 1)
    upright = experiment.varied == "layer" and len(values) > _NAMES_ACROSS
    figure = Figure(figsize=(12 if upright else 10, 3.6 if upright else 2.9), layout="constrained")
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    for axes, (title, lines) in zip(panels, _PANELS, strict=True):
        shown = lines if experiment.pruned else lines[:1]
        for number, ((name, measure), look) in enumerate(zip(shown, _LINES, strict=False)):
            apart = _APART * step * (2 * number - len(shown) + 1)
            numbers = [collected.numbers(experiment, value, measure) for value in values]
            _draw_line(axes, [place + apart for place in places], numbers, name, look)
        for (name, measure), marker in zip(shown, _PAPER_MARKERS, strict=False):
            name = f"{name.replace('ours', 'paper')} (Table 1)"
            points = {
                places[values.index(value)]: printed[measure]
                for value, printed in experiment.printed.items()
            }
            _draw_paper(axes, points, name, marker)
        axes.set_title(title)
        axes.set_xlabel(experiment.varied)
        axes.set_xticks(places, values)
        if upright:
            axes.tick_params(axis="x", rotation=90, labelsize=7)
        axes.set_xlim(min(places) - 0.4 * step, max(places) + 0.4 * step)
        axes.set_ylim(-0.05, 1.08)
    # The panel that has the most kinds of lines speaks for all.
    handles, labels = panels[2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return figure


def _places(values: Sequence[str]) -> list[float]:
    """Return the places of values on their axis: numbers by value, names one after the other."""
    try:
        return [float(value) for value in values]
    except ValueError:
        return [float(place) for place in range(len(values))]


def _draw_line(
    axes: "Axes",
    places: Sequence[float],
    numbers: Sequence[Sequence[float]],
    name: str,
    look: dict[str, Any],
) -> None:
    """Draw the means over the seeds, with lowest and highest as error bars."""
    there = [(place, some) for place, some in zip(places, numbers, strict=True) if some]
    means = [mean(some) for _, some in there]
    below = [max(0.0, middle - min(some)) for middle, (_, some) in zip(means, there, strict=True)]
    above = [max(0.0, max(some) - middle) for middle, (_, some) in zip(means, there, strict=True)]
    axes.errorbar(
        [place for place, _ in there],
        means,
        yerr=[below, above],
        label=name,
        capsize=2.5,
        markersize=4.5,
        linewidth=1.3,
        **look,
    )


def _draw_paper(axes: "Axes", points: dict[float, float], name: str, marker: str) -> None:
    axes.scatter(
        list(points),
        list(points.values()),
        s=80,
        marker=marker,
        facecolors="none",
        edgecolors="black",
        linewidths=1,
        label=name,
        zorder=3,
    )


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path.with_suffix(".png"), dpi=_DOTS_PER_INCH)
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
