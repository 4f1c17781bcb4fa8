"""`ariba attack`: write a saved honest round again, with participants compromised."""

from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.libraries import import_training_libraries
from ariba_cli.cli.options import attack as attack_options
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options import training as training_options
from ariba_cli.cli.options.groups import grouped
from ariba_cli.cli.options.training import EngineName


@grouped
def attack(
    context: typer.Context,
    round_path: options.RoundArgument,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="The directory for the attacked round."),
    ],
    attacker: attack_options.AttackOptions = attack_options.ATTACK,
    training: training_options.TrainingOptions = training_options.TRAINING,
    engine: training_options.EngineOption = EngineName.AUTO,
    device: training_options.DeviceOption = "auto",
    data_dir: training_options.DataDirOption = None,
    download: training_options.DownloadOption = False,
    seed: options.SeedOption = 0,
    resume: options.ResumeOption = False,
    _list_strategies: attack_options.ListStrategiesOption = False,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Compromise participants of a saved honest round, and write the attacked round.

    The compromised participants start from the round's global model and train on their own samples
    and on samples with a trigger. Their updates are scaled so that averaging replaces the global
    model. The command prints how accurate the global model is, and how well the backdoor works,
    before and after aggregation.

    Example: ariba attack runs/demo/round_0040 --out runs/demo/attacked --k 5

    Example: ariba attack runs/demo/round_0040 --out runs/demo/hidden --trigger semantic --strategy
    anomalous --rho 0.3 --strategy norm-matching
    """
    with defer_signals():
        from ariba_cli.federated.defaults import DEFAULTS
        from ariba_cli.rounds.directory import open_round
        from ariba_cli.runs.forging import forge
        from ariba_cli.runs.run_file import read_run

    console = messages.console()
    round_ = open_round(round_path)
    run = read_run(round_path)
    training_of_run = training.training(DEFAULTS[run.settings.dataset].attack)
    settings = attacker.settings(context, training_of_run, seed=seed)
    attack_options.warn_of_many(settings, run.settings.participants, console)
    import_training_libraries()
    place = training_options.place(
        run.settings.dataset,
        data_dir,
        download=download,
        engine=engine,
        device=device,
        console=console,
    )
    with console.progress() as progress:
        forged = forge(
            round_,
            run,
            out,
            settings,
            place=place,
            resume=resume,
            progress=progress,
            say=console.detail,
        )
    lines = [
        f"compromised   {', '.join(forged.compromised)}",
        *([] if forged.sigma is None else [f"sigma         {forged.sigma:g}"]),
        "              accuracy  backdoor accuracy",
    ]
    rule = "FedAvg" if run.settings.rule == "fedavg" else run.settings.rule
    for when, measured in (("before", forged.before), (f"after {rule}", forged.after)):
        lines.append(f"{when:<13} {measured.accuracy:>8.3f}  {measured.backdoor_accuracy:>17.3f}")
    lines += attack_options.audited(forged)
    console.note(f"wrote {out}")
    console.data(("\n".join(lines) + "\n").encode())
