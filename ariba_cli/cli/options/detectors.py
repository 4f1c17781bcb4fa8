"""The options of `audit` that choose a detector."""

from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.cli.options import choices
from ariba_cli.cli.options import shared as options

if TYPE_CHECKING:
    from ariba_cli.reports.text import Paper


def _detectors_table(paper: "Paper") -> str:
    from ariba_cli.reports.detectors_table import detectors_table

    return detectors_table(paper)


DetectorOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="How to score participants: panel weighs several signs; mahalanobis is the detector "
        "of the ARIBA paper; norm, krum and others are published detectors; pyod:NAME uses "
        "PyOD, such as pyod:ECOD. --list-detectors shows all. Repeatable: the first decides, "
        "and the table shows the ranks of the others. [default: panel; mahalanobis with "
        "--k-est, --layer or --fragment]",
        autocompletion=choices.detectors,
    ),
]
DetectorArgOption = Annotated[
    list[str] | None,
    typer.Option(
        "--detector-arg",
        metavar="KEY=VALUE",
        help="An argument of a detector, such as f=10 or n_neighbors=10. Repeatable.",
    ),
]
FitSampleOption = Annotated[
    int | None,
    options.integer(
        least=2,
        help="The largest number of fragments on which a PyOD detector is fitted. [default: by "
        "detector]",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Where to compute the scores: cpu, cuda or cuda:N, with the same result. auto uses a "
        "GPU for layers that are large enough.",
        autocompletion=choices.devices,
    ),
]
ListDetectorsOption = Annotated[
    bool,
    typer.Option(
        "--list-detectors",
        callback=options.listing(_detectors_table),
        is_eager=True,
        show_envvar=False,
        help="List all detectors with what they look at and need, and exit.",
    ),
]
