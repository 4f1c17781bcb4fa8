"""Results as text."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.results import Row, Table

_COLUMNS = 8


def table_text(table: Table) -> str:
    """Return one job as text: its title, a line per contestant, and the notes."""
    lines = [f"{table.job}: {table.title}"]
    if table.rows:
        lines += _aligned([_head(table), *(_cells(row) for row in table.rows)])
    return "\n".join([*lines, *table.notes]) + "\n"


def comparison_text(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Return a comparison of two documents, job by job: the new figures over the old ones."""
    before = {table["job"]: table for table in old["jobs"]}
    lines = [f"{_origin(new)}, compared with {_origin(old)}"]
    for table in new["jobs"]:
        known = {row["name"]: row for row in before.get(table["job"], {"rows": []})["rows"]}
        pairs = [(known[row["name"]], row) for row in table["rows"] if row["name"] in known]
        measured = [_compared(*pair) for pair in pairs if all(row["seconds"] for row in pair)]
        if measured:
            head = _compared_head(table["beside"])
            lines += ["", f"{table['job']}: {table['title']}", *_aligned([head, *measured])]
    return "\n".join(lines) + "\n"


def _head(table: Table) -> tuple[str, ...]:
    rate = "rounds/min" if any(row.rounds for row in table.rows) else "GB/s"
    return ("", "seconds", "first", rate, f"× {table.beside}", "peak MB", "imports s", "")


def _compared_head(beside: str) -> tuple[str, ...]:
    return ("", "seconds", "before", "ratio", f"× {beside}", "before", "peak MB", "before")


def _cells(row: Row) -> tuple[str, ...]:
    words = f"failed: {row.failure}" if row.failure else row.marks
    if not row.seconds:
        return (row.name, *[""] * (_COLUMNS - 2), words)
    return (
        row.name,
        f"{row.typical:.3f}",
        f"{row.seconds[0]:.3f}",
        _rate(row),
        _number(row.ratio, ".1f"),
        _megabytes(row.peak),
        _number(row.imports, ".2f"),
        words,
    )


def _compared(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    return (
        new["name"],
        f"{new['typical']:.3f}",
        f"{old['typical']:.3f}",
        f"{new['typical'] / old['typical']:.2f}",
        _number(new["ratio"], ".1f"),
        _number(old["ratio"], ".1f"),
        _megabytes(new["peak"]),
        _megabytes(old["peak"]),
    )


def _origin(document: dict[str, Any]) -> str:
    machine = document["machine"]
    return (
        f"{machine['commit']} ({machine['cpu']}, {machine['cores']} cores, {document['started']})"
    )


def _rate(row: Row) -> str:
    if row.rounds:
        return _number(row.rounds_per_minute, ".1f")
    return _number(row.rate / 1e9 if row.bytes else None, ".2f")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _megabytes(value: int | None) -> str:
    return "" if value is None else f"{value / 1e6:,.0f}"


def _aligned(cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines with the words of the first and last columns to the left, the rest right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        first, *figures, last = row
        middle = [text.rjust(width) for text, width in zip(figures, widths[1:], strict=False)]
        yield "  ".join([first.ljust(widths[0]), *middle, last]).rstrip()
