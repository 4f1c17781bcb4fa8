"""Who is in a round: which of its files and folders are whose update."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from ariba_cli.rounds.contents import PARTICIPANTS, Contents
from ariba_cli.rounds.formats import parts
from ariba_cli.rounds.model import Terms

GLOBAL_STEM = "global"

# What `file_stem` makes.
PLAIN_STEM = "[A-Za-z0-9%_.-]+"

_LONGEST_STEM = 200


@dataclass(frozen=True)
class Member:
    """A model of a round.

    Attributes
    ----------
    id : the participant's id: the stem of its file's name, the name of its folder, or of
        its group in a file for the whole round. It is data, never a path.
    path : where its file or folder is, relative to the round, with `/`.
    group : its group, in a file for the whole round.
    """

    id: str
    path: str
    group: str | None = None


def id_order(identifier: str) -> bytes:
    """The key by which ids are ordered: their UTF-8 bytes."""
    return identifier.encode("utf-8", "surrogateescape")


def file_stem(identifier: str) -> str:
    """A file name, without its suffix, for what a participant sent.

    Ids may be anything: whatever is no plain letter, digit, `-`, `_` or `.` is percent-encoded,
    and what is then too long for a file name is hashed.

    >>> file_stem("p00"), file_stem("../global")
    ('p00', '%2E.%2Fglobal')
    """
    stem = quote(id_order(identifier), safe="")
    if stem.startswith("."):
        stem = "%2E" + stem[1:]
    if len(stem) > _LONGEST_STEM:
        return hashlib.sha256(id_order(identifier)).hexdigest()
    return stem.replace("~", "%7E")


def find_members(
    root: Path, contents: Contents, models: Iterable[str], terms: Terms
) -> tuple[Member | None, list[Member]]:
    """The global model and the participants, these in the order of their ids.

    Parameters
    ----------
    models : those of the contents that are updates, as far as can be told by their names.
    """
    found = sorted(models)
    called_global = [p for p in found if _id(p, contents) == GLOBAL_STEM and "/" not in p]
    # Of several it is not known which is the global model: all are shown as participants.
    sent_out = Member(GLOBAL_STEM, called_global[0]) if len(called_global) == 1 else None
    sent = [path for path in found if sent_out is None or path != sent_out.path]
    if len(sent) == 1 and sent[0] not in contents.folders:
        inside = members_of_file(root, sent[0], terms)
        if inside is not None:
            return sent_out or inside[0], inside[1]
    return sent_out, _participants(sent, contents)


def members_of_file(
    root: Path, path: str, terms: Terms
) -> tuple[Member | None, list[Member]] | None:
    """The same for one file that holds the whole round; None when it does not."""
    groups = parts(root / path, "/", terms)
    if not groups:
        return None
    sent_out = Member(GLOBAL_STEM, path, GLOBAL_STEM) if GLOBAL_STEM in groups else None
    sent = [group for group in groups if group != GLOBAL_STEM]
    if sent == [PARTICIPANTS]:
        sent = [f"{PARTICIPANTS}/{group}" for group in parts(root / path, PARTICIPANTS, terms)]
    members = [Member(PurePosixPath(group).name, path, group) for group in sent]
    return sent_out, _ordered(members)


def _participants(paths: list[str], contents: Contents) -> list[Member]:
    """Name them; where the short names of several are the same, by their whole names."""
    short = Counter(_id(path, contents) for path in paths)
    members = [
        Member(name if short[name := _id(path, contents)] == 1 else Path(path).name, path)
        for path in paths
    ]
    if len({member.id for member in members}) < len(members):
        members = [Member(path, path) for path in paths]
    return _ordered(members)


def _ordered(members: list[Member]) -> list[Member]:
    return sorted(members, key=lambda member: id_order(member.id))


def _id(path: str, contents: Contents) -> str:
    return Path(path).name if path in contents.folders else Path(path).stem
