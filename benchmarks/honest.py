"""Honest federations on disk, each simulated once, from which benchmarks take their rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ariba_cli.federated.datasets import DATASETS
from ariba_cli.federated.defaults import DEFAULTS
from ariba_cli.federated.federation import FederationSettings, Place
from ariba_cli.federated.models import MODELS
from ariba_cli.federated.training import LocalTraining
from ariba_cli.runs.plan import Keep, Plan
from ariba_cli.runs.simulation import simulate

_FORMAT = "safetensors"
# Where there is nothing to read but what scikit-learn brings along.
WITHOUT_FILES = "digits"
_SGD_RATE, _MOMENTUM_RATE = 0.05, 0.01


@dataclass(frozen=True, kw_only=True)
class Base:
    """A kind of federation.

    Attributes
    ----------
    dataset, model, optimizer, partition : str
        The options of `ariba simulate`.
    participants, epochs : int
        n, and the passes of each over its samples in a round.
    momentum, weight_decay : float
        The options of the optimiser; 0 for none.
    lora : int, optional
        The rank of adapters that alone are trained.
    rounds : int
        The number of rounds.
    every : int
        The step of the rounds that are kept: those whose number is a multiple of it.
    """

    dataset: str = WITHOUT_FILES
    model: str = "cnn"
    optimizer: str = "adam"
    partition: str = "iid"
    participants: int = 50
    epochs: int = 1
    momentum: float = 0.0
    weight_decay: float = 0.0
    lora: int | None = None
    rounds: int = 40
    every: int = 10

    @property
    def name(self) -> str:
        """Return the unique name of the kind, for directories."""
        words = [self.dataset, self.network_name, self.optimizer]
        words += [f"momentum{self.momentum:g}"] if self.momentum else []
        words += [f"decay{self.weight_decay:g}"] if self.weight_decay else []
        words += [self.partition.replace(":", ""), f"n{self.participants}", f"e{self.epochs}"]
        return "-".join(words)

    @property
    def network(self) -> str:
        """Return the network, and the data on which it trains."""
        return f"{self.network_name} on {self.dataset}"

    @property
    def network_name(self) -> str:
        """Return the model, with a note if only adapters are trained."""
        return self.model if self.lora is None else f"{self.model}-lora{self.lora}"

    def why_not(self, data_dir: Path | None) -> str:
        """Return the reason why it cannot be simulated here; empty where it can."""
        if self.model not in MODELS:
            return f"ariba simulate knows no {self.model}"
        source = DATASETS[self.dataset]
        if source.from_files and data_dir is None:
            return "no --data-dir was given"
        if data_dir is not None and source.from_files:
            missing = source.missing(data_dir / self.dataset)
            if missing:
                return f"{data_dir / self.dataset} lacks {missing[0]}"
        return ""

    def settings(self, seed: int) -> FederationSettings:
        """Return the settings of the simulation."""
        usual = DEFAULTS[self.dataset].training
        rate = usual.learning_rate
        if self.optimizer == "sgd":
            rate = _MOMENTUM_RATE if self.momentum else _SGD_RATE
        training = LocalTraining(
            optimizer=self.optimizer,
            epochs=self.epochs,
            batch_size=usual.batch_size,
            learning_rate=rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )
        return FederationSettings(
            dataset=self.dataset,
            partition=self.partition,
            model=self.model,
            participants=self.participants,
            rounds=self.rounds,
            seed=seed,
            training=training,
            lora=self.lora,
        )


def honest_rounds(base: Base, seed: int, folder: Path, data_dir: Path | None) -> Sequence[Path]:
    """Return the directories of the rounds that are kept; they are simulated if necessary."""
    plan = Plan(settings=base.settings(seed), keep=Keep(base.every), format_name=_FORMAT)
    out = folder / f"{base.name}-s{seed}"
    out.parent.mkdir(parents=True, exist_ok=True)
    return simulate(plan, out, place=Place(data_dir=data_dir), resume=True).rounds
