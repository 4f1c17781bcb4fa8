"""Defaults of options from a file: ariba.toml, or [tool.ariba] in pyproject.toml.

A file that nobody named is read from the working directory alone, and not where others may have
written it: in a round, they could choose who is excluded.
"""

import hashlib
import math
import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.suggestions import nearest
from ariba_cli.reports.canonical import ConfigRecord

VARIABLE = "ARIBA_CONFIG"
_OWN, _PROJECT = "ariba.toml", "pyproject.toml"
_LARGEST = 2**20
# What the folder of a round has in it.
_OF_A_ROUND = ("manifest.json", "global.*")

_IN_EFFECT: ContextVar[ConfigRecord | None] = ContextVar("config", default=None)

Tables = dict[str, Any]


class ConfigFile:
    """A file with defaults.

    Parameters
    ----------
    path : Path
        The file. A pyproject.toml has the tables below [tool.ariba].
    data : bytes
        Its content.
    commands : iterable of str
        The names of all commands.

    Raises
    ------
    InputError
        When it cannot be parsed.
    UsageError
        When a table of it names no command.
    """

    def __init__(self, path: Path, data: bytes, commands: Iterable[str]) -> None:
        self.path = path
        self._data = data
        self._tables = _tables(path, data)
        known = list(commands)
        for name, table in self._tables.items():
            if not isinstance(table, dict):
                raise UsageError(
                    f"'{path}': {name} stands outside of a table; put it below a command's, such "
                    "as [audit]"
                )
            if name not in known:
                raise UsageError(f"'{path}': ariba has no command {name}{_meant(name, known)}")

    @property
    def has_tables(self) -> bool:
        """Return True if it holds defaults for any command."""
        return bool(self._tables)

    def values(self, command: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the defaults of a command, by the names of its parameters.

        Parameters
        ----------
        command : str
            The command.
        options : dict of str to Option
            Its options by their long names, without dashes.

        Raises
        ------
        UsageError
            When an option is not known, or cannot have the value.
        """
        found = {}
        for key, value in self._tables.get(command, {}).items():
            name = key.replace("_", "-")
            if name not in options:
                raise UsageError(
                    f"'{self.path}': {command} has no option {key}{_meant(name, options)}"
                )
            reason = _why_unfit(value, options[name])
            if reason:
                raise UsageError(f"'{self.path}': {key} of {command} must be {reason}")
            found[options[name].name] = value
        return found

    def record(self, options: dict[str, Any]) -> ConfigRecord:
        """Return the record of the file and of the options that it decided."""
        return ConfigRecord(str(self.path), hashlib.sha256(self._data).hexdigest(), options)


def find_config(
    named: str | None, places: Iterable[str], commands: Iterable[str]
) -> tuple[ConfigFile | None, str | None]:
    """Return the file with defaults, or why one in the working directory is not read.

    Parameters
    ----------
    named : str, optional
        The file that the user named.
    places : iterable of str
        The rounds and other paths that the command is about.
    commands : iterable of str
        The names of all commands.

    Returns
    -------
    tuple
        The file, if there is one, and a warning, if one was passed over.

    Raises
    ------
    InputError
        When it cannot be read.
    UsageError
        When a table of it names no command.
    """
    if named is not None:
        return ConfigFile(Path(named), _read(Path(named)), commands), None
    for path in (Path(_OWN), Path(_PROJECT)):
        if not path.is_file():
            continue
        reason = _why_not_trusted(path, places)
        if reason is None:
            found = ConfigFile(path, _read(path), commands)
            if found.has_tables or path.name == _OWN:
                return found, None
        elif path.name == _OWN or _tables_or_none(path):
            return None, f"'{path}' was not read: {reason}; --config {path} reads it"
    return None, None


def note_in_effect(record: ConfigRecord | None) -> None:
    """Note which options of the running command come from a file."""
    _IN_EFFECT.set(record)


def in_effect() -> ConfigRecord | None:
    """Return the file and the options of the running command that it decided."""
    return _IN_EFFECT.get()


def _why_not_trusted(path: Path, places: Iterable[str]) -> str | None:
    """Return why others may have written the file in the working directory; None if not."""
    if path.stat().st_uid not in (0, os.geteuid()):
        return "it belongs to another user"
    here = Path.cwd().resolve()
    if any(next(here.glob(pattern), None) for pattern in _OF_A_ROUND):
        return "it lies in a round, where participants may write"
    for place in places:
        if here.is_relative_to(Path(place).resolve()):
            return f"it lies in '{place}', where participants may write"
    return None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            if stat.S_ISDIR(os.fstat(stream.fileno()).st_mode):
                raise IsADirectoryError(None, "Is a directory")
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise InputError(f"'{path}' is larger than 1 MiB; it should hold a few options")
    return data


def _tables(path: Path, data: bytes) -> Tables:
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{path}' cannot be read as TOML: {error}") from error
    if path.name != _PROJECT:
        return content
    tools = content.get("tool", {})
    own = tools.get("ariba", {}) if isinstance(tools, dict) else {}
    return own if isinstance(own, dict) else {"tool.ariba": own}


def _tables_or_none(path: Path) -> Tables | None:
    """Return the tables of a file that is not trusted, to say whether it had any."""
    try:
        return _tables(path, _read(path))
    except InputError:
        return None


def _meant(name: str, known: Iterable[str]) -> str:
    close = nearest(name, known)
    return "" if close is None else f"; did you mean {close}?"


def _why_unfit(value: object, option: Any) -> str | None:
    """Return what a value must be that an option cannot have; None for one that it can."""
    if option.multiple:
        fits = isinstance(value, list) and all(map(_is_plain, value))
        return None if fits else "a list of texts or numbers"
    if option.is_flag:
        return None if isinstance(value, bool) else "true or false"
    return None if _is_plain(value) else "a text or a number"


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int) and not isinstance(value, bool)
