"""A group of options is one parameter of a command."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from ariba_cli.cli.options.groups import grouped


@dataclass(frozen=True)
class Size:
    """Two options of a command."""

    width: Annotated[int, typer.Option()] = 1
    height: Annotated[int, typer.Option()] = 1


SQUARE = Size()


def test_a_group_is_taken_as_one_and_again_with_a_prefix() -> None:
    seen = []
    app = typer.Typer()

    @app.command()
    @grouped
    def draw(size: Size = SQUARE, inner: Annotated[Size, "inner_"] = SQUARE) -> None:
        seen.append((size, inner))

    done = CliRunner().invoke(app, ["--width", "2", "--inner-height", "3"])
    assert done.exit_code == 0, done.output
    assert seen == [(Size(width=2), Size(height=3))]
