"""Untrusted JSON, parsed strictly: no duplicate names, no NaN, nothing beyond the standard."""

import json
from collections import Counter
from typing import Any, NoReturn

from ariba_cli.base.errors import RefusedFileError


def parse_object(data: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object in these bytes; `what` is their name in errors.

    Raises
    ------
    RefusedFileError
        When they hold no JSON object, or a name occurs twice in one.
    """
    try:
        found = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except _NameTwiceError as error:
        raise RefusedFileError(f"has {what} in which {error} occurs twice") from None
    except (ValueError, RecursionError) as error:
        raise RefusedFileError(
            f"has {what} that is not strict JSON ({type(error).__name__})"
        ) from None
    if not isinstance(found, dict):
        raise RefusedFileError(f"has {what} that is not a JSON object")
    return found


class _NameTwiceError(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise _NameTwiceError(repr(name[:80]))
    return entries


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)
