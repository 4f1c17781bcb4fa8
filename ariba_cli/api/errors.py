"""Errors in Python: where a message names an option of the command, they name the argument."""

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from ariba_cli.base.errors import AribaError

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Options whose argument has another name. The others differ in their dashes alone.
_OTHER_NAMES = {"detector": "detectors", "global": "global_model", "layer": "layers"}
# A command that the message tells the user to run, which stays as it is.
_COMMAND = r"\b(?:ariba|dask) [a-z][^;,()]*"
# Options with a value that a message can propose.
_VALUE = (
    r"--(?P<key>detector|device|fragment) "
    r"(?P<value>(?:panel|cpu|pyod:|block:|kernel|filter|row)\S*)"
)
_ARGUMENT = r"--detector-arg (?P<name>\w+)=(?P<number>\w+)"
_OPTION = r"--(?P<option>[a-z][a-z0-9-]*)"
_WORDS = re.compile("|".join((_COMMAND, _VALUE, _ARGUMENT, _OPTION)))


def in_python(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return a function whose errors name its arguments, and not the options of the command.

    Parameters
    ----------
    function : callable
        The function, which the command calls as well.
    """

    @wraps(function)
    def called(*given: _P.args, **named: _P.kwargs) -> _R:
        try:
            return function(*given, **named)
        except AribaError as error:
            error.args = (arguments_for_options(str(error)), *error.args[1:])
            raise

    return called


def arguments_for_options(message: str) -> str:
    """Return a message with the name of an argument in the place of each option.

    Examples
    --------
    >>> arguments_for_options("leave out --layer, or use --detector panel")
    "leave out layers, or use detectors='panel'"
    """
    return _WORDS.sub(_argument, message)


def _argument(found: re.Match[str]) -> str:
    if found["option"]:
        return _name(found["option"])
    if found["key"]:
        value = found["value"].rstrip(".;,")
        return f"{_name(found['key'])}='{value}'{found['value'][len(value) :]}"
    if found["name"]:
        return f"detector_arguments={{'{found['name']}': {found['number']}}}"
    return found[0]


def _name(option: str) -> str:
    return _OTHER_NAMES.get(option, option.replace("-", "_"))
