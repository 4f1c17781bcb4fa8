"""Groups of options: a dataclass has a field for each, and a command takes them as one."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of the groups that it takes.

    Parameters
    ----------
    command : callable
        The command. A parameter whose type is a dataclass is a group; it is called with one.
        If the type is annotated with a text, the names of its options begin with that.

    Returns
    -------
    callable
        The same command with the fields in the place of the group, as Typer reads them.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, tuple[Any, str]] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        kind, prefix = get_args(hint)[:2] if get_origin(hint) is Annotated else (hint, "")
        if is_dataclass(kind):
            groups[parameter.name] = kind, prefix
            parameters += _options(kind, prefix)
        else:
            parameters.append(parameter.replace(annotation=hint))

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, (kind, prefix) in groups.items():
            own = {one.name: given.pop(prefix + one.name) for one in fields(kind)}
            given[name] = kind(**own)
        command(**given)

    signature = inspect.Signature(parameters, return_annotation=None)
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _options(kind: Any, prefix: str) -> list[inspect.Parameter]:
    """Return a parameter for each field of a group."""
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            prefix + one.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=_default(one),
            annotation=hints[one.name],
        )
        for one in fields(kind)
    ]


def _default(one: "Field[Any]") -> object:
    """Return the default of a field, where it has one."""
    if one.default_factory is not MISSING:
        return one.default_factory()
    return inspect.Parameter.empty if one.default is MISSING else one.default
