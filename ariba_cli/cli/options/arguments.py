"""Options of the form `KEY=VALUE`, for any part that takes that key."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ariba_cli.base.errors import UsageError

if TYPE_CHECKING:
    from ariba_cli.base.parameters import Parameter

_WORDS = {"true": True, "false": False, "none": None}
_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)


def parse_arguments(texts: Sequence[str], option: str, example: str) -> "dict[str, Parameter]":
    """Return the arguments in texts of the form `key=value`.

    Parameters
    ----------
    texts : sequence of str
        The texts as they were written.
    option : str
        The option that they follow, for error messages.
    example : str
        A correct example.

    Raises
    ------
    UsageError
        When one is something else, or a key comes twice.
    """
    arguments: dict[str, Parameter] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"write arguments as key=value, such as {example}, not '{text}'")
        if key in arguments:
            raise UsageError(f"{option} gives '{key}' twice; give it once")
        arguments[key] = parse_value(value)
    return arguments


def parse_value(text: str) -> "Parameter":
    """Return the text as an integer, a number, true, false or none, else as it is.

    Raises
    ------
    UsageError
        When it is a number that float64 cannot hold.
    """
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise UsageError(f"'{text}' is too large a number")
        return number
    return text
