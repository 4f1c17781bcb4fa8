"""`ariba simulate`: train a federation from scratch and write its rounds."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.cli import options
from ariba_cli.cli.signals import held_back, import_training_libraries


class ModelFormat(StrEnum):
    """The format of the model files."""

    SAFETENSORS = "safetensors"
    HDF5 = "hdf5"


def simulate(
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="The directory to make.", show_default=False),
    ],
    participants: Annotated[int, typer.Option(min=3, help="How many train together.")] = 50,
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds to train.")] = 40,
    eta: Annotated[
        float,
        typer.Option(
            min=0.001, callback=options.finite, help="η, the server's learning rate in FedAvg."
        ),
    ] = 1.0,
    keep: Annotated[
        str, typer.Option(metavar="all|last|every:N", help="Which rounds to write.")
    ] = "last",
    format_: Annotated[
        ModelFormat,
        typer.Option(
            "--format", envvar="ARIBA_SIMULATE_FORMAT", help="The format of the model files."
        ),
    ] = ModelFormat.SAFETENSORS,
    seed: options.SeedOption = 0,
    resume: options.ResumeOption = False,
    color: options.ColorOption = options.Color.AUTO,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Train a federation of honest participants to near convergence and write its rounds.

    The data are the 1,797 handwritten digits that scikit-learn brings along, dealt out
    at random; the model is a CNN of two convolutions and two linear layers. Prints the
    rounds that were written. A run that was stopped leaves OUT.partial; the same command
    with --resume finishes it after its last round, and writes the same files.

    Example: ariba simulate runs/demo
    """
    with held_back():
        from ariba_cli.federated.federation import FederationSettings
        from ariba_cli.rounds.partial import check_free
        from ariba_cli.runs.plan import Plan, parse_keep
        from ariba_cli.runs.simulation import simulate as run_simulation

    console = options.make_console(color, quiet, verbose)
    settings = FederationSettings(participants=participants, rounds=rounds, eta=eta, seed=seed)
    plan = Plan(settings=settings, keep=parse_keep(keep), format_name=format_.value)
    if not resume:
        check_free(out)
    import_training_libraries()
    console.detail(f"training {participants} participants for {rounds} rounds")
    with console.progress() as progress:
        done = run_simulation(plan, out, resume=resume, progress=progress)
    console.note(f"test accuracy {done.accuracy[-1]:.3f} after {rounds} rounds")
    console.data("".join(f"{path}\n" for path in done.rounds).encode("utf-8", "surrogateescape"))
