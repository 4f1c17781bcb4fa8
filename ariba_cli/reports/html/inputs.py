"""The files that were audited, with their hashes."""

from collections import Counter
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.reports.html.blocks import code, count, folded, note, section, table
from ariba_cli.reports.html.markup import Child
from ariba_cli.verdict import Input, Verdict
from ariba_cli.visible import visible

_MOST_OPEN = 12


def inputs_section(verdict: Verdict) -> Element:
    """Every file of the round: whose it is, whether it was audited, and its hashes."""
    inputs = verdict.inputs
    kinds = Counter(input_.status for input_ in inputs)
    summary = ", ".join(f"{number:,} {visible(kind)}" for kind, number in sorted(kinds.items()))
    text = (
        f"{count(len(inputs), 'file')}: {summary}. The sha256 of the tensors is of the bytes that "
        "were analysed; that of a whole file is as the seal has it."
    )
    files = _table(inputs)
    if len(inputs) > _MOST_OPEN:
        files = folded(f"All {count(len(inputs), 'file')} with hashes", files)
    return section("inputs", "Inputs", note(text), files)


def _table(inputs: Sequence[Input]) -> Element:
    sealed = any(input_.file_sha256 is not None for input_ in inputs)
    headers = ["participant", "file", "bytes", "status", "sha256 of the tensors"]
    if sealed:
        headers.append("sha256 of the file")
    return table(headers, (_row(input_, sealed) for input_ in inputs), right=(3,), kind="inputs")


def _row(input_: Input, sealed: bool) -> list[Child]:
    who = visible(input_.id) if input_.role == "participant" else f"({visible(input_.role)})"
    row: list[Child] = [
        who,
        visible(input_.path),
        "–" if input_.bytes is None else f"{input_.bytes:,}",
        visible(input_.status),
        _hash(input_.tensor_sha256),
    ]
    if sealed:
        row.append(_hash(input_.file_sha256))
    return row


def _hash(sha256: str | None) -> Child:
    return "–" if sha256 is None else code(visible(sha256))
