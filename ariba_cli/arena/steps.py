"""The steps of each cell: commands of ariba, and the files that they make.

Paths are relative to the folder of the arena, so that the commands can be typed there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ariba_cli.arena.config import Attack, Config, Defence, Federation
from ariba_cli.arena.options import Known, Value, listed, words
from ariba_cli.base.errors import OutputError

REPORT = "report.json"
MODEL = "model.safetensors"
AVERAGE = "average.safetensors"
MEASURES = "measures.json"
CLEAN = "clean"

# The options that an arena gives to each command itself, or that change no result.
_RUNS = {"out", "help", "color", "quiet", "verbose", "resume", "data-dir", "download"}
_READS = {"output", "format", "strict", "fail-on", "truth", "names", "global", "reproducible"}
OWN_OPTIONS = {
    "simulate": _RUNS | {"keep", "attack", "k", "compromised"},
    "attack": _RUNS | {"k", "compromised"},
    "audit": _RUNS | _READS,
    "aggregate": _RUNS | _READS | {"drop"},
    "prune": _RUNS | _READS | {"run", "device"},
}

Command = list[str]


@dataclass(frozen=True)
class Training:
    """The training of a federation; its attacker is there from a round on, or never.

    Attributes
    ----------
    federation : Federation
        The federation to train.
    attack : Attack, optional
        An attack over several rounds.
    """

    federation: Federation
    attack: Attack | None = None

    @property
    def path(self) -> Path:
        """The folder of the run."""
        name = self.federation.name
        return Path(name if self.attack is None else f"{name}.{self.attack.name}")

    @property
    def record(self) -> Path:
        """The file with the record of the run."""
        return self.path.with_name(f"{self.path.name}.made.json")

    def commands(self, _: Path) -> list[Command]:
        """Return the command that trains it."""
        found = ["simulate", str(self.path), *words(self.federation.options)]
        if self.attack is not None:
            found += ["--attack", str(self.attack.from_round), "--k", str(self.attack.k)]
            found += words(self.attack.options)
        return [found]

    def round(self, folder: Path) -> Path:
        """Return the round that is judged, the last one.

        Raises
        ------
        OutputError
            When the run has none.
        """
        found = sorted((folder / self.path).glob("round_*"))
        if not found:
            raise OutputError(f"'{folder / self.path}' has no round; remove it and start again")
        return found[-1].relative_to(folder)


@dataclass(frozen=True)
class Forgery:
    """The last round of an honest federation, attacked.

    Attributes
    ----------
    training : Training
        The training of the federation.
    attack : Attack
        The attack on its round.
    """

    training: Training
    attack: Attack

    @property
    def path(self) -> Path:
        """The attacked round, beside the honest one."""
        return self.training.path / self.attack.name

    @property
    def record(self) -> Path:
        """The file with the record of the attack."""
        return self.path.with_name(f"{self.path.name}.made.json")

    def commands(self, folder: Path) -> list[Command]:
        """Return the command that forges it."""
        found = ["attack", str(self.training.round(folder)), "--out", str(self.path)]
        found += ["--k", str(self.attack.k)]
        if "seed" not in self.attack.options:
            found += ["--seed", str(self.training.federation.seed)]
        return [found + words(self.attack.options)]

    def round(self, _: Path) -> Path:
        """Return the round that is judged."""
        return self.path


Made = Training | Forgery


@dataclass(frozen=True)
class Cell:
    """One defence of one round.

    Attributes
    ----------
    federation : Federation
        The federation whose last round it is.
    attack : Attack, optional
        The attack on it; None for a clean round.
    defence : Defence
        The defence against it.
    """

    federation: Federation
    attack: Attack | None
    defence: Defence

    @property
    def attack_name(self) -> str:
        """The name of its column."""
        return CLEAN if self.attack is None else self.attack.name

    @property
    def path(self) -> Path:
        """The folder of the reports."""
        return self.needs[0].path / "cells" / self.attack_name / self.defence.name

    @property
    def record(self) -> Path:
        """The file with the record of the cell."""
        return self.path / "cell.json"

    @property
    def model(self) -> Path:
        """The model that the defence lets the server have."""
        return self.path / MODEL

    @property
    def needs(self) -> list[Made]:
        """The steps that must be done first, in this order; the last has the round."""
        if self.attack is not None and self.attack.from_round is not None:
            return [Training(self.federation, self.attack)]
        training = Training(self.federation)
        return [training] if self.attack is None else [training, Forgery(training, self.attack)]

    def history(self, folder: Path) -> list[Command]:
        """Return all commands that make the cell, from the training on."""
        before = [command for step in self.needs for command in step.commands(folder)]
        return before + self.commands(folder)

    def commands(self, folder: Path) -> list[Command]:
        """Return the commands that judge the round, average it, and measure what came of it."""
        round_, model = str(self.needs[-1].round(folder)), str(self.model)
        prune = self.defence.prune
        averaged = model if prune is None else str(self.path / AVERAGE)
        average = ["aggregate", round_, "--out", averaged, *words(self.defence.aggregate)]
        found = []
        if self.defence.audit is not None:
            report = str(self.path / REPORT)
            audit = ["audit", round_, *words(self.defence.audit)]
            audit += [] if self.attack is None else ["--truth"]
            found.append([*audit, "--format", "json", "--output", report])
            average += ["--drop", report]
        found.append(average)
        if prune is not None:
            found.append(["prune", averaged, "--out", model, *words(prune)])
        measure = ["evaluate", model, *self._backdoor()]
        measures = str(self.path / MEASURES)
        return [*found, [*measure, "--format", "json", "--output", measures]]

    def _backdoor(self) -> Command:
        """Return the command of `ariba evaluate` that measures the backdoor of the attack."""
        if self.attack is None:
            return []
        given = self.attack.options
        found = []
        for name, default in (("trigger", "pattern"), ("target-class", 0)):
            found += [f"--{name}", str(_last(given.get(name, default)))]
        return [*found, "--seed", str(_last(given.get("seed", self.federation.seed)))]


Step = Made | Cell


def cells(config: Config) -> list[Cell]:
    """Return every cell of an arena, the clean rounds of a federation first."""
    return [
        Cell(federation, attack, defence)
        for federation in config.federations
        for attack in (None, *config.attacks)
        for defence in config.defences
    ]


def known(command: str, names: Sequence[str]) -> Known:
    """Return the options of a command that a config may give.

    Parameters
    ----------
    command : str
        The name of the command.
    names : sequence of str
        The names of all options that it takes, without dashes.
    """
    return Known(command, sorted(set(names) - OWN_OPTIONS[command]))


def _last(value: Value | Sequence[Value]) -> Value:
    """Return the value of an option that counts when it is given more than once."""
    return listed(value)[-1]
