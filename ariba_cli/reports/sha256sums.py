"""The seal of a round, or the inputs of a report → the lines that `sha256sum -c` checks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ariba_cli.base.errors import InputError
from ariba_cli.base.visible import visible
from ariba_cli.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from ariba_cli.rounds.directory import Round

# How coreutils writes what would end a line, in a line that starts with a backslash.
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r"})


def sha256sums(round_: "Round", *, for_terminal: bool) -> bytes:
    """A line for every file that the seal lists.

    Parameters
    ----------
    for_terminal : whether somebody looks at it, instead of `sha256sum`, which wants every
        byte of every name.

    Raises
    ------
    InputError
        When the round has no sound seal.
    """
    if round_.manifest is None:
        reasons = "; ".join(finding.detail for finding in round_.findings)
        raise InputError(f"'{round_.root}' has no seal to print: {reasons}")
    hashes = {path: file.sha256 for path, file in round_.manifest.files.items()}
    return _lines(hashes, for_terminal=for_terminal)


def sha256sums_of_inputs(verdict: Verdict, *, for_terminal: bool) -> bytes:
    """A line for the file of every participant, and of the global model; see `sha256sums`.

    Raises
    ------
    InputError
        When the report does not have the hash of every whole file.
    """
    return _lines(hashes_of_inputs(verdict), for_terminal=for_terminal)


def hashes_of_inputs(verdict: Verdict) -> dict[str, str]:
    """The sha256 of every input, a whole file, by its path in the round.

    Raises
    ------
    InputError
        When the report does not have the hash of every whole file.
    """
    hashes: dict[str, str] = {}
    for one in verdict.inputs:
        if one.file_sha256 is None:
            raise InputError(
                f"the report has no hash of the whole file '{one.path}', as no seal of its round "
                "lists it; write the round again with ariba convert, and audit that"
            )
        hashes[one.path] = one.file_sha256
    return hashes


def _lines(hashes: Mapping[str, str], *, for_terminal: bool) -> bytes:
    line = _line_to_see if for_terminal else _line
    lines = (line(path, sha256) for path, sha256 in sorted(hashes.items()))
    return "".join(lines).encode("utf-8", "surrogateescape")


def _line(path: str, sha256: str) -> str:
    escaped = path.translate(_ESCAPES)
    line = f"{sha256}  {escaped}\n"
    return line if escaped == path else "\\" + line


def _line_to_see(path: str, sha256: str) -> str:
    return f"{sha256}  {visible(path)}\n"
