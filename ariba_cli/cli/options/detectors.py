"""The options of `audit` that choose a detector."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.base.errors import UsageError
from ariba_cli.cli.options import choices
from ariba_cli.cli.options.shared import MESSAGES

if TYPE_CHECKING:
    from ariba_cli.base.parameters import Parameter

_WORDS = {"true": True, "false": False, "none": None}
_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)


def parse_arguments(texts: Sequence[str]) -> "dict[str, Parameter]":
    """Read every `key=value`.

    Raises
    ------
    UsageError
        When one is something else, or a key comes twice.
    """
    arguments: dict[str, Parameter] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"'{text}' is no argument; write key=value, as n_neighbors=10")
        if key in arguments:
            raise UsageError(f"--detector-arg names '{key}' twice; write it once")
        arguments[key] = parse_value(value)
    return arguments


def parse_value(text: str) -> "Parameter":
    """An integer, a number, true, false or none, else the text itself.

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


def _list_detectors(context: typer.Context, wanted: bool) -> None:
    # Not while a shell completes what follows.
    if wanted and not context.resilient_parsing:
        from ariba_cli.reports.detectors_table import detectors_table

        console = MESSAGES.console()
        paper = console.paper(for_file=False)
        console.data(paper.encode(detectors_table(paper)))
        raise typer.Exit


DetectorOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="What scores participants: panel, which weighs several signs; mahalanobis, which is "
        "the paper's; norm, krum and others; or pyod:NAME for a detector of PyOD, such as "
        "pyod:ECOD. --list-detectors shows all. Repeatable: the first decides, and the others "
        "stand beside it. [default: panel; mahalanobis with --k-est, --layer or --fragment]",
        show_default=False,
        autocompletion=choices.detectors,
    ),
]
DetectorArgOption = Annotated[
    list[str] | None,
    typer.Option(
        "--detector-arg",
        metavar="KEY=VALUE",
        help="An argument for whichever detector takes it, as f=10 or n_neighbors=10. Repeatable.",
        show_default=False,
    ),
]
FitSampleOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=2,
        help="On how many fragments, at most, the detector of PyOD is fitted. "
        "[default: by detector]",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Where to score: cpu, cuda or cuda:N, with the same result; auto takes a graphics "
        "card for layers that are large enough.",
        autocompletion=choices.devices,
    ),
]
ListDetectorsOption = Annotated[
    bool,
    typer.Option(
        "--list-detectors",
        callback=_list_detectors,
        is_eager=True,
        show_envvar=False,
        help="Show all detectors with what they look at and need, and exit.",
    ),
]
