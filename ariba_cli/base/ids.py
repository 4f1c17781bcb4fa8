"""The ids of participants: data that they chose themselves, and never paths."""

import hashlib
import re
from urllib.parse import quote

from ariba_cli.base.visible import harmless

# A pattern for what `file_stem` makes: names without controls, and without what is no Unicode.
_PLAIN = r"/\x00-\x1f\x7f-\x9f\ud800-\udfff"
PLAIN_STEM = f"[^.{_PLAIN}][^{_PLAIN}]*"

_LONGEST_STEM = 200


def id_order(identifier: str) -> bytes:
    """Return the key by which ids are ordered: their UTF-8 bytes."""
    return identifier.encode("utf-8", "surrogateescape")


def file_stem(identifier: str) -> str:
    """Return a file name, without its suffix, for the model of a participant.

    Ids may be any text. One that is visible and can name a file is kept. In others, everything
    except plain letters, digits, `-`, `_` and `.` is percent-encoded, and a result that is too
    long is hashed.

    >>> file_stem("site 1"), file_stem("../global")
    ('site 1', '%2E.%2Fglobal')
    """
    name = id_order(identifier)
    plain = re.fullmatch(PLAIN_STEM, identifier) and harmless(identifier) == identifier
    if plain and len(name) <= _LONGEST_STEM:
        return identifier
    stem = quote(name, safe="")
    if stem.startswith("."):
        stem = "%2E" + stem[1:]
    if len(stem) > _LONGEST_STEM:
        return hashlib.sha256(name).hexdigest()
    return stem.replace("~", "%7E")
