"""The options of commands in the form of a config, and their form on a command line."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ariba_cli.base.errors import UsageError
from ariba_cli.base.suggestions import nearest

Value = str | int | float | bool
Options = Mapping[str, Value | Sequence[Value]]


@dataclass(frozen=True)
class Known:
    """The options that a config may give to a command.

    Attributes
    ----------
    command : str
        The name of the command, such as `attack`.
    names : collection of str
        The options without their dashes, such as `k-est`.
    """

    command: str
    names: Collection[str]


def check(given: Mapping[str, object], known: Known, where: str) -> Options:
    """Return options after a check of their names and types.

    Parameters
    ----------
    given : dict of str to object
        The options in a config.
    known : Known
        The options that the command takes.
    where : str
        The place in the config, for errors.

    Raises
    ------
    UsageError
        When the command has no such option, or a value is neither text, a number, true or
        false, nor a list of these.
    """
    for name, value in given.items():
        check_name(name, known.names, f"{where} gives ariba {known.command} an option")
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(one, Value) for one in values):
            raise UsageError(
                f"{where}: {name} must be text, a number, true or false, or a list of these"
            )
    return dict(given)  # type: ignore[arg-type]


def check_name(name: str, known: Collection[str], words: str) -> None:
    """Refuse a name that is not known.

    Raises
    ------
    UsageError
        When it is not known: the message has `words`, the name, and the most similar known name.
    """
    if name not in known:
        near = nearest(name, known)
        choices = f"use one of {', '.join(sorted(known))}"
        meant = choices if near is None else f"did you mean {near}?"
        raise UsageError(f"{words} '{name}' that is not known; {meant}")


def words(options: Options) -> list[str]:
    """Return the words of a command line.

    >>> words({"k": 3, "strategy": ["anomalous", "norm-matching"], "by-order": True})
    ['--k', '3', '--strategy', 'anomalous', '--strategy', 'norm-matching', '--by-order']
    """
    found: list[str] = []
    for name, value in options.items():
        for one in listed(value):
            if one is not False:
                found += [f"--{name}"] if one is True else [f"--{name}", str(one)]
    return found


def listed(value: Value | Sequence[Value]) -> Sequence[Value]:
    """Return one value as a list of one, and a list as it is."""
    return [value] if isinstance(value, Value) else value
