"""Options of the commands that train: for the data, the training, and the engine."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.base.errors import UsageError
from ariba_cli.cli.console import Console
from ariba_cli.cli.options import choices
from ariba_cli.cli.options import shared as options

if TYPE_CHECKING:
    from ariba_cli.federated.federation import Place
    from ariba_cli.federated.training import LocalTraining


class EngineName(StrEnum):
    """The way to train participants."""

    AUTO = "auto"
    VECTORISED = "vectorised"
    WORKERS = "workers"


class OptimizerName(StrEnum):
    """The optimizers."""

    ADAM = "adam"
    SGD = "sgd"


DataDirOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        envvar="ARIBA_DATA_DIR",
        help="The folder of data sets, with a subfolder for each. [default: ~/.cache/ariba]",
    ),
]
DownloadOption = Annotated[
    bool,
    typer.Option("--download", help="Download the missing files of the data set into --data-dir."),
]
EngineOption = Annotated[
    EngineName,
    typer.Option(
        help="vectorised trains all participants at once, workers trains each in its own process; "
        "auto chooses by the model and the device."
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="Where to compute: auto, cpu, cuda or cuda:N.",
        autocompletion=choices.devices,
    ),
]
OptimizerOption = Annotated[
    OptimizerName | None,
    typer.Option(help="How participants minimise the loss. [default: by data set]"),
]
EpochsOption = Annotated[
    int | None,
    options.integer(
        help="How often a participant goes through its samples in a round. [default: by data set]"
    ),
]
BatchSizeOption = Annotated[
    int | None,
    options.integer(help="The number of samples in a training step. [default: by data set]"),
]
LearningRateOption = Annotated[
    float | None,
    options.number(
        least=1e-12, help="The learning rate of the participants. [default: by data set]"
    ),
]


MomentumOption = Annotated[
    float,
    options.number(least=0.0, most=1.0, help="sgd: the momentum, at least 0 and less than 1."),
]
WeightDecayOption = Annotated[
    float,
    options.number(least=0.0, help="The weight decay λ: λ/2·‖θ‖² is added to the loss."),
]


@dataclass(frozen=True)
class TrainingOptions:
    """The options for the training of a participant."""

    optimizer: OptimizerOption = None
    epochs: EpochsOption = None
    batch_size: BatchSizeOption = None
    learning_rate: LearningRateOption = None
    momentum: MomentumOption = 0.0
    weight_decay: WeightDecayOption = 0.0

    def training(self, default: "LocalTraining") -> "LocalTraining":
        """Return a training, with the given options in the place of the default."""
        return replace(
            default,
            optimizer=default.optimizer if self.optimizer is None else self.optimizer.value,
            epochs=self.epochs or default.epochs,
            batch_size=self.batch_size or default.batch_size,
            learning_rate=self.learning_rate or default.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )


# Those of a compromised participant, where the honest have theirs.
ATTACK_PREFIX = "attack_"
AttackTrainingOptions = Annotated[TrainingOptions, ATTACK_PREFIX]

# What a command takes where none of them is given.
TRAINING = TrainingOptions()


def place(
    dataset: str,
    data_dir: Path | None,
    *,
    download: bool,
    engine: EngineName,
    device: str,
    console: Console,
) -> "Place":
    """Return the place of data and computation, and fetch the data if that was asked for."""
    from ariba_cli.federated.federation import Place
    from ariba_cli.federated.training import Method

    folder = data_dir if data_dir is not None else _cache()
    if download:
        if folder is None:
            raise UsageError(
                "there is no home directory to download to; name a folder with --data-dir"
            )
        from ariba_cli.federated.datasets.download import download as fetch

        with console.progress() as progress:
            fetch(dataset, folder, progress)
    method = None if engine is EngineName.AUTO else Method(engine.value)
    return Place(data_dir=folder, engine=method, device=device)


def _cache() -> Path | None:
    """Return the default folder of data sets; None for a user without a home directory."""
    try:
        return Path.home() / ".cache" / "ariba"
    except RuntimeError:
        return None
