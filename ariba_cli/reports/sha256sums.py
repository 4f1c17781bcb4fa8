"""The seal of a round → the lines that `sha256sum -c` checks."""

from ariba_cli.errors import InputError
from ariba_cli.rounds.directory import Round
from ariba_cli.visible import visible

# How coreutils writes what would end a line, in a line that starts with a backslash.
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r"})


def sha256sums(round_: Round, *, for_terminal: bool) -> bytes:
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
    line = _line_to_see if for_terminal else _line
    lines = (line(path, file.sha256) for path, file in sorted(round_.manifest.files.items()))
    return "".join(lines).encode("utf-8", "surrogateescape")


def _line(path: str, sha256: str) -> str:
    escaped = path.translate(_ESCAPES)
    line = f"{sha256}  {escaped}\n"
    return line if escaped == path else "\\" + line


def _line_to_see(path: str, sha256: str) -> str:
    return f"{sha256}  {visible(path)}\n"
