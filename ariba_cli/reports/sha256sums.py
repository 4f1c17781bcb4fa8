"""The seal of a round, or the inputs of a report → the lines that `sha256sum -c` checks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import BROKEN_SEAL
from ariba_cli.base.visible import visible
from ariba_cli.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from ariba_cli.rounds.directory import Round

# How coreutils writes what would end a line, in a line that starts with a backslash.
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r"})


def sha256sums(round_: "Round", *, for_terminal: bool) -> bytes:
    """Return a line for every file that the seal lists.

    Parameters
    ----------
    round_ : Round
        The round that has the seal.
    for_terminal : bool
        True to write for a reader; False for `sha256sum`, which wants every byte of every
        name.

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
    """Return a line for the file of every participant, and of the global model.

    Raises
    ------
    InputError
        When the hashes are not known; see `hashes_of_inputs`.
    """
    return _lines(hashes_of_inputs(verdict), for_terminal=for_terminal)


def hashes_of_inputs(verdict: Verdict) -> dict[str, str]:
    """Return the sha256 of every input, a whole file, by its path in the round.

    The hashes are those of the seal. They vouch for the files that the audit read only if it has
    verified them.

    Raises
    ------
    InputError
        When the audit has not verified the seal, has found it broken, or the seal does not list
        every file.
    """
    broken = next((one for one in verdict.findings if one.kind in BROKEN_SEAL), None)
    if broken is not None:
        raise InputError(
            f"the seal of the round is broken: {broken.detail}; repair the round, and audit it "
            "with --verify-seal"
        )
    hashes: dict[str, str] = {}
    for one in verdict.inputs:
        if one.file_sha256 is None:
            raise InputError(
                f"the report has no hash of the whole file '{one.path}', as no seal of its round "
                "lists it; write the round again with ariba convert, and audit that with "
                "--verify-seal"
            )
        hashes[one.path] = one.file_sha256
    if not verdict.method.seal_verified:
        raise InputError(
            "the report only repeats what the seal of its round says, as nobody hashed the files; "
            "audit the round with --verify-seal"
        )
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
