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
            help="The command whose report the schema describes. [default: list all schemas, one "
            "per line, with a tab before the version]",
            autocompletion=choices.schemas,
        ),
    ] = None,
    output: options.OutputOption = None,
) -> None:
    """Print the JSON Schema of a report, or list all schemas.

    The schemas describe the reports that this version of ariba writes. A schema version is
    MODEL.REVISION.ADDITION; no key is removed while MODEL stays the same.

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
