"""The files that were audited, with their hashes."""

from collections import Counter
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import code, count, folded, note, section, table
from ariba_cli.reports.html.markup import Child, append, element
from ariba_cli.verdicts.verdict import Input, Verdict

_MOST_OPEN = 12


def inputs_section(verdict: Verdict) -> Element:
    """Return every file of the round: its sender, whether it was audited, and its hashes."""
    inputs = verdict.inputs
    kinds = Counter(input_.status for input_ in inputs)
    statuses = ", ".join(f"{number:,} {visible(kind)}" for kind, number in sorted(kinds.items()))
    text = (
        f"{count(len(inputs), 'file')}: {statuses}. The sha256 of the tensors covers the analysed "
        "bytes; that of a whole file comes from the seal."
    )
    files = _table(inputs)
    if len(inputs) > _MOST_OPEN:
        summary = f"All {count(len(inputs), 'file')} with hashes"
        files = folded(summary, files, rows=len(inputs))
    return section("inputs", "Inputs", note(text), files)


def _table(inputs: Sequence[Input]) -> Element:
    headers = ("participant", "file", "bytes", "status", "sha256")
    return table(headers, map(_row, inputs), right=(3,), kind="inputs")


def _row(input_: Input) -> tuple[Child, ...]:
    who = visible(input_.id) if input_.role == "participant" else f"({visible(input_.role)})"
    return (
        who,
        element("span", {"class": "name"}, visible(input_.path)),
        "–" if input_.bytes is None else f"{input_.bytes:,}",
        visible(input_.status),
        _hashes(input_),
    )


def _hashes(input_: Input) -> Element:
    """Return the hashes that are known, a line each."""
    node = element("td", {})
    for what, sha256 in (("tensors", input_.tensor_sha256), ("file", input_.file_sha256)):
        if sha256 is not None:
            append(node, element("div", {}, f"{what} ", code(visible(sha256))))
    if not len(node):
        append(node, "–")
    return node
