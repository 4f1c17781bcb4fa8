"""`ariba evaluate`: measure the quality of a model, and the backdoors in it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.libraries import import_training_libraries
from ariba_cli.cli.options import choices
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options import training as training_options
from ariba_cli.cli.options.groups import grouped
from ariba_cli.cli.options.training import EngineName


class EvaluateFormat(StrEnum):
    """The format of the measures."""

    TABLE = "table"
    JSON = "json"


@grouped
def evaluate(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A model: a file in any supported format, or a folder of shards.",
        ),
    ],
    run_path: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="RUN.json",
            help="The run.json that describes the network and the data of the model. [default: the "
            "run.json in the nearest folder above MODEL]",
        ),
    ] = None,
    trigger: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A backdoor to test: pattern, targeted or semantic. Repeatable. [default: all "
            "that apply to the data]",
            autocompletion=choices.triggers,
        ),
    ] = None,
    target_class: Annotated[
        int | None,
        options.integer(
            metavar="CLASS",
            least=0,
            help="The class that the backdoor aims at. [default: the one of the attack in "
            "run.json, or 0]",
        ),
    ] = None,
    backdoor_images: Annotated[
        int | None,
        options.integer(
            help="Test each backdoor on this many images, drawn with the seed. [default: as the "
            "attack in run.json, or all]"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        options.integer(
            least=0,
            help="The seed of the attack. [default: the one of the attack in run.json, or 0]",
        ),
    ] = None,
    device: training_options.DeviceOption = "auto",
    data_dir: training_options.DataDirOption = None,
    download: training_options.DownloadOption = False,
    format_: Annotated[
        EvaluateFormat,
        typer.Option("--format", "-f", help="The format of the results."),
    ] = EvaluateFormat.TABLE,
    names: options.NamesOption = None,
    output: options.OutputOption = None,
    files: options.FileLimits = options.FILE_LIMITS,
    reproducible: options.ReproducibleOption = False,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Measure a model on the test set: its accuracy, its loss, each class, and its backdoors.

    A backdoor is measured by X'%: of the test images of other classes, with the trigger added, the
    share that the model assigns to the target class. Even an honest model assigns a few of them to
    it.

    Example: ariba evaluate runs/demo/round_0040/global.safetensors

    Example: ariba evaluate runs/demo/pruned.safetensors --trigger pattern --target-class 0
    """
    with defer_signals():
        from ariba_cli.attacks.settings import AttackSettings
        from ariba_cli.cli.output import Stopwatch, deliver
        from ariba_cli.runs.evaluating import EvaluationSettings, evaluate_model
        from ariba_cli.runs.run_file import nearest_path, read_run_at

    if format_ is EvaluateFormat.TABLE:
        options.check_holds_table(output, EvaluateFormat)
    stopwatch = Stopwatch()
    console = messages.console()
    run_path = run_path or nearest_path(model)
    console.detail(f"using the run in {run_path}")
    run = read_run_at(run_path, to_know="the data and the model")
    attack = run.attack or AttackSettings()
    settings = EvaluationSettings(
        triggers=tuple(trigger) if trigger else None,
        target_class=attack.target_class if target_class is None else target_class,
        backdoor_images=attack.backdoor_images if backdoor_images is None else backdoor_images,
        seed=attack.seed if seed is None else seed,
    )
    terms = files.read_options(names, console)
    import_training_libraries()
    place = training_options.place(
        run.settings.dataset,
        data_dir,
        download=download,
        engine=EngineName.AUTO,
        device=device,
        console=console,
    )
    found = evaluate_model(model, run, settings, place=place, terms=terms)
    if format_ is EvaluateFormat.JSON:
        from ariba_cli.reports.evaluate_json import evaluate_json

        record = stopwatch.record(
            reproducible=reproducible, device=found.device, sandbox=terms.isolation.record
        )
        data = evaluate_json(found, record)
    else:
        from ariba_cli.reports.evaluate_table import evaluate_table

        paper = console.paper(for_file=output is not None)
        data = paper.encode(evaluate_table(found, paper))
    deliver(data, output, console)
