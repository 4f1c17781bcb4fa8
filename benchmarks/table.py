"""Results as text."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.results import Row, Table

_HEAD = ("", "seconds", "first", "GB/s", "× pread", "peak MB", "imports s", "")
_COMPARED = ("", "seconds", "before", "ratio", "× pread", "before", "peak MB", "before")


def table_text(table: Table) -> str:
    """One job: its title, a line per contestant, and what else there is to say."""
    lines = [f"{table.job}: {table.title}"]
    if table.rows:
        lines += _aligned([_HEAD, *(_cells(row) for row in table.rows)])
    return "\n".join([*lines, *table.notes]) + "\n"


def comparison_text(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Two documents, job by job: what is in both, and the new figures over the old."""
    before = {table["job"]: table for table in old["jobs"]}
    lines = [f"{_origin(new)}, compared with {_origin(old)}"]
    for table in new["jobs"]:
        known = {row["name"]: row for row in before.get(table["job"], {"rows": []})["rows"]}
        pairs = [(known[row["name"]], row) for row in table["rows"] if row["name"] in known]
        measured = [_compared(*pair) for pair in pairs if all(row["seconds"] for row in pair)]
        if measured:
            lines += ["", f"{table['job']}: {table['title']}", *_aligned([_COMPARED, *measured])]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    if not row.seconds:
        return (row.name, *[""] * (len(_HEAD) - 2), f"failed: {row.failure}")
    return (
        row.name,
        f"{row.typical:.3f}",
        f"{row.seconds[0]:.3f}",
        _number(row.rate / 1e9 if row.bytes else None, ".2f"),
        _number(row.ratio, ".1f"),
        _megabytes(row.peak),
        _number(row.imports, ".2f"),
        f"failed: {row.failure}" if row.failure else row.marks,
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


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _megabytes(value: int | None) -> str:
    return "" if value is None else f"{value / 1e6:,.0f}"


def _aligned(cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first column and a last one in words to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        first, *figures, last = row
        middle = [text.rjust(width) for text, width in zip(figures, widths[1:], strict=False)]
        yield "  ".join([first.ljust(widths[0]), *middle, last]).rstrip()
