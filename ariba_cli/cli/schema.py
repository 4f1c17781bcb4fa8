"""`ariba schema`: the schemas of the JSON reports."""

from typing import Annotated

import typer

from ariba_cli.cli.options import choices
from ariba_cli.cli.options import shared as options


def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The command whose report it describes. [default: list all, a line for each "
            "with a tab and its version]",
            autocompletion=choices.schemas,
        ),
    ] = None,
    output: options.OutputOption = None,
) -> None:
    """Print the JSON Schema of a report, or list the schemas there are.

    It describes the reports that this version of ariba writes. Versions are
    MODEL.REVISION.ADDITION: while MODEL stays the same, no key goes away.

    Example: ariba schema

    Example: ariba schema audit -o audit.schema.json
    """
    from ariba_cli.cli.output import deliver
    from ariba_cli.reports.published import schema as published_schema
    from ariba_cli.reports.published import versions

    if name is None:
        data = "".join(f"{name}\t{version}\n" for name, version in versions().items()).encode()
    else:
        data = published_schema(name)
    console = options.MESSAGES.console()
    deliver(data, output, console)
