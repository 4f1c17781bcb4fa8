"""`ariba simulate`: train a federation from scratch and write its rounds."""

from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.base.errors import UsageError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.libraries import import_training_libraries
from ariba_cli.cli.options import attack as attack_options
from ariba_cli.cli.options import choices
from ariba_cli.cli.options import rules as rule_options
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options import training as training_options
from ariba_cli.cli.options.arguments import parse_arguments
from ariba_cli.cli.options.groups import grouped
from ariba_cli.cli.options.training import EngineName


class ModelFormat(StrEnum):
    """The format of the model files."""

    SAFETENSORS = "safetensors"
    HDF5 = "hdf5"


# Options that say nothing without --attack.
_OF_AN_ATTACK = (
    *(one.name for one in fields(attack_options.AttackOptions)),
    *(
        training_options.ATTACK_PREFIX + one.name
        for one in fields(training_options.TrainingOptions)
    ),
)


@grouped
def simulate(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="The directory for the run."),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="digits, mnist, fashion-mnist, cifar10, or arrays for .npz files of your own with "
            "x_train, y_train, x_test and y_test.",
            autocompletion=choices.datasets,
        ),
    ] = "digits",
    data_dir: training_options.DataDirOption = None,
    download: training_options.DownloadOption = False,
    partition: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="How samples are divided among participants: iid, dirichlet:ALPHA, "
            "lognormal:SIGMA (a few have many samples, most have few), or shards:S.",
            autocompletion=choices.partitions,
        ),
    ] = "iid",
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="cnn, wide-cnn, mlp, resnet8, resnet18, resnet8-gn, resnet18-gn (with group "
            "normalisation), or transformer. [default: by data set]",
            autocompletion=choices.models,
        ),
    ] = None,
    lora: Annotated[
        int | None,
        options.integer(
            metavar="RANK",
            help="Train LoRA factors of this rank for the linear layers of a transformer, and its "
            "head. The server first trains the base model on a fifth of the samples; rounds "
            "hold PEFT adapters.",
        ),
    ] = None,
    participants: Annotated[int, options.integer(least=3, help="The number of participants.")] = 50,
    rounds: Annotated[
        int | None,
        options.integer(help="How many rounds to train. [default: by data set]"),
    ] = None,
    eta: Annotated[
        float,
        options.number(least=0.001, help="η, the server's learning rate."),
    ] = 1.0,
    rule: rule_options.RuleOption = "fedavg",
    rule_arg: rule_options.RuleArgOption = None,
    sampled: Annotated[
        int | None,
        options.integer(
            least=3,
            help="How many participants the server asks in each round, drawn with the seed; the "
            "round holds their updates. [default: all]",
        ),
    ] = None,
    failing: Annotated[
        float,
        options.number(
            metavar="SHARE",
            least=0.0,
            most=1.0,
            help="The share of asked participants whose updates never arrive, drawn anew in each "
            "round.",
        ),
    ] = 0.0,
    training: training_options.TrainingOptions = training_options.TRAINING,
    engine: training_options.EngineOption = EngineName.AUTO,
    device: training_options.DeviceOption = "auto",
    attack: Annotated[
        int | None,
        options.integer(
            metavar="ROUND",
            help="Compromise participants from this round on, with the attack options below.",
        ),
    ] = None,
    attacker: attack_options.AttackOptions = attack_options.ATTACK,
    attack_training: training_options.AttackTrainingOptions = training_options.TRAINING,
    keep: Annotated[
        str,
        typer.Option(
            metavar="all|last|every:N",
            help="Which rounds to write.",
            autocompletion=choices.kept_rounds,
        ),
    ] = "last",
    format_: Annotated[
        ModelFormat,
        typer.Option("--format", help="The format of the model files."),
    ] = ModelFormat.SAFETENSORS,
    seed: options.SeedOption = 0,
    resume: options.ResumeOption = False,
    _list_strategies: attack_options.ListStrategiesOption = False,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Train a federation to near convergence and write its rounds.

    Without options, 50 honest participants train a CNN with two convolutions and two linear layers
    on the 1,797 handwritten digits that come with scikit-learn, divided at random. The command
    prints the rounds that it wrote. A run that was stopped leaves OUT.partial; run the same
    command with --resume to continue after the last finished round. The files are the same as
    without the stop.

    Example: ariba simulate runs/demo

    Example: ariba simulate runs/mnist --dataset mnist --data-dir data --partition dirichlet:0.5
    """
    with defer_signals():
        from ariba_cli.base.registry import registered
        from ariba_cli.federated.datasets import DATASETS
        from ariba_cli.federated.defaults import DEFAULTS
        from ariba_cli.federated.federation import FederationSettings
        from ariba_cli.files.partial import check_free
        from ariba_cli.runs.plan import Plan, parse_keep
        from ariba_cli.runs.simulation import simulate as run_simulation

    console = messages.console()
    registered(DATASETS, dataset, kind="data set")
    default = DEFAULTS[dataset]
    settings = FederationSettings(
        dataset=dataset,
        partition=partition,
        model=model or default.model,
        participants=participants,
        rounds=rounds or default.rounds,
        eta=eta,
        rule=rule,
        rule_arguments=parse_arguments(rule_arg or (), "--rule-arg", "f=10"),
        sampled=sampled,
        failing=failing,
        seed=seed,
        training=training.training(default.training),
        lora=lora,
    )
    attacked = None
    if attack is None:
        _check_unused(context)
    else:
        attacked = attacker.settings(
            context, attack_training.training(default.attack), seed=seed, begins=attack
        )
        attack_options.warn_of_many(attacked, participants, console)
    plan = Plan(
        settings=settings, attack=attacked, keep=parse_keep(keep), format_name=format_.value
    )
    if not resume:
        check_free(out)
    import_training_libraries()
    place = training_options.place(
        dataset, data_dir, download=download, engine=engine, device=device, console=console
    )
    with console.progress() as progress:
        done = run_simulation(
            plan,
            out,
            place=place,
            resume=resume,
            progress=progress,
            say=console.detail,
            warn=console.warn,
        )
    last = done.curve[-1]
    loss = "" if last.loss is None else f", loss {last.loss:.3f}"
    console.note(f"test accuracy {last.accuracy:.3f}{loss} after round {settings.rounds}")
    if last.backdoor_accuracy is not None:
        console.note(f"backdoor accuracy {last.backdoor_accuracy:.3f}")
    console.data("".join(f"{path}\n" for path in done.rounds).encode("utf-8", "surrogateescape"))


def _check_unused(context: typer.Context) -> None:
    """Refuse options of an attack where there is none."""
    for name in _OF_AN_ATTACK:
        if attack_options.on_command_line(context, name):
            raise UsageError(
                f"--{name.replace('_', '-')} needs an attack; add --attack ROUND, the first round "
                "to attack"
            )
