"""The plan of a run: the settings of its computation, and the files that it writes."""

import re
from dataclasses import dataclass, fields

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.federation import FederationSettings
from ariba_cli.federated.training import LocalTraining
from ariba_cli.formats import peft

# Settings of an attack whose options are not called as they are.
_OPTIONS = {
    "strategies": "--strategy",
    "arguments": "--strategy-arg",
    "training": "training of the compromised",
    "seed": "seed of the attack",
}


@dataclass(frozen=True)
class Keep:
    """The choice of the rounds that are written: every `every`-th, and always the last."""

    every: int | None = None

    def keeps(self, number: int, last: int) -> bool:
        """Return True if this round of `last` is written."""
        return number == last or (self.every is not None and number % self.every == 0)

    def __str__(self) -> str:
        """Return the text that `parse_keep` reads."""
        return {None: "last", 1: "all"}.get(self.every, f"every:{self.every}")


def parse_keep(text: str) -> Keep:
    """Read `all`, `last` or `every:N`.

    Raises
    ------
    UsageError
        When it is none of them.
    """
    if text == "last":
        return Keep()
    if text == "all":
        return Keep(every=1)
    every = re.fullmatch(r"every:([1-9][0-9]{0,8})", text)
    if every:
        return Keep(every=int(every[1]))
    raise UsageError(f"--keep does not know '{text}'; use all, last or every:N, such as every:10")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The settings that decide which files a run writes.

    Attributes
    ----------
    settings : FederationSettings
        The settings of the federation.
    attack : AttackSettings, optional
        The settings of the attack; None when all participants are honest.
    keep : Keep
        The rounds to write.
    format_name : str
        The name in `ENCODERS` of the model file format.
    """

    settings: FederationSettings
    attack: AttackSettings | None = None
    keep: Keep
    format_name: str

    def __post_init__(self) -> None:
        """Refuse an attack that never comes, and a format that adapters do not have."""
        if self.settings.lora is not None and self.format_name != "safetensors":
            raise UsageError(
                f"adapters are written as safetensors; leave out --format {self.format_name}"
            )
        if self.attack is not None and self.attack.begins > self.settings.rounds:
            raise UsageError(
                f"an attack from round {self.attack.begins} on never begins: the last round is "
                f"{self.settings.rounds}"
            )

    @property
    def written_format(self) -> str:
        """Return the name of the format of the models in its rounds, as `RoundWriter` knows it."""
        return self.format_name if self.settings.lora is None else peft.NAME

    def kept(self, finished: int | None = None) -> list[int]:
        """Return the written rounds among the first `finished`; among all of them by default."""
        last = self.settings.rounds
        until = last if finished is None else min(finished, last)
        return [number for number in range(1, until + 1) if self.keep.keeps(number, last)]

    def check_same(self, begun: "Plan", where: str) -> None:
        """Refuse to go on with a run that was begun with another plan.

        Raises
        ------
        UsageError
            Names the first option that differs, and both values.
        """
        asked = self._options()
        for name, value in begun._options().items():
            if value != asked[name]:
                raise UsageError(
                    f"'{where}' was begun with {name} {_said(value)}, not "
                    f"{_said(asked[name])}; give the same options, or name another directory"
                )

    def _options(self) -> dict[str, object]:
        """Return the options by their names on the command line."""
        settings, attack = self.settings, self.attack
        options: dict[str, object] = {
            "--dataset": settings.dataset,
            "--partition": settings.partition,
            "--model": settings.model,
            "--participants": settings.participants,
            "--rounds": settings.rounds,
            "--lora": settings.lora,
            "--eta": settings.eta,
            "--rule": settings.rule,
            "--rule-arg": settings.rule_arguments,
            "--sampled": settings.sampled,
            "--failing": settings.failing,
            "--keep": self.keep,
            "--format": self.format_name,
            "--seed": settings.seed,
            "--optimizer": settings.training.optimizer,
            "--epochs": settings.training.epochs,
            "--batch-size": settings.training.batch_size,
            "--learning-rate": settings.training.learning_rate,
            "--momentum": settings.training.momentum,
            "--weight-decay": settings.training.weight_decay,
            "--attack": attack.begins if attack else "no attack",
        }
        # Without an attack on both sides, none of them differs.
        attack = attack or AttackSettings()
        for field in fields(AttackSettings):
            if field.name != "begins":
                name = _OPTIONS.get(field.name, f"--{field.name.replace('_', '-')}")
                options[name] = getattr(attack, field.name)
        return options


def _said(value: object) -> object:
    """Return a value as the command line takes it, as far as it does."""
    if isinstance(value, tuple):
        return ",".join(value) or "nobody by name"
    if isinstance(value, dict):
        return ",".join(f"{key}={one}" for key, one in sorted(value.items())) or "none"
    if isinstance(value, LocalTraining):
        return (
            f"{value.optimizer} {value.learning_rate}, momentum {value.momentum}, weight decay "
            f"{value.weight_decay}, {value.epochs} epochs of batches of {value.batch_size}"
        )
    return "the default" if value is None else value


def round_name(number: int) -> str:
    """Return the name of a round's directory."""
    return f"round_{number:04d}"
