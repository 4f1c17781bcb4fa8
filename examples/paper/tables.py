"""Tables of cells in markdown."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from examples.paper.cells import Collected, Scored, mean
from examples.paper.published import DATASETS, FIGURE_6A, FIGURES_7, TABLE_1, Experiment

MISSING = "–"

# The columns of Table 1 after the first two, and by how much a number is multiplied.
_COLUMNS_1 = (
    ("accuracy", "accuracy", 100),
    ("X'%", "backdoor", 1),
    ("accuracy, pruned", "pruned_accuracy", 100),
    ("X'%, pruned", "pruned_backdoor", 1),
    ("C", "confidence", 1),
    ("C over k̃·m", "confidence_paper", 1),
    ("P_m%", "p_m", 1),
)
_COLUMNS_7 = (
    ("C", "confidence", 1),
    ("P_m%", "p_m", 1),
    ("X'%", "backdoor", 1),
    ("accuracy", "accuracy", 100),
)
_COLUMNS_7_PRUNED = (
    ("X'%, pruned", "pruned_backdoor", 1),
    ("accuracy, pruned", "pruned_accuracy", 100),
)


def all_tables(collected: Collected) -> dict[str, str]:
    """Return every table, by the name of its experiment."""
    return {
        TABLE_1.name: table_1(collected),
        FIGURE_6A.name: figure_6a(collected),
        **{figure.name: figure_7(collected, figure) for figure in FIGURES_7},
    }


def table_1(collected: Collected) -> str:
    """Return for each attack the paper's row, ours over all seeds, and a row for each seed."""
    rows = []
    for attack in collected.values(TABLE_1):
        cells = collected.of(TABLE_1, attack)
        printed = TABLE_1.printed.get(attack, {})
        rows.append(
            [f"{attack}, {DATASETS.get(attack, MISSING)}", "paper"]
            + [_plain(printed.get(measure), scale) for _, measure, scale in _COLUMNS_1]
        )
        rows.append(
            ["", _seeds(len(cells))]
            + [
                spread(collected.numbers(TABLE_1, attack, measure), scale)
                for _, measure, scale in _COLUMNS_1
            ]
        )
        rows.extend(
            ["", f"seed {cell.seed}"]
            + [_plain(cell.measure(measure), scale) for _, measure, scale in _COLUMNS_1]
            for cell in cells
        )
    return markdown(["attack", "who", *(title for title, _, _ in _COLUMNS_1)], rows)


def figure_6a(collected: Collected) -> str:
    """Return the participants of one attacked round and of the same round while it was honest."""
    shown = scores(collected)
    heads = [f"{value}{end}" for value in FIGURE_6A.values for end in ("", ": score", ": share")]
    rows = [
        [str(rank), *(text for one in both for text in _scored(one))]
        for rank, both in enumerate(zip_longest(*shown.values()), 1)
    ]
    return markdown(["rank", *heads], rows or [[MISSING] * (1 + len(heads))])


def scores(collected: Collected) -> dict[str, tuple[Scored, ...]]:
    """Return the rankings of the attacked and of the clean round, of the first seed there is."""
    found = {value: collected.of(FIGURE_6A, value) for value in FIGURE_6A.values}
    return {value: cells[0].ranking if cells else () for value, cells in found.items()}


def figure_7(collected: Collected, figure: Experiment) -> str:
    """Return a row for each value of the varied quantity."""
    columns = _COLUMNS_7 + (_COLUMNS_7_PRUNED if figure.pruned else ())
    rows = [
        [value, str(len(collected.of(figure, value)) or MISSING)]
        + [
            spread(collected.numbers(figure, value, measure), scale)
            for _, measure, scale in columns
        ]
        for value in collected.values(figure)
    ]
    return markdown([figure.varied, "seeds", *(title for title, _, _ in columns)], rows)


def spread(numbers: Sequence[float], scale: int = 1) -> str:
    """Return the mean, with the lowest and the highest."""
    if not numbers:
        return MISSING
    middle = _plain(mean(numbers), scale)
    if len(numbers) == 1:
        return middle
    return f"{middle} [{_plain(min(numbers), scale)}–{_plain(max(numbers), scale)}]"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _plain(number: float | None, scale: int) -> str:
    return MISSING if number is None else f"{number * scale:.2f}"


def _seeds(count: int) -> str:
    return {0: "ours", 1: "ours, 1 seed"}.get(count, f"ours, {count} seeds")


def _scored(one: Scored | None) -> list[str]:
    if one is None:
        return [MISSING] * 3
    name = f"**{one.name}**, compromised" if one.compromised else one.name
    return [name, str(one.score), f"{one.share:.3f}"]
