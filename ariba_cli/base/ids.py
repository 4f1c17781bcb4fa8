"""Ids of participants: data that they chose themselves, and never paths."""

import hashlib
from urllib.parse import quote

# A pattern for what `file_stem` makes.
PLAIN_STEM = "[A-Za-z0-9%_.-]+"

_LONGEST_STEM = 200


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
