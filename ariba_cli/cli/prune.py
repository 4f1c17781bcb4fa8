"""`ariba prune`: remove from a model what clean images leave dormant."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.libraries import import_training_libraries
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options import training as training_options
from ariba_cli.cli.options.groups import grouped
from ariba_cli.cli.options.training import EngineName


class RankingName(StrEnum):
    """The way in which participants agree which channels are dormant."""

    RAP = "rap"
    MVP = "mvp"


@grouped
def prune(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A model: a file in any supported format, or a folder of shards.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            parser=options.new_file,
            help="The model file to write.",
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
    ranking: Annotated[
        RankingName,
        typer.Option(
            help="How participants agree which channels are dormant: rap takes the mean of their "
            "ranks, and mvp counts those for whom a channel is in the dormant half."
        ),
    ] = RankingName.RAP,
    most_lost: Annotated[
        float,
        options.number(
            least=0.0,
            most=1.0,
            help="The most accuracy that each of the two steps may cost, such as 0.01.",
        ),
    ] = 0.01,
    device: training_options.DeviceOption = "auto",
    data_dir: training_options.DataDirOption = None,
    download: training_options.DownloadOption = False,
    names: options.NamesOption = None,
    files: options.FileLimits = options.FILE_LIMITS,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Prune a model: remove the channels, then the extreme weights, that clean images do without.

    The participants of the run say which channels of the last convolution their own samples leave
    dormant. These are removed one by one, and then the weights of that layer that are farthest from
    their mean, as long as the accuracy on the samples of all participants holds. Measure with ariba
    evaluate what is left of a backdoor: often it is all of it.

    Example: ariba prune runs/demo/round_0040/global.safetensors --out runs/demo/pruned.safetensors

    Example: ariba evaluate runs/demo/pruned.safetensors
    """
    with defer_signals():
        from ariba_cli.runs.pruning import Ranking, prune_model
        from ariba_cli.runs.run_file import nearest_path, read_run_at

    console = messages.console()
    run_path = run_path or nearest_path(model)
    console.detail(f"using the run in {run_path}")
    run = read_run_at(run_path, to_know="the data and the model")
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
    with console.progress() as progress:
        found = prune_model(
            model,
            run,
            out,
            ranking=Ranking(ranking),
            most_lost=most_lost,
            place=place,
            terms=terms,
            progress=progress,
        )
    weights = (
        "set no weight to zero"
        if found.deviations is None
        else f"set {found.zeroed} weights beyond {found.deviations:g} deviations to zero"
    )
    console.note(
        f"removed {len(found.removed)} of the {found.channels} channels of {found.layer}; "
        f"{weights}; the accuracy on the participants' samples was {found.before:.3f} and is "
        f"{found.after:.3f}; wrote {out}"
    )
