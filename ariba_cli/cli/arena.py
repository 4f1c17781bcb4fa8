"""`ariba arena`: test attacks against defences."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.base.extras import SIMULATE, require
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options import training as training_options
from ariba_cli.cli.options.groups import grouped

if TYPE_CHECKING:
    from ariba_cli.arena.options import Known


@grouped
def arena(
    context: typer.Context,
    config_path: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG.toml",
            help="The config: federations, attacks and defences. docs/arena.md describes it.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The directory for rounds and results; that of a stopped run continues it.",
        ),
    ],
    jobs: Annotated[
        int | None,
        options.integer(help="How many commands run at the same time. [default: one per core]"),
    ] = None,
    data_dir: training_options.DataDirOption = None,
    reproducible: options.ReproducibleOption = False,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Test every attack against every defence, on the same rounds.

    The arena trains each federation of the config, attacks its last round in every way, and runs
    every defence on each attacked round and on the clean one. It uses the commands simulate,
    attack, audit, aggregate and evaluate, and records them in a file for each cell. It writes
    DIR/results.json and the page DIR/index.html, and prints both paths. If a cell fails, there is
    a warning, and the other cells go on. Run the same command again to continue a run that was
    stopped and to retry what failed.

    Example: ariba arena examples/arena/tiny.toml --out runs/arena

    Exit codes: 0 done; 1 done, but a cell failed; 2 not done, and stderr says why
    """
    with defer_signals():
        from ariba_cli.arena.arena_json import arena_json, result
        from ariba_cli.arena.config import Commands, read_config
        from ariba_cli.arena.page import arena_html
        from ariba_cli.arena.running import FAILED, Settings, run
        from ariba_cli.base.machine import cores
        from ariba_cli.cli.exits import Exit
        from ariba_cli.cli.output import Stopwatch
        from ariba_cli.files.atomic import write_atomically

    stopwatch = Stopwatch()
    console = messages.console()
    config = read_config(config_path, Commands(**_known(context)))
    require(SIMULATE, "this command")
    out.mkdir(parents=True, exist_ok=True)
    settings = Settings(out, jobs or cores(), data_dir)
    with console.progress() as progress:
        records = run(config, settings, progress=progress, warn=console.warn)
    record = stopwatch.record(reproducible=reproducible)
    results, page = out / "results.json", out / "index.html"
    write_atomically(results, [arena_json(config, records, record)])
    write_atomically(page, [arena_html(result(config, records))])
    console.data(f"{results}\n{page}\n".encode())
    if any(one["status"] == FAILED for one in records):
        raise typer.Exit(Exit.CONDITION_HOLDS)


def _known(context: typer.Context) -> "dict[str, Known]":
    """Return the options that a config may give to each command."""
    from ariba_cli.arena.steps import OWN_OPTIONS, known

    commands = getattr(context.find_root().command, "commands", {})
    return {
        name: known(name, [option.opts[0].removeprefix("--") for option in commands[name].params])
        for name in OWN_OPTIONS
    }
