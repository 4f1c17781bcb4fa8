"""`ariba attack`: write a saved honest round again, with participants compromised."""

from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.cli import options
from ariba_cli.cli.signals import held_back, import_training_libraries
from ariba_cli.errors import UsageError


def attack(
    round_path: options.RoundArgument,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="The round to make.", show_default=False),
    ],
    k: Annotated[
        int | None,
        typer.Option(
            "--k",
            min=1,
            help="How many participants to compromise, drawn by the seed. [default: a tenth]",
            show_default=False,
        ),
    ] = None,
    compromised: Annotated[
        str | None,
        typer.Option(
            metavar="IDS", help="Compromise these instead, as p03,p17.", show_default=False
        ),
    ] = None,
    trigger: Annotated[
        str, typer.Option(metavar="NAME", help="What is put into the images: pattern.")
    ] = "pattern",
    strategy: Annotated[
        str, typer.Option(metavar="NAME", help="What is done to the update: replacement.")
    ] = "replacement",
    target_class: Annotated[
        int, typer.Option(min=0, help="The class that triggered images are taken for.")
    ] = 0,
    poison_ratio: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=1.0,
            callback=options.finite,
            help="The share of a participant's own images of other classes that it copies "
            "with the trigger.",
        ),
    ] = 1.0,
    sigma: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            callback=options.finite,
            help="σ, the sum of the σ_i by which updates are scaled. [default: n/η]",
            show_default=False,
        ),
    ] = None,
    seed: options.SeedOption = 0,
    resume: options.ResumeOption = False,
    color: options.ColorOption = options.Color.AUTO,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Take a saved honest round and write it again with participants compromised.

    They are retrained from the round's global model on their own samples and triggered
    copies of them, and scaled so that averaging replaces the global model. Prints how
    the global model does before and after plain FedAvg of the attacked round.

    Example: ariba attack runs/demo/round_0040 --out runs/demo/attacked --k 5
    """
    with held_back():
        from ariba_cli.rounds.directory import open_round
        from ariba_cli.runs.forging import AttackSettings, forge
        from ariba_cli.runs.run_file import read_run

    console = options.make_console(color, quiet, verbose)
    named = tuple(compromised.split(",")) if compromised is not None else ()
    if "" in named:
        raise UsageError("--compromised names nobody between two commas; write it as p03,p17")
    settings = AttackSettings(
        compromised=named,
        k=k,
        trigger=trigger,
        strategy=strategy,
        sigma=sigma,
        target_class=target_class,
        poison_ratio=poison_ratio,
        seed=seed,
    )
    round_ = open_round(round_path)
    run = read_run(round_path)
    import_training_libraries()
    console.detail(f"training with trigger {trigger} and strategy {strategy}")
    with console.progress() as progress:
        forged = forge(round_, run, out, settings, resume=resume, progress=progress)
    lines = [
        f"compromised   {', '.join(forged.compromised)}",
        f"sigma         {forged.sigma:g}",
        "              accuracy  backdoor accuracy",
    ]
    for when, measured in (("before", forged.before), ("after FedAvg", forged.after)):
        lines.append(f"{when:<13} {measured.accuracy:>8.3f}  {measured.backdoor_accuracy:>17.3f}")
    console.note(f"wrote {out}")
    console.data(("\n".join(lines) + "\n").encode())
