"""Entries of a round that are not updates: litter, and models of several rounds."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.base.examples import first_few
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.files.opening import open_folder
from ariba_cli.formats import holds_model, is_recognised
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.contents import Contents
from ariba_cli.rounds.members import Member

# More names than these are counted.
_MOST_NAMED = 5

# What systems leave behind, wherever somebody looked into a folder.
_OF_SYSTEMS = (
    r"\..*|(eh)?thumbs\.db(:.*)?|desktop\.ini|icon\r|lost\+found|found\.\d+"
    r"|@eadir|@recycle|#recycle"
)
# What editors and programs leave behind, and what people write beside their data.
_ENDINGS = (
    "log|txt|md|rst|csv|tsv|json|jsonl|yaml|yml|toml|ini|cfg|conf|xml|py|ipynb|sh|png|jpe?g|svg|"
    "gif|webp|mp4|html?|css|js|pdf|docx?|xlsx?|pptx?|lnk|url|webloc|diff|patch|rej|lock|pid|bak|orig|tmp|temp|part|crdownload|swp|swo|out|err|md5|sha256|sha512|sig|asc"
)
_SYSTEM_LITTER = re.compile(_OF_SYSTEMS, re.IGNORECASE | re.DOTALL)
_LITTER = re.compile(
    rf"{_OF_SYSTEMS}|.*~|~\$.*|#.*#"
    r"|__macosx|\$recycle\.bin|system volume information|__pycache__|wandb|mlruns|tensorboard"
    r"|(lightning_)?logs?|core\.\d+|citation\.cff"
    r"|(readme|license|licence|notice|changelog|makefile|dockerfile|md5sums|sha256sums)"
    r"|events\.out\.tfevents.*|.*\.log\..*"
    rf"|.*\.({_ENDINGS})",
    re.IGNORECASE | re.DOTALL,
)

# What stands before the number of a round in the name of a model.
_OF_A_ROUND = re.compile(
    r"(?<![a-z])(round|rnd|epoch|iteration|iter|step|checkpoint|ckpt)[ _.-]*([0-9]{1,9})(?![0-9])",
    re.IGNORECASE,
)
# A model of a server with one number, whatever that counts.
_OF_A_SERVER = re.compile(
    r"[^0-9]*(global|aggregat|server[^0-9]*(?:model|weight|param|state))[^0-9]*([0-9]{1,9})[^0-9]*",
    re.IGNORECASE,
)


def litter_in(
    root: Path, contents: Contents, entries: Sequence[str], terms: ReadOptions
) -> list[str]:
    """Return the entries of a round that are nobody's update.

    They have names of litter, or are empty folders. A model, or a file that might be a damaged
    one, is never among them.

    Parameters
    ----------
    root : Path
        The directory of the round.
    contents : Contents
        The contents of the directory.
    entries : Sequence[str]
        The entries that may be updates.
    terms : ReadOptions
        The terms under which files are opened.
    """
    return [
        entry
        for entry in entries
        if (
            _is_litter_folder(root / entry, terms)
            if entry in contents.folders
            else _is_litter(root / entry, terms)
        )
    ]


def litter_in_words(litter: Sequence[str]) -> Iterator[Finding]:
    """Yield one finding for all of the litter, if there is any."""
    if litter:
        what = "is not an update" if len(litter) == 1 else "are not updates"
        detail = f"{first_few(litter, _MOST_NAMED)} {what}: skipped"
        yield Finding(FindingKind.NO_UPDATES, detail, facts={"entries": len(litter)})


def check_no_cache(path: Path, entries: Sequence[str]) -> None:
    """Refuse the cache of a hub, in which files are links and lie two folders deeper.

    Raises
    ------
    InputError
        When the directory holds the folders of a cache, and nothing else.
    """
    if {"blobs", "snapshots"} <= set(entries) <= {"blobs", "snapshots", "refs"}:
        raise InputError(
            f"'{path}' is a Hugging Face cache, which consists of links; copy the files behind "
            f"them with cp -rL {path / 'snapshots'}/REVISION DIR, and give DIR"
        )


def several_rounds(members: Sequence[Member]) -> Iterator[Finding]:
    """Yield a finding when the names of models contain the numbers of several rounds.

    A server that keeps the model of each round in one folder has as many files as a round has
    updates.
    """
    found = {member.id: _number(member.id) for member in members}
    numbered = [name for name, number in found.items() if number is not None]
    rounds = {number for number in found.values() if number is not None}
    if len(rounds) > 1 and 2 * len(numbered) > len(members):
        yield Finding(
            FindingKind.SEVERAL_ROUNDS,
            f"{first_few(numbered, _MOST_NAMED)} look by their names like models of "
            f"{len(rounds):,} rounds, but are audited as the updates of one; give a folder "
            "with the updates of one round",
            facts={"rounds": len(rounds)},
        )


def _is_litter(path: Path, terms: ReadOptions) -> bool:
    return _LITTER.fullmatch(path.name) is not None and not is_recognised(path, terms)


def _is_litter_folder(path: Path, terms: ReadOptions) -> bool:
    """Return whether a folder holds only system litter, or has a litter name and no model."""
    try:
        names = open_folder(path, terms.limits).names
    except RefusedFileError:
        return False
    if not (_LITTER.fullmatch(path.name) or all(map(_SYSTEM_LITTER.fullmatch, names))):
        return False
    return not holds_model(path, terms)


def _number(name: str) -> int | None:
    """Return the number of the round in a name; None if it has none."""
    found = _OF_A_ROUND.findall(name)
    if found:
        return int(found[-1][1])
    of_server = _OF_A_SERVER.fullmatch(name)
    return int(of_server[2]) if of_server else None
